"""Exact solutions of linear-quadratic games: reference values, second methods, finite differences, and Monte Carlo."""

import numpy as np
import pytest
from scipy.linalg import solve_discrete_are, solve_discrete_lyapunov
from scipy.optimize import minimize

from stackelberg_envs.envs import bilevel_lqr_v0, building_thermal_v0
from stackelberg_envs.errors import CommitmentError, InstabilityError
from stackelberg_envs.games.linear_forms import LinearForm, LinearNumbers, LinearProblem, QuadraticReward
from stackelberg_envs.play.rollout import rollout
from stackelberg_envs.solvers.linear_quadratic.riccati import (
    closed_loop,
    discounted_sum,
    linear_best_response,
    riccati,
)
from stackelberg_envs.solvers.linear_quadratic.solution import (
    BumpValue,
    QuadraticValue,
    bump_rewards,
    solve_problem,
)
from tests.games import BUILDING, LQR

MIDDLE = np.full(8, 0.5)


def gains(count, seed, reach=9.0):
    return np.random.default_rng(seed).uniform(-reach, reach, (count, 1, 2))


def designs(count, seed):
    return np.random.default_rng(seed).uniform(0, 1, (count, 8))


def random_game(seed, A=2):
    """A linear-quadratic game with both kinds of commitment at once and correlated noise everywhere."""
    rng = np.random.default_rng(seed)
    W, B, D = 3, 2, 4

    def covariance(size, scale):
        root = scale * rng.standard_normal((size, size))
        return root @ root.T + 0.1 * scale**2 * np.eye(size)

    form = LinearForm(
        basis=0.2 * rng.standard_normal((3, 1 + D, W, W)),
        gains=0.3 * rng.standard_normal((1 + D, A, W)),
        follower_action_size=B,
        leader_noise=covariance(A, 0.3),
        price=0.7,
    )
    numbers = LinearNumbers(
        weights=rng.standard_normal(3),
        follower_input=rng.standard_normal((W, B)),
        leader_input=rng.standard_normal((W, A)),
        noise=covariance(W, 0.2),
        state_cost=covariance(W, 1.0),
        action_cost=covariance(B, 0.5),
        initial_mean=rng.standard_normal(W),
        initial_covariance=covariance(W, 0.4),
    )
    return form, numbers, QuadraticReward(covariance(W, 1.0), covariance(B, 0.7)), rng.uniform(-1, 1, D)


def solved(game, x, **changes):
    form, numbers, reward, _ = game
    options = {"leader_discount": 0.8, "follower_discount": 0.9, "temperature": 0.3, "horizon": 50} | changes
    return solve_problem(LinearProblem(form, numbers, reward, **options), x)


# --- reference values --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gain", "value"),
    [((0, 0), 0.009417), ((-1, -2), 0.009846), ((-9.683, -10.25), 3.402418)],
)
def test_values_of_bilevel_lqr(gain, value):
    assert LQR.solve(gain).leader_value == pytest.approx(value, abs=1e-6)


def climb(game, start):
    """Return the value and the place where bounded exact gradient ascent ends."""
    box = game.commitment

    def loss(flat):
        try:
            solution = solve_problem(game.problem, flat.reshape(box.shape))
        except InstabilityError:
            return 1e3, np.zeros(flat.size)
        return -solution.leader_value, -solution.gradient.ravel()

    bounds = list(zip(box.low.ravel(), box.high.ravel(), strict=True))
    options = {"ftol": 1e-15, "gtol": 1e-10, "maxiter": 500}
    found = minimize(loss, np.ravel(start), jac=True, bounds=bounds, method="L-BFGS-B", options=options)
    return -found.fun, found.x


def test_best_known_value_of_bilevel_lqr_from_random_starts():
    ends = [climb(LQR, start) for start in gains(12, seed=0, reach=12.0)]
    value, place = max(ends, key=lambda end: end[0])
    assert value == pytest.approx(11.309047, abs=1e-6)
    assert value >= 11.3
    np.testing.assert_allclose(place, [-9.9615, -10.0], atol=5e-5)
    assert sum(end[0] > 11.3 for end in ends) >= 2
    # Rounded to the digits of its commitment, the optimum is worth 3e-6 less.
    assert LQR.solve(LQR.facts["best_commitment"]).leader_value == pytest.approx(LQR.facts["best_known"], abs=5e-6)


def test_undiscounted_value_at_the_optimum_of_bilevel_lqr():
    loop, problem = LQR.solve(LQR.facts["best_commitment"]).loop, LQR.problem
    assert BumpValue(loop, problem.numbers, problem.reward, 1.0, 100).value == pytest.approx(18.4, abs=0.05)


def test_values_of_building_thermal():
    assert BUILDING.solve(BUILDING.facts["best_commitment"]).leader_value == pytest.approx(-162.50, abs=1e-2)
    assert BUILDING.solve(MIDDLE).leader_value == pytest.approx(-261.96, abs=1e-2)


def test_best_known_value_of_building_thermal_from_random_starts():
    ends = [climb(BUILDING, start) for start in designs(5, seed=0)]
    for value, place in ends:
        assert value == pytest.approx(BUILDING.facts["best_known"], abs=1e-2)
        np.testing.assert_allclose(place, BUILDING.facts["best_commitment"], atol=1e-3)


def test_facts_are_told_only_for_the_arguments_they_hold_for():
    assert "best_known" not in bilevel_lqr_v0.make_game(horizon=99).facts
    assert "best_known" not in building_thermal_v0.make_game(temperature=0.2).facts


# --- second methods ----------------------------------------------------------------------------------------


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


# --- derivatives -------------------------------------------------------------------------------------------


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
    game = form, numbers, bilevel_lqr_v0.BumpReward(np.array([0.2, -0.3, 0.1]), np.array([0.5, 0.7, 0.9])), x
    solution = solved(game, x)
    free = BumpValue(solution.loop, numbers, solution.problem.reward, 0.8, 50).value
    assert solution.leader_value == pytest.approx(free - form.price * np.sum(x * x) * np.sum(0.8 ** np.arange(50)))
    assert_close(solution.gradient, differences(lambda y: solved(game, y).leader_value, x, 1e-4))


# --- Monte Carlo -------------------------------------------------------------------------------------------


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


# --- bad input ---------------------------------------------------------------------------------------------


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


def test_commitments_outside_their_box_are_refused():
    with pytest.raises(CommitmentError, match=r"\[-12, 12\], got 12\.5"):
        LQR.solve([[0.0, 12.5]])
    with pytest.raises(CommitmentError, match=r"\[0, 1\], got -0\.1"):
        BUILDING.solve([0.5] * 7 + [-0.1])
