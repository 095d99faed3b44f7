"""A run by the command line: table, record and picture; refused, stopped, and gone on with."""

import os
import shlex
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from agents.cli import run_game
from agents.cli.main import main
from agents.runs import presets
from agents.runs.presets import TUNING_SEEDS, Preset, Presets
from agents.runs.records import load_record
from tests.agents.cli.words import ROOMS, SHORT, TOY, fail_after, refused, without_seconds


def test_run_ends_in_a_table_and_writes_record_and_picture(tmp_path, capsys):
    folder = tmp_path / "toy"
    words = ["--set", "reward=2", "--leader-option", "learning_rate=0.1", "--seed", "7", "--output", str(folder)]
    assert main(["run", TOY, *SHORT, *words]) == 0
    out = capsys.readouterr().out
    for row in ("leader return at start", "at end", "exact", "best known", "response gap", "observed steps", "time"):
        assert row in out
    assert "In words: the leader's return went from" in out
    record = load_record(folder)
    assert (record.status, record.seed, record.observed_steps) == ("finished", 7, 300)
    assert record.game_arguments == {"reward": 2}
    assert record.leader_options["learning_rate"] == 0.1
    assert f"{record.leader_value:.4f}" in out
    assert (folder / "run.png").read_bytes().startswith(b"\x89PNG")


def test_quiet_prints_the_table_alone(capsys):
    assert main(["run", TOY, *SHORT, "--quiet"]) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith("Result")
    assert "In words" not in captured.out
    assert captured.err == ""


def test_equal_seeds_give_equal_runs(tmp_path):
    for name in ("one", "two"):
        assert main(["run", TOY, *SHORT, "--quiet", "--output", str(tmp_path / name)]) == 0
    one, two = load_record(tmp_path / "one"), load_record(tmp_path / "two")
    np.testing.assert_array_equal(one.commitment, two.commitment)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["show", "stackelberg/FourRoom-v0"], "did you mean 'stackelberg/FourRooms-v0'"),
        (["run", TOY, "--leader", "bcgh"], "did you mean 'bchg'"),
        (["run", TOY, "--follower", "soft_q"], "did you mean 'soft_dqn', 'soft_q_learning'"),
        (["run", TOY, "--parametrisation", "sigmod"], "did you mean 'sigmoid'"),
        (["run", TOY, "--set", "rewrad=2"], "expected arguments among reward"),
        (["run", TOY, "--set", "reward"], "expected NAME=VALUE, got 'reward'"),
        (["run", TOY, "--set", "reward=much"], "reward: expected a finite number, got 'much'"),
        (["run", TOY, "--set", "reward=__import__('os')"], "expected a number, a word, a list"),
        (["run", TOY, "--set", "temperature=0"], "temperature: expected a number greater than 0"),
        (["run", TOY, "--leader-option", "rate=1"], "unknown option 'rate'"),
        (
            ["run", TOY, "--leader-option", "learning_rate=NaN"],
            "learning_rate: expected a number greater than 0, got nan",
        ),
        (["run", TOY, "--leader-option", "start=[0, 'a']"], "'random' or an array of finite numbers"),
        (["run", TOY, "--leader-option", "optimizer=newton"], "optimizer: expected 'adam' or 'sgd', got 'newton'"),
        (["run", TOY, "--follower-option", "tolerance=true"], "tolerance: expected a number greater than 0, got True"),
        (["run", ROOMS, "--set", "goals=[[0, 0]]"], "expected free cells"),
        (["run", ROOMS, "--set", "goals=5"], "goals: expected a list of lists, got 5"),
        (["run", TOY, "--updates", "0"], "argument --updates: expected an integer of at least 1"),
        (["run", TOY, "--seed", "1.5"], "argument --seed: expected an integer of at least 0"),
        (["run"], "the following arguments are required: ID"),
        (["frobnicate"], "invalid choice: 'frobnicate'"),
    ],
)
def test_bad_input_is_refused_in_one_line(words, message, capsys):
    assert message in refused(capsys, *words)


