"""What a price earns from a buyer whose value is drawn evenly from [0, 1]."""

from __future__ import annotations

from typing import Any

__all__ = ["best_revenue"]


def best_revenue(game: Any) -> float:
    """Return the revenue of the best price again: the demand is integrated and the price searched for."""
    from scipy.integrate import quad
    from scipy.optimize import minimize_scalar

    del game  # values are the same in all

    def loss(price: float) -> float:
        sold, _ = quad(lambda value: float(value >= price), 0.0, 1.0, points=[price])
        return -price * float(sold)

    return -float(minimize_scalar(loss, bounds=(0.0, 1.0), method="bounded").fun)
