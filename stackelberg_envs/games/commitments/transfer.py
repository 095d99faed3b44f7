"""The follower pays and the leader receives: tolls, fares, fees and, with the other sign, subsidies."""

from __future__ import annotations

from collections.abc import Sequence

from numpy.typing import ArrayLike

from stackelberg_envs.arrays import Array, require_share
from stackelberg_envs.games.commitments.base import Commitment, Effect, need
from stackelberg_envs.games.commitments.incentives import checked_features, over_features
from stackelberg_envs.games.cotangents import Cotangents

__all__ = ["Transfer"]


class Transfer(Commitment):
    """What the follower pays per unit of each feature, and the leader receives a share of.

    r_F(s, a, b) -= sum_d features[s, a, b, d] x[d], and r_L(s, a, b) += share of the same sum.

    Parameters
    ----------
    features
        How often, or how much of, each thing is used that x has a price for; shape ([K,] S, A, B, D).
    low, high
        Bounds of the prices, scalars or shape (D,), in reward units; negative prices are subsidies.
    share
        Part of what the follower pays that the leader receives: 1 all of it, 0 nothing, below 1 where something is
        lost on the way.
    names
        A name for each price.

    Raises
    ------
    GameError
        Features, bounds or names that do not fit together, or a share outside [0, 1].

    Examples
    --------
    A toll on one of two roads; the follower is in state 0 and chooses.

    >>> import numpy as np, stackelberg_envs as se
    >>> roads = np.zeros((1, 1, 2, 1))
    >>> roads[0, 0, 1, 0] = 1.0
    >>> toll = se.Transfer(roads, 0.0, 2.0, names=["bridge"])
    >>> effect = toll.effect(np.array([0.5]))
    >>> effect.follower_reward.ravel().tolist(), effect.leader_reward.ravel().tolist()
    ([-0.0, -0.5], [0.0, 0.5])
    """

    changes = frozenset({"follower_reward", "leader_reward"})
    always_fits = True
    affine = True

    def __init__(
        self,
        features: ArrayLike,
        low: ArrayLike,
        high: ArrayLike,
        share: float = 1.0,
        names: Sequence[str] | None = None,
    ) -> None:
        self.features = checked_features(features)
        self.share = require_share(share, "share")
        super().__init__(low, high, self.features.shape[-1:], names)

    def effect(self, x: Array) -> Effect:
        """Take the prices from r_F and add the leader's share to r_L."""
        paid = self.features @ x
        return Effect(follower_reward=-paid, leader_reward=self.share * paid)

    def vjp(self, x: Array, cotangents: Cotangents) -> Array:
        """Return the inner product of share dJ/dr_L - dJ/dr_F with each feature."""
        del x
        received, paid = (
            need(cotangents.leader_reward, "leader_reward"),
            need(cotangents.follower_reward, "follower_reward"),
        )
        return over_features(self.share * received - paid, self.features)
