"""Fixed points of contractions by Anderson's mixing of the last few iterates.

D. G. Anderson, "Iterative Procedures for Nonlinear Integral Equations", Journal of the ACM 12 (1965); type II as in
Walker and Ni, "Anderson Acceleration for Fixed-Point Iterations", SIAM Journal on Numerical Analysis 49 (2011).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import ConvergenceError

__all__ = ["FixedPoint", "fixed_point"]

#: Iterates that are mixed.
MEMORY = 5
#: Mixing begins anew where the residual is this many times larger than the least so far.
WORSE = 4.0
#: Added to the diagonal of the normal equations, relative to their trace.
RIDGE = 1e-10


class FixedPoint(NamedTuple):
    """Where an iteration ended.

    Attributes
    ----------
    values
        The last image, shape (n,).
    residual
        The greatest distance, in size, of an entry from that of what it is the image of.
    sweeps
        How many images were computed.
    """

    values: Array
    residual: float
    sweeps: int


def fixed_point(
    image: Callable[[Array], Array], start: Array, *, tolerance: float, most: int, low: float, high: float
) -> FixedPoint:
    """Return the fixed point of a map of arrays of shape (n,), to a residual below `tolerance`.

    Parameters
    ----------
    image
        The map, a contraction in the maximum norm.
    start
        Where it begins.
    tolerance
        Of the residual, in the unit of the values.
    most
        Images at most.
    low, high
        Bounds of the fixed point; mixed iterates are brought into them.

    Raises
    ------
    ConvergenceError
        The residual is larger after so many images.
    """
    values, least = start, np.inf
    moves: list[Array] = []
    images: list[Array] = []
    for sweep in range(1, most + 1):
        made = image(values)
        move = made - values
        residual = float(np.abs(move).max())
        if residual <= tolerance:
            return FixedPoint(made, residual, sweep)
        if residual > WORSE * least:
            moves, images = [], []
        least = min(least, residual)
        moves, images = [*moves[-MEMORY + 1 :], move], [*images[-MEMORY + 1 :], made]
        values = np.clip(_mixed(moves, images), low, high) if len(moves) > 1 else made
    raise ConvergenceError(f"expected a residual of at most {tolerance:g} within {most} sweeps, got {residual:g}")


def _mixed(moves: list[Array], images: list[Array]) -> Array:
    changes = np.diff(moves, axis=0)
    normal = changes @ changes.T
    normal[np.diag_indices_from(normal)] += RIDGE * np.trace(normal)
    try:
        shares = np.linalg.solve(normal, changes @ moves[-1])
    except np.linalg.LinAlgError:  # iterates that no longer differ
        return images[-1]
    return np.asarray(images[-1] - shares @ np.diff(images, axis=0))
