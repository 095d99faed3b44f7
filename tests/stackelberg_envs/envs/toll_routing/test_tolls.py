import numpy as np

import stackelberg_envs as se
from stackelberg_envs.games.commitments.base import finite_difference_vjp
from stackelberg_envs.games.cotangents import Cotangents


def test_the_derivative_goes_through_the_traffic():
    commitment = se.make_game("stackelberg/TollRouting-v0", network="braess").commitment
    rng, x = np.random.default_rng(0), np.full(5, 0.3)
    shape = commitment.effect(x).follower_reward.shape
    given = Cotangents(follower_reward=rng.normal(size=shape), leader_reward=rng.normal(size=shape))
    np.testing.assert_allclose(commitment.vjp(x, given), finite_difference_vjp(commitment, x, given, 1e-5), rtol=1e-6)


def test_what_is_closed_or_over_costs_nothing():
    commitment = se.make_game("stackelberg/TollRouting-v0", network="sioux_falls").commitment
    effect = commitment.effect(np.full(76, 1.0))
    assert not effect.follower_reward[~commitment.open_links[:, :, None]].any()
    paid = (effect.leader_reward - effect.follower_reward)[commitment.open_links[:, :, None]]
    np.testing.assert_allclose(paid, 1.0)
