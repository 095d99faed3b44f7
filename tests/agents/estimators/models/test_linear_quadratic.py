"""Identification of linear-quadratic games from play."""

import gc
import types
from dataclasses import fields, replace

import numpy as np
import pytest

from agents.estimators.models.published import model_class_of
from stackelberg_envs.errors import ArgumentError, InstabilityError
from stackelberg_envs.games.linear_forms import LinearGaussianPolicy, LinearNumbers
from stackelberg_envs.games.linear_quadratic import LinearQuadraticGame
from stackelberg_envs.play.rollout import rollout
from tests.games import BUILDING, LQR

GAMES = pytest.mark.parametrize("game", [LQR, BUILDING], ids=lambda game: game.name)


def commitments(game, count, seed):
    reach = 0.3 if game is LQR else 1.0
    low, high = reach * game.commitment.low, reach * game.commitment.high
    return np.random.default_rng(seed).uniform(low, high, (count, *game.commitment.shape))


def played(game, count=8, steps=1250, seed=0, policy=None):
    rng = np.random.default_rng(seed)
    return [
        rollout(game.under(x), policy or game.solve(x).policy, rng, steps=steps) for x in commitments(game, count, seed)
    ]


def test_bilevel_lqr_is_recovered_to_rounding_from_a_thousand_steps():
    numbers = model_class_of(LQR.model_class).fit(played(LQR, count=1, steps=1000)).numbers
    for field in fields(LinearNumbers):
        np.testing.assert_allclose(getattr(numbers, field.name), getattr(LQR.numbers, field.name), atol=1e-10)


def test_building_is_recovered_from_ten_thousand_steps():
    numbers, truth = model_class_of(BUILDING.model_class).fit(played(BUILDING)).numbers, BUILDING.numbers
    # The least well known is the insulation effect: its zone's temperature leaves the noise for a few steps only.
    np.testing.assert_allclose(numbers.weights, truth.weights, atol=2e-3)
    np.testing.assert_allclose(numbers.follower_input, truth.follower_input, atol=2e-3)
    np.testing.assert_allclose(numbers.noise, truth.noise, atol=4 * 0.0004 * np.sqrt(2 / 10_000))
    # Rewards carry no noise.
    np.testing.assert_allclose(numbers.state_cost, truth.state_cost, atol=1e-10)
    np.testing.assert_allclose(numbers.action_cost, truth.action_cost, atol=1e-10)
    episodes = 8 * 13
    assert np.abs(numbers.initial_mean).max() < 4 * 5 / np.sqrt(episodes)
    np.testing.assert_allclose(
        numbers.initial_covariance, truth.initial_covariance, atol=4 * 25 * np.sqrt(2 / episodes)
    )


@pytest.mark.parametrize(
    ("game", "start_known", "tolerance"),
    # The covariance of the start, from a hundred episodes, is most of the error: a sixth of each of its entries.
    [(LQR, False, 1e-8), (BUILDING, False, 0.4), (BUILDING, True, 0.05)],
    ids=["lqr", "building", "building, known start"],
)
def test_values_and_gradients_of_the_model_are_near_those_of_the_game(game, start_known, tolerance):
    model = model_class_of(game.model_class).fit(played(game))
    if start_known:
        start = {name: getattr(game.numbers, name) for name in ("initial_mean", "initial_covariance")}
        model = replace(model, numbers=replace(model.numbers, **start))
    for x in commitments(game, 5, seed=9):
        value, gradient = model.value_and_gradient(x)
        exact = game.solve(x)
        assert value == pytest.approx(exact.leader_value, rel=0.5 * tolerance)
        assert np.abs(gradient - exact.gradient).max() < tolerance * np.abs(exact.gradient).max()
        assert gradient.shape == x.shape


def test_in_the_model_of_the_building_the_best_commitment_is_almost_the_best():
    from scipy.optimize import minimize

    model = model_class_of(BUILDING.model_class).fit(played(BUILDING))

    def loss(x):
        value, gradient = model.value_and_gradient(x)
        return -value, -gradient

    found = minimize(loss, np.full(8, 0.5), jac=True, bounds=[(0, 1)] * 8, method="L-BFGS-B")
    middle, best = BUILDING.solve(np.full(8, 0.5)).leader_value, BUILDING.facts["best_known"]
    assert (BUILDING.solve(found.x).leader_value - middle) / (best - middle) > 0.99


