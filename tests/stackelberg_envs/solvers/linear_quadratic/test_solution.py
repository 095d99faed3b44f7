"""Exact solutions of linear-quadratic games: reference values, second methods, finite differences, and Monte Carlo."""

import numpy as np
import pytest
from scipy.linalg import solve_discrete_lyapunov

from stackelberg_envs.envs import bilevel_lqr_v0, building_thermal_v0
from stackelberg_envs.errors import CommitmentError, InstabilityError
from stackelberg_envs.play.rollout import rollout
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
    reward = bilevel_lqr_v0.BumpReward(np.array([0.1, 0.2]), np.array([0.4, 0.3]))
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
    game = building_thermal_v0.make_game(leader_discount=0.9999, follower_discount=0.01)
    with pytest.raises(InstabilityError, match=r"closed loop: .* at discount 0\.9999") as caught:
        _ = game.solve(np.zeros(8)).leader_value
    assert caught.value.spectral_radius > 1


def test_states_that_grow_beyond_all_numbers_within_the_horizon_are_an_error_and_not_nan():
    game = bilevel_lqr_v0.make_game(horizon=1_000_000)
    with pytest.raises(InstabilityError, match=r"closed loop: its spectral radius 1\.0\d+ is too much"):
        _ = game.solve([[-10.2, -10.0]]).leader_value