def test_an_unwritable_folder_is_refused_before_any_work(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("agents.runs.running.Experiment", lambda *_: pytest.fail("work was done"))
    (tmp_path / "file").write_text("")
    line = refused(capsys, "run", TOY, "--output", str(tmp_path / "file" / "out"))
    assert "expected a folder that can be written" in line


def test_a_refused_run_leaves_no_folder(tmp_path, capsys):
    refused(capsys, "run", TOY, "--leader", "nobody", "--output", str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_a_failing_run_leaves_a_readable_record(tmp_path, capsys, monkeypatch):
    fail_after(monkeypatch, 3, RuntimeError("the sky fell"))
    with pytest.raises(RuntimeError, match="the sky fell"):
        main(["run", TOY, "--updates", "9", "--steps-per-update", "100", "--output", str(tmp_path)])
    assert f"what it had is in {tmp_path / 'record.json'}" in capsys.readouterr().err
    record = load_record(tmp_path)
    assert (record.status, record.error) == ("failed", "RuntimeError: the sky fell")
    assert len(record.curve["leader_value"]) == 2


def test_without_matplotlib_the_run_succeeds_and_one_sentence_names_the_extra(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert main(["run", TOY, *SHORT, "--output", str(tmp_path)]) == 0
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert 'pip install "stackelberg-envs[plots]"' in err
    assert load_record(tmp_path).status == "finished"
    assert not (tmp_path / "run.png").exists()


# Ctrl-C


def check_interrupted(code, updates, folder, capsys):
    assert code == 130
    out = capsys.readouterr().out
    assert f"Stopped after update {updates} of 50; what was learned is kept." in out
    assert "Result" in out
    record = load_record(folder)
    assert record.status == "interrupted"
    assert len(record.curve["leader_value"]) == updates
    assert record.commitment is not None
    assert (folder / "run.png").exists()
    command = next(line for line in out.splitlines() if "Look at it again with:" in line).partition(": ")[2]
    assert main(shlex.split(command)[1:]) == 0
    assert (folder / "curve.png").exists()


FIFTY = ["--updates", "50", "--steps-per-update", "100"]


def test_an_interrupt_at_any_point_keeps_what_was_learned(tmp_path, capsys, monkeypatch):
    fail_after(monkeypatch, 4, KeyboardInterrupt())
    code = main(["run", TOY, *FIFTY, "--output", str(tmp_path)])
    check_interrupted(code, 3, tmp_path, capsys)


def test_an_interrupt_from_the_progress_display_keeps_what_was_learned(tmp_path, capsys, monkeypatch):
    show = run_game._Watch.__call__

    def interrupt(self, progress):
        show(self, progress)
        if progress.update == 5:
            raise KeyboardInterrupt

    monkeypatch.setattr(run_game._Watch, "__call__", interrupt)
    code = main(["run", TOY, *FIFTY, "--output", str(tmp_path)])
    check_interrupted(code, 5, tmp_path, capsys)


def test_the_first_ctrl_c_lets_the_update_finish(tmp_path, capsys, monkeypatch):
    before = signal.getsignal(signal.SIGINT)
    fail_after(monkeypatch, 4, lambda: os.kill(os.getpid(), signal.SIGINT))
    code = main(["run", TOY, *FIFTY, "--output", str(tmp_path)])
    check_interrupted(code, 4, tmp_path, capsys)
    assert signal.getsignal(signal.SIGINT) == before


def test_the_second_ctrl_c_stops_at_once(tmp_path, capsys, monkeypatch):
    fail_after(monkeypatch, 4, lambda: [os.kill(os.getpid(), signal.SIGINT) for _ in range(2)])
    code = main(["run", TOY, *FIFTY, "--output", str(tmp_path)])
    check_interrupted(code, 3, tmp_path, capsys)


def test_ctrl_c_before_the_first_update_still_leaves_a_record(tmp_path, capsys, monkeypatch):
    fail_after(monkeypatch, 1, KeyboardInterrupt())
    assert main(["run", TOY, *FIFTY, "--output", str(tmp_path)]) == 130
    assert "Stopped after update 0 of 50" in capsys.readouterr().out
    assert load_record(tmp_path).status == "interrupted"
    assert "had none" in refused(capsys, "plot", str(tmp_path), "--output", str(tmp_path / "x.png"))


def test_ctrl_c_without_an_output_folder_says_how_to_keep_it(capsys, monkeypatch):
    fail_after(monkeypatch, 4, KeyboardInterrupt())
    assert main(["run", TOY, *FIFTY]) == 130
    assert "nothing was written: --output FOLDER keeps it" in capsys.readouterr().out


def test_a_real_signal_to_a_real_process(tmp_path):
    script = (
        "import sys, agents.runs.running, agents.cli.main; agents.runs.running.SAVE_INTERVAL = 0.0; "
        "sys.exit(agents.cli.main.main(sys.argv[1:]))"
    )
    words = ["run", TOY, "--updates", "1000000", "--steps-per-update", "100", "--output", str(tmp_path)]
    process = subprocess.Popen(
        [sys.executable, "-c", script, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not (
            (tmp_path / "curve.jsonl").exists() and (tmp_path / "curve.jsonl").stat().st_size
        ):
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert "what was learned is kept" in out
    record = load_record(tmp_path)
    assert record.status == "interrupted"
    assert len(record.curve["leader_value"]) >= 1
    assert (tmp_path / "run.png").exists()


# resume


def test_a_run_that_was_stopped_goes_on_where_it_was(tmp_path, capsys, monkeypatch):
    words = [*FIFTY, "--seed", "3", "--leader-option", "learning_rate=0.1", "--set", "reward=2"]
    assert main(["run", TOY, *words, "--quiet", "--output", str(tmp_path / "whole")]) == 0
    with monkeypatch.context() as patch:
        fail_after(patch, 20, lambda: os.kill(os.getpid(), signal.SIGINT))
        assert main(["run", TOY, *words, "--output", str(tmp_path / "part")]) == 130
    out = capsys.readouterr().out
    command = next(line for line in out.splitlines() if line.startswith("Go on with: ")).partition(": ")[2]
    assert command == f"stackelberg run --resume {tmp_path / 'part'}"
    assert main(shlex.split(command)[1:]) == 0
    out = capsys.readouterr().out
    assert "leader bchg, which sees" in out
    assert "50" in next(line for line in out.splitlines() if line.startswith("leader updates"))
    assert without_seconds(tmp_path / "part") == without_seconds(tmp_path / "whole")
    assert (tmp_path / "part" / "run.png").exists()
    assert not (tmp_path / "part" / "checkpoint.npz").exists()


def test_what_cannot_be_resumed_is_refused_in_one_line(tmp_path, capsys, monkeypatch):
    assert "expected the checkpoint of a run that was stopped" in refused(capsys, "run", "--resume", str(tmp_path))
    fail_after(monkeypatch, 3, KeyboardInterrupt())
    assert main(["run", TOY, *FIFTY, "--output", str(tmp_path)]) == 130
    capsys.readouterr()
    words = ["run", TOY, "--resume", str(tmp_path), "--updates", "9", "--set", "reward=2"]
    assert "expected no other options, since the run has its own; got id, set, updates" in refused(capsys, *words)
    (tmp_path / "checkpoint.npz").write_bytes(b"nonsense")
    assert "checkpoint.npz: expected what this library wrote, got damaged data" in refused(
        capsys, "run", "--resume", str(tmp_path)
    )
    assert "--checkpoint-every: expected --output FOLDER too" in refused(capsys, "run", TOY, "--checkpoint-every", "5")


def test_checkpoints_and_a_leader_elsewhere_change_nothing(tmp_path):
    options = {"near": [], "far": ["--checkpoint-every", "2", "--leader-process"]}
    for name, words in options.items():
        assert main(["run", TOY, *SHORT, *words, "--quiet", "--output", str(tmp_path / name)]) == 0
    assert without_seconds(tmp_path / "near") == without_seconds(tmp_path / "far")


def test_tuned_settings_are_taken_without_a_word_and_named(tmp_path, monkeypatch, capsys):
    found = Preset(
        **{"game": TOY, "options": {"learning_rate": 0.25}, "steps": 100, "steps_per_update": 50, "trials": 1},
        **{"seeds": (TUNING_SEEDS,), "value": 1.0},
    )
    monkeypatch.setattr(presets, "FOLDER", tmp_path)
    Presets("naive", tuned=(found,)).write(tmp_path / "naive.toml")
    base = ["run", TOY, "--leader", "naive", "--steps", "100", "--output"]
    cases = {"plain": [], "none": ["--preset", "none"], "other": ["--follower", "soft_q_learning"]}
    cases["learner"] = ["--follower-option", "sweeps=3"]
    expected = {"plain": ("tuned", 0.25), "none": ("", None), "other": ("", None), "learner": ("", None)}
    for name, more in cases.items():
        assert main([*base, str(tmp_path / name), *more]) == 0
        out = " ".join(capsys.readouterr().out.split())
        assert ("the preset 'tuned' (--preset none takes its defaults)" in out) == (name == "plain")
        record = load_record(tmp_path / name)
        assert (record.preset, record.leader_options["learning_rate"]) == expected[name]


def test_a_preset_that_there_is_not_is_refused_in_one_line(capsys):
    assert "got 'best'" in refused(capsys, "run", TOY, "--preset", "best")
