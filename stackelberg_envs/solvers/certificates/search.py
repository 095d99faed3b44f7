"""Branch and bound: the branch with the largest bound first, each searched in depth with a budget of boxes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from stackelberg_envs.arrays import Array, IntArray
from stackelberg_envs.solvers.certificates.affine import AffineGame
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
    game: AffineGame, factors: IntArray, known: Known, branch: Branch, value: float, gap: float, budget: int
) -> Searched:
    """Search a branch in depth.

    Parameters
    ----------
    game, factors
        It, and :func:`stackelberg_envs.solvers.certificates.quadratics.monomials`.
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
        if not feasible_centre(low, high, game.arrays.groups, game.arrays.limits, centre, radii):
            continue
        made = box_bound(game.on(low, high), factors, centre, radii, known, good_enough(found.value, gap))
        found.boxes += 1
        kink = game.kinks.worst(low, high)
        # With a kink inside, the leader's rewards are too large, and the value at the centre with them.
        if kink < 0 and made.value > found.value and feasible(centre, game.arrays.limits):
            found.value, found.z = made.value, centre.copy()
        upper = min(made.upper, parent)
        if upper <= good_enough(found.value, gap):
            found.closed = max(found.closed, upper)
        elif kink >= 0:
            cut, place = int(game.kinks.coordinates[kink]), float(game.kinks.places[kink])
            waiting += [(part, made.known) for part in parts(low, high, cut, place, upper)]
        elif radii[made.cut] <= LEAST_RADIUS:
            found.stuck = max(found.stuck, upper)
        else:
            middle = 0.5 * (low[made.cut] + high[made.cut])
            waiting += [(part, made.known) for part in parts(low, high, made.cut, middle, upper)]
    found.left += [branch for branch, _ in waiting]
    return found


def parts(low: Array, high: Array, cut: int, place: float, upper: float) -> Iterator[Branch]:
    """Yield the two parts of a box that is cut at a place."""
    for side in range(2):
        corners = low.copy(), high.copy()
        corners[1 - side][cut] = place
        yield Branch(*corners, upper)
