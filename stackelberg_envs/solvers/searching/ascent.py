"""One ascent: L-BFGS-B in charts of the set, from a point to the point where nothing near is better."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy

from stackelberg_envs.arrays import Array
from stackelberg_envs.solvers.searching.objective import Objective

__all__ = ["climb"]

#: An ascent ends where no entry of the gradient by the unit coordinates is larger than this part of the range.
SLOPE = 1e-9
#: How many charts one ascent may take, and the gain, as a part of the range, for which another one is worth it.
CHARTS, WORTH = 8, 1e-9


def climb(
    objective: Objective, u: Array, *, iterations: int, scale: float = 1.0, gain: float = 1e-10
) -> tuple[float, Array]:
    """Return (J, u) of the end of an ascent from u at a multiple of the temperature.

    Parameters
    ----------
    objective
        What is climbed.
    u
        Where from, shape (n,).
    iterations
        Of L-BFGS-B, in each chart.
    scale
        Multiple of the follower's temperature.
    gain
        It ends where an iteration gains less than this part of the range of values.
    """
    value = -np.inf
    for _ in range(CHARTS):
        found, u, done = _climb_chart(objective, u, iterations, scale, gain)
        if done or not found > value + WORTH * objective.range:
            break
        value = found
    return max(found, value), u


def _climb_chart(
    objective: Objective, u: Array, iterations: int, scale: float, gain: float
) -> tuple[float, Array, bool]:
    """Return (J, u) of the end in one chart, and whether another chart would be the same."""
    chart = objective.points.chart(u)
    first, slope = objective(u, scale)
    if not (np.isfinite(first) and len(chart.y)):
        return first, u, True
    best, unit = (first, u), objective.range
    known: tuple[float, Array] | None = (first, slope)

    def loss(y: Array) -> tuple[float, Array]:
        nonlocal best, known
        point = chart.point(y)
        value, du = objective(point, scale) if known is None else known
        known = None
        if value > best[0]:
            best = value, point
        if not np.isfinite(value):
            # Worse than all that was seen, so that the line search turns back.
            return (first - objective.low) / unit + 1.0, np.zeros(len(y))
        return (first - value) / unit, -chart.slope(y, du) / unit

    minimize: Any = scipy.optimize.minimize
    options = {"maxiter": iterations, "ftol": gain, "gtol": SLOPE, "maxcor": 10}
    bounds = scipy.optimize.Bounds(np.zeros(len(chart.y)), np.ones(len(chart.y)))
    made = minimize(loss, chart.y, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    return *best, bool(made.success) and chart.fits(best[1])