@GAMES
def test_followers_that_do_not_respond_well_teach_as_much(game):
    W, A, B = game.form.sizes
    rng = np.random.default_rng(0)
    policy = LinearGaussianPolicy(-0.1 * rng.uniform(size=(B, W)), np.zeros((B, A)), np.eye(B))
    model = model_class_of(game.model_class).fit(played(game, policy=policy))
    np.testing.assert_allclose(model.numbers.weights, game.numbers.weights, atol=3e-3)
    np.testing.assert_allclose(model.numbers.state_cost, game.numbers.state_cost, atol=1e-8)


@GAMES
def test_a_private_temperature_is_estimated(game):
    private = game.replace(publish_temperature=False)
    assert private.model_class.temperature is None
    model = model_class_of(private.model_class).fit(played(game))
    # The last five records, 6,250 steps: four standard errors of a variance of B numbers each.
    assert model.temperature == pytest.approx(0.1, rel=4 * np.sqrt(2 / 6250))


def test_the_scale_multiplies_the_temperature():
    model = model_class_of(LQR.model_class).fit(played(LQR))
    x = np.array([[-9.0, -9.5]])
    hot = LQR.replace(temperature=0.4).solve(x)
    value, gradient = model.value_and_gradient(x, scale=4.0)
    assert value == pytest.approx(hot.leader_value, rel=1e-8)
    np.testing.assert_allclose(gradient, hot.gradient, rtol=1e-6, atol=1e-9)


@GAMES
def test_compressed_records_stand_in_for_records(game):
    family, records = model_class_of(game.model_class), played(game, count=3)
    plain = family.fit(records)
    mixed = family.fit([family.compress(records[0]), records[1], family.compress(records[2])])
    for field in fields(LinearNumbers):
        np.testing.assert_array_equal(getattr(plain.numbers, field.name), getattr(mixed.numbers, field.name))


def test_clipped_steps_are_left_out():
    records = played(BUILDING, count=4)
    spoilt = records[0].next_state.copy()
    spoilt[5] = 30.0
    numbers = model_class_of(BUILDING.model_class).fit([replace(records[0], next_state=spoilt), *records[1:]]).numbers
    np.testing.assert_allclose(numbers.weights, BUILDING.numbers.weights, atol=5e-3)


def test_too_little_play_gives_a_model_all_the_same():
    record = played(BUILDING, count=1, steps=3)[0]
    numbers = model_class_of(BUILDING.model_class).fit([record]).numbers
    assert all(np.isfinite(getattr(numbers, field.name)).all() for field in fields(LinearNumbers))
    assert np.linalg.eigvalsh(numbers.state_cost).min() >= -1e-12
    assert np.linalg.eigvalsh(numbers.action_cost).min() > 0


def test_without_rewards_or_records_there_is_no_model():
    family = model_class_of(LQR.model_class)
    with pytest.raises(ArgumentError, match="expected at least one record"):
        family.fit([])
    with pytest.raises(ArgumentError, match="follower_reward: expected an array, got None"):
        family.fit([replace(played(LQR, count=1)[0], follower_reward=None)])


def test_where_the_model_has_no_response_it_says_so():
    model = model_class_of(LQR.model_class).fit(played(LQR))
    with pytest.raises(InstabilityError) as caught:
        model.value_and_gradient(np.array([[-11.5, -10.0]]))
    assert caught.value.spectral_radius > 1


@GAMES
def test_the_model_class_holds_none_of_the_games_numbers(game):
    family, seen, queue = game.model_class, {}, []
    queue.append(family)
    while queue:
        item = queue.pop()
        if id(item) in seen or isinstance(item, type | types.ModuleType | types.FunctionType):
            continue
        seen[id(item)] = item
        queue.extend(gc.get_referents(item))
    found = list(seen.values())
    assert any(item is game.form for item in found)
    assert not any(isinstance(item, LinearNumbers | LinearQuadraticGame) for item in found)
    secrets = [getattr(game.numbers, field.name) for field in fields(LinearNumbers)]
    arrays = [item for item in found if isinstance(item, np.ndarray)]
    assert not any(np.shares_memory(array, secret) for array in arrays for secret in secrets if secret.size)
