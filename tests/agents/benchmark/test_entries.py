"""What is read of a store: names that tell runs apart, one setting at a time, the newest code, and what is missing."""

import msgspec
import pytest

from agents.benchmark.entries import select
from agents.benchmark.store import Store, Sweep, TaskFacts
from stackelberg_envs.errors import OutputError, UnknownNameError
from tests.made_records import made_failure, made_job, made_record, made_store


def store_of(folder, *records):
    store = Store(folder / "store", create=True)
    for record in records:
        store.add(record)
    return store


def started(record, when):
    return msgspec.structs.replace(record, provenance=msgspec.structs.replace(record.provenance, started=when))


def test_curves_and_scores_are_those_of_the_records(tmp_path):
    record = made_record(share=0.8)
    (entry,) = select(store_of(tmp_path, record)).entries
    assert entry.score == pytest.approx(0.8)
    assert entry.value == record.result.leader_value
    costs, values = entry.recommended("observed_steps")
    assert costs.tolist() == record.result.curve["observed_steps"]
    assert values.tolist() == record.result.curve["recommended_value"]
    assert entry.known("announced_value", "seconds")[0].tolist() == record.result.curve["seconds"]


def test_what_is_not_known_of_a_curve_is_left_out(tmp_path):
    record = made_record()
    record.result.curve["recommended_value"][1:3] = [None, None]
    (entry,) = select(store_of(tmp_path, record)).entries
    costs, values = entry.recommended("observed_steps")
    assert len(costs) == len(values) == len(record.result.curve["observed_steps"]) - 2


def test_order_is_that_of_the_sweep(tmp_path):
    store = made_store(tmp_path / "store", leaders=("naive", "bchg"), tasks=("FourRooms", "DiscreteToy"), seeds=1)
    found = select(store)
    assert found.entrants == ["naive", "bchg"]
    assert found.tasks == ["FourRooms", "DiscreteToy"]


def test_leaders_and_tasks_can_be_chosen_by_name(tmp_path):
    store = made_store(tmp_path / "store", seeds=1)
    found = select(store, leaders=["naive", "bchg"], tasks=["FourRooms"])
    assert found.entrants == ["naive", "bchg"]
    assert {(entry.entrant, entry.job.task) for entry in found.entries} == {
        ("naive", "FourRooms"),
        ("bchg", "FourRooms"),
    }
    assert set(found.scales) == {"FourRooms"}
    for kind, options in (
        ("suite", {"suite": "tabular-v2"}),
        ("leader", {"leaders": ["bcgh"]}),
        ("task", {"tasks": ["FourRoom"]}),
    ):
        with pytest.raises(UnknownNameError, match=f"unknown {kind} .* did you mean"):
            select(store, **options)


def test_a_suite_is_its_jobs_only(tmp_path):
    store = made_store(tmp_path / "store", seeds=2)
    other = made_record(made_job(leader="other"))
    store.add(other)
    assert "other" in select(store).entrants
    assert "other" not in select(store, "tabular-v1").entrants
    store.add_sweep(Sweep(name="mine", tasks=[], entrants=[], jobs=[other.address]))
    assert select(store, "mine").entrants == ["other"]


def test_jobs_without_a_record_are_counted(tmp_path):
    store = store_of(tmp_path, made_record(), made_failure(made_job(seed=1)))
    jobs = [made_job(seed=seed).address for seed in range(5)]
    store.add_sweep(Sweep(name="s", tasks=[], entrants=[], jobs=jobs))
    found = select(store)
    assert found.missing == 3
    assert sorted(entry.status for entry in found.entries) == ["failed", "finished"]


def test_facts_of_later_sweeps_come_first_where_they_say_something(tmp_path):
    store = store_of(tmp_path, made_record())
    for start, best in ((0.0, 50.0), (1.0, None)):
        facts = [TaskFacts(name="DiscreteToy", start=start, best_known=best)]
        store.add_sweep(Sweep(name="s", tasks=facts, entrants=[], jobs=[]))
    # Sweeps are ordered by the time of their files; written within a tick of the clock, by their names.
    newest = [sweep.tasks[0] for sweep in store.sweeps()][-1]
    scale = select(store).scales["DiscreteToy"]
    assert scale.start == newest.start
    assert scale.best == 50.0


def test_one_leader_with_two_settings_has_two_names(tmp_path):
    records = [made_record(made_job(leader_options={"step": step, "same": 1}, seed=0)) for step in (0.1, 0.2)]
    records.append(made_record(made_job(leader="hpgd", leader_options={"step": 0.3})))
    assert select(store_of(tmp_path, *records)).entrants == ["bchg (step=0.1)", "bchg (step=0.2)", "hpgd"]


def test_options_that_differ_from_task_to_task_only_are_no_part_of_a_name(tmp_path):
    records = [
        made_record(made_job(task, leader_options={"step": step}, steps_per_update=steps))
        for task, step, steps in (("DiscreteToy", 0.1, 1_000), ("FourRooms", 0.2, 500))
    ]
    assert select(store_of(tmp_path, *records)).entrants == ["bchg"]


def test_followers_and_budgets_are_settings_where_one_task_has_several(tmp_path):
    jobs = [
        made_job(steps=100_000),
        made_job(steps=10_000),
        made_job("FourRooms", steps=50_000),
    ]
    found = {e.job.steps: e.setting for e in select(store_of(tmp_path, *map(made_record, jobs))).entries}
    assert found == {100_000: "steps=100000", 10_000: "steps=10000", 50_000: "steps=50000"}
    other = made_record(made_job("FourRooms", "naive", follower="exact", steps=50_000))
    found = {e.setting for e in select(store_of(tmp_path, other), tasks=["FourRooms"]).entries}
    assert found == {"follower=exact, steps=50000", "follower=soft_value_iteration, steps=50000"}


def test_of_somebodys_own_code_the_newest_version_counts(tmp_path):
    own = [made_job(leader="m:Mine", entrant="mine", leader_code=code, seed=seed) for code in "ab" for seed in (0, 1)]
    when = {"a": "2026-02-01T00:00:00+00:00", "b": "2026-01-01T00:00:00+00:00"}
    found = select(
        store_of(tmp_path, made_record(), *(started(made_record(job), when[job.leader_code]) for job in own))
    )
    assert found.outdated == {"m:Mine": 2}
    assert {entry.job.leader_code for entry in found.entries if entry.entrant == "mine"} == {"a"}
    assert found.entrants == ["bchg", "mine"]


def test_what_did_not_finish_has_the_level_of_the_leaders_other_jobs(tmp_path):
    records = [made_record(made_job(leader="hpgd")), made_failure(made_job(leader="hpgd", seed=1))]
    records.append(made_failure(made_job(leader="new")))
    levels = {(e.entrant, e.status): e.information for e in select(store_of(tmp_path, *records)).entries}
    assert levels == {("hpgd", "finished"): "RESPONSE", ("hpgd", "failed"): "RESPONSE", ("new", "failed"): "UNKNOWN"}


def test_a_damaged_record_is_named(tmp_path):
    store = made_store(tmp_path / "store", seeds=1)
    path = store.path(made_job().address)
    path.write_text(path.read_text()[:200])
    for suite in (None, "tabular-v1"):
        with pytest.raises(OutputError, match=path.name):
            select(store, suite)
