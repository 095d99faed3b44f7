r"""Softplus and the logistic function as quadratic functions on an interval, and sums and means of softmax by them.

With actions merged one after the other, from the least likely to the likeliest, the log-sum m of those merged becomes

.. math::  m' = u_b + \mathrm{softplus}(m - u_b), \qquad  E' = A_b + \sigma(m - u_b)\,(E - A_b) ,

with E the mean of A over them. Where u, A are quadratic in t, so is all that follows, up to errors that are bounded:
each of the two functions is interpolated at Chebyshev's three points of the interval that its argument stays in, and
terms of degree three and four are left out.
"""

from __future__ import annotations

import numpy as np

from stackelberg_envs.arrays import Array, IntArray
from stackelberg_envs.jit import compiled

__all__ = ["logistic_fit", "soft_mean", "soft_shares", "soft_sum", "softplus_fit"]

EPSILON = 2.220446049250313e-16
#: Chebyshev's outer points of [-1, 1].
OUTER = 0.8660254037844386
#: The largest derivatives: of p (1 - p) by the logit, and of the logistic function of order three.
STEEPEST, THIRD = 0.09622504486493764, 0.125
#: Intervals with a larger radius are looked at cell by cell.
SMOOTH, CELLS = 0.75, 12


@compiled
def logistic(x: float) -> float:
    """Return 1 / (1 + exp(-x))."""
    if x >= 0.0:
        return 1.0 / (1.0 + float(np.exp(-x)))
    grown = float(np.exp(x))
    return grown / (1.0 + grown)


@compiled
def softplus(x: float) -> float:
    """Return log(1 + exp(x))."""
    return max(x, 0.0) + float(np.log1p(np.exp(-abs(x))))


@compiled
def steepness(centre: float, radius: float) -> tuple[float, float]:
    """Return the least and the largest p (1 - p) of the logistic function p on an interval."""
    near, far = max(abs(centre) - radius, 0.0), abs(centre) + radius
    one, two = logistic(-near), logistic(-far)
    return two * (1.0 - two), one * (1.0 - one)


@compiled
def curve(x: float, kind: int) -> float:
    """Return softplus (0) or the logistic function (1)."""
    return softplus(x) if kind == 0 else logistic(x)


@compiled
def quadratic_fit(
    centre: float, radius: float, kind: int, third: float, low: float, high: float
) -> tuple[float, float, float, float]:
    """Return a, b, c and a bound on |f(centre + x) - a - b x - c x^2| for x in [-radius, radius].

    Parameters
    ----------
    kind
        Which f, see :func:`curve`.
    third, low, high
        Bounds on the size of its third derivative and on its second one, on the interval.
    """
    middle = curve(centre, kind)
    rounding = 16.0 * EPSILON * (1.0 + abs(middle) + radius)
    step = OUTER * radius
    if radius < 1e-3:
        # Differences would be rounding: the tangent instead.
        p = logistic(centre)
        slope = p if kind == 0 else p * (1.0 - p)
        bend = 0.5 * p * (1.0 - p) if kind == 0 else 0.5 * p * (1.0 - p) * (1.0 - 2.0 * p)
        return middle, slope, bend, third * radius**3 / 6.0 + rounding
    up, down = curve(centre + step, kind), curve(centre - step, kind)
    slope, bend = 0.5 * (up - down) / step, 0.5 * (up + down - 2.0 * middle) / (step * step)
    error = third * radius**3 / 24.0
    if radius <= SMOOTH:
        return middle, slope, bend, error + rounding
    least, most, width = np.inf, -np.inf, 2.0 * radius / CELLS
    for k in range(CELLS + 1):
        x = k * width - radius
        off = curve(centre + x, kind) - middle - x * (slope + x * bend)
        least, most = min(least, off), max(most, off)
    # Between two points of a cell a function is nearer to its chord than its second derivative allows.
    between = max(high - 2.0 * bend, 2.0 * bend - low) * width * width / 8.0
    if 0.5 * (most - least) + between < error:
        return middle + 0.5 * (most + least), slope, bend, 0.5 * (most - least) + between + 4.0 * rounding
    return middle, slope, bend, error + rounding


@compiled
def softplus_fit(centre: float, radius: float) -> tuple[float, float, float, float]:
    """Return a, b, c and a bound on |log(1 + exp(centre + x)) - a - b x - c x^2| for x in [-radius, radius]."""
    low, high = steepness(centre, radius)
    return quadratic_fit(centre, radius, 0, min(STEEPEST, high), low, high)


@compiled
def logistic_fit(centre: float, radius: float) -> tuple[float, float, float, float]:
    """Return the same of 1 / (1 + exp(-centre - x))."""
    _, high = steepness(centre, radius)
    bent = min(STEEPEST, high)
    return quadratic_fit(centre, radius, 1, min(THIRD, high), -bent, bent)


