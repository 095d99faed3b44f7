from dataclasses import replace

import numpy as np
import pytest

from stackelberg_envs.games import markov_primitives
from stackelberg_envs.solvers.equilibrium.linearisation import Linearisation
from tests.stackelberg_envs.solvers.equilibrium.markov_arrays import random_arrays

GAMES = {
    "two": random_arrays(),
    "three": random_arrays(sizes=(2, 3, 2)),
    "masked": random_arrays(masked=True),
    "zero_sum": random_arrays(zero_sum=True),
}


def at(game, temperature=None, seed=3):
    q = np.random.default_rng(seed).normal(size=(game.num_states, sum(game.sizes)))
    return Linearisation(game, q, game.temperature if temperature is None else temperature)


@pytest.mark.parametrize("name", GAMES)
def test_the_derivative_is_that_of_central_differences(name):
    game = GAMES[name]
    point, step = at(game), 1e-6
    change = np.random.default_rng(4).normal(size=point.q.shape)
    ends = [Linearisation(game, point.q + sign * step * change, point.temperature).image for sign in (1, -1)]
    np.testing.assert_allclose(point.dense() @ change.ravel(), ((ends[0] - ends[1]) / (2 * step)).ravel(), atol=1e-8)
    hot, cold = (at(game, point.temperature * np.exp(sign * step)).image for sign in (1, -1))
    np.testing.assert_allclose(point.by_log_temperature, (hot - cold) / (2 * step), atol=1e-8)


@pytest.mark.parametrize("most_dense", [0, 2**17])
@pytest.mark.parametrize("name", GAMES)
def test_both_systems_are_those_of_the_whole_matrix(name, most_dense, monkeypatch):
    monkeypatch.setattr(markov_primitives, "MOST_DENSE", most_dense)
    point = at(replace(GAMES[name]))  # which has no kernel yet
    right = np.random.default_rng(5).normal(size=point.q.shape)
    whole = np.eye(right.size) - point.dense()
    np.testing.assert_allclose(point.solve(right).ravel(), np.linalg.solve(whole, right.ravel()), rtol=1e-9)
    np.testing.assert_allclose(
        point.solve_transposed(right).ravel(), np.linalg.solve(whole.T, right.ravel()), rtol=1e-9
    )
