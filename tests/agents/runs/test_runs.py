"""What ends a run, what it leaves in its folder, and who else may write there."""

import fcntl
import itertools
import json
import os
import resource
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
from agents.runs.files import CHECKPOINT_NAME, CURVE_NAME, LOCK_NAME, RECORD_NAME, FolderLock, remove_leftovers
from agents.runs.records import RunRecord, load_record
from stackelberg_envs.errors import OutputError

TOY = "stackelberg/DiscreteToy-v0"
SHORT = {"updates": 6, "steps_per_update": 30}
ENDS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


def at(update, do):
    def progress(state):
        if state.update == update:
            do()

    return progress


def send(*numbers):
    def do():
        for number in numbers:
            os.kill(os.getpid(), number)

    return do


def fail(error):
    def do():
        raise error

    return do


def names(folder):
    return sorted(path.name for path in folder.iterdir())


# One run at a time.


def test_a_second_run_in_a_folder_is_refused_and_told_of_the_first(tmp_path):
    refused = []

    def second():
        for options in ({"output": tmp_path, "leader": "naive", **SHORT}, {"resume": tmp_path}):
            with pytest.raises(OutputError) as caught:
                agents.run(*([TOY] if "output" in options else []), **options)
            refused.append(str(caught.value))

    first = agents.run(TOY, **SHORT, output=tmp_path, progress=at(3, second))
    for message in refused:
        assert f"{tmp_path}: expected a folder in which no other run is going on, got that of process" in message
        assert f"process {os.getpid()} on {os.uname().nodename}, started at {time.strftime('%Y')}" in message
    assert len(refused) == 2
    assert load_record(tmp_path).to_json() == first.to_json()
    assert names(tmp_path) == [RECORD_NAME]


LOCKING = """
import os, sys, time
from pathlib import Path
from agents.runs.files import FolderLock
lock = FolderLock(Path(sys.argv[1]))
if os.fork() == 0:
    # The forked one says so: by now it has let go of what it got from its parent.
    print("locked", flush=True)
time.sleep(60)
"""


