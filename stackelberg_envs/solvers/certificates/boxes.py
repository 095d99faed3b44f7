"""Boxes of coordinates: where in them there can be commitments."""

from __future__ import annotations

from stackelberg_envs.arrays import Array, IntArray
from stackelberg_envs.jit import compiled

__all__ = ["feasible", "feasible_centre", "within_limits"]

#: What rounding may do to limits; boxes are not shrunk along coordinates that move a limit by less than the second.
SLACK, LEAST_SLOPE = 1e-12, 1e-3


@compiled
def range_of(limit: Array, low: Array, high: Array) -> tuple[float, float]:
    """Return the least and the largest value of an affine function, of shape (1 + D,), on a box."""
    least, most = limit[0], limit[0]
    for i in range(len(low)):
        one, two = limit[1 + i] * low[i], limit[1 + i] * high[i]
        least += min(one, two)
        most += max(one, two)
    return least, most


@compiled
def within_limits(low: Array, high: Array, limits: Array) -> bool:
    """Shrink a box to where affine functions, of shape (C, 1 + D), can be in [0, 1]; False where they cannot."""
    for limit in limits:
        least, most = range_of(limit, low, high)
        if least > 1.0 + SLACK or most < -SLACK:
            return False
        for i in range(len(low)):
            slope = limit[1 + i]
            if abs(slope) < LEAST_SLOPE:
                continue
            # How far the coordinate can be from where the function is least, and from where it is largest.
            near, far = max((1.0 - least) / abs(slope), 0.0) + SLACK, max(most / abs(slope), 0.0) + SLACK
            from_low, from_high = (near, far) if slope > 0.0 else (far, near)
            low[i], high[i] = max(low[i], high[i] - from_high), min(high[i], low[i] + from_low)
            if low[i] > high[i]:
                return False
    return True


@compiled
def feasible(point: Array, limits: Array) -> bool:
    """Return whether a point is within all limits."""
    for limit in limits:
        value, _ = range_of(limit, point, point)
        if not 0.0 <= value <= 1.0:
            return False
    return True


@compiled
def within_rows(low: Array, high: Array, groups: IntArray, centre: Array, radii: Array) -> bool:
    """Shrink a box to where rows of probabilities can be, and write a point of it that is one, and how far it reaches.

    Returns False where there is no such point.
    """
    D, start = len(low), 0
    while start < D:
        end = start + 1
        while groups[start] >= 0 and end < D and groups[end] == groups[start]:
            end += 1
        least, middle = 0.0, 0.0
        for i in range(start, end):
            least += low[i]
        if groups[start] >= 0 and least > 1.0:
            return False
        for i in range(start, end):
            if groups[i] >= 0:
                high[i] = min(high[i], max(1.0 - least + low[i], low[i]))
            centre[i] = 0.5 * (low[i] + high[i])
            middle += centre[i]
        if groups[start] >= 0 and middle > 1.0:
            share = (1.0 - least) / (middle - least)
            for i in range(start, end):
                centre[i] = low[i] + share * (centre[i] - low[i])
        start = end
    for i in range(D):
        radii[i] = max(high[i] - centre[i], centre[i] - low[i]) * (1.0 + 1e-12)
    return True


@compiled
def feasible_centre(low: Array, high: Array, groups: IntArray, limits: Array, centre: Array, radii: Array) -> bool:
    """Shrink a box to where commitments can be, and write its centre, shape (D,), and how far it reaches.

    Parameters
    ----------
    low, high
        Shape (D,), changed.
    groups, limits
        As in :class:`stackelberg_envs.solvers.certificates.affine.AffineArrays`.
    centre, radii
        Overwritten. The centre has rows of probabilities; it may be beyond a limit.

    Returns
    -------
    bool
        False where the box has no commitments.
    """
    return within_limits(low, high, limits) and within_rows(low, high, groups, centre, radii)
