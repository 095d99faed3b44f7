"""Linear-quadratic games: their definitions, their simulators, and their commitments at samples."""

from dataclasses import fields, replace

import numpy as np
import pytest

import stackelberg_envs as se
from stackelberg_envs.envs import bilevel_lqr_v1, building_thermal_v1
from stackelberg_envs.errors import CommitmentError, GameError
from stackelberg_envs.games.commitments.dynamics import DynamicsCommitment
from stackelberg_envs.games.commitments.gain import GainCommitment
from stackelberg_envs.games.cotangents import Cotangents
from stackelberg_envs.games.linear_forms import (
    LinearForm,
    LinearGaussianPolicy,
    LinearNumbers,
    QuadraticReward,
)
from stackelberg_envs.games.samples import sampled_difference_vjp
from stackelberg_envs.games.trajectories import Samples
from stackelberg_envs.play.rollout import rollout
from tests.games import BUILDING, LQR

GAMES = pytest.mark.parametrize("game", [LQR, BUILDING], ids=lambda game: game.name)


ONE = np.zeros(1, np.int32)


def some_commitment(game, seed=0):
    low, high = game.commitment.low, game.commitment.high
    return np.random.default_rng(seed).uniform(0.8 * low, 0.8 * high)


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
    made = se.make_game(f"stackelberg/{identity}-v1", horizon=7, leader_discount=0.8)
    assert (made.horizon, made.leader_discount) == (7, 0.8)
    x = some_commitment(game, seed=1) * 0.2
    assert se.solve(game, x).leader_value == game.solve(x).leader_value
    assert game.has_solution


@GAMES
def test_the_public_conformity_suite_accepts_game_and_environments(game):
    module = bilevel_lqr_v1 if game is LQR else building_thermal_v1
    se.check_game(game)
    se.check_env(module.parallel_env())
    se.check_env(module.env())


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
    narrow = bilevel_lqr_v1.make_game(action_bound=5.0)
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
        bilevel_lqr_v1.make_game(**arguments)


def numbers(**changes):
    given = {
        "weights": np.array([0.9, 0.1, -0.2, 0.7]),
        "follower_input": np.array([[0.0], [1.0]]),
        "leader_input": np.zeros((2, 1)),
        "noise": 0.01 * np.eye(2),
        "state_cost": np.eye(2),
        "action_cost": np.eye(1),
        "initial_mean": np.array([1.0, 0.0]),
        "initial_covariance": 0.1 * np.eye(2),
    }
    return LinearNumbers(**(given | changes))


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"action_bound": "wide"}, "action_bound: expected a number greater than 0"),
        ({"action_bound": np.inf}, "action_bound: expected a number greater than 0"),
        ({"action_bound": 1e100}, "action_bound: expected a number that float32 can carry"),
        ({"state_bound": np.nan}, "state_bound: expected a number greater than 0"),
        ({"state_bound": 1e-50}, "state_bound: expected a number that float32 can carry"),
        ({"form": None}, "form: expected a LinearForm, got NoneType"),
        ({"numbers": {}}, "numbers: expected a LinearNumbers, got dict"),
        ({"publish_temperature": "no"}, "publish_temperature: expected True or False"),
        ({"temperature": 10**30}, "temperature: .* 64 bits"),
        ({"context_probabilities": [0.5, 0.4]}, "context_probabilities: expected rows that sum to one"),
        ({"context_probabilities": np.ma.masked_equal([1.0, 0.0], 0)}, "context_probabilities: .* MaskedArray"),
    ],
)
def test_arguments_of_the_game_are_checked(changes, match):
    with pytest.raises(GameError, match=match):
        LQR.replace(**changes)


@pytest.mark.parametrize(
    ("build", "match"),
    [
        (lambda: GainCommitment(2, 1.0, 0.1), "shape: expected a tuple of sizes, got 2"),
        (lambda: GainCommitment((2,), 1.0, 0.1), "shape: expected two sizes"),
        (lambda: GainCommitment((1, 2), -1.0, 0.1), "bound: expected a number greater than 0"),
        (
            lambda: GainCommitment((1, 2), 1.0, 1e-100),
            r"leader_noise: expected a number in \[1e-50, 1e\+50\], got 1e-100",
        ),
        (lambda: GainCommitment((1, 2), 1.0, True), "leader_noise: expected a number greater than 0, got True"),
        (lambda: DynamicsCommitment(None, [1], [[1]], [[1]], [0], [1]), "form: expected a LinearForm, got NoneType"),
        (lambda: DynamicsCommitment(BUILDING.form, [1], [[1]], [[1]], [0], [1]), r"low, high: expected shape \(8,\)"),
    ],
)
def test_arguments_that_make_no_commitment_are_refused(build, match):
    with pytest.raises(GameError, match=match):
        build()


def test_a_policy_needs_a_covariance():
    policy = LinearGaussianPolicy(np.zeros((1, 2)), np.zeros((1, 1)), np.array([[-1.0]]))
    with pytest.raises(GameError, match="covariance: expected a positive definite"):
        policy.sample(np.random.default_rng(0), np.zeros((1, 2)), np.zeros((1, 1)), np.zeros(1, np.int32))


def parts_of(game):
    return [game.form, game.numbers, game.reward]


@pytest.mark.parametrize("game", [LQR, BUILDING], ids=lambda game: game.name)
def test_no_array_of_a_linear_game_can_be_written_to(game):
    for part in parts_of(game):
        for item in fields(part):
            value = getattr(part, item.name)
            assert not isinstance(value, np.ndarray) or not value.flags.writeable, item.name
    assert not game.context_probabilities.flags.writeable


def test_changing_what_was_given_changes_no_linear_game():
    given = {item.name: np.array(getattr(BUILDING.numbers, item.name)) for item in fields(LinearNumbers)}
    form = {name: np.array(getattr(BUILDING.form, name)) for name in ("basis", "gains", "leader_noise")}
    costs = [np.array(BUILDING.reward.state_cost), np.array(BUILDING.reward.action_cost)]
    weights, bounds = np.ones(1), [np.zeros(8), np.ones(8)]
    made_form = LinearForm(**form, follower_action_size=2, price=0.1)
    made = LinearNumbers(**given)
    commitment = DynamicsCommitment(
        made_form, given["weights"], given["follower_input"], given["noise"], bounds[0], bounds[1]
    )
    game = BUILDING.replace(
        form=made_form,
        numbers=made,
        commitment=commitment,
        reward=QuadraticReward(*costs),
        context_probabilities=weights,
    )
    x = np.full(8, 0.5)
    before = game.solve(x)
    for array in [*given.values(), *form.values(), *costs, *bounds, weights]:
        array[...] = 7.0
    after = game.solve(x)
    assert after.leader_value == before.leader_value
    np.testing.assert_array_equal(after.gradient, before.gradient)
