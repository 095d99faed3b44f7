"""The commitment of tax design: derivatives and rewards at samples."""

import numpy as np
import pytest
from scipy.integrate import trapezoid

from stackelberg_envs.envs import tax_design_v0
from stackelberg_envs.games.cotangents import Cotangents
from stackelberg_envs.games.samples import Samples, sampled_difference_vjp

GAME = tax_design_v0.make_game()


HOUSES = tax_design_v0.make_game(num_households=2)


UNEVEN = np.array([0.7, 0.2, 1.1, 0.4])


def step(game, x, assets, kinds, actions, seed=0):
    """One step of households of given assets, types and actions."""
    states, contexts = np.asarray(assets, float)[:, None], np.asarray(kinds)
    if game.typed_states:
        states, contexts = np.column_stack([assets, kinds]), np.zeros(len(kinds), np.int32)
    rng = np.random.default_rng(seed)
    return game.step(rng, np.asarray(x), states, contexts, np.zeros((len(kinds), 0)), np.asarray(actions))


def some_samples(game, n, seed):
    """Steps from everywhere, a quarter of them near each end of the range."""
    rng = np.random.default_rng(seed)
    assets = rng.uniform(-100, 100, n)
    assets[: n // 4] = rng.uniform(95, 100, n // 4)
    assets[n // 4 : n // 2] = rng.uniform(-100, -95, n // 4)
    kinds = rng.integers(2, size=n)
    actions = rng.integers(game.rules.action_sizes, size=(n, 4))
    states = np.column_stack([assets, kinds]) if game.typed_states else assets[:, None]
    after = states.copy()
    after[:, 0] = np.clip(assets + rng.normal(0, 6, n), -100, 100)
    contexts = np.zeros(n, np.int32) if game.typed_states else kinds.astype(np.int32)
    return Samples(states, np.zeros((n, 0)), actions, after, contexts)


@pytest.mark.parametrize("game", [GAME, HOUSES], ids=["contexts", "households"])
@pytest.mark.parametrize("part", ["follower_reward", "leader_reward", "transition"])
def test_derivative_at_samples_agrees_with_differences(game, part):
    samples = some_samples(game, 400, 1)
    cotangents = Cotangents(**{part: np.random.default_rng(2).standard_normal(400)})
    for x in np.random.default_rng(3).uniform(0.05, 1.95, (5, 4)):
        written = game.commitment.vjp_at(x, samples, cotangents)
        np.testing.assert_allclose(
            written, sampled_difference_vjp(game.commitment, x, samples, cotangents), rtol=1e-6, atol=1e-6
        )


def test_rewards_of_the_commitment_are_those_of_the_game_up_to_terms_without_x():
    samples = some_samples(GAME, 48, 4)
    effects, steps = [], []
    for x in (UNEVEN, np.array([0.1, 0.9, 0.0, 2.0])):
        effects.append(GAME.commitment.effect_at(x, samples))
        steps.append(step(GAME, x, samples.state[:, 0], samples.context, samples.follower_action))
    for name in ("follower_reward", "leader_reward"):
        announced = getattr(effects[0], name) - getattr(effects[1], name)
        np.testing.assert_allclose(announced, getattr(steps[0], name) - getattr(steps[1], name), atol=1e-12)


def test_log_density_integrates_to_one_at_the_ends_too():
    after = np.linspace(-100, 100, 20_001)
    for assets, action in ((0.0, [3, 1, 0, 0]), (99.0, [9, 0, 0, 0]), (-99.0, [0, 4, 4, 4])):
        n = len(after)
        actions = np.tile(action, (n, 1))
        samples = Samples(np.full((n, 1), assets), np.zeros((n, 0)), actions, after[:, None], np.zeros(n, np.int32))
        density = np.exp(GAME.commitment.effect_at(UNEVEN, samples).transition)
        assert trapezoid(density, after) == pytest.approx(1.0, abs=1e-6)
