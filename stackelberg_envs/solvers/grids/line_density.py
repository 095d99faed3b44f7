r"""Densities over one bounded action whose logarithm is linear between nodes: what they integrate to, draw and say.

A Gibbs density exp(q) is known by q at equidistant nodes. Between two of them q is taken as linear, so the integral,
the inverse of the distribution function and the density itself are closed forms, however steep q is.

Letters: n rows, N nodes.
"""

from __future__ import annotations

import math

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.jit import compiled

__all__ = ["draws", "log_densities", "log_integral", "log_integral_and_slopes", "quick_exp"]

#: Values of neighbouring nodes that differ by less than this count as equal in integrals.
EQUAL = 1e-2


@compiled
def quick_exp(x: float) -> float:
    """Return exp(x) for x <= 0, to 2e-7 relatively from -20 on, and next to nothing below; loops over it are fast."""
    y = max(x, -64.0) * (1.0 / 64.0)
    p = 1 + y * (1 + y * (1 / 2 + y * (1 / 6 + y * (1 / 24 + y * (1 / 120 + y * (1 / 720 + y * (1 / 5040)))))))
    p *= p
    p *= p
    p *= p
    p *= p
    p *= p
    p *= p
    return p


@compiled
def log_integral(q: Array, weights: Array, step: float) -> float:
    """Return log of the integral of exp(q) over all nodes; `weights` is room for N numbers."""
    N = q.shape[0]
    top = q[0]
    for i in range(1, N):
        top = max(top, q[i])
    for i in range(N):
        weights[i] = quick_exp(q[i] - top)
    for i in range(N - 1):
        rise = q[i + 1] - q[i]
        safe = rise if abs(rise) >= EQUAL else 1.0
        flat = 0.5 * (weights[i] + weights[i + 1])
        weights[i] = (weights[i + 1] - weights[i]) / safe if abs(rise) >= EQUAL else flat
    total = 0.0
    for i in range(N - 1):
        total += weights[i]
    return float(top + math.log(total * step))


@compiled
def log_integral_and_slopes(q: Array, weights: Array, slopes: Array, step: float) -> float:
    """Return log of the integral of exp(q), and set its derivative by each q; both others are room for N numbers."""
    N = q.shape[0]
    top = q[0]
    for i in range(1, N):
        top = max(top, q[i])
    for i in range(N):
        weights[i] = quick_exp(q[i] - top)
    total = 0.0
    for i in range(N - 1):
        rise = q[i + 1] - q[i]
        flat = abs(rise) < EQUAL
        inverse = 1.0 / (1.0 if flat else rise)
        mass = 0.5 * (weights[i] + weights[i + 1]) if flat else (weights[i + 1] - weights[i]) * inverse
        slopes[i] = 0.5 * weights[i] if flat else (mass - weights[i]) * inverse  # by q[i]; the rest is by q[i + 1]
        weights[i] = mass
        total += mass
    carried, inverse = 0.0, 1.0 / total
    for i in range(N - 1):
        left = slopes[i]
        slopes[i] = (left + carried) * inverse
        carried = weights[i] - left
    slopes[N - 1] = carried * inverse
    return float(top + math.log(total * step))


@compiled
def draws(q: Array, uniform: Array, low: float, step: float) -> Array:
    """Return an action per row of q, shape (n, N), by the inverse of its distribution function at numbers in [0, 1)."""
    n, N = q.shape
    out, weights = np.empty(n), np.empty(N)
    for row in range(n):
        log_integral(q[row], weights, step)
        total = 0.0
        for i in range(N - 1):
            total += weights[i]
        left, i = uniform[row] * total, 0
        while i < N - 2 and left > weights[i]:
            left -= weights[i]
            i += 1
        share = min(max(left / weights[i], 0.0), 1.0) if weights[i] > 0.0 else 0.0
        rise = q[row, i + 1] - q[row, i]
        if abs(rise) < EQUAL:
            along = share
        elif rise > 0.0:
            along = 1.0 + math.log(share + (1.0 - share) * math.exp(-rise)) / rise
        else:
            along = math.log(1.0 - share * (1.0 - math.exp(rise))) / rise
        out[row] = low + step * (i + min(max(along, 0.0), 1.0))
    return out


@compiled
def log_densities(q: Array, actions: Array, low: float, step: float) -> Array:
    """Return the log-density of an action per row of q, shape (n,)."""
    n, N = q.shape
    out, weights = np.empty(n), np.empty(N)
    for row in range(n):
        place = min(max((actions[row] - low) / step, 0.0), N - 1.0)
        i = min(int(place), N - 2)
        along = place - i
        out[row] = q[row, i] + along * (q[row, i + 1] - q[row, i]) - log_integral(q[row], weights, step)
    return out
