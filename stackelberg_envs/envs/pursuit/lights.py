"""What the leader of a pursuit sets: how bright each cell is, and what it adds to a capture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stackelberg_envs.arrays import Array, frozen
from stackelberg_envs.games.commitments.base import Commitment, Effect, need
from stackelberg_envs.games.cotangents import Cotangents

__all__ = ["Lights"]


class Lights(Commitment):
    """Payments to followers who affect each other, each to its own, and what they cost the leader.

    r_i(s, b) += sum_d pays[i, s, b, d] x[d], and r_L(s, b) -= sum_d costs[s, b, d] x[d].

    Parameters
    ----------
    pays
        What each entry of x pays each follower, shape (n, S, M, D); negative where the follower pays.
    costs
        What it costs the leader, shape (S, M, D).
    high
        Upper bounds, shape (D,), reward units; the lower ones are 0.
    names
        A name for each entry of x.
    """

    changes = frozenset({"follower_reward", "leader_reward"})
    always_fits = True
    affine = True

    def __init__(self, pays: Array, costs: Array, high: Array, names: Sequence[str]) -> None:
        self.pays, self.costs = frozen(pays), frozen(costs)
        super().__init__(0.0, high, names=names)

    def effect(self, x: Array) -> Effect:
        """Return what is paid to each follower, and what that costs the leader."""
        return Effect(follower_reward=(self.pays @ x)[:, :, None], leader_reward=-(self.costs @ x)[None, :, None])

    def vjp(self, x: Array, cotangents: Cotangents) -> Array:
        """Return dJ/dx: what the payments are worth, less what they cost."""
        del x
        paid = need(cotangents.follower_reward, "follower_reward")[:, :, 0]
        # The leader's reward is one for all followers, and its derivative comes in as many parts.
        spent = need(cotangents.leader_reward, "leader_reward").sum(axis=0)[:, 0]
        return np.asarray(np.einsum("ism,ismd->d", paid, self.pays) - np.einsum("sm,smd->d", spent, self.costs))
