"""The lights of a pursuit: who pays for what, and the derivative of that."""

import numpy as np
import pytest

import stackelberg_envs as se

PURSUIT = "stackelberg/Pursuit-v0"


@pytest.mark.parametrize("arguments", [{}, {"park": "P.E", "zero_sum": True}, {"park": "P.\nPE"}])
def test_the_evader_pays_for_light_the_pursuers_share_what_a_capture_adds_and_the_leader_pays_both(arguments):
    game = se.make_game(PURSUIT, upkeep=0.03, **arguments)
    park, lights = game.facts["park"], game.commitment
    x = np.random.default_rng(0).uniform(lights.low, lights.high)
    effect = lights.effect(x)
    caught = park.catchers.any(axis=0)
    lit = x[park.places[:, -1]][:, None] + 0.0 * caught
    paid = effect.follower_reward[:, :, 0]
    if game.zero_sum:
        np.testing.assert_allclose(paid[1], -lit - x[-1] * caught)
        np.testing.assert_allclose(paid[0], -paid[1])
    else:
        np.testing.assert_allclose(paid[-1], -lit)
        np.testing.assert_allclose(paid[:-1].sum(axis=0), x[-1] * caught)
    cost = 0.03 * x[:-1].sum() + x[-1] * caught
    np.testing.assert_allclose(game.under(x).arrays.leader_reward, caught - cost)


def test_the_derivative_is_that_of_the_effect():
    game = se.make_game(PURSUIT, park="P.E")
    rng = np.random.default_rng(1)
    n, S, M = game.follower_rewards.shape
    seen = se.Cotangents(follower_reward=rng.normal(size=(n, S, 1, M)), leader_reward=rng.normal(size=(n, S, 1, M)))
    slope = game.commitment.vjp(np.zeros(4), seen)
    for d, unit in enumerate(np.eye(4)):
        effect = game.commitment.effect(unit)
        moved = (effect.follower_reward * seen.follower_reward).sum() + (
            effect.leader_reward * seen.leader_reward
        ).sum()
        assert slope[d] == pytest.approx(moved, rel=1e-12)
