"""The file of a run's curve."""

import itertools
import json

import numpy as np
import pytest

import agents
from agents.runs.experiment import Experiment
from agents.runs.files import CHECKPOINT_NAME, CURVE_NAME, RECORD_NAME
from agents.runs.records import RunRecord, load_record
from stackelberg_envs.errors import OutputError
from tests.agents.runs.stopping import SHORT, TOY, at, fail, names


def test_what_was_written_of_a_curve_is_not_written_again(tmp_path, monkeypatch):
    monkeypatch.setattr("agents.runs.running.SAVE_INTERVAL", 0.0)
    seen = []

    def watch(state):
        path = tmp_path / CURVE_NAME
        seen.append((path.stat().st_ino, path.read_bytes(), (tmp_path / RECORD_NAME).stat().st_size))
        if state.update > 2:  # what is written after an update is seen at the next
            assert len(load_record(tmp_path).curve["leader_value"]) == state.update - 1

    agents.run(TOY, updates=30, steps_per_update=10, output=tmp_path, progress=watch)
    for (inode, before, size), (same, after, later_size) in itertools.pairwise(seen[1:]):
        assert inode == same
        assert after.startswith(before)
        assert len(after) - len(before) < 400
        assert abs(later_size - size) < 400
    assert names(tmp_path) == [RECORD_NAME]


def test_a_line_that_was_cut_off_is_left_out_and_a_resumed_run_cuts_off_what_came_after_its_checkpoint(tmp_path):
    options = {**SHORT, "output": tmp_path, "checkpoint_every": 4}
    whole = agents.run(TOY, **SHORT)
    agents.run(TOY, **options, progress=at(4, fail(KeyboardInterrupt())))
    checkpoint = (tmp_path / CHECKPOINT_NAME).read_bytes()
    assert agents.run(resume=tmp_path, progress=at(5, fail(KeyboardInterrupt()))).status == "interrupted"
    (tmp_path / CHECKPOINT_NAME).write_bytes(checkpoint)
    with (tmp_path / CURVE_NAME).open("a") as file:
        file.write("[1.0, 2.")
    values = json.loads((tmp_path / RECORD_NAME).read_text())
    (tmp_path / RECORD_NAME).write_text(json.dumps({**values, "status": "running", "curve": {}}))
    assert len(load_record(tmp_path).curve["leader_value"]) == 5
    resumed = agents.run(resume=tmp_path)
    assert json.loads(resumed.to_json())["curve"] == json.loads(whole.to_json())["curve"]


@pytest.mark.parametrize("change", [lambda data: data[:-9], lambda data: data.replace(b"[30", b"[31"), None])
def test_a_curve_of_another_run_is_refused(change, tmp_path):
    agents.run(TOY, **SHORT, output=tmp_path, progress=at(4, fail(KeyboardInterrupt())))
    path = tmp_path / CURVE_NAME
    data = path.read_bytes()
    path.unlink() if change is None else path.write_bytes(change(data))
    with pytest.raises(OutputError, match=rf"{CURVE_NAME}: expected the"):
        agents.run(resume=tmp_path)
    if change is not None:
        assert path.read_bytes() == change(data)


@pytest.mark.parametrize(
    "text", ["{}\n", '["a"]\n[1, 2]\n', '["a"]\n["b"]\n', '["a"]\n[true]\n', "[[1]]\n", "[" * 9999 + "\n"]
)
def test_a_file_that_is_no_curve_is_refused(text, tmp_path):
    RunRecord("g", "l", "f", 1, 1, 0).save(tmp_path)
    (tmp_path / CURVE_NAME).write_text(text)
    with pytest.raises(OutputError, match=rf"{CURVE_NAME}: expected lists of names and of numbers"):
        load_record(tmp_path)


def test_columns_may_come_in_later_and_hold_any_number(tmp_path):
    curve = agents.runs.curves.Curve()
    curve.add({"a": 0.1})
    curve.write(tmp_path)
    curve.add({"a": np.inf, "inf": -np.inf})
    curve.add({"inf": 1e-300})
    mark = curve.write(tmp_path)
    assert curve.write(tmp_path) == mark
    for back in (
        agents.runs.curves.Curve.read(tmp_path, mark).columns(),
        agents.runs.curves.read_columns(tmp_path / CURVE_NAME),
    ):
        assert list(back) == ["a", "inf"]
        np.testing.assert_array_equal(back["a"], [0.1, np.inf, np.nan])
        np.testing.assert_array_equal(back["inf"], [np.nan, -np.inf, 1e-300])


def test_the_record_of_a_long_run_that_was_stopped_is_short_and_read_whole(tmp_path, monkeypatch):
    monkeypatch.setattr("agents.runs.running.FOLDED", 10)
    record = agents.run(TOY, **SHORT, output=tmp_path, progress=at(4, fail(KeyboardInterrupt())))
    assert json.loads((tmp_path / RECORD_NAME).read_text())["curve"] == {}
    assert load_record(tmp_path).to_json() == record.to_json()
    agents.run(resume=tmp_path)
    assert len(json.loads((tmp_path / RECORD_NAME).read_text())["curve"]["leader_value"]) == 6


def test_an_experiment_without_a_folder_needs_none():
    experiment = Experiment(agents.ExperimentConfig(TOY, updates=2, steps_per_update=10))
    experiment.step()
    assert len(experiment.update_record().curve["leader_value"]) == 1
