"""The best contract by backward induction over what the agent is promised.

All that the past has to do with the best contract for the stages that are left is what they are worth to the agent, its
promise U: what success and failure of the stage before lead to. The most that the principal can get from the stages
that are left, as a function of U, is found from the last stage backwards (Spear and Srivastava, 1987). It is a set of
straight pieces, each an array (U, V) of its left end and (U, V) of its right end.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence

import numpy as np

from stackelberg_envs.arrays import Array

__all__ = ["best_bonus", "best_value", "spreads"]

#: Differences that are rounding.
ROUNDING = 1e-10


def spreads(success: Array, cost: Array) -> Array:
    """Return which efforts are best at which spreads, shape (efforts, 2): the least and the largest of each.

    A spread is what success is worth more to the agent than failure. An effort whose least is above its largest is
    never best.
    """
    found = []
    for p, c in zip(success, cost, strict=True):
        more, less = success > p, success < p
        low = np.max((c - cost[less]) / (p - success[less]), initial=-np.inf)
        high = np.min((cost[more] - c) / (success[more] - p), initial=np.inf)
        beaten = bool((cost[success == p] < c).any())
        found.append((np.inf, -np.inf) if beaten else (low, high))
    return np.array(found)


def best_bonus(success: Array, cost: Array, worth: float) -> tuple[float, float]:
    """Return the best bonus of a single stage, and what the principal then gets.

    Each effort costs the principal the least bonus at which it is the agent's best one.
    """
    offers = [
        (p * (worth - max(low, 0.0)), max(low, 0.0))
        for p, (low, high) in zip(success, spreads(success, cost), strict=True)
        if low <= high and low <= worth and high >= 0
    ]
    value, bonus = max(offers, key=lambda offer: (offer[0], -offer[1]))
    return float(bonus), float(value)


def best_value(success: Array, cost: Array, worth: float, stages: int) -> float:
    """Return what the best contract for so many stages is worth to the principal, without errors, ties for it."""
    return worth * float(_pieces(tuple(success.tolist()), tuple((cost / worth).tolist()), stages)[:, [1, 3]].max())


@functools.lru_cache(maxsize=32)
def _pieces(success: tuple[float, ...], cost: tuple[float, ...], stages: int) -> Array:
    """Return the principal's best by the agent's promise where success is worth 1, as pieces, shape (pieces, 4)."""
    if stages == 0:
        return np.zeros((1, 4))
    after, found = _pieces(success, cost, stages - 1), []
    for p, c, (low, high) in zip(success, cost, spreads(np.array(success), np.array(cost)), strict=True):
        for good, bad in itertools.product(after, after) if low <= high else ():
            a, b, bonus = _corners(good, bad, low, high).T
            if len(bonus):
                (u_good, v_good), (u_bad, v_bad) = _along(good, a), _along(bad, b)
                promise = p * (bonus + u_good) + (1 - p) * u_bad - c
                found.append(_upper_edge(promise, p * (1 - bonus + v_good) + (1 - p) * v_bad))
    return _highest(np.concatenate(found))


def _along(piece: Array, share: Array) -> tuple[Array, Array]:
    return piece[0] + share * (piece[2] - piece[0]), piece[1] + share * (piece[3] - piece[1])


def _corners(good: Array, bad: Array, low: float, high: float) -> Array:
    """Return the corners of what can be promised within a spread: shares along both pieces and the bonus, (corners, 3).

    The spread is the bonus and what success promises more than failure. Corners are those of the unit cube within it,
    and where the cube's edges meet the least and the largest spread.
    """
    cube = np.array(list(itertools.product((0.0, 1.0), repeat=3)))
    base, slope = good[0] - bad[0], np.array([good[2] - good[0], bad[0] - bad[2], 1.0])
    points = [cube]
    for axis, bound in itertools.product(range(3), (low, high)):
        if np.isfinite(bound) and abs(slope[axis]) > ROUNDING:
            met = cube[cube[:, axis] == 0]
            met[:, axis] = (bound - base - met @ slope) / slope[axis]
            points.append(met[(met[:, axis] >= 0) & (met[:, axis] <= 1)])
    made = np.concatenate(points)
    spread = base + made @ slope
    inside: Array = made[(spread >= low - ROUNDING) & (spread <= high + ROUNDING)]
    return inside


def _upper_edge(u: Array, v: Array) -> Array:
    """Return the upper edge of the hull of points, as pieces from left to right; one point is a piece of no length."""
    chain: list[tuple[float, float]] = []
    for x, minus_y in sorted(zip(u.tolist(), (-v).tolist(), strict=True)):
        point = x, -minus_y
        if chain and x - chain[-1][0] <= ROUNDING:  # straight below or beside the last
            continue
        while len(chain) > 1 and _is_below(chain[-2], chain[-1], point):
            chain.pop()
        chain.append(point)
    return np.array([(*one, *other) for one, other in itertools.pairwise(chain)] or [(*chain[0], *chain[0])])


def _is_below(one: tuple[float, float], two: tuple[float, float], three: tuple[float, float]) -> bool:
    """Whether the second point is not above the line from the first to the third."""
    return (two[1] - one[1]) * (three[0] - one[0]) <= (three[1] - one[1]) * (two[0] - one[0])


def _highest(pieces: Array) -> Array:
    """Return the pieces as far as no other is higher."""
    left, right = pieces[:, 0], pieces[:, 2]
    slope = np.divide(pieces[:, 3] - pieces[:, 1], right - left, out=np.zeros(len(pieces)), where=right > left)
    level = pieces[:, 1] - slope * left

    def heights(u: Array) -> Array:
        inside = (u[:, None] >= left - ROUNDING) & (u[:, None] <= right + ROUNDING)
        return np.where(inside, level + slope * u[:, None], -np.inf)

    # Which piece is the highest changes only where two meet or one ends.
    one, two = np.triu_indices(len(pieces), 1)
    crossing = np.abs(slope[one] - slope[two]) > ROUNDING
    meet = (level[two] - level[one])[crossing] / (slope[one] - slope[two])[crossing]
    places = np.unique(np.concatenate([left, right, meet[(meet > left.min()) & (meet < right.max())]]))
    places = places[np.append(True, np.diff(places) > ROUNDING)]
    # A piece of no length is a point, which counts where it is higher than all that is on either side.
    above = np.vstack([heights(0.5 * (places[:-1] + places[1:])), np.full(len(pieces), -np.inf)])
    best, found = above.argmax(axis=1), []
    beside = np.full(len(places), -np.inf)
    for i in np.flatnonzero(np.isfinite(above.max(axis=1))):
        ends = places[i : i + 2]
        values = level[best[i]] + slope[best[i]] * ends
        beside[i : i + 2] = np.maximum(beside[i : i + 2], values)
        found.append((ends[0], values[0], ends[1], values[1]))
    tops = heights(places).max(axis=1)
    found += [
        (u, v, u, v) for u, v in zip(places[tops > beside + ROUNDING], tops[tops > beside + ROUNDING], strict=True)
    ]
    return _joined(found)


def _joined(found: Sequence[tuple[float, ...]]) -> Array:
    """Return pieces with those joined that go on straight."""
    made: list[tuple[float, ...]] = []
    for piece in sorted(found):
        if made:
            (u, v, *end), (x, y) = made[-1], piece[2:]
            straight = abs((end[1] - v) * (x - u) - (y - v) * (end[0] - u)) <= ROUNDING
            if straight and max(abs(piece[0] - end[0]), abs(piece[1] - end[1])) <= ROUNDING < end[0] - u:
                made[-1] = u, v, x, y
                continue
        made.append(piece)
    return np.array(made)
