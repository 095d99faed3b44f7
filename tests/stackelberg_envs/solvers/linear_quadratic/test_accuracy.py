"""Stated errors of linear-quadratic games, and short representations."""

from dataclasses import replace

import mpmath as mp
import numpy as np
import pytest

from stackelberg_envs.envs import bilevel_lqr_v0, building_thermal_v0
from stackelberg_envs.solvers.linear_quadratic import riccati as lqr

LINEAR = [
    (bilevel_lqr_v0.make_game(), np.array([[0.3, -0.4]])),
    (bilevel_lqr_v0.make_game(), np.array([[-5.0, 8.0]])),
    (building_thermal_v0.make_game(), np.full(8, 0.5)),
]
extended = pytest.mark.skipif(np.finfo(np.longdouble).eps > 2.0**-60, reason="long doubles are floats on this machine")


@extended
@pytest.mark.parametrize(("game", "x"), LINEAR)
def test_linear_solutions_state_errors_near_rounding(game, x):
    solution = game.solve(x)
    for name, error in (
        ("leader_value", solution.leader_value_error),
        ("follower_value", solution.follower_value_error),
        ("gradient", solution.gradient_error),
    ):
        assert 0 < error < 1e-9 * np.abs(getattr(solution, name)).max()
    assert 0 < solution.policy_error < 1e-9
    assert solution.value_error == max(solution.leader_value_error, solution.follower_value_error)


@extended
@pytest.mark.parametrize(("game", "x"), LINEAR)
def test_an_error_that_is_there_is_stated(game, x, monkeypatch):
    solution = game.solve(x)
    broken = replace(solution)
    broken.__dict__["leader_value"] = solution.leader_value * (1 + 1e-7)
    broken.__dict__["direct_gradient"] = solution.direct_gradient * (1 + 1e-7)
    assert broken.leader_value_error >= 0.9e-7 * abs(solution.leader_value)
    assert (
        broken.gradient_error
        >= 0.9e-7 * np.abs(solution.direct_gradient).max() - np.abs(solution.gradient).max() * 1e-9
    )


@extended
def test_the_follower_value_is_within_its_error_of_forty_digits():
    """The scalar game, whose Riccati equation is a quadratic one."""
    rng = np.random.default_rng(0)
    M, B, Q, R = rng.standard_normal((4, 1, 1))
    Q, R, g = np.abs(Q), np.abs(R), 0.95
    P = float(lqr.riccati(M, B, Q, R, g)[0, 0])
    with mp.workdps(40):
        m, b, q, r, d = (mp.mpf(float(v)) for v in (M[0, 0], B[0, 0], Q[0, 0], R[0, 0], mp.mpf(g)))
        exact = mp.findroot(lambda p: q + d * m * m * p - d**2 * (m * p * b) ** 2 / (r + d * b * b * p) - p, mp.mpf(P))
        assert abs(float(exact - mp.mpf(P))) <= 1e-14 * P


@extended
def test_elimination_in_long_doubles_solves():
    rng = np.random.default_rng(1)
    matrix = rng.standard_normal((6, 6)).astype(np.longdouble)
    matrix[0, 0] = 0.0
    rhs = rng.standard_normal((6, 2)).astype(np.longdouble)
    assert np.abs(matrix @ lqr.solve(matrix, rhs) - rhs).max() < 1e-17
    expected = np.linalg.slogdet(matrix.astype(np.float64))[1]
    assert float(lqr.log_determinant(matrix)) == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize("c", [2.0**-40, 2.0**40, 1e-30, 1e30])
def test_linear_games_in_other_units_are_the_same_games(c):
    game, x = LINEAR[2]
    numbers = replace(game.numbers, state_cost=c * game.numbers.state_cost, action_cost=c * game.numbers.action_cost)
    reward = replace(game.reward, state_cost=c * game.reward.state_cost, action_cost=c * game.reward.action_cost)
    form = replace(game.form, price=c * game.form.price)
    other = game.replace(numbers=numbers, reward=reward, form=form, temperature=c * game.temperature)
    one, two = game.solve(x), other.solve(x)
    assert two.leader_value == pytest.approx(c * one.leader_value, rel=1e-9)
    np.testing.assert_allclose(two.policy.on_state, one.policy.on_state, rtol=1e-9)
    np.testing.assert_allclose(two.gradient, c * one.gradient, rtol=0, atol=1e-9 * c * np.abs(one.gradient).max())


@pytest.mark.parametrize(("game", "x"), LINEAR[1:])
def test_solutions_are_shown_in_a_line(game, x):
    assert len(repr(game.solve(x))) < 120
