"""Sweeps from the outside: one call, which resumes, waits its turn, and leaves a store whole."""

import errno
import os
import random
import signal
import subprocess
import sys
import time

import pytest

import agents
from agents.benchmark.store import Store
from stackelberg_envs.errors import ArgumentError, OutputError, UnknownNameError
from tests.agents.benchmark.test_running import all_numbers
from tests.awkward_leaders import Raises
from tests.games import TOY

QUICK = {"steps": 2_000, "engine": "sequential", "progress": False}
#: A sweep of its own process: forty jobs, with 8,000 steps of about a tenth of a second each.
PROGRAM = """
import sys, agents
from tests.games import TOY
if __name__ == "__main__":
    leaders, (folder, engine, steps) = ["bchg", "certainty_equivalent"], sys.argv[1:]
    agents.sweep(TOY, leaders, 20, steps=int(steps), output=folder, engine=engine, workers=2)
"""


def started(folder, engine="loky", steps=8_000):
    return subprocess.Popen([sys.executable, "-c", PROGRAM, str(folder), engine, str(steps)], stderr=subprocess.PIPE)


def finish(process):
    _, said = process.communicate(timeout=300)
    assert process.returncode == 0, said.decode()


def test_the_same_call_goes_on(tmp_path):
    first = agents.sweep(TOY, ["bchg", "naive"], 2, output=tmp_path, **QUICK)
    second = agents.sweep(TOY, ["bchg", "naive"], 3, output=tmp_path, **QUICK)
    assert (first.jobs, first.finished, first.failed) == (4, 4, 0)
    assert (second.jobs, second.finished) == (6, 6)
    assert len(Store(tmp_path).addresses()) == 6
    assert [len(sweep.jobs) for sweep in Store(tmp_path).sweeps()] == [4, 6]


def test_failures_are_tried_again_on_request_only(tmp_path, capsys):
    for retry, times in ((False, 1), (False, 1), (True, 2)):
        done = agents.sweep(TOY, [Raises, "naive"], 1, output=tmp_path, retry_failed=retry, **QUICK)
        assert (done.finished, len(list((tmp_path / "failures").rglob("*.json")))) == (1, times)
    assert "retry_failed=True" in capsys.readouterr().err


def test_progress_goes_to_who_asks(tmp_path, capsys):
    seen = []
    agents.sweep(TOY, "naive", 2, output=tmp_path, **QUICK | {"progress": seen.append})
    assert [tally.left for tally in seen] == [2, 1, 0]
    agents.sweep(TOY, "naive", 3, output=tmp_path, **QUICK | {"progress": True})
    assert "3 of 3 jobs, 2 were there" in capsys.readouterr().err


def test_ctrl_c_leaves_what_was_finished(tmp_path):
    def stop(tally):
        if tally.finished == 2:
            raise KeyboardInterrupt

    done = agents.sweep(TOY, "naive", 5, output=tmp_path, **QUICK | {"progress": stop})
    assert done.interrupted
    assert done.finished == 2
    assert agents.sweep(TOY, "naive", 5, output=tmp_path, **QUICK).finished == 5


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"engine": "spark"}, "engine: expected one of"),
        ({"workers": 0}, "workers"),
        ({"time_limit": -1.0}, "time_limit"),
        ({"memory_limit": "much"}, "memory_limit"),
        ({"progress": 3}, "progress: expected True, False or a function"),
        ({"retry_failed": 1}, "retry_failed"),
    ],
)
def test_options_are_checked_before_any_work(tmp_path, options, says):
    with pytest.raises(ArgumentError, match=says):
        agents.sweep(TOY, "naive", 1, output=tmp_path / "new", **QUICK | options)
    assert not (tmp_path / "new").exists()


def test_what_cannot_be_sent_is_said_before_any_work(tmp_path):
    import threading

    class Locked(Raises):
        lock = threading.Lock()

    with pytest.raises(ArgumentError, match="can be sent to another process"):
        agents.sweep(TOY, Locked, 1, output=tmp_path / "new", **QUICK | {"engine": "loky"})
    assert not (tmp_path / "new").exists()


def test_a_suite_says_everything_itself(tmp_path):
    from agents.benchmark.suites import make_suite

    suite = make_suite(TOY, "naive", 2, steps=2_000)
    assert agents.sweep(suite, output=tmp_path, engine="sequential", progress=False).finished == 2
    done = agents.sweep(suite, ["naive", "zero_order"], 1, output=tmp_path, engine="sequential", progress=False)
    assert (done.jobs, done.finished) == (2, 2)
    with pytest.raises(ArgumentError, match="expected leaders and seeds at most beside a suite"):
        agents.sweep(suite, output=tmp_path, steps=3)


