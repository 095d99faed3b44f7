"""How a competitor adjusts its stock to a constant output, by a formula, and again by backward induction."""

from __future__ import annotations

import math
from typing import Any

from stackelberg_envs.faces.references import Reference

__all__ = ["best_constant_output", "leader_value", "reference", "remaining_part"]

SOURCE = (
    "von Stackelberg (1934) with the follower's costs of adjustment: its first-order conditions are linear, and so "
    "hold for means (certainty equivalence, Simon 1956)"
)


def remaining_part(adjustment_cost: float, discount: float) -> float:
    """Return rho, the part of the way to its goal that the stock still has before it after a step.

    A follower whose stock is k earns (M - k) k a step and pays phi (k' - k)^2 / 2 for the next stock k'. So stocks at
    distances d, d', d'' from the goal M / 2 in three steps in a row satisfy its first-order condition for the second,
    gamma phi d'' - (2 gamma + phi + gamma phi) d' + phi d = 0. The smaller root rho has d' = rho d.
    """
    middle, product = 2.0 * discount + (1.0 + discount) * adjustment_cost, discount * adjustment_cost**2
    # The smaller root of gamma phi rho^2 - middle rho + phi, written so that small costs and discounts lose no digits.
    return 2.0 * adjustment_cost / (middle + math.sqrt(middle**2 - 4.0 * product))


def best_constant_output(
    margin: float, start: float, adjustment_cost: float, leader_discount: float, follower_discount: float
) -> tuple[float, float]:
    """Return the leader's best constant output and what it earns in all.

    Under an output x the stock is k* + rho^t (start - k*) after t steps, with k* = (m - x) / 2. The leader's discounted
    profit, x (m - x - k) summed over steps, is quadratic in x.
    """
    rho = remaining_part(adjustment_cost, follower_discount)
    ever, passing = 1.0 / (1.0 - leader_discount), 1.0 / (1.0 - leader_discount * rho)
    output = 0.5 * margin - start * passing / (ever + passing)
    return output, 0.5 * (ever + passing) * output**2


def reference(
    margin: float, start: float, adjustment_cost: float, leader_discount: float, follower_discount: float
) -> Reference:
    """Return what the best constant output is worth, by the formula."""
    value = best_constant_output(margin, start, adjustment_cost, leader_discount, follower_discount)[1]
    return Reference(value, "closed form", "constant outputs, any temperature, stocks without steps or ends", SOURCE)


def leader_value(game: Any) -> float:
    """Return what the best constant output is worth again, by backward induction and a search, without the formula.

    The value of a stock is a concave parabola at every step; play is followed until what comes later counts nothing.
    """
    from scipy.optimize import minimize_scalar

    facts, own, other = game.facts, game.leader_discount, game.follower_discount
    cost, start = facts["adjustment_cost"], facts["stocks"][facts["start"]]
    margin = float(facts["choke_price"] - facts["unit_cost"])

    def loss(output: float) -> float:
        bend = slope = 0.0  # V(k) = slope k - bend k^2 / 2, and a constant
        for _ in range(10_000):
            spread = cost + other * bend
            ahead = 2.0 + cost - cost**2 / spread, margin - output + cost * other * slope / spread
            if (bend, slope) == ahead:
                break
            bend, slope = ahead
        stock, total, weight = float(start), 0.0, 1.0
        while weight > 1e-14:
            total += weight * (margin - output - stock) * output
            stock, weight = (cost * stock + other * slope) / (cost + other * bend), own * weight
        return -total

    options: Any = {"bounds": (0.0, margin), "method": "bounded", "options": {"xatol": 1e-8 * margin}}
    return -float(minimize_scalar(loss, **options).fun)
