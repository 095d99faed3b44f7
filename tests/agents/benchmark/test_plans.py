"""Suites: what takes part is found, checked and named before any work."""

import sys

import pytest

import stackelberg_envs as se
from agents.benchmark.plans import plan
from agents.benchmark.suites import Player, Suite, Task, make_suite
from stackelberg_envs.errors import ArgumentError, UnknownNameError
from stackelberg_envs.faces import registration
from tests.awkward_leaders import Raises, Slow
from tests.games import ROOMS, TOY, small_game

LQR = "stackelberg/BilevelLqr-v1"


def jobs_of(*given, **more):
    return [payload.job for payload in plan(make_suite(*given, **more)).payloads]


def test_every_leader_meets_every_task_with_every_seed():
    jobs = jobs_of([TOY, ROOMS], ["bchg", "naive"], 3, steps=5_000)
    assert {(job.task, job.entrant, job.seed) for job in jobs} == {
        (task, leader, seed)
        for task in ("DiscreteToy", "FourRooms")
        for leader in ("bchg", "naive")
        for seed in range(3)
    }
    assert {job.follower for job in jobs} == {"soft_value_iteration"}
    # As the leaders like best: two episodes, as often as the steps allow.
    assert {(job.steps, job.steps_per_update) for job in jobs} == {(5_000, 294), (5_000, 416)}
    assert len({job.address for job in jobs}) == len(jobs)


def test_names_tell_what_differs():
    jobs = jobs_of(
        {"easy": TOY, "hard": Task(TOY, arguments={"reward": 2.0})},
        ["bchg", ("bchg", {"critic": "lstd"}), Player("naive", name="mine", options={"learning_rate": 0.5})],
        [7],
    )
    assert [job.entrant for job in jobs[:3]] == ["bchg", "bchg (critic=lstd)", "mine"]
    assert [job.task for job in jobs[::3]] == ["easy", "hard"]
    assert jobs[3].game_arguments == {"reward": 2.0}
    assert {job.seed for job in jobs} == {7}
    assert jobs_of(Task(TOY, arguments={"reward": 2.0}), "bchg", 1)[0].task == "DiscreteToy (reward=2.0)"


def test_a_class_of_ones_own_takes_part_by_itself_or_by_its_place():
    planned = plan(make_suite(TOY, [Raises, "tests.awkward_leaders:Slow"], 1))
    assert [payload.leader for payload in planned.payloads] == [Raises, Slow]
    assert [payload.job.entrant for payload in planned.payloads] == ["Raises", "Slow"]
    assert all(len(payload.job.leader_code) == 64 for payload in planned.payloads)
    assert jobs_of(TOY, "bchg", 1)[0].leader_code == ""


def test_an_edited_leader_has_other_jobs(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    addresses = []
    for index, words in enumerate(("one", "two")):
        (tmp_path / f"edited_{index}.py").write_text(
            f'"""{words}"""\nfrom tests.awkward_leaders import Awkward\n\n\nclass Edited(Awkward):\n    pass\n'
        )
        (job,) = jobs_of(TOY, {"mine": f"edited_{index}:Edited"}, 1)
        addresses.append(job.leader_code)
        sys.modules.pop(f"edited_{index}")
    assert addresses[0] != addresses[1]


def test_a_game_of_ones_own_takes_part_by_its_content():
    game = small_game(name="mine")
    other = small_game(name="mine", temperature=0.7)
    (first,), (second,) = jobs_of(game, "bchg", 1), jobs_of(other, "bchg", 1)
    assert first.task == second.task == "mine"
    assert first.address != second.address
    assert plan(make_suite(game, "bchg", 1)).payloads[0].game is game
    assert plan(make_suite(TOY, "bchg", 1)).payloads[0].game is None


def test_who_cannot_play_is_left_out_with_the_reason():
    planned = plan(make_suite([TOY, ROOMS, LQR], ["biac", "bchg"], 1))
    assert [(item.task, item.leader) for item in planned.left_out] == [("FourRooms", "biac"), ("BilevelLqr", "biac")]
    assert "expected a commitment that sets leader_policy" in planned.left_out[0].reason
    assert len(planned.payloads) == 4


def test_the_sweep_says_what_is_known_of_its_tasks():
    planned = plan(make_suite({"toy": Task(TOY, start=0.617, best_known=34.993, note="small")}, "bchg", 2, name="mine"))
    (facts,) = planned.sweep.tasks
    assert (facts.name, facts.start, facts.best_known, facts.note) == ("toy", 0.617, 34.993, "small")
    assert planned.sweep.name == "mine"
    assert planned.sweep.jobs == [payload.job.address for payload in planned.payloads]


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        (("stackelberg/DicreteToy-v0", "bchg"), UnknownNameError, "did you mean 'stackelberg/DiscreteToy-v1'"),
        ((TOY, "bchgg"), UnknownNameError, "did you mean 'bchg'"),
        ((TOY, ("bchg", {"rate": 3})), ArgumentError, "unknown option 'rate'; expected one of learning_rate"),
        ((TOY, ("bchg", {"learning_rate": -1.0})), ArgumentError, "learning_rate"),
        ((Task(TOY, arguments={"prize": 1.0}), "bchg"), ArgumentError, "expected arguments among"),
        ((3, "bchg"), ArgumentError, "games: expected an id, a game or a Task, got 3"),
        ((TOY, 3), ArgumentError, "leader: expected a name, 'module:Class'"),
        ((TOY, "tests.awkward_leaders:Nobody"), ArgumentError, "AttributeError"),
        ((TOY, "tests.awkward_leaders:os"), ArgumentError, "expected 'module:Class'"),
        ((TOY, Task), ArgumentError, "expected a class derived from agents.Leader"),
        ((TOY, ["bchg", "bchg"]), ArgumentError, "leaders: expected a name for each, got 'bchg' twice"),
        (([TOY, TOY], "bchg"), ArgumentError, "tasks: expected a name for each, got 'DiscreteToy' twice"),
        ((TOY, "bchg", 0), ArgumentError, "seeds: expected an integer of at least 1"),
        ((TOY, "bchg", [1_000_000]), ArgumentError, "seeds"),
        ((TOY, []), ArgumentError, "expected at least one of its leaders"),
        ((ROOMS, "biac"), ArgumentError, "expected a leader that can play one of its games"),
        ((Task(small_game(), arguments={"a": 1}), "bchg"), ArgumentError, "expected no arguments beside a game"),
    ],
)
def test_what_is_wrong_is_said_before_any_work(given, error, says):
    with pytest.raises(error, match=says):
        plan(make_suite(*given))


def test_a_suite_is_checked_like_all_options():
    with pytest.raises(ArgumentError, match="steps"):
        Suite("mine", (Task(TOY),), (Player("bchg"),), steps=0)
    with pytest.raises(ArgumentError, match="unknown option 'budget'"):
        make_suite(TOY, "bchg", budget=3)


def test_ids_of_other_modules_bring_their_module_along(monkeypatch):
    monkeypatch.setattr(registration, "_SPECS", dict(registration._SPECS))
    se.register("mine/Small-v0", small_game)
    (payload,) = plan(make_suite("mine/Small-v0", "bchg", 1)).payloads
    assert payload.modules == (small_game.__module__,)
    assert len(payload.job.game_digest) == 64
