"""Rewards of the leader that bend where a coordinate passes a place, as the cost of payments of both signs does.

On a box on one side of every such place all arrays are affine. On any other box the bent part is replaced by an affine
function above it: by its chord where it is convex, by nothing where it is concave.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array

__all__ = ["Kinks", "bent_part", "no_kinks", "rewards_from_above"]


class Kinks(NamedTuple):
    """A sum over k of bends[.., k] |z[coordinates[k]] - places[k]|, which the leader's reward has besides.

    Attributes
    ----------
    coordinates, places
        Shape (C,).
    bends
        Shape (Z, A, B, C).
    """

    coordinates: NDArray[np.intp]
    places: Array
    bends: Array

    def straddled(self, low: Array, high: Array) -> NDArray[np.bool_]:
        """Return which of the places lie inside a box, shape (C,)."""
        inside: NDArray[np.bool_] = (low[self.coordinates] < self.places) & (self.places < high[self.coordinates])
        return inside

    def worst(self, low: Array, high: Array) -> int:
        """Return which place inside a box a bound loses most by, or -1 where there is none."""
        inside = self.straddled(low, high)
        width = np.where(inside, (high - low)[self.coordinates], 0.0)
        return int((np.abs(self.bends).sum(axis=(0, 1, 2)) * width).argmax()) if inside.any() else -1


def no_kinks(Z: int, A: int, B: int) -> Kinks:
    """Return those of a game of Z states, A and B actions that has none."""
    return Kinks(np.zeros(0, dtype=np.intp), np.zeros(0), np.zeros((Z, A, B, 0)))


def bent_part(kinks: Kinks, z: Array) -> Array:
    """Return the sum at z, shape (Z, A, B)."""
    return np.asarray(kinks.bends @ np.abs(z[kinks.coordinates] - kinks.places))


def rewards_from_above(leader_reward: Array, kinks: Kinks, low: Array, high: Array) -> Array:
    """Return affine rewards, shape (Z, A, B, 1 + D), nowhere on a box below those with the bent part."""
    one, two = low[kinks.coordinates] - kinks.places, high[kinks.coordinates] - kinks.places
    # |y| on [one, two] is at most its chord, and is the chord where it does not bend in between.
    right, left = one >= 0.0, two <= 0.0
    slope = np.where(right, 1.0, np.where(left, -1.0, (one + two) / np.where(two > one, two - one, 1.0)))
    level = np.where(right | left, 0.0, -one * (1.0 + slope))
    # Where it bends and is a loss, nothing is lost at the least.
    bends = np.where((kinks.bends < 0.0) & kinks.straddled(low, high), 0.0, kinks.bends)
    made = leader_reward.copy()
    made[..., 0] += bends @ (level - slope * kinks.places)
    made[..., 1 + kinks.coordinates] += bends * slope
    return made