def test_a_killed_process_holds_no_lock_even_if_a_process_that_it_forked_lives_on(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", LOCKING, str(tmp_path)], stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            assert process.stdout.readline() == "locked\n"
            with pytest.raises(OutputError, match=f"got that of process {process.pid} on"):
                FolderLock(tmp_path)
            process.kill()
            process.wait()
            assert (tmp_path / LOCK_NAME).exists()
            FolderLock(tmp_path).release()
        finally:
            os.killpg(process.pid, signal.SIGKILL)
    assert names(tmp_path) == []


def test_a_lock_whose_name_was_removed_meanwhile_is_not_taken_for_the_folders(tmp_path):
    first = FolderLock(tmp_path)
    (tmp_path / LOCK_NAME).unlink()
    with FolderLock(tmp_path), pytest.raises(OutputError, match="no other run"):
        FolderLock(tmp_path)
    first.release()
    first.release()


def test_temporary_files_of_dead_processes_are_removed_and_nothing_else(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    litter = [f".checkpoint.npz.{dead.pid}", f".record.json.{dead.pid}.0a1b", f".curve.jsonl.{os.getpid()}.ff"]
    living = [f".checkpoint.npz.{os.getppid()}", f".record.json.{dead.pid}.claimed"]
    others = ["notes.txt", ".checkpoint.npz", f".other.npz.{dead.pid}", f"record.json.{dead.pid}"]
    for name in [*litter, *living, *others]:
        (tmp_path / name).write_text("x")
    with (tmp_path / living[1]).open() as claimed:
        fcntl.flock(claimed, fcntl.LOCK_EX)
        assert sorted(path.name for path in remove_leftovers(tmp_path)) == sorted(litter)
        assert names(tmp_path) == sorted([*living, *others])
    agents.run(TOY, **SHORT, output=tmp_path)
    assert names(tmp_path) == sorted([living[0], *others, RECORD_NAME])


# Nothing is lost.


def test_an_earlier_result_in_the_folder_keeps_a_name_of_its_own(tmp_path):
    one = agents.run(TOY, **SHORT, output=tmp_path, seed=1)
    two = agents.run(TOY, **SHORT, output=tmp_path, seed=2, progress=at(2, send(signal.SIGINT)))
    three = agents.run(TOY, **SHORT, output=tmp_path, seed=3)
    assert names(tmp_path) == [
        *("checkpoint-2.npz", "curve-2.jsonl", "record-1.json", "record-2.json"),
        RECORD_NAME,
    ]
    found = [load_record(tmp_path / name) for name in ("record-1.json", "record-2.json", RECORD_NAME)]
    assert [record.to_json() for record in found] == [record.to_json() for record in (one, two, three)]


def test_a_run_that_is_done_again_leaves_one_result(tmp_path):
    agents.run(TOY, **SHORT, output=tmp_path, progress=at(4, send(signal.SIGINT)))
    for _ in range(3):
        agents.run(TOY, **SHORT, output=tmp_path)
        assert names(tmp_path) == [RECORD_NAME]


# Files that cannot be written.


@pytest.mark.parametrize("name", [RECORD_NAME, CHECKPOINT_NAME, CURVE_NAME])
def test_a_folder_where_a_file_is_to_be_is_refused_before_any_work(name, tmp_path):
    (tmp_path / name).mkdir()
    with pytest.raises(OutputError, match=rf"{name}: expected a file or nothing"):
        agents.run(TOY, **SHORT, output=tmp_path, progress=at(1, fail(AssertionError())))
    assert names(tmp_path) == [name]
    with pytest.raises(OutputError, match=rf"{RECORD_NAME}: expected a file"):
        (tmp_path / "other" / RECORD_NAME).mkdir(parents=True)
        RunRecord("g", "l", "f", 1, 1, 0).save(tmp_path / "other")


@pytest.fixture
def file_size_limit():
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("size", [10, 200, 5_000])
def test_files_that_have_no_room_are_said_before_the_run_and_the_earlier_record_stays(size, tmp_path, file_size_limit):
    earlier = agents.run(TOY, **SHORT, output=tmp_path, seed=9)
    file_size_limit(size)
    with pytest.raises(OutputError, match=f"{tmp_path}.*File too large"):
        agents.run(TOY, **SHORT, output=tmp_path, progress=at(1, fail(AssertionError())))
    file_size_limit(resource.RLIM_INFINITY)
    assert names(tmp_path) == [RECORD_NAME]
    assert load_record(tmp_path).to_json() == earlier.to_json()


def test_no_room_in_the_middle_of_a_run_ends_it_by_name_with_what_it_had(tmp_path, file_size_limit):
    with pytest.raises(OutputError, match=rf"{tmp_path}/\w+\.\w+: expected a file that can be written.*too large") as e:
        agents.run(TOY, **SHORT, output=tmp_path, checkpoint_every=1, progress=at(4, lambda: file_size_limit(300)))
    file_size_limit(resource.RLIM_INFINITY)
    assert names(tmp_path) == [CHECKPOINT_NAME, CURVE_NAME, RECORD_NAME]
    assert load_record(tmp_path).status == "running"
    assert "could not be written" in e.value.__notes__[-1]
    assert len(e.value.record.curve["leader_value"]) == 4
    assert agents.run(resume=tmp_path).status == "finished"


def test_no_room_at_the_end_of_a_run_still_gives_the_record(tmp_path, file_size_limit):
    with pytest.raises(OutputError, match=rf"{RECORD_NAME}: expected a file that can be written") as caught:
        agents.run(TOY, **SHORT, output=tmp_path, progress=at(6, lambda: file_size_limit(300)))
    file_size_limit(resource.RLIM_INFINITY)
    assert caught.value.record.status == "finished"
    assert caught.value.record.commitment is not None
    assert load_record(tmp_path).status == "running"


# Signals.


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


class Odd(BaseException):
    pass


@pytest.mark.parametrize("error", [SystemExit(3), Odd("why"), GeneratorExit(), RuntimeError("no")])
def test_whatever_the_callback_raises_there_is_a_record_with_a_final_status(error, tmp_path):
    with pytest.raises(type(error)) as caught:
        agents.run(TOY, **SHORT, output=tmp_path, progress=at(3, fail(error)))
    assert caught.value is error
    record = load_record(tmp_path)
    assert record.status == ("failed" if isinstance(error, Exception) else "interrupted")
    assert record.error == f"{type(error).__name__}: {error}"
    assert len(record.curve["leader_value"]) == 3


def test_a_failure_at_the_end_of_a_failed_run_hides_neither(tmp_path, monkeypatch):
    def broken(error):
        def do():
            monkeypatch.setattr(Experiment, "_judge", lambda self, record: fail(RuntimeError("second"))())
            raise error

        return do

    with pytest.raises(RuntimeError, match="first") as caught:
        agents.run(TOY, **SHORT, output=tmp_path, progress=at(3, broken(RuntimeError("first"))))
    assert "second" in caught.value.__notes__[0]
    assert load_record(tmp_path).status == "failed"
    record = agents.run(TOY, **SHORT, progress=at(3, broken(KeyboardInterrupt())))
    assert (record.status, record.leader_value) == ("interrupted", None)
    assert record.error == "at the end of the run: RuntimeError: second"


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


# The command line.


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


# Records from elsewhere.


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"status": "banana"}, "expected one of running, finished, interrupted, failed for status, got 'banana'"),
        ({"updates": "x"}, "expected a whole number of at least 0 for updates, got 'x'"),
        ({"updates": True}, "for updates, got True"),
        ({"updates": 1.5}, "for updates, got 1.5"),
        ({"seed": -1}, "for seed, got -1"),
        ({"game": None}, "expected a string for game, got None"),
        ({"seconds": "1.0"}, "expected a number for seconds, got '1.0'"),
        ({"leader_value": float("inf")}, "for leader_value, got inf"),
        ({"leader_value": 10**400}, "OverflowError"),
        ({"curve": {"a": [1.0], "b": [1.0, 2.0]}}, r"expected columns of one length in curve, got \[1, 2\]"),
        ({"curve": {"a": ["1.0"]}}, r"expected numbers in curve\['a'\]"),
        ({"curve": {"a": [[1.0]]}}, r"expected numbers in curve\['a'\]"),
        ({"curve": []}, "expected a dict for curve, got list"),
        ({"commitment": [[1.0], [1.0, 2.0]]}, "expected numbers in commitment, as many in each row"),
        ({"commitment": 1.0}, "expected numbers in commitment"),
        ({"commitment": [True]}, "expected numbers in commitment"),
        ({"theta": [10**400]}, "OverflowError"),
        ({"versions": {"numpy": 2}}, r"expected a string for versions\['numpy'\], got 2"),
        ({"leader_options": [1]}, "expected a dict for leader_options"),
        ({"speed": 1}, "expected fields of a run's record, got 'speed'"),
        ({"format": True}, "expected format 1, got True"),
        ({"format": "1"}, "expected format 1, got '1'"),
    ],
)
def test_a_record_with_wrong_fields_is_refused_by_name(change, message, tmp_path):
    text = RunRecord("g", "l", "f", 1, 1, 0, commitment=np.eye(2)).to_json()
    (tmp_path / RECORD_NAME).write_text(json.dumps({**json.loads(text), **change}))
    with pytest.raises(OutputError, match=rf"{RECORD_NAME}: record: .*{message}"):
        load_record(tmp_path)


