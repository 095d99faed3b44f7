"""Runners: whatever a job does, the others are done, and each is recorded once."""

import errno
import os
from pathlib import Path

import pytest

from agents.benchmark import store as store_module
from agents.benchmark.engines import Workers, engine_of
from agents.benchmark.running import ATTEMPTS, run_jobs
from agents.benchmark.store import Store
from agents.benchmark.worker import Limits, Payload, do
from stackelberg_envs.errors import ArgumentError, OutputError
from stackelberg_envs.faces.ids import newest_id
from tests import awkward_leaders
from tests.made_records import made_job

STEPS = 2_000
NO_LIMITS = Limits()


def payload(leader="naive", seed=0, limits=NO_LIMITS, **changes):
    """A short job; awkward leaders by the name of their class."""
    kind = getattr(awkward_leaders, leader, None)
    job = made_job(leader=leader, entrant=leader, seed=seed, **({"steps": STEPS, "steps_per_update": 500} | changes))
    return Payload(job, leader=kind, limits=limits)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store", create=True)


@pytest.fixture
def sequential():
    return Workers("sequential", None, None)


@pytest.fixture(scope="module")
def loky():
    workers = Workers("loky", 2, None)
    yield workers
    workers.close()


def numbers(record):
    """What a record says that does not depend on where and when it was made."""
    result = record.result
    curve = {name: column for name, column in result.curve.items() if "seconds" not in name}
    return record.job, curve, result.commitment, result.leader_value, result.actual_value, result.response_gap


def all_numbers(store):
    return {record.address: numbers(record) for record in store.records()}


def test_jobs_that_are_done_are_not_done_again(store, sequential):
    jobs = [payload(seed=seed) for seed in range(3)]
    assert run_jobs(store, jobs[:2], sequential, lambda tally: None).finished == 2
    before = {path: path.stat().st_mtime_ns for path in store.folder.rglob("*.json")}
    tally = run_jobs(store, jobs, sequential, lambda tally: None)
    assert (tally.present, tally.finished, tally.left) == (2, 1, 0)
    assert before.items() <= {path: path.stat().st_mtime_ns for path in store.folder.rglob("*.json")}.items()


def test_numbers_do_not_depend_on_the_engine(tmp_path, sequential, loky):
    jobs = [payload(leader, seed) for leader in ("bchg", "certainty_equivalent") for seed in range(2)]
    found = []
    for name, workers in (("a", sequential), ("b", loky)):
        store = Store(tmp_path / name, create=True)
        assert run_jobs(store, jobs, workers, lambda tally: None).finished == len(jobs)
        found.append(all_numbers(store))
    assert found[0] == found[1]


def test_a_record_says_where_and_with_what_it_was_made(store, sequential):
    run_jobs(store, [payload()], sequential, lambda tally: None)
    (record,) = store.records()
    told = record.provenance
    assert {"stackelberg-envs", "numpy", "python"} <= told.versions.keys()
    assert {"host", "system", "processor", "cores"} == told.machine.keys()
    assert told.engine == "sequential"
    assert 0 < told.seconds < 600
    assert 2**24 < told.peak_memory < 2**40
    assert len(told.game_digest) == 64


@pytest.mark.parametrize(
    ("leader", "says"),
    [
        ("Raises", "ValueError: no idea"),
        ("Nan", "CommitmentError"),
        ("WrongShape", "CommitmentError"),
    ],
)
def test_what_a_job_raises_is_recorded_and_stops_no_other(store, sequential, leader, says):
    tally = run_jobs(store, [payload(leader), payload()], sequential, lambda tally: None)
    assert (tally.finished, tally.failed) == (1, 1)
    (failure,) = store.failures()
    assert failure.status == "failed"
    assert says in failure.error
    assert "Traceback" in failure.traceback
    assert awkward_leaders.__file__ in failure.traceback or leader != "Raises"


def test_what_a_job_prints_goes_to_its_log(store, sequential, capsys):
    job = payload("Raises")
    run_jobs(store, [job], sequential, lambda tally: None)
    assert store.log_path(job.job.address).read_text() == "an update\n"
    assert capsys.readouterr().out == ""


