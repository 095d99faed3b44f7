"""Suites in files: what comes with the package is right, and what others send is checked at the door."""

import functools
import json
import re
import sys
from pathlib import Path

import pytest

import stackelberg_envs as se
from agents.benchmark.plans import plan
from agents.benchmark.suite_files import is_suite, load_suite, suite_names
from agents.benchmark.suites import Suite
from stackelberg_envs.errors import ArgumentError, OutputError, UnknownNameError
from stackelberg_envs.faces.registration import stored_spec
from stackelberg_envs.play.session import neutral_commitment
from tests.games import TOY

SMALL = f"""
format = 1
name = "small"
description = "for tests"
seeds = 2
steps = 3_000

[[tasks]]
game = "{TOY}"
name = "hard"
arguments = {{ reward = 2.0 }}
start = 0.5
best_known = 39.94
steps_per_update = 500

[[leaders]]
kind = "bchg"
options = {{ critic = "lstd" }}

[leaders.per_task.hard]
learning_rate = 0.2

[[leaders]]
kind = "naive"
name = "blind"
note = "ignores: everything"
"""


def written(tmp_path, text, name="small.toml"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_says_what_python_could(tmp_path):
    suite = load_suite(written(tmp_path, SMALL))
    assert (suite.name, suite.description, suite.seeds, suite.steps) == ("small", "for tests", (0, 1), 3_000)
    planned = plan(suite)
    jobs = [payload.job for payload in planned.payloads]
    assert [(job.task, job.entrant, job.seed) for job in jobs] == [
        ("hard", entrant, seed) for entrant in ("bchg (critic=lstd)", "blind") for seed in (0, 1)
    ]
    assert jobs[0].game_arguments == {"reward": 2.0}
    assert jobs[0].leader_options == {"critic": "lstd", "learning_rate": 0.2}
    assert (jobs[0].steps, jobs[0].steps_per_update) == (3_000, 500)
    (facts,) = planned.sweep.tasks
    assert (facts.start, facts.best_known) == (0.5, 39.94)
    assert planned.sweep.entrants[1].summary == "ignores: everything"


def test_a_path_may_be_text_and_a_name_is_found():
    assert [is_suite(given) for given in ("tabular-v1", "a/b.toml", Path("c"), TOY, f"mine:{TOY}", 3, None)] == [
        True,
        True,
        True,
        False,
        False,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("old", "new", "error", "says"),
    [
        (
            "steps = 3_000",
            "stepz = 3_000",
            UnknownNameError,
            "unknown key of .*small.toml 'stepz'; did you mean 'steps'",
        ),
        ("start = 0.5", "strat = 0.5", UnknownNameError, r"unknown key of .*tasks\[0\] 'strat'; did you mean 'start'"),
        ('name = "blind"', 'nmae = "blind"', UnknownNameError, r"leaders\[1\] 'nmae'; did you mean 'name'"),
        ("format = 1", "format = 2", ArgumentError, "expected a suite of format 1, got one of 2"),
        ("format = 1", "", ArgumentError, "expected format too"),
        ("seeds = 2", "seeds = [1_000_000]", ArgumentError, "seeds"),
        ("seeds = 2", "seeds = 0", ArgumentError, "seeds"),
        ("steps = 3_000", "steps = 0", ArgumentError, "steps: expected an integer of at least 1, got 0"),
        ("start = 0.5", "start = nan", ArgumentError, r"tasks\[0\]: start: expected a finite number"),
        ('kind = "bchg"', "kind = 3", ArgumentError, r"leaders\[0\]: kind: expected a word, got 3"),
        (f'game = "{TOY}"', "", ArgumentError, r"tasks\[0\]: game: expected a word"),
        ("[[tasks]]", "[tasks]", ArgumentError, r"tasks: expected a list of tables, \[\[tasks\]\]"),
        ("format = 1", "format = ", OutputError, "expected a suite in TOML"),
        ("format = 1", "leaders = [3]\nformat = 1", OutputError, "expected a suite in TOML"),
        ("format = 1", "followers = [3]\nformat = 1", ArgumentError, r"followers\[0\]: expected a table, got 3"),
    ],
)
def test_what_is_wrong_in_a_file_is_said_with_its_place(tmp_path, old, new, error, says):
    assert SMALL.count(old) >= 1
    with pytest.raises(error, match=says):
        load_suite(written(tmp_path, SMALL.replace(old, new, 1)))


def test_no_such_suite():
    with pytest.raises(UnknownNameError, match="unknown suite 'tabular-v2'; did you mean 'tabular-v1'"):
        load_suite("tabular-v2")
    with pytest.raises(OutputError, match="expected a suite"):
        load_suite("nowhere.toml")


@pytest.mark.parametrize(
    ("old", "new", "module"),
    [
        ('kind = "naive"', 'kind = "evil.mod:Leader"', "evil.mod"),
        (f'game = "{TOY}"', 'game = "evil:ns/Game-v0"', "evil"),
        ('{ critic = "lstd" }', '{ critic = "evil-mod:Class" }', "evil-mod"),
        ('{ critic = "lstd" }', '{ a = [{ b = "evil:0" }] }', "evil"),
        ("learning_rate = 0.2", 'critic = "evil:Class"', "evil"),
        ("steps_per_update = 500", 'followers = [{ kind = "evil:Class" }]', "evil"),
    ],
)
def test_a_file_imports_nothing_by_itself(tmp_path, old, new, module):
    with pytest.raises(ArgumentError, match=f"would import the module '{module}'.*--import {module}"):
        load_suite(written(tmp_path, SMALL.replace(old, new, 1)))
    assert module not in sys.modules


def test_code_of_a_module_that_is_allowed_takes_part(tmp_path):
    path = written(tmp_path, SMALL.replace('kind = "naive"', 'kind = "tests.awkward_leaders:Slow"'))
    planned = plan(load_suite(path, ["tests.awkward_leaders"]))
    assert planned.payloads[-1].job.leader == "tests.awkward_leaders:Slow"
    with pytest.raises(ArgumentError, match="import: expected a module"):
        load_suite(path, ["tests.no_such_module"])


INCLUDING = f"""
format = 1
name = "larger"
include = ["small.toml"]

[[tasks]]
game = "{TOY}"

[[leaders]]
kind = "zero_order"
"""


def test_an_included_suite_keeps_its_budget_and_players_and_gets_the_others(tmp_path):
    written(tmp_path, SMALL)
    jobs = [payload.job for payload in plan(load_suite(written(tmp_path, INCLUDING, "larger.toml"))).payloads]
    assert [(job.task, job.entrant, job.steps, job.seed) for job in jobs if job.seed == 1] == [
        ("hard", "bchg (critic=lstd)", 3_000, 1),
        ("hard", "blind", 3_000, 1),
        ("hard", "zero_order", 3_000, 1),
        ("DiscreteToy", "zero_order", 100_000, 1),
    ]
    assert len(jobs) == 8


def test_included_suites_agree_or_the_file_says_what_holds(tmp_path):
    written(tmp_path, SMALL)
    other = (
        SMALL.replace("seeds = 2", "seeds = 3")
        .replace('name = "hard"', 'name = "soft"')
        .replace("per_task.hard", "per_task.soft")
    )
    written(tmp_path, other, "other.toml")
    both = 'format = 1\nname = "both"\ninclude = ["small.toml", "other.toml"]\n'
    with pytest.raises(ArgumentError, match="expected its own seeds"):
        load_suite(written(tmp_path, both, "both.toml"))
    suite = load_suite(written(tmp_path, both + "seeds = [4]\n", "both.toml"))
    assert suite.seeds == (4,)
    assert [payload.job.task for payload in plan(suite).payloads] == ["hard", "hard", "soft", "soft"]


def test_suites_that_include_one_another_are_refused(tmp_path):
    for one, other in (("a", "b"), ("b", "a")):
        written(tmp_path, f'format = 1\nname = "{one}"\ninclude = ["{other}.toml"]\n', f"{one}.toml")
    with pytest.raises(ArgumentError, match="got a circle"):
        load_suite(tmp_path / "a.toml")


def test_settings_for_a_task_that_there_is_not_are_refused(tmp_path):
    with pytest.raises(UnknownNameError, match="unknown task 'herd'; did you mean 'hard'"):
        plan(load_suite(written(tmp_path, SMALL.replace("per_task.hard", "per_task.herd"))))


@functools.cache
def planned(name):
    return plan(load_suite(name))


@functools.cache
def known(game_id, arguments):
    """Return what the neutral commitment is worth, and the best known value that the game itself tells."""
    game = stored_spec(game_id).make(**json.loads(arguments))  # suites keep the ids of their time
    return se.solve(game, neutral_commitment(game)).leader_value, game.facts.get("best_known")


def test_the_suites_of_the_package_are_right():
    """Every name and option exists, who is left out is who must be, starts are what the neutral commitment is worth."""
    assert suite_names() == [
        "all-v1",
        "closed-form-v1",
        "continuous-v1",
        "learned-followers-v1",
        "learning-followers-v1",
        "paper-bchg-v1",
        "paper-hpgd-v1",
        "practice-v1",
        "tabular-v1",
        "untuned-random-v1",
        "untuned-rooms-v1",
        "untuned-v1",
    ]
    for name in ("tabular-v1", "continuous-v1", "learned-followers-v1", "practice-v1"):
        suite = load_suite(name)
        assert suite.name == name
        assert suite.seeds == tuple(range(10))
        assert {item.leader for item in planned(name).left_out} <= {"biac", "penalty"}
        for task in suite.tasks:
            start, best = known(task.game, json.dumps(task.arguments))
            assert task.start == pytest.approx(start, rel=1e-4, abs=1e-9)
            assert task.best_known > task.start
            # Suites tell values rounded, and keep them as long as their version.
            assert best is None or best == pytest.approx(task.best_known, abs=1e-4 * (task.best_known - task.start))


def test_all_is_the_three_together():
    parts = [planned(name) for name in ("tabular-v1", "continuous-v1", "learned-followers-v1")]
    assert set(planned("all-v1").sweep.jobs) == {job for part in parts for job in part.sweep.jobs}


@pytest.mark.parametrize("name", ["paper-bchg-v1", "paper-hpgd-v1"])
def test_the_published_settings_are_taken_by_the_published_leaders(name, monkeypatch):
    with pytest.raises(ArgumentError, match=r"--import published\.four_rooms"):
        load_suite(name)
    monkeypatch.syspath_prepend(str(Path(__file__).parents[3] / "benchmarks"))
    suite = load_suite(name, ["published.four_rooms"])
    for task in suite.tasks:
        assert task.start == pytest.approx(known(task.game, json.dumps(task.arguments))[0], rel=1e-4)
        assert task.best_known > task.start
    planned = plan(suite)
    assert not planned.left_out
    assert {payload.job.entrant for payload in planned.payloads} == {"bchg", "hpgd", "naive", "amd", "zero_order"}
    assert all(payload.job.steps == 10_000 * payload.job.steps_per_update for payload in planned.payloads)


def test_the_file_of_the_documentation_is_one(tmp_path, monkeypatch):
    root = Path(__file__).parents[3] / "docs"
    monkeypatch.syspath_prepend(str(root / "recipes"))
    (text,) = re.findall(
        r"```toml\n(.*?)```", (root / "reference" / "suites.md").read_text(encoding="utf-8"), re.DOTALL
    )
    suite = load_suite(written(tmp_path, text), ["my_leader"])
    (task,) = [task for task in suite.tasks if task.name == "generous toy"]
    assert plan(Suite("one", (task,), suite.leaders, suite.followers)).payloads
