"""Records of jobs that nobody ran: what statistics, reports and queries are tested with."""

import numpy as np

from agents.benchmark.jobs import Job
from agents.benchmark.records import JobRecord, Provenance, Result
from agents.benchmark.store import Entrant, Store, Sweep, TaskFacts

LEVELS = {"bchg": "ACTIONS_ONLY", "hpgd": "RESPONSE", "naive": "ACTIONS_ONLY", "certainty_equivalent": "ACTIONS_ONLY"}
#: Task -> J at the start and the best known one.
TASKS = {"DiscreteToy": (0.617, 34.993), "FourRooms": (-0.763, 0.622)}


def made_job(task="DiscreteToy", leader="bchg", seed=0, **changes):
    """A job of a registered game."""
    given = {
        "task": task,
        "game": f"stackelberg/{task}-v0",
        "entrant": leader,
        "leader": leader,
        "follower": "soft_value_iteration",
        "steps": 100_000,
        "steps_per_update": 1_000,
        "seed": seed,
    }
    return Job(**(given | changes))


def made_record(job=None, share=0.9, shape=(3, 2), **changes):
    """A finished job whose curve rises from the start to `share` of the way."""
    job = made_job() if job is None else job
    start, best = TASKS.get(job.task, (0.0, 1.0))
    steps = np.unique(np.round(np.geomspace(job.steps_per_update, job.steps, 15) / job.steps_per_update)) * 1.0
    steps = np.concatenate([[0.0], steps * job.steps_per_update])
    way = share * (1.0 - np.exp(-5.0 * steps / job.steps)) / (1.0 - np.exp(-5.0))
    values = (start + way * (best - start)).tolist()
    updates = (steps / job.steps_per_update).tolist()
    none = [None] * steps.size
    curve = {
        "leader_updates": updates,
        "follower_responses": updates,
        "observed_steps": steps.tolist(),
        "follower_steps": [0.0] * steps.size,
        "seconds": (steps * 1e-5).tolist(),
        "processor_seconds": (steps * 1e-5).tolist(),
        "announced_value": values,
        "recommended_value": values,
        "actual_value": values,
        "response_gap": [0.0] * steps.size,
        "gradient_cosine": [0.5] * steps.size if job.leader in ("bchg", "hpgd", "naive") else none,
    }
    result = {
        "information": LEVELS.get(job.leader, "ACTIONS_ONLY"),
        "commitment": np.full(shape, 1.0 / shape[-1]).tolist(),
        "leader_value": values[-1],
        "actual_value": values[-1],
        "episode_value": values[-1],
        "response_gap": 0.0,
        "start_value": start,
        "neutral_value": start,
        "best_known": best,
        "is_exact": True,
        "curve": curve,
        "totals": {name: curve[name][-1] for name in list(curve)[:6]},
        "meanings": {"leader_value": "exact, play without end, against the best response"},
    }
    provenance = Provenance(
        versions={"stackelberg-envs": "0.1.0", "numpy": "2.4.6"},
        commit="0" * 40,
        game_digest="d" * 64,
        machine={"host": "somewhere", "system": "Linux", "processor": "x86_64", "cores": 2},
        engine="loky",
        started="2026-01-01T00:00:00+00:00",
        seconds=1.5,
        processor_seconds=1.4,
        peak_memory=200_000_000,
    )
    return JobRecord(
        job=job,
        address=job.address,
        status="finished",
        provenance=provenance,
        result=Result(**(result | changes)),
    )


def made_failure(job=None, status="failed", **changes):
    """A job that raised."""
    job = made_job() if job is None else job
    text = "Traceback (most recent call last):\n  ...\nValueError: no"
    return JobRecord(
        job=job,
        address=job.address,
        status=status,
        provenance=made_record(job).provenance,
        error="ValueError: no",
        traceback=text,
        **changes,
    )


def made_store(folder, leaders=("bchg", "hpgd", "naive"), tasks=tuple(TASKS), seeds=5, name="tabular-v1"):
    """A store of leaders, each better than the next, with noise over seeds."""
    store, rng, jobs = Store(folder, create=True), np.random.default_rng(0), []
    for task in tasks:
        for rank, leader in enumerate(leaders):
            for seed in range(seeds):
                job = made_job(task, leader, seed)
                store.add(made_record(job, share=0.95 - 0.2 * rank + 0.03 * rng.standard_normal()))
                jobs.append(job.address)
    scales = {task: TASKS.get(task, (0.0, 1.0)) for task in tasks}
    facts = [TaskFacts(name=task, start=start, best_known=best) for task, (start, best) in scales.items()]
    entrants = [Entrant(name=leader, leader=leader) for leader in leaders]
    store.add_sweep(Sweep(name=name, tasks=facts, entrants=entrants, jobs=jobs))
    return store
