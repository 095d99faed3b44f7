"""Clusters: the same numbers wherever a job is done, and nothing lost with a worker.

`make test-engines` installs Ray and Dask and runs all of this; without them it is skipped.
"""

import os
import signal
import subprocess
import threading
import time

import pytest

from agents.benchmark.engines import Workers
from agents.benchmark.running import run_jobs
from agents.benchmark.store import Store
from agents.benchmark.worker import Limits
from stackelberg_envs.errors import MissingExtraError, OutputError
from tests.agents.benchmark.test_running import all_numbers, payload

#: Of Ray's and Dask's own, about sockets and files that they leave to the interpreter.
pytestmark = pytest.mark.filterwarnings("ignore")
JOBS = [payload(leader, seed) for leader in ("bchg", "certainty_equivalent") for seed in range(6)]


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """What the jobs give in this process."""
    store = Store(tmp_path_factory.mktemp("expected"), create=True)
    run_jobs(store, JOBS, Workers("sequential", None, None), lambda tally: None)
    return all_numbers(store)


def numbers_on(engine, folder, address=None, jobs=JOBS):
    """Numbers and failures of jobs that a cluster did."""
    store, workers = Store(folder, create=True), Workers(engine, 2, address)
    try:
        run_jobs(store, jobs, workers, lambda tally: None)
    finally:
        workers.close()
    return all_numbers(store), list(store.failures())


@pytest.mark.parametrize("engine", ["ray", "dask"])
def test_a_library_that_is_not_installed_is_named(engine, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, {"ray": "ray", "dask": "dask.distributed"}[engine], None)
    with pytest.raises(MissingExtraError, match="pip install"):
        Workers(engine, 2, None)


@pytest.mark.parametrize("engine", ["ray", "dask"])
def test_numbers_do_not_depend_on_the_cluster(engine, tmp_path, expected):
    pytest.importorskip({"ray": "ray", "dask": "distributed"}[engine])
    found, failures = numbers_on(engine, tmp_path)
    assert not failures
    assert found == expected


def test_jobs_that_end_their_process_take_no_other_with_them(tmp_path, expected):
    pytest.importorskip("ray")
    jobs = [payload("Dies"), payload("Stuck", limits=Limits(seconds=0.1)), *JOBS]
    found, failures = numbers_on("ray", tmp_path, jobs=jobs)
    assert found == expected
    assert {record.job.entrant: record.status for record in failures} == {"Dies": "lost", "Stuck": "timeout"}


@pytest.mark.parametrize("engine", ["ray", "dask"])
def test_a_cluster_that_does_not_answer_is_named(engine):
    pytest.importorskip({"ray": "ray", "dask": "distributed"}[engine])
    with pytest.raises(OutputError, match="expected a cluster"):
        Workers(engine, 2, "127.0.0.1:9")


@pytest.mark.deep
def test_a_cluster_of_two_nodes_survives_the_death_of_workers(tmp_path, expected):
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    kills = []

    def kill_now_and_then():
        while not over.wait(4.0) and len(kills) < 5:
            pids = pool_workers()
            if pids:
                os.kill(pids[len(kills) % len(pids)], signal.SIGKILL)
                kills.append(time.time())

    over = threading.Event()
    killer = threading.Thread(target=kill_now_and_then)
    killer.start()
    try:
        slow = [payload("Slow", seed) for seed in range(60)]
        found, failures = numbers_on("ray", tmp_path, cluster.address, [*slow, *JOBS])
    finally:
        over.set()
        killer.join()
        cluster.shutdown()
    assert len(kills) >= 2
    assert not failures
    assert {address: found[address] for address in expected} == expected
    assert len(found) == len(slow) + len(JOBS)


def pool_workers():
    """Processes of Ray that do jobs."""
    lines = subprocess.run(["ps", "-eo", "pid=,args="], capture_output=True, text=True, check=False).stdout.splitlines()
    return [int(line.split()[0]) for line in lines if "ray::" in line and "PoolActor" in line]
