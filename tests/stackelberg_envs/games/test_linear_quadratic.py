"""Linear-quadratic games: their definitions, their simulators, and their commitments at samples."""

from dataclasses import replace

import numpy as np
import pytest

import stackelberg_envs as se
from stackelberg_envs.envs import bilevel_lqr_v0, building_thermal_v0
from stackelberg_envs.errors import CommitmentError, GameError
from stackelberg_envs.games.commitments.dynamics import DynamicsCommitment
from stackelberg_envs.games.cotangents import Cotangents
from stackelberg_envs.games.linear_forms import LinearGaussianPolicy
from stackelberg_envs.games.samples import Samples, sampled_difference_vjp
from stackelberg_envs.play.rollout import rollout
from tests.games import BUILDING, LQR

GAMES = pytest.mark.parametrize("game", [LQR, BUILDING], ids=lambda game: game.name)
ONE = np.zeros(1, np.int32)


def some_commitment(game, seed=0):
    low, high = game.commitment.low, game.commitment.high
    return np.random.default_rng(seed).uniform(0.8 * low, 0.8 * high)


# --- definitions -------------------------------------------------------------------------------------------


def test_building_dynamics_are_those_of_the_story():
    """Written out link by link, without the basis."""
    il, aa = np.array([0.1, 0.4, 0.7, 1.0]), np.array([0.2, 0.3, 0.5, 0.9])
    base, effect = building_thermal_v0.BASE, building_thermal_v0.INSULATION_EFFECT
    expected = np.zeros((4, 4))
    for i, j, link in ((0, 1, 0), (1, 2, 1), (2, 3, 2), (3, 0, 3)):
        expected[i, j], expected[j, i] = base[i, j] * aa[link], base[j, i] * aa[link]
    for i in range(4):
        expected[i, i] = base[i, i] + effect[i] * (1 - il[i]) - expected[i, (i + 1) % 4] - expected[i, (i - 1) % 4]
    found = BUILDING.problem.under(np.concatenate([il, aa])).dynamics
    np.testing.assert_allclose(found, expected, atol=1e-15)
    # The rows of a building without insulation losses keep an even temperature even.
    even = BUILDING.problem.under(np.concatenate([np.ones(4), aa])).dynamics
    np.testing.assert_allclose(even.sum(axis=1), 1.0)


def test_building_numbers():
    numbers = BUILDING.numbers
    np.testing.assert_array_equal(numbers.follower_input, [[0.1, 0], [0.6, 0], [0, 0.55], [0, 0.3]])
    np.testing.assert_array_equal(numbers.state_cost, np.diag([8, 1, 5, 6]))
    np.testing.assert_array_equal(numbers.action_cost, 0.01 * np.eye(2))
    np.testing.assert_allclose(numbers.noise, 0.0004 * np.eye(4))
    np.testing.assert_array_equal(numbers.initial_covariance, 25 * np.eye(4))
    assert (BUILDING.horizon, BUILDING.leader_discount, BUILDING.follower_discount) == (100, 0.9, 0.9)
    assert (BUILDING.temperature, BUILDING.state_bound) == (0.1, 30)


def test_building_step_pays_both_for_the_state_before_it():
    x, s, b = some_commitment(BUILDING), np.array([[1.0, -2.0, 3.0, 4.0]]), np.array([[60.0, -70.0]])
    made = BUILDING.step(np.random.default_rng(0), x, s, ONE, np.zeros((1, 0)), b)
    assert made.leader_reward[0] == pytest.approx(-np.var(s[0]) - 0.5 * (3600 + 4900) - 0.1 * (x @ x))
    assert made.follower_reward[0] == pytest.approx(-(8 + 4 + 45 + 96) - 0.01 * (3600 + 4900))
    expected = BUILDING.problem.under(x).dynamics @ s[0] + BUILDING.numbers.follower_input @ b[0]
    np.testing.assert_allclose(made.next_state[0], np.clip(expected, -30, 30), atol=0.1)
    assert made.next_state[0, 1] == 30  # 0.6 times 60 and a little more: states are clipped, actions are not
    assert not made.terminated.any()


def test_lqr_step_pays_both_for_the_state_before_it():
    K, s, a, b = np.array([[1.0, 2.0]]), np.array([[-0.7, 0.005]]), np.array([[3.0]]), np.array([[-400.0]])
    made = LQR.step(np.random.default_rng(0), K, s, ONE, a, b)
    assert made.leader_reward[0] == pytest.approx(np.exp(-0.5 * (0.5**2 + 0.5**2)))
    assert made.follower_reward[0] == pytest.approx(-(0.49 + 0.005**2 + 160_000))
    np.testing.assert_allclose(made.next_state, [[0.005 + 0.3, -40.0]])


