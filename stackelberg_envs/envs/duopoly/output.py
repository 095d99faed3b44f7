"""The leader commits to an output; it lowers the price for both."""

from __future__ import annotations

from typing import Any

import numpy as np

from stackelberg_envs.arrays import Array, frozen
from stackelberg_envs.games.commitments.base import Commitment, Effect, need
from stackelberg_envs.games.cotangents import Cotangents

__all__ = ["LeaderOutput", "best_output", "leader_profit"]


class LeaderOutput(Commitment):
    """Output x of the leader, at a margin of m - x - q where the follower makes q.

    r_F(q) -= x q, and r_L(q) += (m - x - q) x.

    Parameters
    ----------
    margin
        m, of the first unit: the price at which nobody buys less the unit cost.
    highest
        Largest output.
    outputs
        q of each action of the follower, shape (B,).
    """

    changes = frozenset({"follower_reward", "leader_reward"})
    always_fits = True

    def __init__(self, margin: float, highest: float, outputs: Array) -> None:
        self.margin, self.outputs = margin, frozen(np.array(outputs))
        super().__init__(0.0, highest, (1,), ["output"])

    def effect(self, x: Array) -> Effect:
        """Return both players' parts that depend on x."""
        q = self.outputs[None, None]
        return Effect(follower_reward=-x[0] * q, leader_reward=(self.margin - x[0] - q) * x[0])

    def vjp(self, x: Array, cotangents: Cotangents) -> Array:
        """Return the derivative: -q of r_F, and m - 2 x - q of r_L."""
        own, paid = need(cotangents.follower_reward, "follower_reward"), need(cotangents.leader_reward, "leader_reward")
        slope = paid * (self.margin - 2.0 * x[0] - self.outputs) - own * self.outputs
        return np.array([slope.sum()])


def best_output(choke_price: float, unit_cost: float) -> tuple[float, float, float]:
    """Return the leader's best output, the follower's answer, and the leader's profit.

    The follower answers q = (m - x) / 2, the leader's profit x (m - x) / 2 is largest at x = m / 2.
    """
    margin = choke_price - unit_cost
    return margin / 2.0, margin / 4.0, margin**2 / 8.0


def leader_profit(game: Any) -> float:
    """Return the value of the best output again: a search within a search, without the formula."""
    from scipy.optimize import minimize_scalar

    margin = game.facts["choke_price"] - game.facts["unit_cost"]

    def loss(x: float) -> float:
        answer = minimize_scalar(lambda q: -(margin - x - q) * q, bounds=(0.0, margin), method="bounded")
        return -float((margin - x - answer.x) * x)

    return -float(minimize_scalar(loss, bounds=(0.0, margin), method="bounded").fun)
