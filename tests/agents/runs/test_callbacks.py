"""Callbacks: told of everything in order, harmless to the run, and three that write to the services of others."""

import json
import sys
import types

import numpy as np
import pytest

import agents
from agents.cli.main import main
from agents.runs import callbacks
from stackelberg_envs.errors import ArgumentError, MissingExtraError, UnknownNameError

TOY = "stackelberg/DiscreteToy-v1"
SHORT = {"leader": "naive", "updates": 3, "steps_per_update": 100, "leader_options": {"learning_rate": 0.5}}


class Noted(agents.Callback):
    """Keeps what it is told; raises where it is asked to."""

    def __init__(self, fails=(), error=None):
        self.told, self.fails, self.error = [], fails, error or RuntimeError("no")

    def note(self, name, *what):
        self.told.append((name, *what))
        if name in self.fails:
            raise self.error

    def on_start(self, config):
        self.note("start", config)

    def on_update(self, progress, row):
        self.note("update", progress, row)

    def on_end(self, record):
        self.note("end", record)

    @property
    def names(self):
        return [name for name, *_ in self.told]


def test_a_callback_is_told_of_start_updates_and_end():
    noted = Noted()
    record = agents.run(TOY, callbacks=[noted], **SHORT)
    assert noted.names == ["start", "update", "update", "update", "end"]
    assert noted.told[0][1].leader == "naive"
    assert noted.told[-1][1] is record
    for index, (_, progress, row) in enumerate(noted.told[1:-1]):
        assert progress.update == index + 1
        assert row.keys() == record.curve.keys()
        assert row == {name: pytest.approx(column[index], nan_ok=True) for name, column in record.curve.items()}


def test_telling_changes_no_number_and_one_needs_no_list():
    with_it, without = agents.run(TOY, callbacks=agents.Callback(), **SHORT), agents.run(TOY, **SHORT)
    assert np.array_equal(with_it.commitment, without.commitment)


@pytest.mark.parametrize("where", ["update", "end"])
def test_a_callback_that_raises_is_told_no_more_and_the_run_goes_on(where, tmp_path):
    bad, good = Noted(fails=[where]), Noted()
    with pytest.warns(UserWarning, match="Noted is told no more: RuntimeError: no"):
        record = agents.run(TOY, callbacks=[bad, good], output=tmp_path, **SHORT)
    assert record.status == json.loads((tmp_path / "record.json").read_text())["status"] == "finished"
    assert good.names == ["start", "update", "update", "update", "end"]
    assert bad.names.count(where) == 1
    assert "end" not in bad.names or where == "end"


def test_what_a_callback_raises_at_the_start_ends_the_run_and_leaves_a_record(tmp_path):
    first, bad = Noted(), Noted(fails=["start"])
    with pytest.raises(RuntimeError, match="no"):
        agents.run(TOY, callbacks=[first, bad], output=tmp_path, **SHORT)
    assert json.loads((tmp_path / "record.json").read_text())["status"] == "failed"
    assert (first.names, bad.names) == (["start", "end"], ["start"])


def test_the_end_is_told_whatever_it_is_after_the_record_is_written(tmp_path):
    class Reads(Noted):
        def on_end(self, record):
            super().on_end(json.loads((tmp_path / "record.json").read_text())["status"])

    noted = Reads(fails=["update"], error=KeyboardInterrupt())
    assert agents.run(TOY, callbacks=[noted], output=tmp_path, **SHORT).status == "interrupted"
    assert noted.told[-1] == ("end", "interrupted")
    noted = Reads()

    def fail(progress):
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        agents.run(TOY, callbacks=[noted], progress=fail, output=tmp_path, **SHORT)
    assert noted.told[-1] == ("end", "failed")
    noted = Reads()
    assert agents.run(resume=tmp_path, callbacks=[noted]).status == "finished"
    assert noted.names == ["start", "update", "update", "update", "end"]


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        ("tensorbord", UnknownNameError, "did you mean 'tensorboard'"),
        ([Noted], ArgumentError, "objects with on_start, on_update and on_end"),
        ([print], ArgumentError, "objects with on_start, on_update and on_end"),
    ],
)
def test_what_is_no_callback_is_refused_before_any_work(given, error, says, tmp_path):
    with pytest.raises(error, match=says):
        agents.run(TOY, callbacks=given, output=tmp_path / "new", **SHORT)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("name", "module"), [("tensorboard", "tensorboardX"), ("wandb", "wandb"), ("mlflow", "mlflow")]
)
def test_without_its_library_there_is_a_hint(name, module, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=f"pip install {module}"):
        agents.run(TOY, callbacks=name, output=tmp_path / "new", **SHORT)
    assert main(["run", TOY, "--log", name, "--quiet"]) == 2
    assert f"pip install {module}" in capsys.readouterr().err


