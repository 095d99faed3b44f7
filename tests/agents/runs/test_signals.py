"""Signals end a run by name, soon, and with a record."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import agents
from agents.cli import main as cli
from agents.leaders import leader_class
from agents.runs.experiment import Experiment
from agents.runs.files import CHECKPOINT_NAME, RECORD_NAME
from agents.runs.records import RunRecord, load_record
from tests.agents.runs.stopping import SHORT, TOY, at, send

ENDS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@pytest.mark.parametrize("number", ENDS)
def test_signals_end_a_run_as_ctrl_c_does(number, tmp_path):
    before = [signal.getsignal(each) for each in ENDS]
    record = agents.run(TOY, **SHORT, output=tmp_path, progress=at(3, send(number)))
    assert record.status == load_record(tmp_path).status == "interrupted"
    assert len(record.curve["leader_value"]) == 3
    assert [signal.getsignal(each) for each in ENDS] == before
    whole = agents.run(TOY, **SHORT)
    np.testing.assert_array_equal(agents.run(resume=tmp_path).commitment, whole.commitment)


@pytest.mark.parametrize("numbers", [(signal.SIGINT,) * 2, (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)])
def test_several_signals_at_once_leave_a_final_status(numbers, tmp_path):
    record = agents.run(TOY, **SHORT, output=tmp_path, progress=at(3, send(*numbers)))
    assert record.status == load_record(tmp_path).status == "interrupted"
    assert (tmp_path / CHECKPOINT_NAME).exists()


def test_signals_while_the_record_is_written_leave_a_final_status(tmp_path, monkeypatch):
    save = RunRecord.save

    def interrupted(self, folder):
        send(*ENDS)()
        return save(self, folder)

    def begin():
        monkeypatch.setattr(RunRecord, "save", interrupted)
        send(signal.SIGTERM)()

    assert agents.run(TOY, **SHORT, output=tmp_path, progress=at(3, begin)).status == "interrupted"
    assert load_record(tmp_path).status == "interrupted"
    monkeypatch.setattr(RunRecord, "save", interrupted)
    assert agents.run(TOY, **SHORT, output=tmp_path / "other").status == "interrupted"


def spin(*arguments, seconds=20.0):
    """Work in Python, as a search does."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        sum(range(100))


@pytest.fixture
def later():
    """A function that has a signal sent after some seconds."""
    timers = []

    def send_later(number, seconds=0.3):
        timers.append(threading.Timer(seconds, os.kill, (os.getpid(), number)))
        timers[-1].start()

    yield send_later
    for timer in timers:
        timer.cancel()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("where", ["update", "closing", "making"])
def test_a_signal_is_heeded_within_two_seconds_wherever_it_comes(number, where, tmp_path, monkeypatch, later):
    kind, started = leader_class("bchg"), []

    def hang(*arguments):
        started.append(time.monotonic())
        later(number, 0.2)
        spin()

    places = {"update": (kind, "update"), "closing": (Experiment, "_judge"), "making": (kind, "__init__")}
    monkeypatch.setattr(*places[where], hang)
    record = agents.run(TOY, updates=1, output=tmp_path)
    assert time.monotonic() - started[0] < 2.2
    assert record.status == load_record(tmp_path).status == "interrupted"
    assert (tmp_path / CHECKPOINT_NAME).exists() == (where != "making")


@pytest.mark.parametrize(
    "options",
    [
        {"follower": "soft_q_learning", "follower_options": {"steps": 10**9}},
        {"follower": "expected_sarsa", "follower_options": {"steps": 10**9}},
        {"leader": "amd", "leader_options": {"inner_iterations": 10**8}},
    ],
)
def test_a_signal_is_heeded_within_two_seconds_in_compiled_loops(options, later):
    agents.run(TOY, **{**options, "updates": 1, **SHORT, "follower_options": {}, "leader_options": {}})  # compiles
    start = time.monotonic()
    later(signal.SIGINT, 0.2)
    assert agents.run(TOY, updates=1, **options).status == "interrupted"
    assert time.monotonic() - start < 2.2


def test_a_stop_that_is_lost_is_raised_again(monkeypatch, later):
    class Swallows:
        def __del__(self):
            spin(seconds=0.5)

    monkeypatch.setattr("sys.unraisablehook", lambda unraisable: None)
    monkeypatch.setattr(leader_class("bchg"), "update", lambda *arguments: (Swallows(), spin()))
    start = time.monotonic()
    later(signal.SIGTERM, 0.2)
    assert agents.run(TOY, updates=1).status == "interrupted"
    assert time.monotonic() - start < 2.2


def test_handlers_of_the_caller_stay_in_force_and_are_called_when_all_is_written(tmp_path, monkeypatch):
    called = []

    def handler(number, frame):
        called.append(load_record(tmp_path).status)
        sys.exit(7)

    def at_the_end():
        save = RunRecord.save
        monkeypatch.setattr(RunRecord, "save", lambda self, folder: send(signal.SIGTERM)() or save(self, folder))

    before = signal.signal(signal.SIGTERM, handler)
    try:
        with pytest.raises(SystemExit, match="7"):
            agents.run(TOY, **SHORT, output=tmp_path, progress=at(6, at_the_end))
    finally:
        signal.signal(signal.SIGTERM, before)
    assert called == ["finished"]


