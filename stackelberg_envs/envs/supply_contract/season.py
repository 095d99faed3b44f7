"""A season of the shop: what is expected of each order, and what supplier and shop could earn together.

States are weeks times units on the shelves, week by week, and at last the season's end.
Letters: W weeks, M units that fit on the shelves, S = W (M + 1) + 1 states, B = M + 1 orders.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array

__all__ = ["Season", "binomial", "centralised_value", "expected"]


class Season(NamedTuple):
    """What a season is made of; money in one unit, demand as the probability of each number of customers."""

    weeks: int
    shelf: int
    demand: Array
    price: float
    cost: float
    salvage: float
    holding: float


def binomial(customers: int) -> Array:
    """Return the probabilities of 0, 1, ... of so many people, who come with probability 1/2 each."""
    ways, found = 1, []
    for k in range(customers + 1):
        # Both are integers without bound, of which the quotient is rounded once.
        found.append(ways / 2**customers)
        ways = ways * (customers - k) // (k + 1)
    return np.array(found)


def expected(season: Season) -> tuple[Array, Array, Array, NDArray[np.int64], Array]:
    """Return what is expected of each order in each state.

    Returns
    -------
    ordered, sold, left
        Units, shape (S, B); those that do not fit are not ordered. Zero at the season's end.
    landing, chances
        The next state and its probability for each number of units left, shape (S, B, M + 1).
    """
    W, M = season.weeks, season.shelf
    S, B, end = W * (M + 1) + 1, M + 1, W * (M + 1)
    ordered, sold, left = np.zeros((S, B)), np.zeros((S, B)), np.zeros((S, B))
    landing, chances = np.full((S, B, M + 1), end), np.zeros((S, B, M + 1))
    chances[end, :, 0] = 1.0
    came = np.arange(len(season.demand))
    for stock, order in np.ndindex(M + 1, B):
        there = min(stock + order, M)
        stays = np.maximum(there - came, 0)
        probability = np.bincount(stays, weights=season.demand, minlength=M + 1)
        rows = stock + (M + 1) * np.arange(W)
        ordered[rows, order], left[rows, order] = there - stock, season.demand @ stays
        sold[rows, order] = season.demand @ np.minimum(came, there)
        chances[rows, order] = probability
        for week in range(W - 1):
            landing[rows[week], order] = (week + 1) * (M + 1) + np.arange(M + 1)
    return ordered, sold, left, landing, chances


def centralised_value(season: Season) -> float:
    """Return what supplier and shop could earn together: the value of one owner of both who makes no errors.

    No contract changes what they earn together but by what the shop orders, so that no leader can have more. By passes
    from the last week backwards.
    """
    W, M = season.weeks, season.shelf
    ordered, sold, left, _, chances = expected(season)
    value = season.salvage * np.arange(M + 1)
    for week in reversed(range(W)):
        rows = slice(week * (M + 1), (week + 1) * (M + 1))
        profit = season.price * sold[rows] - season.cost * ordered[rows] - season.holding * left[rows]
        value = (profit + chances[rows] @ value).max(axis=1)
    return float(value[0])
