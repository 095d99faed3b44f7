"""Branch and bound: the branch with the largest bound first, each searched in depth with a budget of boxes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from stackelberg_envs.arrays import Array, IntArray
from stackelberg_envs.solvers.certificates.affine import AffineArrays
from stackelberg_envs.solvers.certificates.bounds import Known, box_bound
from stackelberg_envs.solvers.certificates.boxes import feasible, feasible_centre

__all__ = ["Branch", "Searched", "good_enough", "search_branch", "whole"]

#: Boxes are not cut below this part of the range of a coordinate.
LEAST_RADIUS = 1e-11


class Branch(NamedTuple):
    """A box that waits: corners of shape (D,) and a bound on the leader's value there."""

    low: Array
    high: Array
    upper: float


@dataclass(eq=False)
class Searched:
    """What the search of a branch has found.

    Attributes
    ----------
    boxes
        How many boxes were bounded.
    value, z
        The best value at a centre, and where, shape (D,); None where none was above what was known.
    closed
        The largest bound of a box that needs no further look.
    stuck
        The largest bound of a box that is too small to be cut.
    left
        Branches that need a further look.
    """

    value: float
    z: Array | None = None
    boxes: int = 0
    closed: float = -np.inf
    stuck: float = -np.inf
    left: list[Branch] = field(default_factory=list)


def whole(D: int) -> Branch:
    """Return the box of everything."""
    return Branch(np.zeros(D), np.ones(D), np.inf)


def good_enough(value: float, gap: float) -> float:
    """Return the bound below which a box needs no further look: `value` and a share of its size more."""
    return value + gap * abs(value)


def search_branch(
    arrays: AffineArrays, factors: IntArray, known: Known, branch: Branch, value: float, gap: float, budget: int
) -> Searched:
    """Search a branch in depth.

    Parameters
    ----------
    arrays, factors
        The game, and :func:`stackelberg_envs.solvers.certificates.quadratics.monomials`.
    known
        What holds everywhere.
    branch
        The box.
    value, gap
        The best value known, and which share of it an upper bound may lie above it.
    budget
        How many boxes to bound.
    """
    found = Searched(value)
    waiting: list[tuple[Branch, Known]] = [(branch, known)]
    centre, radii = np.empty_like(branch.low), np.empty_like(branch.low)
    while waiting and found.boxes < budget:
        (low, high, parent), known = waiting.pop()
        if not feasible_centre(low, high, arrays.groups, arrays.limits, centre, radii):
            continue
        made = box_bound(arrays, factors, centre, radii, known, good_enough(found.value, gap))
        found.boxes += 1
        if made.value > found.value and feasible(centre, arrays.limits):
            found.value, found.z = made.value, centre.copy()
        upper = min(made.upper, parent)
        if upper <= good_enough(found.value, gap):
            found.closed = max(found.closed, upper)
        elif radii[made.cut] <= LEAST_RADIUS:
            found.stuck = max(found.stuck, upper)
        else:
            waiting += [(half, made.known) for half in halves(low, high, made.cut, upper)]
    found.left += [branch for branch, _ in waiting]
    return found


def halves(low: Array, high: Array, cut: int, upper: float) -> Iterator[Branch]:
    """Yield the two halves of a box."""
    middle = 0.5 * (low[cut] + high[cut])
    for side in range(2):
        corners = low.copy(), high.copy()
        corners[1 - side][cut] = middle
        yield Branch(*corners, upper)
