"""Where the states of a game stand in a picture: such that the hops between two of them are their distance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array

__all__ = ["hops", "in_the_unit_square", "places", "places_around"]

#: Steps of the majorisation, after which small graphs have settled, and starts beside the circle.
STEPS, DRAWN = 150, 6
#: Distance kept between two points where they would otherwise fall into one.
APART = 1e-9


def hops(linked: NDArray[np.bool_]) -> Array:
    """Return the least number of links between each two of n nodes, either way along them, shape (n, n).

    Parameters
    ----------
    linked
        Whether a link leads from i to j, shape (n, n).

    Returns
    -------
    Array
        Nodes without any path between them are one hop further apart than the furthest that have one.
    """
    from scipy.sparse.csgraph import shortest_path

    found: Array = shortest_path(linked | linked.T, unweighted=True)
    np.fill_diagonal(found, 0.0)
    known = np.isfinite(found)
    return np.where(known, found, 1.0 + found[known].max())


def places(distance: Array) -> Array:
    """Return points whose distances are as close as can be to the given ones, shape (n, 2), in the unit square.

    Of several starts the best end counts: a circle in the order of the nodes, and some that are drawn, always the same,
    so that equal graphs have equal pictures.

    Parameters
    ----------
    distance
        Wanted between each two nodes, shape (n, n); greater than 0 off the diagonal.
    """
    n = len(distance)
    if n == 1:
        return np.full((1, 2), 0.5)
    angle, rng = 2 * np.pi * np.arange(n) / n, np.random.default_rng(0)
    circle = 0.5 * distance.max() * np.stack([-np.cos(angle), np.sin(angle)], axis=1)
    weights = np.divide(1.0, distance**2, out=np.zeros_like(distance), where=distance > 0)
    starts = [circle, *(distance.max() * rng.standard_normal((DRAWN, n, 2)))]
    ends = [_settled(start, distance, weights) for start in starts]
    # What differs by rounding only is equal; the first of the equal ones counts.
    stress = [float(f"{np.sum(weights * (_apart(points) - distance) ** 2):.6g}") for points in ends]
    return in_the_unit_square(ends[int(np.argmin(stress))])


def _apart(points: Array) -> Array:
    return np.asarray(np.linalg.norm(points[:, None] - points[None], axis=2))


def _settled(points: Array, distance: Array, weights: Array) -> Array:
    """Return where points go by stress majorisation (Gansner, Koren and North, 2004)."""
    inverse = np.linalg.pinv(np.diag(weights.sum(axis=1)) - weights)
    for _ in range(STEPS):
        pull = -weights * distance / np.maximum(_apart(points), APART)
        np.fill_diagonal(pull, 0.0)
        np.fill_diagonal(pull, -pull.sum(axis=1))
        points = inverse @ (pull @ points)
    return points


def in_the_unit_square(points: Array) -> Array:
    """Return points moved and stretched, each axis by itself, so that they fill the unit square."""
    low, high = points.min(axis=0), points.max(axis=0)
    wide = high - low > APART
    return np.where(wide, (points - low) / np.where(wide, high - low, 1.0), 0.5)


def places_around(n: int) -> Array:
    """Return the centre of the unit square and n - 1 points on a circle around it, shape (n, 2)."""
    angle = 2 * np.pi * np.arange(n - 1) / max(1, n - 1)
    circle = 0.5 + 0.5 * np.stack([-np.cos(angle), np.sin(angle)], axis=1)
    return np.concatenate([np.full((1, 2), 0.5), circle])
