"""Which surcharges earn the most from a household that shifts its load at a quadratic cost."""

from __future__ import annotations

from typing import Any

import numpy as np

from stackelberg_envs.arrays import Array

__all__ = ["best_surcharges", "profit", "searched_profit", "shifts"]


def shifts(surcharges: Array, stiffness: float) -> Array:
    """Return the household's best shifts: against the surcharges, as far as they differ from their mean."""
    return np.asarray((surcharges.mean() - surcharges) / stiffness)


def profit(surcharges: Array, shift: Array, demand: Array, cost: Array, tariff: float) -> float:
    """Return what the supplier earns in a day; only differences of surcharges count."""
    price = tariff + surcharges - surcharges.mean()
    return float((price - cost) @ (demand + shift))


def best_surcharges(demand: Array, cost: Array, stiffness: float) -> Array:
    """Return the best surcharges, of mean zero.

    With y of mean zero the household shifts -y / k, and the supplier earns the sum of (p + y - c) (d - y / k). By the
    first-order conditions on means of zero, y is half of what k d + c has above its mean.
    """
    level = stiffness * demand + cost
    return np.asarray(0.5 * (level - level.mean()))


def searched_profit(game: Any) -> float:
    """Return the value of the best surcharges again: a search within a search, without the formulas."""
    import scipy.optimize

    minimize: Any = scipy.optimize.minimize
    facts = game.facts
    demand, cost, tariff, stiffness = (facts[name] for name in ("demand", "cost", "tariff", "stiffness"))
    even = {"type": "eq", "fun": np.sum, "jac": np.ones_like}

    def loss(surcharges: Array) -> float:
        price = tariff + surcharges - surcharges.mean()
        bill = minimize(
            lambda s: float(price @ (demand + s) + 0.5 * stiffness * s @ s),
            np.zeros(len(demand)),
            jac=lambda s: price + stiffness * s,
            constraints=even,
            method="SLSQP",
            options={"ftol": 1e-14},
        )
        return -profit(surcharges, bill.x, demand, cost, tariff)

    return -float(minimize(loss, np.zeros(len(demand)), method="BFGS", jac="3-point").fun)