def test_a_job_has_so_much_time(store, sequential):
    run_jobs(store, [payload("Slow", limits=Limits(seconds=0.05))], sequential, lambda tally: None)
    (failure,) = store.failures()
    assert failure.status == "timeout"
    assert "expected to end within 0.05 s" in failure.error


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the memory of a job is limited on Linux only")
def test_a_job_has_so_much_memory(store, sequential):
    jobs = [payload("Hungry", limits=Limits(memory=2**30)), payload(seed=1, limits=Limits(memory=2**30))]
    tally = run_jobs(store, jobs, sequential, lambda tally: None)
    (failure,) = store.failures()
    assert failure.status == "memory"
    assert tally.finished == 1


def test_an_update_that_does_not_end_is_ended_with_its_process(store, loky, monkeypatch):
    jobs = [payload("Stuck", limits=Limits(seconds=0.1)), *(payload(seed=seed) for seed in range(3))]
    tally = run_jobs(store, jobs, loky, lambda tally: None)
    (failure,) = store.failures()
    assert failure.status == "timeout"
    assert "awkward_leaders.py" in failure.traceback
    assert (tally.finished, tally.failed) == (3, 1)
    assert not list(store.folder.rglob("*.stack"))


def test_a_job_whose_worker_dies_is_tried_again(store, loky, tmp_path):
    options = {"folder": str(tmp_path)}
    jobs = [payload("DiesOnce", leader_options=options), *(payload(seed=seed) for seed in range(3))]
    tally = run_jobs(store, jobs, loky, lambda tally: None)
    assert (tally.finished, tally.failed) == (4, 0)
    assert store.load(jobs[0].job.address).provenance.attempt == 2


@pytest.mark.deep
def test_a_job_that_kills_its_workers_is_given_up_and_no_other(store, loky):
    jobs = [payload("Dies"), *(payload(seed=seed) for seed in range(5))]
    tally = run_jobs(store, jobs, loky, lambda tally: None)
    assert (tally.finished, tally.failed) == (5, 1)
    (failure,) = store.failures()
    assert failure.status == "lost"
    assert failure.provenance.attempt == ATTEMPTS


def test_a_full_disk_loses_nothing_that_was_finished(store, sequential, monkeypatch):
    real, written = os.write, []

    def full(handle, data):
        written.append(len(data))
        if len(written) > 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(handle, data)

    jobs = [payload(seed=seed) for seed in range(5)]
    monkeypatch.setattr("os.write", full)
    with pytest.raises(OutputError, match="No space left"):
        run_jobs(store, jobs, sequential, lambda tally: None)
    monkeypatch.undo()
    assert len(store.addresses()) == 2
    assert len(list(store.records())) == 2
    assert not [path for path in store.folder.rglob("*") if path.name.endswith(".draft")]
    assert run_jobs(store, jobs, sequential, lambda tally: None).finished == 3


def test_progress_is_told_after_each_job(store, sequential):
    seen = []
    run_jobs(store, [payload(seed=seed) for seed in range(3)], sequential, seen.append)
    assert [tally.left for tally in seen] == [3, 2, 1, 0]
    assert seen[-1].record.status == "finished"


def test_an_engine_that_there_is_not_is_refused():
    with pytest.raises(ArgumentError, match="engine: expected one of loky, sequential, ray, dask, got 'spark'"):
        engine_of("spark")
    with pytest.raises(ArgumentError, match="address: expected none"):
        Workers("loky", 1, "somewhere:1234")


def test_a_worker_measures_as_a_run_does():
    import agents

    job = payload("bchg").job
    record = do(Payload(job)).record
    run = agents.run(newest_id(job.game), leader="bchg", updates=4, steps_per_update=500)
    result = record.result
    assert result.leader_value == run.leader_value
    assert result.commitment == run.commitment.tolist()
    # The checkpoints of a run of four updates are all of them, after the row before any play.
    assert result.curve["recommended_value"][1:] == run.curve["recommended_value"].tolist()
    assert result.curve["actual_value"][1:] == run.curve["leader_value"].tolist()
    assert result.curve["observed_steps"] == [0.0, 500.0, 1000.0, 1500.0, 2000.0]


def test_the_store_writes_once_even_where_there_are_no_links(store, sequential, monkeypatch):
    def no_links(*paths):
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(store_module.os, "link", no_links)
    run_jobs(store, [payload()], sequential, lambda tally: None)
    assert len(list(store.records())) == 1
