"""What a wholesale price is worth to the manufacturer when the retailer answers with its best quantity."""

from __future__ import annotations

from typing import Any

__all__ = ["best_price", "manufacturer_value", "worth"]


def best_price(intercept: float, slope: float, unit_cost: float) -> tuple[float, float, float]:
    """Return the best wholesale price, the quantity that it leads to, and the manufacturer's profit.

    The retailer sells q at price a - b q; at wholesale price w it takes q = (a - w) / (2 b), and the manufacturer's
    profit (w - c) (a - w) / (2 b) is largest at w = (a + c) / 2.
    """
    price, quantity = 0.5 * (intercept + unit_cost), (intercept - unit_cost) / (4.0 * slope)
    return price, quantity, (price - unit_cost) * quantity


def worth(price: float, intercept: float, slope: float, unit_cost: float) -> float:
    """Return the manufacturer's profit at a price; the retailer's quantity is found by search."""
    from scipy.optimize import minimize_scalar

    answer = minimize_scalar(
        lambda q: (price - intercept + slope * q) * q, bounds=(0.0, intercept / slope), method="bounded"
    )
    return float((price - unit_cost) * answer.x)


def manufacturer_value(game: Any) -> float:
    """Return the value of the best price again: a search within a search, without the formula."""
    from scipy.optimize import minimize_scalar

    numbers = game.facts["intercept"], game.facts["slope"], game.facts["unit_cost"]
    found = minimize_scalar(lambda price: -worth(price, *numbers), bounds=(0.0, numbers[0]), method="bounded")
    return -float(found.fun)