class Calls:
    """Stands for an object of a library: notes what is called."""

    def __init__(self, log, name="", **returns):
        self._log, self._name, self._returns = log, name, returns

    def __getattr__(self, name):
        def call(*given, **named):
            self._log.append((self._name + name, given, named))
            return self._returns.get(name)

        return call


def fake(monkeypatch, name, **members):
    module = types.ModuleType(name)
    vars(module).update(members)
    monkeypatch.setitem(sys.modules, name, module)


def test_tensorboard_has_every_number_that_is_known(tmp_path, monkeypatch):
    log, made = [], []
    fake(monkeypatch, "tensorboardX", SummaryWriter=lambda folder: made.append(folder) or Calls(log))
    record = agents.run(TOY, callbacks="tensorboard", output=tmp_path, evaluate_every=2, **SHORT)
    assert made[0].startswith(str(tmp_path / "tensorboard" / "20"))
    assert "leader_options.learning_rate: 0.5" in log[0][1][1]
    values = [given[1:] for name, given, _ in log if name == "add_scalar" and given[0] == "leader_value"]
    assert values == [(record.curve["leader_value"][0], 1), (record.curve["leader_value"][2], 3)]
    assert ("add_scalar", ("end/leader_value", record.leader_value, 3), {}) in log
    assert log[-1][0] == "close"
    agents.run(TOY, callbacks=callbacks.TensorBoard(tmp_path / "mine"), **SHORT)
    agents.run(TOY, callbacks="tensorboard", **SHORT)
    assert made[1:] == [str(tmp_path / "mine"), None]


def test_wandb_has_settings_rows_and_an_end(tmp_path, monkeypatch):
    log = []
    run = Calls(log)
    run.summary = {}
    fake(monkeypatch, "wandb", init=lambda **named: log.append(("init", (), named)) or run)
    record = agents.run(TOY, callbacks=["wandb"], output=tmp_path, **SHORT)
    settings = log[0][2]["config"]
    assert (settings["game"], settings["seed"], log[0][2]["dir"]) == (TOY, 0, str(tmp_path))
    assert [named["step"] for name, _, named in log if name == "log"] == [1, 2, 3]
    assert run.summary["leader_value"] == record.leader_value
    assert run.summary["status"] == "finished"
    assert log[-1] == ("finish", (), {"exit_code": 0})


@pytest.mark.parametrize("there", [None, types.SimpleNamespace(experiment_id="7")])
def test_mlflow_has_params_metrics_and_a_status(there, tmp_path, monkeypatch):
    log = []
    run = types.SimpleNamespace(info=types.SimpleNamespace(run_id="r"))
    client = Calls(log, create_experiment="7", get_experiment_by_name=there, create_run=run)
    fake(monkeypatch, "mlflow", MlflowClient=lambda: client)
    record = agents.run(TOY, callbacks=["mlflow"], output=tmp_path, **SHORT)
    assert ("create_experiment" in [name for name, *_ in log]) == (there is None)
    assert ("create_run", ("7",), {"tags": {"folder": str(tmp_path)}}) in log
    assert ("log_param", ("r", "leader", "naive"), {}) in log
    told = [
        (given[2], named["step"]) for name, given, named in log if name == "log_metric" and given[1] == "leader_value"
    ]
    assert told == [(value, index + 1) for index, value in enumerate(record.curve["leader_value"])]
    assert log[-1] == ("set_terminated", ("r", "FINISHED"), {})


def test_texts_are_as_long_as_mlflow_takes_them(monkeypatch):
    log = []
    run = types.SimpleNamespace(info=types.SimpleNamespace(run_id="r"))
    fake(monkeypatch, "mlflow", MlflowClient=lambda: Calls(log, create_run=run))
    callbacks.MLflow().on_start(agents.ExperimentConfig(game="x" * 9_000))
    assert max(len(given[2]) for name, given, _ in log if name == "log_param") == 500


def test_the_command_line_logs_by_name(tmp_path, monkeypatch, capsys):
    log = []
    fake(monkeypatch, "tensorboardX", SummaryWriter=lambda folder: Calls(log))
    words = [
        "--updates",
        "3",
        "--steps-per-update",
        "100",
        "--quiet",
        "--log",
        "tensorboard",
        "--output",
        str(tmp_path),
    ]
    assert main(["run", TOY, *words]) == 0
    assert log[-1][0] == "close"
    assert main(["run", TOY, "--log", "tensorbord", "--quiet"]) == 2
    assert "did you mean 'tensorboard'" in capsys.readouterr().err
