"""Best responses as functions of a game and a commitment."""

import numpy as np
import pytest

import stackelberg_envs as se
from stackelberg_envs.envs import random_tabular_v1
from stackelberg_envs.errors import ArgumentError
from stackelberg_envs.solvers.solving import solve


def random_game(discount, temperature, **changes):
    arguments = {"S": 5, "A": 2, "B": 3, "terminal": 1, "commitment": "policy", "seed": 3} | changes
    game = random_tabular_v1.make_game(**arguments)
    game = game.replace(leader_discount=discount, follower_discount=discount, temperature=temperature)
    return game, np.full(game.commitment.shape, 1 / 2 if arguments["commitment"] == "policy" else 0.1)


def test_the_hard_response_takes_a_game_and_a_commitment():
    game, x = random_game(0.9, 0.2)
    by_game, by_arrays = se.hard_best_response(game, x), se.hard_best_response(game.primitives(x))
    np.testing.assert_array_equal(by_game.policy, by_arrays.policy)
    np.testing.assert_array_equal(se.soft_best_response(game, x).policy, solve(game, x).best.policy)
    with pytest.raises(ArgumentError, match="x: expected the commitment"):
        se.hard_best_response(game)
    with pytest.raises(ArgumentError, match="x: expected None"):
        se.hard_best_response(game.primitives(x), x)
    with pytest.raises(ArgumentError, match="tabular game"):
        se.hard_best_response(se.make_game("stackelberg/BilevelLqr-v1"), [[0.0, 0.0]])
