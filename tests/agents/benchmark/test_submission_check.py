"""Archives are held to their suite and to the worth of their commitments."""

import random
from contextlib import suppress

import msgspec
import numpy as np
import pytest

import agents
import stackelberg_envs as se
from agents.benchmark import submission_check
from agents.benchmark.plans import plan
from agents.benchmark.scores import task_scales
from agents.benchmark.store import Store, Sweep, TaskFacts
from agents.benchmark.submission import submit
from agents.benchmark.submission_check import _Player, check_submission
from agents.benchmark.suites import make_suite
from agents.followers.base import FOLLOWERS
from agents.followers.several import make_follower
from agents.runs.evaluation import TabularEvaluation, evaluation_of
from stackelberg_envs.errors import ArgumentError, MissingExtraError, StackelbergError
from tests.agents.benchmark.test_submission import WHO, files_of, mutated, rewritten
from tests.made_records import made_job, made_record

TOY, LQR = "stackelberg/DiscreteToy-v1", "stackelberg/BilevelLqr-v1"
SUITE = {"games": {"toy": TOY, "lqr": LQR}, "leaders": ["random_search", "cma_es"], "seeds": 2, "steps": 2_000}


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    """Real runs of two leaders on two games, as an archive."""
    folder = tmp_path_factory.mktemp("honest")
    agents.sweep(**SUITE, name="small-v1", output=folder / "store", engine="sequential", progress=False)
    submit(folder / "store", folder / "x.zip", **WHO)
    return folder / "x.zip"


@pytest.fixture
def as_suite(monkeypatch):
    """The name of the sweep is that of a suite; the options are of the suite as it should be."""

    def known(**changes):
        suite = make_suite(**(SUITE | {"name": "small-v1"} | changes))
        monkeypatch.setattr(submission_check, "suite_names", lambda: ["small-v1"])
        monkeypatch.setattr(submission_check, "load_suite", lambda name: suite)

    return known


def changed(archive, path, change):
    """Write the archive with records that somebody changed, and hashes that fit."""
    files = files_of(archive)
    records = [msgspec.json.decode(line) for line in files["records.jsonl"].splitlines()]
    records = [change(record) or record for record in records]
    return rewritten(path, files | {"records.jsonl": b"\n".join(map(msgspec.json.encode, records))})


def test_an_honest_archive_agrees(honest, as_suite):
    found = check_submission(honest)
    assert (found.records, found.exact, found.by_play, found.disagreements) == (8, 8, 0, [])
    assert "no suite of this package" in found.notes[0]
    as_suite()
    found = check_submission(honest)
    assert (found.disagreements, found.notes) == ([], [])


def test_of_a_sample_all_hashes_and_some_values_are_checked(honest):
    assert check_submission(honest, sample=2).exact == 2
    assert check_submission(honest, sample=100).exact == 8
    with pytest.raises(ArgumentError, match="sample"):
        check_submission(honest, sample=0)


def test_values_that_are_too_high_are_found_one_by_one(honest, tmp_path):
    def boast(record):
        if record["job"]["seed"] == 1:
            record["result"]["leader_value"] += 1e-3

    found = check_submission(changed(honest, tmp_path / "y.zip", boast))
    assert sorted(fault.partition(":")[0] for fault in found.disagreements) == [
        f"{leader} on {task}, seed 1" for leader in ("cma_es", "random_search") for task in ("lqr", "toy")
    ]
    assert found.exact == 4

    def nothing_to_see(record):
        record["result"]["leader_value"] *= 1.0 + 1e-12

    assert check_submission(changed(honest, tmp_path / "z.zip", nothing_to_see)).disagreements == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda record: record["result"].update(leader_value=None), "expected J = "),
        (lambda record: record["result"].update(is_exact=False), "is_exact to be True, got False"),
        (lambda record: record["result"].update(commitment=[[1e9]]), "commitment that the game admits"),
        (lambda record: record["result"].update(commitment=[]), "commitment that the game admits"),
        (lambda record: record["result"].update(commitment=["x", [1]]), "commitment that the game admits"),
        (lambda record: record["result"].update(commitment=[[None]]), "commitment that the game admits"),
    ],
)
def test_what_is_no_commitment_or_no_value_is_said(change, says, honest, tmp_path):
    found = check_submission(changed(honest, tmp_path / "y.zip", change))
    assert len(found.disagreements) == 8
    assert all(says in fault for fault in found.disagreements)


@pytest.mark.parametrize(
    ("job", "says"),
    [
        ({"game": "os:posix/Game-v0"}, "would import a module"),
        ({"game": "stackelberg/Nothing-v0"}, "unknown environment"),
        ({"game_arguments": {"no_such": 1}}, "no_such"),
    ],
)
def test_jobs_of_other_games_are_refused_and_nothing_is_imported(job, says, tmp_path):
    store = Store(tmp_path / "store", create=True)
    record = made_record(made_job(**job))
    store.add(record)
    add_sweep(store, [record])
    submit(store.folder, tmp_path / "x.zip", **WHO)
    found = check_submission(tmp_path / "x.zip")
    assert len(found.disagreements) == 1
    assert says in found.disagreements[0]


def add_sweep(store, records, name="mine"):
    store.add_sweep(Sweep(name=name, tasks=[], entrants=[], jobs=[record.address for record in records]))


