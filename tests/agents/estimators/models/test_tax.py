"""Households are identified from their play."""

import numpy as np
import pytest
from scipy.optimize import minimize

from agents.estimators.models.published import model_class_of
from stackelberg_envs.envs import tax_design_v0
from stackelberg_envs.errors import ArgumentError
from stackelberg_envs.play.rollout import rollout

GAME = tax_design_v0.make_game()


HOUSES = tax_design_v0.make_game(num_households=2)


UNEVEN = np.array([0.7, 0.2, 1.1, 0.4])


#: Each statistical test below rejects a correct game once in 10^5 seeds or less; the seeds are fixed.
STANDARD_ERRORS = 4.5


def test_households_are_identified_from_ten_thousand_steps():
    """Preferences and weights to rounding; what is drawn within 4.5 standard errors of the means of the draws."""
    x, steps = np.full(4, 0.3), 10_000
    record = rollout(GAME.under(x), GAME.solve(x).policy, np.random.default_rng(9), steps=steps)
    model = model_class_of(GAME.model_class).fit([record])
    found, truth, episodes = model.households, GAME.households, len(record.context)
    np.testing.assert_allclose(found.preferences, truth.preferences, rtol=1e-6)
    for name in ("disutility", "asset_scale", "asset_weight", "debt_weight"):
        assert getattr(found, name) == pytest.approx(getattr(truth, name), rel=1e-6)
    assert found.noise == pytest.approx(truth.noise, rel=STANDARD_ERRORS / np.sqrt(2 * steps))
    assert found.initial_mean == pytest.approx(0.0, abs=STANDARD_ERRORS * np.sqrt(2 / episodes))
    assert found.initial_deviation == pytest.approx(np.sqrt(2), rel=STANDARD_ERRORS / np.sqrt(2 * episodes))
    assert found.probabilities[0] == pytest.approx(0.5, abs=STANDARD_ERRORS / np.sqrt(4 * episodes))
    # Two types, and a matrix over a grid of some 150 nodes for each.
    assert 2 * 130**2 < model.size < 2 * 180**2
    value, gradient = model.value_and_gradient(UNEVEN)
    exact = GAME.solve(UNEVEN)
    assert value == pytest.approx(exact.leader_value, rel=0.05)
    assert gradient @ exact.gradient > 0.99 * np.linalg.norm(gradient) * np.linalg.norm(exact.gradient)


def test_the_optimum_of_the_model_is_that_of_the_game():
    x = np.full(4, 0.3)
    record = rollout(GAME.under(x), GAME.solve(x).policy, np.random.default_rng(10), steps=10_000)
    model = model_class_of(GAME.model_class).fit([record])

    def loss(rates):
        value, gradient = model.value_and_gradient(rates)
        return -value, -gradient

    found = minimize(loss, x, jac=True, bounds=[(0, 2)] * 4, method="L-BFGS-B")
    assert GAME.solve(found.x).leader_value > 0.999 * GAME.facts["best_known"]


def test_identification_with_types_in_the_state_a_private_temperature_and_compressed_records():
    game = HOUSES.replace(publish_temperature=False, temperature=0.2)
    rng = np.random.default_rng(11)
    records = [rollout(game.under(x), game.solve(x).policy, rng, steps=2_000) for x in (np.full(4, 0.3), UNEVEN)]
    family = model_class_of(game.model_class)
    model = family.fit([family.compress(record) for record in records])
    assert model.households.preferences == pytest.approx(game.households.preferences, rel=1e-6)
    # Curvature of the likelihood: about 0.4 % a standard error.
    assert model.temperature == pytest.approx(0.2, rel=0.03)
    assert family.fit(records).temperature == pytest.approx(model.temperature)
    value, _ = model.value_and_gradient(UNEVEN, scale=2.0)
    assert value == pytest.approx(game.replace(temperature=0.4).solve(UNEVEN).leader_value, rel=0.1)


@pytest.mark.parametrize("seed", range(6))
def test_other_households_are_identified_too(seed):
    rng = np.random.default_rng(seed)
    households = tax_design_v0.Households(
        rng.dirichlet(np.ones(3), 2),
        np.array([0.5, 0.5]),
        disutility=rng.uniform(0.02, 0.3),
        asset_weight=rng.uniform(0.3, 3.0),
        asset_scale=rng.uniform(3.0, 60.0),
        debt_weight=rng.uniform(0.2, 2.0),
        noise=rng.uniform(2.0, 8.0),
    )
    commitment = tax_design_v0.TaxSchedule(GAME.rules, households.preferences, households.noise, 2.0, False)
    game = GAME.replace(households=households, commitment=commitment, temperature=0.3)
    x = rng.uniform(0.0, 0.9, 4)
    found = (
        model_class_of(game.model_class)
        .fit([rollout(game.under(x), game.solve(x, nodes=4).policy, rng, steps=4_000)])
        .households
    )
    np.testing.assert_allclose(found.preferences, households.preferences, atol=1e-6)
    for name in ("disutility", "asset_scale", "asset_weight", "debt_weight"):
        assert getattr(found, name) == pytest.approx(getattr(households, name), rel=1e-6)


def test_a_type_never_seen_keeps_even_preferences():
    x = np.full(4, 0.3)
    game = GAME.replace(context_probabilities=np.array([1.0, 0.0]))
    record = rollout(game.under(x), game.solve(x).policy, np.random.default_rng(12), steps=1_000)
    found = model_class_of(game.model_class).fit([record]).households
    np.testing.assert_allclose(found.probabilities, [6 / 7, 1 / 7])
    np.testing.assert_allclose(found.preferences, [(0.6, 0.3, 0.1), (1 / 3, 1 / 3, 1 / 3)], rtol=1e-6)


def test_what_identification_refuses():
    x = np.full(4, 0.3)
    record = rollout(GAME.under(x), GAME.solve(x).policy, np.random.default_rng(0), steps=300)
    blind = type(record)(**{**vars(record), "follower_reward": None})
    with pytest.raises(ArgumentError, match="follower_reward"):
        model_class_of(GAME.model_class).fit([blind])
    with pytest.raises(ArgumentError, match="at least one step"):
        model_class_of(GAME.model_class).fit([])