def test_a_suite_in_a_file_is_swept_by_its_path_or_name(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(
        f'format = 1\nname = "mine"\nsteps = 2_000\nseeds = 1\n[[tasks]]\ngame = "{TOY}"\n'
        '[[leaders]]\nkind = "tests.awkward_leaders:Awkward"\n'
    )
    quick = {"output": tmp_path / "store", "engine": "sequential", "progress": False}
    with pytest.raises(ArgumentError, match=r"--import tests\.awkward_leaders"):
        agents.sweep(str(path), **quick)
    assert agents.sweep(path, modules=["tests.awkward_leaders"], **quick).finished == 1
    with pytest.raises(UnknownNameError, match="unknown suite 'tabular-v2'"):
        agents.sweep("tabular-v2", **quick)
    assert [sweep.name for sweep in Store(tmp_path / "store").sweeps()] == ["mine"]


def test_a_store_that_can_only_be_read_keeps_what_it_has(tmp_path, monkeypatch):
    agents.sweep(TOY, "naive", 2, output=tmp_path, **QUICK)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.json")}
    real = os.open

    def refuse(path, flags, *mode, **more):
        if flags & (os.O_WRONLY | os.O_RDWR):
            raise OSError(errno.EROFS, "Read-only file system", str(path))
        return real(path, flags, *mode, **more)

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(OutputError, match="Read-only file system"):
        agents.sweep(TOY, "naive", 3, output=tmp_path, **QUICK)
    monkeypatch.undo()
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.json")} == before
    assert len(list(Store(tmp_path).records())) == 2


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(OutputError, match=r"thesis\.tex"):
        agents.sweep(TOY, "naive", 1, output=tmp_path, **QUICK)


def test_the_second_runner_waits_and_does_no_job_twice(tmp_path):
    store = Store(tmp_path, create=True)
    with store.lock():
        second = started(tmp_path, "sequential")
        line = second.stderr.readline().decode()
        assert "no other run" in line
        assert not store.addresses()
    second.kill()
    second.communicate()


@pytest.mark.deep
@pytest.mark.parametrize("engine", ["loky", "sequential", "ray"])
def test_twenty_kills_lose_and_repeat_nothing(tmp_path, engine):
    if engine == "ray":
        pytest.importorskip("ray")
    # A cluster takes longer to start.
    soonest, latest = (5.0, 12.0) if engine == "ray" else (2.0, 6.0)
    undisturbed = tmp_path / "undisturbed"
    finish(started(undisturbed))
    expected = all_numbers(Store(undisturbed))
    assert len(expected) == 40
    rng, folder = random.Random(0), tmp_path / "disturbed"  # noqa: S311
    before = {}
    for _ in range(20):
        process = started(folder, engine)
        time.sleep(rng.uniform(soonest, latest))
        process.send_signal(rng.choice([signal.SIGKILL, signal.SIGTERM, signal.SIGINT]))
        process.communicate(timeout=60)
        present = {path: path.stat().st_mtime_ns for path in (folder / "records").rglob("*.json")}
        assert before.items() <= present.items()
        before = present
    finish(started(folder, engine))
    assert all_numbers(Store(folder)) == expected
    assert not list(Store(folder).failures())


@pytest.mark.deep
def test_killed_workers_lose_and_repeat_nothing(tmp_path):
    undisturbed, folder = tmp_path / "undisturbed", tmp_path / "disturbed"
    finish(started(undisturbed, steps=200_000))
    process = started(folder, steps=200_000)
    kills, rng = 0, random.Random(1)  # noqa: S311
    while process.poll() is None and kills < 5:
        time.sleep(rng.uniform(2.5, 4.0))
        workers = children_of(process.pid)
        if workers and process.poll() is None:
            os.kill(rng.choice(workers), signal.SIGKILL)
            kills += 1
    finish(process)
    assert kills == 5
    assert all_numbers(Store(folder)) == all_numbers(Store(undisturbed))


def children_of(pid):
    """The workers of a runner: processes of joblib that are its children."""
    found = subprocess.run(["ps", "-o", "pid=,args=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return [int(line.split()[0]) for line in found.stdout.splitlines() if "loky" in line and "resource" not in line]
