"""A grid of assets: where they are counted, the smoothing by noise on it, and reading between its knots.

W, the expected value of what follows, is a smooth function of one number. It is held by its value and two derivatives
at even knots (quintic Hermite interpolation), and integrals are taken at Gauss-Legendre nodes in panels.

Letters: S nodes, C coefficients of W.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array
from stackelberg_envs.envs.tax_design.hermite import hermite, read_terms

__all__ = ["AssetGrid", "Places", "interpolate", "make_grid", "pieces", "places_of"]

#: Panel edges from the kink at 0 on, in standard deviations of the noise; beyond the last one every two.
FINE_EDGES = (0.0, 0.25, 0.5, 1.0, 2.0)
WIDEST = 2.0
#: The same from the lower end on: debt that is cut off there makes the policy switch within a short way.
LOW_EDGES = (0.5, 1.0)
#: Knots of W per standard deviation of the noise, for each node per panel.
KNOTS_PER_NODE = 5 / 16
DEFAULT_NODES = 8


@dataclass(frozen=True, eq=False)
class AssetGrid:
    """A grid of assets and the smoothing by noise on it.

    Attributes
    ----------
    nodes, weights
        Quadrature on [low, high], shape (S,).
    low, high, noise
        Range of the assets, and the standard deviation of the noise before it is truncated to the range.
    spacing
        Between the knots of W.
    smoothing
        Values at the nodes -> coefficients of W, shape (C, S): at each knot W, W' and W''.
    """

    nodes: Array
    weights: Array
    low: float
    high: float
    noise: float
    spacing: float
    smoothing: Array

    def __len__(self) -> int:
        """S."""
        return len(self.nodes)


@lru_cache(maxsize=16)
def make_grid(low: float, high: float, noise: float, nodes: int = DEFAULT_NODES) -> AssetGrid:
    """Return a grid.

    Parameters
    ----------
    low, high
        Range of the assets.
    noise
        Standard deviation before truncation, above 0.
    nodes
        Quadrature nodes per panel. With more of them the knots become denser, too. The error falls fast with their
        number, and the cost grows with its cube.
    """
    points, weights = _panels(_edges(low, high, noise), nodes)
    intervals = max(1, round((high - low) / noise * KNOTS_PER_NODE * nodes))
    knots = np.linspace(low, high, intervals + 1)
    smoothing = _smoothing(knots, points, weights, noise)
    for array in (points, weights, smoothing):
        array.flags.writeable = False
    return AssetGrid(points, weights, low, high, noise, (high - low) / intervals, smoothing)


def _edges(low: float, high: float, noise: float) -> Array:
    """Return panel edges, dense around 0: the rewards have their kink there, and the initial assets are near."""
    count = int(max(high, -low, 0.0) / (WIDEST * noise)) + 1
    reach = noise * np.concatenate([FINE_EDGES, WIDEST * np.arange(2, count + 2)])
    edges = np.concatenate([-reach, reach, low + noise * np.array(LOW_EDGES)])
    # An edge right next to the end of the range would make a sliver.
    inner = edges[(edges > low + 0.1 * noise) & (edges < high - 0.1 * noise)]
    return np.unique(np.concatenate([[low, high], inner]))


def _panels(edges: Array, nodes: int) -> tuple[Array, Array]:
    points, weights = np.polynomial.legendre.leggauss(nodes)
    half, middle = np.diff(edges) / 2, (edges[1:] + edges[:-1]) / 2
    return (middle[:, None] + half[:, None] * points).ravel(), (half[:, None] * weights).ravel()


def _smoothing(knots: Array, nodes: Array, weights: Array, noise: float) -> Array:
    """Return the rows p(m | mu), dp/dmu and d2p/dmu2 at each knot, shape (3 knots, S).

    p is normalised over the nodes, as truncation to the range asks for; the score is (m - mu) / noise^2, centred.
    """
    score = (nodes - knots[:, None]) / noise**2
    log_p = -0.5 * (noise * score) ** 2
    p = weights * np.exp(log_p - log_p.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    centred = score - (p * score).sum(axis=1, keepdims=True)
    variance = (p * centred**2).sum(axis=1, keepdims=True)
    return np.stack([p, p * centred, p * (centred**2 - variance)], axis=1).reshape(-1, len(nodes))


@dataclass(frozen=True, eq=False)
class Places:
    """Where W is read: the first coefficient, the place s in [0, 1] between its knot and the next, and the weights.

    Where a move is clipped to the range, `free` is 0 and W does not depend on the displacement.
    """

    first: NDArray[np.intp]
    between: Array
    weights: tuple[Array, ...]
    free: Array


def places_of(grid: AssetGrid, mean: Array) -> Places:
    """Return where W is read for next assets of the given mean (any shape), before it is clipped."""
    clipped = np.clip(mean, grid.low, grid.high)
    intervals = len(grid.smoothing) // 3 - 1
    position = (clipped - grid.low) / grid.spacing
    cell = np.minimum(position.astype(np.intp), intervals - 1)
    between = position - cell
    return Places(3 * cell, between, hermite(between, grid.spacing), (clipped == mean).astype(np.float64))


def pieces(grid: AssetGrid, coefficients: Array) -> Array:
    """Return W between the knots as polynomials in the place s in [0, 1], rising powers, shape (intervals, 6)."""
    value, slope, curve = coefficients.reshape(-1, 3).T * np.array([[1.0], [grid.spacing], [grid.spacing**2]])
    start = np.stack([value[:-1], slope[:-1], curve[:-1] / 2])
    left = value[1:] - start.sum(axis=0)
    left_slope = slope[1:] - start[1] - 2 * start[2]
    left_curve = curve[1:] - 2 * start[2]
    end = (
        10 * left - 4 * left_slope + left_curve / 2,
        -15 * left + 7 * left_slope - left_curve,
        6 * left - 3 * left_slope + left_curve / 2,
    )
    return np.ascontiguousarray(np.stack([*start, *end], axis=1))


def interpolate(grid: AssetGrid, coefficients: Array, mean: Array) -> Array:
    """Return W at next assets of the given mean, which is clipped to the range; the shape of `mean`."""
    places = places_of(grid, mean)
    return read_terms(places.first, places.weights, coefficients)
