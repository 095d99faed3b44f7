"""Arguments of tabular games: what is refused."""

import numpy as np
import pytest

from stackelberg_envs.errors import GameError
from stackelberg_envs.games.tabular import TabularGame
from stackelberg_envs.games.transitions import Transition
from stackelberg_envs.solvers.solving import solve
from tests.games import small_arguments, small_game

S, A, B = 3, 2, 2


def arguments(**changes):
    believed = np.random.default_rng(1).dirichlet(np.ones(S), size=(S, A, B))
    return small_arguments(believed_transition=believed) | changes


def make(**changes):
    return small_game(**arguments(**changes))


@pytest.mark.parametrize("flag", ["observe_rewards", "publish_temperature"])
@pytest.mark.parametrize("bad", ["no", [], 0, None])
def test_flags_of_a_game_are_true_or_false(flag, bad):
    with pytest.raises(GameError, match=rf"{flag}: expected True or False, got "):
        make(**{flag: bad})


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"temperature": 1e308}, "temperature: .* got 1e.308; numbers go up to 1e.150"),
        ({"temperature": 10**30}, "temperature: .* integers have 64 bits at most"),
        ({"temperature": True}, "temperature: expected a number greater than 0, got True"),
        ({"temperature": 5e-324}, "temperature: expected at least 1e-150"),
        ({"leader_discount": False}, "leader_discount: expected a number in"),
        ({"horizon": 10**30}, "horizon: expected an integer of at most"),
        ({"follower_reward": np.full((S, A, B), 1e308)}, "follower_reward: expected numbers of at most 1e.150"),
        ({"follower_reward": np.full((S, A, B), 1e150)}, "follower_reward: .* at discount 0.8 and temperature 0.5"),
        ({"leader_reward": np.full((S, A, B), 1e150)}, "leader_reward: .* at discount 0.9 and temperature 0.5"),
        ({"follower_reward": np.full((S, A, B), 1e10), "temperature": 1e-145}, "so that values divided by"),
        ({"leader_reward": np.ma.masked_equal(np.full((S, A, B), -999), -999)}, "leader_reward: .* MaskedArray"),
        ({"follower_reward": np.ones((S, A, B), complex)}, r"follower_reward: .*complex"),
        ({"initial": np.ones(S, "timedelta64[s]")}, r"initial: expected numbers, got ndarray \(durations\)"),
        ({"initial": [[1.0], [2.0, 3.0]]}, "initial: expected numbers, got list"),
        ({"transition": Transition("lists", None)}, "transition.successors: expected integers, got str"),
        ({"facts": ["cells"]}, "facts: expected a dict"),
        ({"name": 5}, "name: expected a string, got 5"),
    ],
)
def test_arguments_that_make_no_game_are_refused(changes, match):
    with pytest.raises(GameError, match=match):
        make(**changes)


def test_changing_what_was_given_changes_no_tabular_game():
    lists = Transition(np.zeros((S, A, B, 1), np.int32), np.ones((S, A, B, 1)))
    given = arguments(facts={"cells": np.zeros(2)}, leader_policy=np.full((S, A), 0.5), transition=lists)
    game = TabularGame(**given)
    before = solve(game, np.full((S, A), 0.5))
    for value in given.values():
        if isinstance(value, np.ndarray):
            value[...] = 1.0 - value
    lists.successors[...] = 1
    given["facts"]["cells"][0] = 7.0
    given["facts"]["more"] = True
    after = solve(game, np.full((S, A), 0.5))
    assert after.leader_value == before.leader_value
    np.testing.assert_array_equal(after.gradient, before.gradient)
    assert set(game.facts) == {"cells"}
    assert game.facts["cells"][0] == 0.0


@pytest.mark.parametrize("c", [1e-100, 1e100])
def test_games_are_made_in_any_unit(c):
    given = arguments(temperature=0.5 * c)
    for name in ("leader_reward", "follower_reward"):
        given[name] = given[name] * c
    x = np.full((S, A), 0.5)
    made, unit = TabularGame(**given).primitives(x), make().primitives(x)
    np.testing.assert_allclose(made.follower_reward / made.temperature, unit.follower_reward / unit.temperature)
