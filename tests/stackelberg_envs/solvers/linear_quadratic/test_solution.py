"""Exact solutions of linear-quadratic games: reference values, second methods, finite differences, and Monte Carlo."""

from dataclasses import replace

import mpmath as mp
import numpy as np
import pytest
from scipy.linalg import solve_discrete_lyapunov

from stackelberg_envs.envs import bilevel_lqr_v1, building_thermal_v1
from stackelberg_envs.errors import CommitmentError, InstabilityError
from stackelberg_envs.play.rollout import rollout
from stackelberg_envs.solvers.linear_quadratic import riccati as lqr
from stackelberg_envs.solvers.linear_quadratic.riccati import (
    closed_loop,
    discounted_sum,
    linear_best_response,
)
from stackelberg_envs.solvers.linear_quadratic.solution import (
    QuadraticValue,
    bump_rewards,
)
from tests.games import BUILDING, LQR
from tests.stackelberg_envs.solvers.linear_quadratic.games import MIDDLE, random_game, solved


@pytest.mark.parametrize("seed", range(5))
def test_the_response_is_the_softmax_of_its_own_value_function(seed):
    """Q_F(s, a, b), built from the value function, must be temperature log g(b | s, a) plus V_F(s, a)."""
    game = random_game(seed)
    parts = solved(game, game[3]).parts
    best = linear_best_response(parts)
    numbers, g = parts.numbers, parts.discount
    rng = np.random.default_rng(seed)
    s, a, b = rng.standard_normal((40, 3)), rng.standard_normal((40, 2)), rng.standard_normal((40, 2))
    s[:], a[:] = s[0], a[0]
    after = s @ parts.dynamics.T + b @ numbers.follower_input.T + a @ numbers.leader_input.T
    own, ahead = numbers.action_cost, g * best.cost_to_go
    q = -np.einsum("ni,ij,nj->n", b, own, b) - np.einsum("ni,ij,nj->n", after, ahead, after)
    log_prob = best.policy.log_prob(s, a, np.zeros(40, np.int32), b)
    gap = q - parts.temperature * log_prob
    np.testing.assert_allclose(gap, gap[0], rtol=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_the_follower_value_is_that_of_its_policy_with_entropy(seed):
    """Policy evaluation by SciPy's Lyapunov solver, entropy added, knows nothing of Riccati equations."""
    game = random_game(seed)
    solution = solved(game, game[3])
    parts, loop, numbers, g = solution.parts, solution.loop, solution.problem.numbers, 0.9
    cost = numbers.state_cost + loop.feedback.T @ numbers.action_cost @ loop.feedback
    ahead = solve_discrete_lyapunov(np.sqrt(g) * loop.transition.T, cost)
    start = numbers.initial_covariance + np.outer(numbers.initial_mean, numbers.initial_mean)
    entropy = 0.5 * np.linalg.slogdet(2 * np.pi * np.e * solution.best.policy.covariance)[1]
    per_step = g * np.sum(ahead * loop.noise) + np.sum(numbers.action_cost * loop.action_noise)
    expected = -np.sum(ahead * start) - (per_step - parts.temperature * entropy) / (1 - g)
    assert solution.follower_value == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_no_other_policy_is_worth_more_to_the_follower(seed):
    game = random_game(seed)
    solution = solved(game, game[3])
    rng = np.random.default_rng(seed)
    policy = solution.best.policy
    best = regularised(solution, policy)
    assert best == pytest.approx(solution.follower_value, rel=1e-9)
    for _ in range(20):
        other = type(policy)(
            policy.on_state + 0.03 * rng.standard_normal(policy.on_state.shape),
            policy.on_action + 0.03 * rng.standard_normal(policy.on_action.shape),
            policy.covariance * rng.uniform(0.8, 1.2),
        )
        assert regularised(solution, other) < best


def regularised(solution, policy):
    """The follower's value of any linear-Gaussian policy, entropy included."""
    numbers, g = solution.problem.numbers, solution.parts.discount
    loop = closed_loop(solution.parts, policy)
    value = QuadraticValue(loop, numbers, numbers.state_cost, numbers.action_cost, g, 50).value
    entropy = 0.5 * np.linalg.slogdet(2 * np.pi * np.e * policy.covariance)[1]
    return value + solution.parts.temperature * entropy / (1 - g)


def discounted_returns(game, x, episodes, seed, discount=None):
    record = rollout(
        game.under(np.asarray(x, float)), game.solve(x).policy, np.random.default_rng(seed), episodes=episodes
    )
    discount = game.leader_discount if discount is None else discount
    weights = discount ** np.arange(game.horizon)
    shape = (episodes, game.horizon)
    return record, record.leader_reward.reshape(shape) @ weights, record.follower_reward.reshape(shape) @ weights


# Four standard errors: a false alarm in 1 of 16,000 comparisons; five comparisons here, with fixed seeds.
@pytest.mark.parametrize("gain", [(0, 0), (-9.683, -10.25), (-9.9615, -10.0)])
def test_play_of_bilevel_lqr_is_worth_its_exact_value(gain):
    x = np.array([gain], float)
    _, returns, _ = discounted_returns(LQR, x, 4000, seed=0)
    assert abs(returns.mean() - LQR.solve(x).leader_value) < 4 * returns.std() / np.sqrt(len(returns))


@pytest.mark.parametrize("x", [MIDDLE, BUILDING.facts["best_commitment"]], ids=["middle", "best"])
def test_play_of_building_thermal_is_worth_its_exact_value(x):
    record, returns, _ = discounted_returns(BUILDING, x, 4000, seed=1)
    # Exact values ignore that states are clipped at 30. At half a setting of everything that happens to one episode
    # in 10,000, at its first step, and raises the mean by 0.005: far below the standard error.
    assert (np.abs(record.next_state) >= 30).any(axis=1).sum() <= 2
    # The horizon of 100 leaves out 0.9^100 = 3e-5 of the infinite sum.
    error = 4 * returns.std() / np.sqrt(len(returns)) + 3e-5 * 300
    assert abs(returns.mean() - BUILDING.solve(x).leader_value) < error


@pytest.mark.parametrize(("game", "x"), [(LQR, np.array([[-1.0, -2.0]])), (BUILDING, MIDDLE)], ids=["lqr", "building"])
def test_play_is_worth_the_followers_exact_value(game, x):
    game = game.replace(horizon=400)
    solution = game.solve(x)
    g = game.follower_discount
    _, _, returns = discounted_returns(game, x, 2000, seed=2, discount=g)
    entropy = 0.5 * np.linalg.slogdet(2 * np.pi * np.e * solution.policy.covariance)[1]
    expected = solution.follower_value - game.temperature * entropy / (1 - g)
    assert abs(returns.mean() - expected) < 4 * returns.std() / np.sqrt(len(returns)) + 1e-6 * abs(expected)


def test_commitments_outside_their_box_are_refused():
    with pytest.raises(CommitmentError, match=r"\[-12, 12\], got 12\.5"):
        LQR.solve([[0.0, 12.5]])
    with pytest.raises(CommitmentError, match=r"\[0, 1\], got -0\.1"):
        BUILDING.solve([0.5] * 7 + [-0.1])


def test_the_value_of_a_bump_agrees_with_numerical_integration():
    rng = np.random.default_rng(0)
    root = rng.standard_normal((2, 2)) * 0.3
    mean, covariance = np.array([0.3, -0.1]), root @ root.T
    reward = bilevel_lqr_v1.BumpReward(np.array([0.1, 0.2]), np.array([0.4, 0.3]))
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    grid = np.stack(np.meshgrid(nodes, nodes, indexing="ij"), axis=-1).reshape(-1, 2)
    mass = np.outer(weights, weights).ravel() / (2 * np.pi)
    expected = mass @ reward.at(mean + grid @ np.linalg.cholesky(covariance).T, grid)
    found = bump_rewards(mean[None], covariance[None], reward)[0][0]
    assert found == pytest.approx(expected, rel=1e-8)


def test_discounted_sums_agree_with_scipy():
    rng = np.random.default_rng(0)
    F, X = 0.3 * rng.standard_normal((4, 4)), rng.standard_normal((4, 4))
    expected = solve_discrete_lyapunov(np.sqrt(0.95) * F, X)
    np.testing.assert_allclose(discounted_sum(F, X, 0.95), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("first", [11.0, -11.5, 12.0])
def test_where_the_follower_can_reach_nothing_and_the_loop_grows_the_radius_is_told(first):
    with pytest.raises(InstabilityError, match="best response: expected dynamics whose discounted spectral") as caught:
        LQR.solve([[first, -10.0]])
    assert caught.value.spectral_radius == pytest.approx(np.sqrt(0.95) * abs(first) / 10, rel=1e-6)


def test_just_inside_the_edge_there_is_an_answer():
    edge = 10 / np.sqrt(0.95)
    assert np.isfinite(LQR.solve([[-(edge - 1e-3), -10.0]]).gradient).all()


def test_a_leader_who_looks_further_than_the_follower_is_told_that_its_value_is_infinite():
    game = building_thermal_v1.make_game(leader_discount=0.9999, follower_discount=0.01)
    with pytest.raises(InstabilityError, match=r"closed loop: .* at discount 0\.9999") as caught:
        _ = game.solve(np.zeros(8)).leader_value
    assert caught.value.spectral_radius > 1


def test_states_that_grow_beyond_all_numbers_within_the_horizon_are_an_error_and_not_nan():
    game = bilevel_lqr_v1.make_game(horizon=1_000_000)
    with pytest.raises(InstabilityError, match=r"closed loop: its spectral radius 1\.0\d+ is too much"):
        _ = game.solve([[-10.2, -10.0]]).leader_value


LINEAR = [
    (bilevel_lqr_v1.make_game(), np.array([[0.3, -0.4]])),
    (bilevel_lqr_v1.make_game(), np.array([[-5.0, 8.0]])),
    (building_thermal_v1.make_game(), np.full(8, 0.5)),
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
