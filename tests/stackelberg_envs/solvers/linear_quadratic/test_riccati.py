"""Riccati's equation against SciPy and plain iteration."""

import numpy as np
import pytest
from scipy.linalg import solve_discrete_are

from stackelberg_envs.solvers.linear_quadratic.riccati import (
    riccati,
)
from tests.games import BUILDING
from tests.stackelberg_envs.solvers.linear_quadratic.games import MIDDLE, random_game, solved


@pytest.mark.parametrize("seed", range(10))
def test_riccati_agrees_with_scipy(seed):
    parts = solved(random_game(seed), random_game(seed)[3]).parts
    numbers, root = parts.numbers, np.sqrt(0.9)
    arguments = parts.drift, numbers.follower_input, numbers.state_cost, numbers.action_cost
    expected = solve_discrete_are(root * arguments[0], root * arguments[1], *arguments[2:])
    np.testing.assert_allclose(riccati(*arguments, 0.9), expected, rtol=1e-9)


@pytest.mark.parametrize("discount", [0.0, 5e-324, 1e-300])
def test_whoever_hardly_looks_ahead_pays_for_the_present_state_alone(discount):
    _, numbers, _, _ = random_game(0)
    M, B, Q = 0.5 * np.eye(3), numbers.follower_input, numbers.state_cost
    np.testing.assert_array_equal(riccati(M, B, Q, numbers.action_cost, discount), Q)


def test_riccati_agrees_with_plain_iteration_of_its_equation():
    parts = BUILDING.solve(MIDDLE).parts
    numbers, g, M = parts.numbers, parts.discount, parts.drift
    B, P = numbers.follower_input, np.zeros((4, 4))
    for _ in range(3000):
        S = numbers.action_cost + g * B.T @ P @ B
        P = numbers.state_cost + g * M.T @ (P - g * P @ B @ np.linalg.solve(S, B.T @ P)) @ M
    found = riccati(M, B, numbers.state_cost, numbers.action_cost, g)
    np.testing.assert_allclose(found, P, rtol=1e-10, atol=1e-10)