def test_an_ignored_signal_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert agents.run(TOY, **SHORT, progress=at(2, send(signal.SIGHUP))).status == "finished"
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_stop_of_a_run_within_a_run_stops_both():
    inner = []

    def nested():
        inner.append(agents.run(TOY, **SHORT, progress=at(2, send(signal.SIGTERM))).status)

    outer = agents.run(TOY, **SHORT, progress=at(1, nested))
    assert inner == [outer.status] == ["interrupted"]
    assert len(outer.curve["leader_value"]) == 1


def test_runs_in_other_threads_work(tmp_path):
    found = []
    threads = [
        threading.Thread(target=lambda k=k: found.append(agents.run(TOY, **SHORT, output=tmp_path / str(k))))
        for k in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [record.status for record in found] == ["finished"] * 2


@pytest.mark.parametrize("number", ENDS)
def test_the_exit_code_says_which_signal_it_was(number, tmp_path, monkeypatch):
    words = ["run", TOY, "--quiet", "--output", str(tmp_path), "--updates", "5", "--steps-per-update", "30"]
    monkeypatch.setattr(leader_class("bchg"), "update", lambda *arguments: send(number)() or spin())
    assert cli.main(words) == 128 + number
    assert load_record(tmp_path).status == "interrupted"
    assert (tmp_path / CHECKPOINT_NAME).exists()
    assert not (tmp_path / "run.png").exists()


@pytest.mark.parametrize("where", ["agents.runs.lineup.make_brief", "agents.runs.experiment.evaluation_of"])
def test_a_signal_before_the_run_begins_leaves_a_record_too(where, tmp_path, monkeypatch):
    def stopped(*arguments, **more):
        return send(signal.SIGTERM)() or spin()

    monkeypatch.setattr(where, stopped)
    words = ["run", TOY, "--quiet", "--output", str(tmp_path), "--updates", "5", "--seed", "4"]
    assert cli.main(words) == 128 + signal.SIGTERM
    record = load_record(tmp_path)
    assert (record.status, record.game, record.leader, record.updates, record.seed) == (
        "interrupted",
        TOY,
        "bchg",
        5,
        4,
    )
    monkeypatch.undo()
    if "lineup" in where:
        earlier = agents.run(TOY, **SHORT, output=tmp_path)
        monkeypatch.setattr(where, stopped)
        assert cli.main(words) == 128 + signal.SIGTERM
        assert load_record(tmp_path).to_json() == earlier.to_json()


def test_an_update_that_takes_long_is_not_waited_for(tmp_path, monkeypatch, capfd, later):
    update, seen = leader_class("bchg").update, []

    def slow_from_the_second(self, trajectories):
        seen.append(1)
        if len(seen) == 2:
            later(signal.SIGINT, 0.1)
            start = time.monotonic()
            try:
                spin()
            finally:
                seen.append(time.monotonic() - start)
        return update(self, trajectories)

    monkeypatch.setattr(leader_class("bchg"), "update", slow_from_the_second)
    words = ["run", TOY, "--quiet", "--output", str(tmp_path), "--updates", "5", "--steps-per-update", "30"]
    assert cli.main(words) == 130
    assert len(load_record(tmp_path).curve["leader_value"]) == 1
    assert "stopping after this update" in capfd.readouterr().err
    assert 0.5 < seen[2] < 1.5


def is_interrupted(folder):
    return (folder / RECORD_NAME).exists() and load_record(folder).status == "interrupted"


def spent(process):
    """Seconds of the processor that a process has had; where the system does not tell, seconds on the clock."""
    try:
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return time.monotonic()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.deep
@pytest.mark.parametrize("number", ENDS)
@pytest.mark.parametrize("seconds", [0.1, 0.5, 1.0, 2.0, 3.0, 5.0])
def test_a_batch_system_gets_a_record_and_an_exit_code(seconds, number, tmp_path):
    words = ["run", "stackelberg/TaxDesign-v0", "--leader", "certainty_equivalent", "--output", str(tmp_path)]
    with subprocess.Popen(
        [sys.executable, "-c", "from agents.cli.entry import main; print('begun', flush=True); main()", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            # Seconds of the process itself: on a machine with other work to do, those on the clock say little.
            assert process.stdout.readline() == "begun\n"
            start, deadline = spent(process), time.monotonic() + 120.0
            while spent(process) - start < seconds:
                assert time.monotonic() < deadline
                time.sleep(0.02)
            process.send_signal(number)
            start = spent(process)
            while process.poll() is None and not is_interrupted(tmp_path):
                # Imports are waited for, and take seconds.
                assert spent(process) - start < (6.0 if seconds < 4.0 else 2.0)
                assert time.monotonic() < deadline
                time.sleep(0.02)
            _, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 128 + number, err
    assert is_interrupted(tmp_path)
    assert "Traceback" not in err
