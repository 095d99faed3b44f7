"""The leader commits to an output; it lowers the price for all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from stackelberg_envs.arrays import Array, frozen
from stackelberg_envs.games.commitments.base import Commitment, Effect, need
from stackelberg_envs.games.cotangents import Cotangents

__all__ = ["LeaderOutput", "best_output", "leader_profit"]


class LeaderOutput(Commitment):
    """Output x of the leader, at a margin of m - x - Q where the followers together sell Q.

    r_F(s, q) -= x(s) q, and r_L(s, Q) += (m - x(s) - Q) x(s).

    Parameters
    ----------
    margin
        m, of the first unit: the price at which nobody buys less the unit cost.
    highest
        Largest output.
    sold
        q that the follower sells: shape (B,) if that is its action, (S, 1, 1) if it is its state; of several followers
        shape (n, 1, 1, M), by their joint actions.
    together
        Q that all followers sell, a shape that broadcasts with that of `sold`; default `sold`.
    states
        How many entries x has: 1 for one output everywhere, the number of states for one in each.
    names
        Of the entries of x; default "output" where it is one.
    """

    changes = frozenset({"follower_reward", "leader_reward"})
    always_fits = True

    def __init__(
        self,
        margin: float,
        highest: float,
        sold: Array,
        together: Array | None = None,
        *,
        states: int = 1,
        names: Sequence[str] | None = None,
    ) -> None:
        self.margin, self.sold = margin, frozen(np.array(sold))
        self.together = self.sold if together is None else frozen(np.array(together))
        super().__init__(0.0, highest, (states,), ["output"] if names is None and states == 1 else names)

    def effect(self, x: Array) -> Effect:
        """Return both players' parts that depend on x."""
        output = x[:, None, None]
        return Effect(
            follower_reward=-output * self.sold, leader_reward=(self.margin - output - self.together) * output
        )

    def vjp(self, x: Array, cotangents: Cotangents) -> Array:
        """Return the derivative: -q of r_F, and m - 2 x - Q of r_L."""
        own, paid = need(cotangents.follower_reward, "follower_reward"), need(cotangents.leader_reward, "leader_reward")
        slope = paid * (self.margin - 2.0 * x[:, None, None] - self.together) - own * self.sold
        return np.asarray(slope.sum(axis=(-2, -1)).reshape(-1, len(x)).sum(axis=0))


def best_output(choke_price: float, unit_cost: float, num_followers: int = 1) -> tuple[float, float, float]:
    """Return the leader's best output, each follower's answer, and the leader's profit.

    n followers who compete with each other answer q = (m - x) / (n + 1) each, the leader's profit x (m - x) / (n + 1)
    is largest at x = m / 2.
    """
    margin, rivals = choke_price - unit_cost, num_followers + 1
    return margin / 2.0, margin / (2.0 * rivals), margin**2 / (4.0 * rivals)


def leader_profit(game: Any) -> float:
    """Return the value of the best output again: a search within a search, without the formula.

    Followers answer each other in turn until nobody changes its output.
    """
    from scipy.optimize import minimize_scalar

    margin = float(game.facts["choke_price"] - game.facts["unit_cost"])
    exactly: Any = {"bounds": (0.0, margin), "method": "bounded", "options": {"xatol": 1e-8 * margin}}

    def loss_of_one(q: float, others: float) -> float:
        return -(margin - others - q) * q

    def loss(x: float) -> float:
        outputs, moved = np.zeros(game.facts["num_followers"]), np.inf
        while moved > 1e-7 * margin:
            before = outputs.copy()
            for i in range(len(outputs)):
                answer = minimize_scalar(loss_of_one, args=(x + outputs.sum() - outputs[i],), **exactly)
                outputs[i] = answer.x
            moved = float(np.abs(outputs - before).max())
        return -float((margin - x - outputs.sum()) * x)

    return -float(minimize_scalar(loss, **exactly).fun)