def test_a_scale_that_somebody_made_up_widens_no_tolerance(tmp_path):
    store = Store(tmp_path / "store", create=True)
    agents.sweep(TOY, ["random_search"], 1, steps=1_000, output=store.folder, engine="sequential", progress=False)
    (record,) = store.records()
    facts = [TaskFacts(name=record.job.task, start=-1e12, best_known=1e12)]
    store.path(record.address).unlink()
    result = msgspec.structs.replace(record.result, leader_value=record.result.leader_value + 1.0)
    store.add(msgspec.structs.replace(record, result=result))
    store.add_sweep(Sweep(name="wide", tasks=facts, entrants=[], jobs=[record.address]))
    submit(store.folder, tmp_path / "x.zip", **WHO, suites=["wide"])
    assert len(check_submission(tmp_path / "x.zip").disagreements) == 1


@pytest.mark.parametrize(
    ("suite", "says"),
    [
        ({"seeds": 3}, "expected the seeds 0, 1, 2 of small-v1, got 0, 1"),
        ({"seeds": [0]}, "expected the seeds 0 of small-v1, got 0, 1"),
        ({"steps": 1_000}, "expected a task of small-v1 with its game, follower and budget"),
        ({"games": {"toy": TOY}}, "on lqr: expected a task of small-v1"),
        ({"games": {"toy": agents.Task(TOY, best_known=99.0), "lqr": LQR}}, "expected what small-v1 says of it"),
    ],
)
def test_jobs_are_those_of_the_suite(suite, says, honest, as_suite):
    as_suite(**suite)
    found = check_submission(honest)
    assert found.disagreements
    assert all(says in fault for fault in found.disagreements)


def test_leaders_of_ones_own_may_take_part_and_gaps_are_noted(honest, as_suite):
    games = {"toy": TOY, "lqr": LQR, "rooms": "stackelberg/FourRooms-v0"}
    as_suite(leaders=["random_search"], games=games)
    found = check_submission(honest)
    assert found.disagreements == []
    assert sorted(found.notes) == ["cma_es: nothing on rooms", "random_search: nothing on rooms"]


def test_missing_and_foreign_records_are_said(honest, tmp_path):
    files = files_of(honest)
    lines = files["records.jsonl"].splitlines()
    lines[0] = msgspec.json.encode(made_record(made_job(seed=77)))
    found = check_submission(rewritten(tmp_path / "y.zip", files | {"records.jsonl": b"\n".join(lines)}))
    assert any("expected its record, got none" in fault for fault in found.disagreements)
    assert any("expected a job of a sweep" in fault for fault in found.disagreements)


def test_a_suite_of_this_package_is_known():
    names = submission_check.suite_names()
    assert "tabular-v1" in names
    assert plan(submission_check.load_suite("continuous-v1")).payloads


def test_estimates_are_held_to_fresh_followers():
    """An honest value passes: at a level of one in a thousand, by a fixed seed. One that is out of reach does not."""
    game = se.discrete_toy_v1.make_game()
    options = {"steps": 2_000}
    job = made_job(follower="soft_q_learning", follower_options=options)
    x = np.full(game.commitment.shape, 1.0 / game.commitment.shape[-1])
    evaluation = TabularEvaluation(game)
    kind = FOLLOWERS.serving("soft_q_learning", game)
    config = FOLLOWERS.configure("soft_q_learning", kind, options)
    follower = make_follower(kind, config, np.random.default_rng(12345), game)
    for _ in range(10):
        follower.learn(game.under(x))
    value = evaluation.value(game.under(x), follower)
    record = made_record(job, commitment=x.tolist(), leader_value=value)
    player = _Player(task_scales([record]), [])
    assert player.by_play(record, evaluation, game, 1e-3) == ""
    far = made_record(job, commitment=x.tolist(), leader_value=value + 20.0)
    assert "by play of 8 followers" in player.by_play(far, evaluation, game, 1e-3)


@pytest.fixture
def estimated(honest, tmp_path, monkeypatch):
    """The honest archive as if nobody knew exact values, and a function that boasts in its best runs."""

    class Estimated:
        is_exact = False

        def __init__(self, game):
            self.value = evaluation_of(game).value

    monkeypatch.setattr(submission_check, "evaluation_of", Estimated)

    def make(boast=0.0):
        def change(record):
            record["result"]["is_exact"] = False
            record["result"]["leader_value"] += boast * (record["job"]["seed"] == 1)

        return changed(honest, tmp_path / "estimated.zip", change)

    return make


def test_of_estimates_the_best_run_of_each_leader_on_each_task_is_played(estimated):
    found = check_submission(estimated())
    assert (found.exact, found.by_play, found.disagreements) == (0, 4, [])
    found = check_submission(estimated(boast=50.0))
    assert found.by_play == 4
    assert len(found.disagreements) == 4
    assert all("seed 1: expected J = " in fault for fault in found.disagreements)


def test_what_needs_a_library_that_is_not_there_is_a_note(estimated, monkeypatch):
    def absent(*given):
        raise MissingExtraError("no torch")

    monkeypatch.setattr(submission_check, "make_follower", absent)
    found = check_submission(estimated())
    assert (found.by_play, found.disagreements) == (0, [])
    assert sum("not played again, no torch" in note for note in found.notes) == 4


def test_mutated_archives_end_in_named_errors_or_disagreements(honest, tmp_path):
    rng, files = random.Random(1), files_of(honest)  # noqa: S311
    lines = files["records.jsonl"].splitlines()
    for turn in range(40):
        line = rng.choice(lines)
        path = rewritten(tmp_path / f"{turn}.zip", files | {"records.jsonl": mutated(line, rng)})
        with suppress(StackelbergError):
            assert check_submission(path).disagreements
