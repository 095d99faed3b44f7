"""The information barrier: leaders of the lower levels cannot reach the game or the follower.

Four proofs: what their files import, what is reachable from the objects they are handed, who touches a follower
that records it, and that they do the same when all that crosses between them and the game is bytes (in a process
of their own: runs/remote/test_client.py).
"""

import ast
import sys
from pathlib import Path

import numpy as np
import pytest

import agents
from agents.leaders import leader_class, leader_names
from agents.observing.brief import Information, redact
from agents.observing.trajectories import Trajectories
from agents.runs.briefing import make_brief
from agents.runs.experiment import Experiment, ExperimentConfig
from stackelberg_envs.envs import discrete_toy_v1, four_rooms_v0
from stackelberg_envs.errors import ArgumentError
from stackelberg_envs.games.commitments.base import Commitment
from stackelberg_envs.games.tabular import Primitives, TabularGame
from stackelberg_envs.games.transitions import Transition
from stackelberg_envs.solvers.solving import solve
from tests.house import origin_of, package_of

ROOT = Path(agents.__file__).parent
#: Games, what solves a game, what plays one. Solvers for arrays, in `solvers.soft`, know no game.
BARRED = (
    "stackelberg_envs.games.tabular",
    "stackelberg_envs.games.vector",
    "stackelberg_envs.games.markov.",
    "stackelberg_envs.games.contexts",
    "stackelberg_envs.games.linear_quadratic",
    "stackelberg_envs.games.discretised",
    "stackelberg_envs.games.guided",
    "stackelberg_envs.solvers.solution",
    "stackelberg_envs.solvers.responses",
    "stackelberg_envs.solvers.soft.accuracy",
    "stackelberg_envs.solvers.linear_quadratic",
    "stackelberg_envs.solvers.equilibrium.solution",
    "stackelberg_envs.play",
    "stackelberg_envs.pictures",
    "stackelberg_envs.faces",
    "stackelberg_envs.envs",
    "stackelberg_envs.conformity",
    "agents.runs",
    "agents.followers",
)
#: Where a leader's own code lives.
LEADERS_OWN = ("agents.leaders", "agents.estimators", "agents.planning", "agents.learning")
GAMES = [discrete_toy_v1.make_game(), four_rooms_v0.make_game()]