@compiled
def sizes(terms: Array, D: int) -> tuple[float, float]:
    """Return bounds on the size of the terms of degree one, and on that of degree two."""
    linear, square = 0.0, 0.0
    for m in range(1, 1 + D):
        linear += abs(terms[m])
    for m in range(1 + D, len(terms)):
        square += abs(terms[m])
    return linear, square


@compiled
def products(one: Array, two: Array, m: int, factors: IntArray) -> float:
    """Return what the terms of degree one of two polynomials give to term m of their product."""
    i, j = factors[0, m], factors[1, m]
    if i < 0:
        return 0.0
    if i == j:
        return float(one[1 + i] * two[1 + i])
    return float(one[1 + i] * two[1 + j] + one[1 + j] * two[1 + i])


@compiled
def ascending(values: Array) -> IntArray:
    """Return the numbers of actions from the least likely to the likeliest; `values` has the shape (B, M)."""
    B = len(values)
    order = np.arange(B).astype(np.int32)
    for k in range(1, B):
        n = k
        while n > 0 and values[order[n], 0] < values[order[n - 1], 0]:
            order[n], order[n - 1] = order[n - 1], order[n]
            n -= 1
    return order


@compiled
def merge_sum(merged: Array, other: Array, error: float, D: int, factors: IntArray) -> float:
    """Overwrite polynomial m, known up to `error`, by u + softplus(m - u), u being `other`; return the new error."""
    M = len(merged)
    apart = merged - other
    linear, square = sizes(apart, D)
    a, b, c, off = softplus_fit(apart[0], linear + square)
    merged[0] = other[0] + a
    for m in range(1, M):
        merged[m] = other[m] + b * apart[m] + c * products(apart, apart, m, factors)
    share = logistic(apart[0] + linear + square + error)
    return off + abs(c) * (2.0 * linear * square + square * square) + share * error


@compiled
def soft_sum(logits: Array, D: int, factors: IntArray, out: Array) -> float:
    """Write a polynomial near log sum exp(logits), logits (B, M), into `out` (M,), and return how far it may be."""
    order = ascending(logits)
    M = logits.shape[1]
    for m in range(M):
        out[m] = logits[order[0], m]
    error = 0.0
    for k in range(1, len(order)):
        error = merge_sum(out, logits[order[k]], error, D, factors)
    return error


@compiled
def soft_shares(
    logits: Array,
    errors: Array,
    D: int,
    factors: IntArray,
    order: IntArray,
    shares: Array,
    doubts: Array,
    most: Array,
) -> None:
    """Write what merging actions takes, for means under softmax(logits + e), whatever they are means of.

    Parameters
    ----------
    logits
        Shape (B, M).
    errors
        Bounds on |e|, shape (B,).
    factors
        Of :func:`stackelberg_envs.solvers.certificates.quadratics.monomials`.
    order
        Overwritten by the actions, the least likely first, shape (B,).
    shares, doubts, most
        Overwritten, but for their first entries: polynomials near the share of the actions before the k-th when that is
        merged, shape (B, M), bounds on how far they are from it, and on how large it is, shape (B,).
    """
    B, M = logits.shape
    order[:] = ascending(logits)
    merged, known = logits[order[0]].copy(), errors[order[0]]
    for k in range(1, B):
        b = order[k]
        apart = merged - logits[b]
        linear, square = sizes(apart, D)
        radius, doubt = linear + square, known + errors[b]
        one, two, three, fit = logistic_fit(apart[0], radius)
        shares[k, 0] = one
        for m in range(1, M):
            shares[k, m] = two * apart[m] + three * products(apart, apart, m, factors)
        steep = steepness(apart[0], radius + doubt)[1]
        doubts[k] = fit + abs(three) * (2.0 * linear * square + square * square) + steep * doubt
        most[k] = logistic(apart[0] + radius + doubt)
        least = logistic(apart[0] - radius - doubt)
        known = min(max(known, errors[b]), most[k] * known + (1.0 - least) * errors[b])
        known += merge_sum(merged, logits[b], 0.0, D, factors)


@compiled
def soft_mean(
    values: Array, order: IntArray, shares: Array, doubts: Array, most: Array, D: int, factors: IntArray, out: Array
) -> float:
    """Write a polynomial near the mean of `values` (B, M) into `out` (M,), and return how far it may be.

    The others are those of :func:`soft_shares`.
    """
    B, M = values.shape
    step, off = np.empty(M), 0.0
    for m in range(M):
        out[m] = values[order[0], m]
    for k in range(1, B):
        b, share = order[k], shares[k]
        for m in range(M):
            step[m] = out[m] - values[b, m]
        linear, square = sizes(step, D)
        share_linear, share_square = sizes(share, D)
        off = doubts[k] * (abs(step[0]) + linear + square) + most[k] * off
        off += share_linear * square + share_square * (linear + square)
        for m in range(M):
            out[m] = values[b, m] + share[0] * step[m] + products(share, step, m, factors)
            if m > 0:
                out[m] += share[m] * step[0]
    return off
