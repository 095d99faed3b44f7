"""The hypergradient against differences."""

import numpy as np
import pytest

from stackelberg_envs.envs import bilevel_lqr_v1
from stackelberg_envs.solvers.linear_quadratic.riccati import (
    closed_loop,
)
from stackelberg_envs.solvers.linear_quadratic.solution import (
    BumpValue,
    QuadraticValue,
    solve_problem,
)
from tests.games import BUILDING, LQR
from tests.stackelberg_envs.solvers.linear_quadratic.games import designs, gains, random_game, solved


def differences(value, x, step):
    """Central differences of fourth order: two step sizes, extrapolated."""
    out = np.empty(x.shape)
    for index in np.ndindex(x.shape):
        shift = np.zeros(x.shape)
        shift[index] = step
        near, far = ((value(x + k * shift) - value(x - k * shift)) / (2 * k * step) for k in (1, 2))
        out[index] = (4 * near - far) / 3
    return out


def assert_close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6 * np.abs(expected).max())


@pytest.mark.parametrize("x", gains(20, seed=1), ids=str)
def test_hypergradient_of_bilevel_lqr(x):
    assert_close(LQR.solve(x).gradient, differences(lambda y: solve_problem(LQR.problem, y).leader_value, x, 1e-3))


@pytest.mark.parametrize("x", [[[-9.683, -10.25]], [[-9.9, -10.05]], [[-9.95, -9.98]]], ids=str)
def test_hypergradient_of_bilevel_lqr_near_the_edge_of_stability(x):
    step = 2e-5 if x[0][1] > -10.1 else 1e-4
    found = differences(lambda y: solve_problem(LQR.problem, y).leader_value, np.array(x), step)
    assert_close(LQR.solve(x).gradient, found)


@pytest.mark.parametrize("x", designs(20, seed=1), ids=lambda x: str(np.round(x, 2)))
def test_hypergradient_of_building_thermal(x):
    assert_close(
        BUILDING.solve(x).gradient, differences(lambda y: solve_problem(BUILDING.problem, y).leader_value, x, 1e-3)
    )


@pytest.mark.parametrize("seed", range(20))
def test_hypergradient_of_random_games_and_its_two_parts(seed):
    game = random_game(seed)
    form, numbers, reward, x = game
    solution = solved(game, x)
    assert_close(solution.gradient, differences(lambda y: solved(game, y).leader_value, x, 1e-4))

    def fixed_response(y):
        loop = closed_loop(solution.problem.under(y), solution.best.policy)
        value = QuadraticValue(loop, numbers, reward.state_cost, reward.action_cost, 0.8, 50).value
        return value - form.price * np.sum(y * y) / 0.2

    assert_close(solution.direct_gradient, differences(fixed_response, x, 1e-4))
    assert np.abs(solution.response_gradient).max() > 1e-3


@pytest.mark.parametrize("seed", range(5))
def test_hypergradient_of_a_bump_in_random_games(seed):
    form, numbers, _, x = random_game(seed)
    game = form, numbers, bilevel_lqr_v1.BumpReward(np.array([0.2, -0.3, 0.1]), np.array([0.5, 0.7, 0.9])), x
    solution = solved(game, x)
    free = BumpValue(solution.loop, numbers, solution.problem.reward, 0.8, 50).value
    assert solution.leader_value == pytest.approx(free - form.price * np.sum(x * x) * np.sum(0.8 ** np.arange(50)))
    assert_close(solution.gradient, differences(lambda y: solved(game, y).leader_value, x, 1e-4))