def imports(path):
    """Yield the modules a file imports, from its syntax tree."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{origin_of(node, package_of(path))}.{alias.name}" for alias in node.names)


def reach(module, seen):
    """Collect the modules of `agents` reachable by imports from one of its modules, and what they import."""
    path = ROOT.parent / Path(*module.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    if module in seen or not path.exists():
        return seen
    seen[module] = set(imports(path))
    for name in seen[module]:
        for candidate in (name, name.rpartition(".")[0]):
            if candidate.startswith("agents.") and candidate != "agents.leaders":
                reach(candidate, seen)
    return seen


def modest_leaders():
    return [name for name in leader_names() if leader_class(name).information <= Information.REWARDS_OBSERVED]


@pytest.mark.parametrize("name", modest_leaders())
def test_nothing_a_modest_leader_imports_leads_to_a_game_or_a_follower(name):
    for module, names in reach(leader_class(name).__module__, {}).items():
        guilty = [imported for imported in names if imported.startswith(BARRED)]
        assert not guilty, f"{module} imports {guilty}"


def test_the_import_check_sees_what_the_experiment_imports():
    names = set().union(*reach("agents.runs.experiment", {}).values())
    assert any(name.startswith("stackelberg_envs.solvers") for name in names)


@pytest.mark.parametrize("game", GAMES, ids=lambda game: game.name)
@pytest.mark.parametrize("level", [Information.ACTIONS_ONLY, Information.REWARDS_OBSERVED])
def test_a_modest_brief_reaches_neither_dynamics_nor_follower_rewards(game, level, reachable):
    brief = make_brief(game, level)
    objects = reachable(brief)
    assert any(isinstance(item, Commitment) for item in objects)  # the search does search
    assert not any(isinstance(item, TabularGame | Primitives | Transition) for item in objects)
    arrays = [item for item in objects if isinstance(item, np.ndarray)]
    secrets = (game.follower_reward, game.leader_reward, game.transition.probabilities)
    assert not any(np.shares_memory(array, secret) for array in arrays for secret in secrets)


def test_the_search_finds_the_game_in_a_brief_of_level_model(reachable):
    assert any(isinstance(item, TabularGame) for item in reachable(make_brief(GAMES[0], Information.MODEL)))


def test_trajectories_carry_what_the_level_allows_and_no_more():
    game = GAMES[0]
    x = np.full((3, 2), 0.5)
    seen = agents.collect(game, x, solve(game, x).response, steps=10, rng=0)

    policy = np.ones((3, 2, 3)) / 3
    carried = {
        level: (
            redact(seen, level, policy).follower_reward is not None,
            redact(seen, level, policy).response is not None,
        )
        for level in Information
    }
    assert carried == {
        Information.ACTIONS_ONLY: (False, False),
        Information.REWARDS_OBSERVED: (True, False),
        Information.RESPONSE: (True, True),
        Information.CONTROLS_TRAINING: (True, True),
        Information.MODEL: (True, True),
    }


@pytest.mark.parametrize("name", modest_leaders())
def test_a_leader_that_receives_only_bytes_commits_bit_for_bit_the_same(name):
    game = GAMES[0]
    kind = leader_class(name)
    level = kind.required_information(game.commitment, kind.Config())
    near, far = (kind(make_brief(game, level), kind.Config(), np.random.default_rng(0)) for _ in range(2))
    for seed in range(5):
        x = near.commit()
        np.testing.assert_array_equal(x, far.commit())
        seen = redact(agents.collect(game, x, solve(game, x).response, steps=500, rng=seed), level, None)
        near.update(seen)
        far.update(Trajectories.from_bytes(seen.to_bytes()))


class Recorded:
    """Stands for a follower and notes every attribute that is asked for, with the modules that are asking."""

    def __init__(self, follower):
        object.__setattr__(self, "_hidden", (follower, []))

    def __getattribute__(self, name):
        follower, notes = object.__getattribute__(self, "_hidden")
        frame, callers = sys._getframe(1), set()
        while frame is not None:
            callers.add(frame.f_globals.get("__name__", ""))
            frame = frame.f_back
        notes.append((name, callers))
        return getattr(follower, name)


@pytest.mark.parametrize("name", leader_names())
def test_no_leader_ever_touches_the_follower(name, reachable):
    try:
        experiment = Experiment(ExperimentConfig(GAMES[0], leader=name, steps_per_update=300))
    except ArgumentError:
        experiment = Experiment(ExperimentConfig(GAMES[1], leader=name, steps_per_update=300))
    follower = experiment.follower
    experiment.follower = Recorded(follower)
    for _ in range(3):
        experiment.step()
    _, notes = object.__getattribute__(experiment.follower, "_hidden")
    assert {"learn", "policy"} <= {attribute for attribute, _ in notes}  # the outer loop and the oracle do
    asking = {caller for _, callers in notes for caller in callers if caller.startswith(LEADERS_OWN)}
    if leader_class(name).information < Information.CONTROLS_TRAINING:
        assert not asking
        assert not any(item is follower for item in reachable(experiment.leader))


def test_the_record_sees_a_leader_that_does_touch_it(monkeypatch):
    experiment = Experiment(ExperimentConfig(GAMES[0], leader="naive", steps_per_update=10))
    experiment.follower = Recorded(experiment.follower)
    namespace = {"__name__": "agents.leaders.spy", "follower": experiment.follower}
    exec("def peek(trajectories): return {'seen': follower.policy.sum()}", namespace)  # noqa: S102
    monkeypatch.setattr(experiment.leader, "update", namespace["peek"])
    experiment.step()
    _, notes = object.__getattribute__(experiment.follower, "_hidden")
    assert any("agents.leaders.spy" in callers for _, callers in notes)