def test_lqr_leader_plays_its_gain():
    K, s = np.array([[1.0, 2.0]]), np.tile([[0.5, -1.5]], (4000, 1))
    a = LQR.leader_actions(np.random.default_rng(0), K, s, np.zeros(4000, np.int32))
    assert a.shape == (4000, 1)
    # Mean and standard deviation of 4,000 draws, at four standard errors.
    assert abs(a.mean() + 2.5) < 4e-3 / np.sqrt(4000)
    assert abs(a.std() - 1e-3) < 4e-3 / np.sqrt(8000)


def test_starts():
    np.testing.assert_array_equal(LQR.initial_states(np.random.default_rng(0), np.zeros(5, np.int32)), [[1, 0]] * 5)
    first = BUILDING.initial_states(np.random.default_rng(0), np.zeros(20_000, np.int32))
    assert np.abs(first.mean(axis=0)).max() < 4 * 5 / np.sqrt(20_000)
    assert np.abs(np.cov(first.T) - 25 * np.eye(4)).max() < 4 * 25 * np.sqrt(2 / 20_000)


@GAMES
def test_steps_of_many_copies_are_steps_of_one(game):
    rng = np.random.default_rng(0)
    W, A, B = game.form.sizes
    s, a, b = (rng.standard_normal((50, size)) for size in (W, A, B))
    x = some_commitment(game)
    quiet = game.replace(numbers=replace(game.numbers, noise=np.zeros((W, W))))
    made = quiet.step(rng, x, s, np.zeros(50, np.int32), a, b)
    for i in range(50):
        alone = quiet.step(rng, x, s[i : i + 1], ONE, a[i : i + 1], b[i : i + 1])
        np.testing.assert_allclose(alone.next_state[0], made.next_state[i])
        assert alone.leader_reward[0] == pytest.approx(made.leader_reward[i])
        assert alone.follower_reward[0] == pytest.approx(made.follower_reward[i])


def test_clipping_concerns_one_episode_of_the_building_in_ten_thousand():
    """The figure of the best known values; 200,000 first steps, of which 20 are expected to be clipped."""
    x, rng, context = np.full(8, 0.5), np.random.default_rng(0), np.zeros(200_000, np.int32)
    states = BUILDING.initial_states(rng, context)
    actions = BUILDING.solve(x).policy.sample(rng, states, np.zeros((200_000, 0)), context)
    after = BUILDING.step(rng, x, states, context, np.zeros((200_000, 0)), actions).next_state
    assert 5 <= (np.abs(after) >= 30).any(axis=1).sum() <= 40


def test_building_noise():
    n = 20_000
    zero = np.zeros((n, 4)), np.zeros(n, np.int32), np.zeros((n, 0)), np.zeros((n, 2))
    made = BUILDING.step(np.random.default_rng(0), np.full(8, 0.5), *zero)
    covariance = np.cov(made.next_state.T)
    assert np.abs(covariance - 0.0004 * np.eye(4)).max() < 4 * 0.0004 * np.sqrt(2 / n)


@GAMES
def test_equal_generators_give_equal_play(game):
    x = 0.2 * some_commitment(game)
    records = [rollout(game.under(x), game.solve(x).policy, np.random.default_rng(3), steps=350) for _ in range(2)]
    for name in ("state", "leader_action", "follower_action", "next_state", "leader_reward", "follower_reward"):
        np.testing.assert_array_equal(getattr(records[0], name), getattr(records[1], name))
    assert len(records[0].state) == 350


@GAMES
def test_public_names(game):
    identity = {"Bilevel LQR": "BilevelLqr", "Building thermal control": "BuildingThermal"}[game.name]
    made = se.make_game(f"stackelberg/{identity}-v0", horizon=7, leader_discount=0.8)
    assert (made.horizon, made.leader_discount) == (7, 0.8)
    x = some_commitment(game, seed=1) * 0.2
    assert se.solve(game, x).leader_value == game.solve(x).leader_value
    assert game.has_solution


@GAMES
def test_the_public_conformity_suite_accepts_game_and_environments(game):
    module = bilevel_lqr_v0 if game is LQR else building_thermal_v0
    se.check_game(game)
    se.check_env(module.parallel_env())
    se.check_env(module.env())


# --- policies and commitments at samples -------------------------------------------------------------------


def test_a_linear_gaussian_policy_draws_what_its_density_says():
    policy = LinearGaussianPolicy(
        np.array([[1.0, 2.0], [0.0, -1.0]]), np.array([[0.5], [1.5]]), np.array([[2.0, 0.6], [0.6, 0.5]])
    )
    n = 40_000
    s, a, context = np.tile([[0.3, -0.2]], (n, 1)), np.full((n, 1), 2.0), np.zeros(n, np.int32)
    b = policy.sample(np.random.default_rng(0), s, a, context)
    mean = policy.mean(s, a)[0]
    assert np.abs(b.mean(axis=0) - mean).max() < 4 * np.sqrt(2.0 / n)
    assert np.abs(np.cov(b.T) - policy.covariance).max() < 4 * 2.0 * np.sqrt(2 / n)
    from scipy.stats import multivariate_normal

    expected = multivariate_normal(mean, policy.covariance).logpdf(b[:100])
    np.testing.assert_allclose(policy.log_prob(s[:100], a[:100], context[:100], b[:100]), expected)