@pytest.mark.parametrize("name", [RECORD_NAME, CHECKPOINT_NAME, CURVE_NAME])
def test_a_device_or_a_pipe_is_not_read_as_a_file(name, tmp_path):
    agents.run(TOY, **SHORT, output=tmp_path, progress=at(3, send(signal.SIGINT)))
    (tmp_path / name).unlink()
    for make in (os.mkfifo, lambda path: path.symlink_to("/dev/zero"), Path.mkdir):
        make(tmp_path / name)
        if name == RECORD_NAME:
            with pytest.raises(OutputError, match=f"{name}: expected a file.*, got something else of that name"):
                load_record(tmp_path)
        with pytest.raises(OutputError, match=f"{name}: expected a file.*, got something else of that name"):
            agents.run(resume=tmp_path)
        (tmp_path / name).rmdir() if make is Path.mkdir else (tmp_path / name).unlink()
    assert cli.main(["plot", "/dev/zero"]) == 2


@pytest.mark.parametrize("inside", ["", '{"format": 1, "game": ', '{"format": 1, "commitment": '])
def test_deep_nesting_is_refused(inside):
    for depth in (100, 100_000):
        with pytest.raises(OutputError, match="record: expected"):
            RunRecord.from_json(inside + "[" * depth + "]" * depth + "}" * bool(inside))


# Curves.


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
