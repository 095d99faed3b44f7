"""Quintic Hermite interpolation between even knots, each with a value and two derivatives, and its transpose."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array
from stackelberg_envs.jit import compiled

__all__ = ["hermite", "hermite_slopes", "read_terms", "scatter_terms"]


def hermite(s: Array, width: float) -> tuple[Array, ...]:
    """Return the quintic Hermite weights of value and two derivatives at either end, at s in [0, 1]."""
    return *_half_hermite(s, width, 1.0), *_half_hermite(1.0 - s, width, -1.0)


def hermite_slopes(s: Array, width: float) -> tuple[Array, ...]:
    """Return the derivatives of the weights by position."""
    return *_half_slopes(s, width, 1.0), *_half_slopes(1.0 - s, width, -1.0)


def _half_hermite(s: Array, width: float, sign: float) -> tuple[Array, Array, Array]:
    cubed = s**3
    return (
        1.0 - cubed * (10.0 - s * (15.0 - 6.0 * s)),
        sign * width * (s - cubed * (6.0 - s * (8.0 - 3.0 * s))),
        width**2 * 0.5 * s**2 * (1.0 - s * (3.0 - s * (3.0 - s))),
    )


def _half_slopes(s: Array, width: float, sign: float) -> tuple[Array, Array, Array]:
    squared = s**2
    return (
        -sign / width * squared * (30.0 - s * (60.0 - 30.0 * s)),
        1.0 - squared * (18.0 - s * (32.0 - 15.0 * s)),
        sign * width * s * (1.0 - s * (4.5 - s * (6.0 - 2.5 * s))),
    )


def read_terms(first: NDArray[np.intp], weights: tuple[Array, ...], coefficients: Array) -> Array:
    """Return the interpolant with the given weights of the coefficients from `first` on."""
    out = np.empty(first.shape)
    _read_terms(first.ravel(), tuple(weight.ravel() for weight in weights), coefficients, out.ravel())
    return out


@compiled
def _read_terms(first: NDArray[np.intp], weights: tuple[Array, ...], coefficients: Array, out: Array) -> None:
    """Write the sum of weights[term][i] * coefficients[first[i] + term] over the terms to out[i]."""
    for i in range(len(first)):
        total = 0.0
        for term in range(len(weights)):
            total += weights[term][i] * coefficients[first[i] + term]
        out[i] = total


def scatter_terms(first: NDArray[np.intp], weights: tuple[Array, ...], amount: Array, C: int) -> Array:
    """Return the amounts (S, G) as weights of the C coefficients, shape (S, C): the transpose of reading."""
    out = np.zeros((len(amount), C))
    _scatter_terms(first, weights, amount, out)
    return out


@compiled
def _scatter_terms(first: NDArray[np.intp], weights: tuple[Array, ...], amount: Array, out: Array) -> None:
    """Add amount[s, g] * weights[term][s, g] to out[s, first[s, g] + term], all of them."""
    S, G = amount.shape
    for s in range(S):
        for g in range(G):
            for term in range(len(weights)):
                out[s, first[s, g] + term] += amount[s, g] * weights[term][s, g]