def recorded(game, seed=0, steps=300):
    x = 0.2 * some_commitment(game, seed) + 0.1
    record = rollout(game.under(x), game.solve(x).policy, np.random.default_rng(seed), steps=steps)
    context = np.repeat(record.context, np.diff(record.offsets))
    return x, Samples(record.state, record.leader_action, record.follower_action, record.next_state, context)


@GAMES
def test_derivatives_at_samples_agree_with_differences(game):
    x, samples = recorded(game)
    rng = np.random.default_rng(1)
    weights = Cotangents(*(rng.standard_normal(len(samples)) for _ in range(4)))
    found = game.commitment.vjp_at(x, samples, weights)
    # The log-densities are quadratic in x: a long step loses nothing to rounding.
    expected = sampled_difference_vjp(game.commitment, x, samples, weights, step=1e-3)
    assert found.shape == x.shape
    np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-7 * np.abs(expected).max())


def test_each_entry_of_building_has_its_own_derivative():
    x, samples = recorded(BUILDING)
    ones = np.ones(len(samples))
    price = BUILDING.commitment.vjp_at(x, samples, Cotangents(leader_reward=ones))
    np.testing.assert_allclose(price, -0.2 * x * len(samples))
    moves = BUILDING.commitment.vjp_at(x, samples, Cotangents(transition=ones))
    both = BUILDING.commitment.vjp_at(x, samples, Cotangents(transition=ones, leader_reward=ones))
    np.testing.assert_allclose(both, price + moves)


@GAMES
def test_effects_at_samples_are_log_densities(game):
    from scipy.stats import multivariate_normal

    x, samples = recorded(game, steps=20)
    effect = game.commitment.effect_at(x, samples)
    if game is LQR:
        mean = samples.state @ x.T
        expected = multivariate_normal(np.zeros(1), 1e-6).logpdf(samples.leader_action - mean)
        np.testing.assert_allclose(effect.leader_policy, expected)
        assert effect.transition is None and effect.leader_reward is None and effect.follower_reward is None
    else:
        move = samples.state @ game.problem.under(x).dynamics.T
        left = samples.next_state - move - samples.follower_action @ game.numbers.follower_input.T
        np.testing.assert_allclose(effect.transition, multivariate_normal(np.zeros(4), 0.0004 * np.eye(4)).logpdf(left))
        np.testing.assert_allclose(effect.leader_reward, -0.1 * x @ x)
        assert effect.leader_policy is None and effect.follower_reward is None


def test_the_score_of_a_policy_needs_its_cotangent():
    x, samples = recorded(LQR)
    with pytest.raises(CommitmentError, match=r"cotangents\.leader_policy: expected an array, got None"):
        LQR.commitment.vjp_at(x, samples, Cotangents())


# --- bad input ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"state_cost": -np.eye(2)}, "state_cost: expected eigenvalues of at least 0, got -1"),
        ({"action_cost": np.zeros((1, 1))}, "action_cost: expected eigenvalues of at least 1e-12, got 0"),
        ({"state_cost": np.array([[1.0, 1.0], [0.0, 1.0]])}, "state_cost: expected a symmetric matrix"),
        ({"follower_input": np.zeros((1, 2))}, r"follower_input: expected finite numbers of shape \(2, 1\)"),
        ({"initial_mean": np.array([np.nan, 0.0])}, r"initial_mean: expected finite numbers, got nan at index \(0,\)"),
    ],
)
def test_numbers_that_make_no_game_are_refused(changes, message):
    with pytest.raises(GameError, match=message):
        LQR.replace(numbers=replace(LQR.numbers, **changes))


def test_a_score_needs_noise():
    numbers = BUILDING.numbers
    with pytest.raises(GameError, match="noise: expected a positive definite covariance"):
        DynamicsCommitment(
            BUILDING.form, numbers.weights, numbers.follower_input, np.zeros((4, 4)), np.zeros(8), np.ones(8)
        )


def test_the_box_of_actions_is_an_argument_and_changes_no_value():
    narrow = bilevel_lqr_v0.make_game(action_bound=5.0)
    np.testing.assert_array_equal(narrow.follower_action_space.high, [5.0])
    assert narrow.solve([[-1.0, -2.0]]).leader_value == LQR.solve([[-1.0, -2.0]]).leader_value


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"leader_noise": 0.0}, "leader_noise: expected a number greater than 0"),
        ({"leader_discount": 1.0}, r"leader_discount: expected a number in \[0, 1\)"),
        ({"temperature": -0.1}, "temperature: expected a number greater than 0"),
        ({"horizon": 0}, "horizon: expected an integer of at least 1"),
        ({"action_bound": 0.0}, "action_bound: expected a number greater than 0"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments, message):
    with pytest.raises(GameError, match=message):
        bilevel_lqr_v0.make_game(**arguments)
