"""Linear least squares, and features of rows and of states that are vectors, for critics that are linear in them.

Two ways with columns that say nothing of their own, because they are zero or copies of others:

* by rank, the default: singular values of the scaled equations below a part of the largest are taken for zero, and of
  all solutions the smallest one is returned. For columns that may be exact copies.
* by a ridge on the diagonal of the scaled equations. For many features of which some are nearly never felt; it takes no
  singular values, and a factor of several in time less.

Letters: n rows, C columns, D entries of a row; W state size, K contexts, F features of a state.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import scipy
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array, IntArray
from stackelberg_envs.errors import unknown_name

from .network_features import learn_features

__all__ = [
    "FEATURES",
    "Bumps",
    "LeastSquares",
    "Regression",
    "StateFeatures",
    "Whitening",
    "make_features",
    "quadratic_features",
    "temporal_differences",
]

#: Singular values below this, relative to the largest, are taken for zero.
RANK = 1e-12
#: Coordinates with less spread than this, relative to their size, are taken for copies of others.
LEAST_SPREAD = 1e-9
FEATURES = ("quadratic", "local", "network")
#: Whitened states are cut off here before they meet a bump; beyond, only the quadratic part is left.
FARTHEST = 6.0


class LeastSquares:
    """Columns on which targets are regressed, or on the first of which.

    Parameters
    ----------
    columns
        Shape (n, C).
    rank
        Singular values below this, relative to the largest, are taken for zero.
    ridge
        Added to the diagonal, which is one, instead: a number, or one for each column.
    shortest
        Columns are scaled to length one; those shorter than this part of the longest are scaled as if they were that
        long. Features that no row is near would else get weights that mean something only where there are no rows.
    """

    def __init__(
        self, columns: Array, *, rank: float = RANK, ridge: float | Array = 0.0, shortest: float = 0.0
    ) -> None:
        self.columns, self._rank, self._ridge = columns, rank, bool(np.any(ridge))
        length = np.sqrt(np.einsum("nf,nf->f", columns, columns))
        length = np.maximum(length, shortest * length.max(initial=0.0))
        self._scale = np.where(length > 0, length, 1.0)
        self._gram = columns.T @ columns / np.outer(self._scale, self._scale)
        self._gram[np.diag_indices(len(self._gram))] += ridge

    def solve(
        self, targets: NDArray[Any] | None = None, first: int | None = None, *, moments: NDArray[Any] | None = None
    ) -> Array:
        """Return weights (C, ...) for targets (n, ...), by the first columns only or by all.

        In place of targets there may be their `moments`, what columns times targets sum to, shape (C, ...).
        """
        if targets is not None:
            moments = self.columns[:, :first].T @ targets
        assert moments is not None  # noqa: S101 - one of the two is given
        gram, scale = self._gram[:first, :first], self._scale[:first]
        scale = scale if moments.ndim == 1 else scale[:, None]
        right = moments / scale
        found = np.linalg.solve(gram, right) if self._ridge else np.linalg.lstsq(gram, right, rcond=self._rank)[0]
        return np.asarray(found / scale)


def temporal_differences(columns: Array, following: Array, targets: Array, *, rank: float) -> Array:
    """Return the weights u, shape (F,), of the first F columns in least-squares temporal differences.

    All columns are instruments; regressed are the first F less what follows on them, shape (n, F), and the others.
    """
    F = following.shape[1]
    scale = np.sqrt((columns**2).sum(axis=0))
    scale = np.where(scale > 0, scale, 1.0)
    scaled = columns / scale
    matrix = scaled.T @ scaled
    matrix[:, :F] -= scaled.T @ (following / scale[:F])
    solution = np.linalg.lstsq(matrix, scaled.T @ targets, rcond=rank)[0]
    return np.asarray((solution / scale)[:F])


@dataclass(frozen=True, eq=False)
class Whitening:
    """An affine map after which given rows have mean zero and covariance one.

    That changes no span of polynomials, but makes least squares well conditioned, also where one coordinate nearly
    follows another.

    Attributes
    ----------
    mean
        Shape (D,).
    mix
        Shape (D, D), upper triangular: z = (row - mean) mix. Columns of coordinates that only copy others are zero.
    """

    mean: Array
    mix: Array

    @classmethod
    def of(cls, rows: Array) -> Whitening:
        """Return the map for rows of shape (n, D)."""
        mean = rows.mean(axis=0)
        centred = rows - mean
        size = np.sqrt((centred**2).mean(axis=0))
        scale = np.where(size > LEAST_SPREAD * np.abs(mean), size, np.inf)
        upper = np.linalg.qr(centred / scale, mode="r") / np.sqrt(len(rows))
        D = rows.shape[1]
        if len(upper) < D:
            upper = np.vstack([upper, np.zeros((D - len(upper), D))])
        copies = np.abs(np.diag(upper)) < LEAST_SPREAD
        upper[np.diag_indices(D)] = np.where(copies, 1.0, np.diag(upper))
        mix = np.linalg.inv(upper) / scale[:, None]
        mix[:, copies] = 0.0
        return cls(mean, mix)

    def __call__(self, rows: Array) -> Array:
        """Return the whitened rows, shape (n, D)."""
        return (rows - self.mean) @ self.mix


def quadratic_features(z: Array) -> Array:
    """Return 1, all z_i and all products z_i z_j, i <= j, of rows z, shape (n, 1 + D + D (D + 1) / 2)."""
    n, D = z.shape
    # One feature after the other in memory: thirty times as fast as a row after the other.
    out, columns = np.empty((1 + D + D * (D + 1) // 2, n)), np.ascontiguousarray(z.T)
    out[0], out[1 : D + 1], start = 1.0, columns, D + 1
    for i in range(D):
        np.multiply(columns[i], columns[i:], out=out[start : start + D - i])
        start += D - i
    return out.T


@dataclass(frozen=True, eq=False)
class Regression:
    """A function of rows that is linear in 1 and the whitened rows, or also in their products: the mean of targets."""

    whitening: Whitening
    weights: Array
    squares: bool

    @classmethod
    def of(cls, rows: Array, targets: Array, *, squares: bool = True) -> Regression:
        """Fit targets (n, C) to rows (n, D), with products of two entries or without."""
        whitening = Whitening.of(rows)
        z = whitening(rows)
        columns = quadratic_features(z) if squares else np.concatenate([np.ones((len(z), 1)), z], axis=1)
        return cls(whitening, LeastSquares(columns).solve(targets), squares)

    @classmethod
    def simplest(cls, rows: Array, targets: Array) -> Regression:
        """Return a regression without products, or with them where Schwarz's criterion prefers it."""
        n, found = len(rows), [cls.of(rows, targets, squares=squares) for squares in (False, True)]
        least = 1e-24 * n * (targets**2).mean(axis=0)
        errors = [((targets - one(rows)) ** 2).sum(axis=0) + least for one in found]
        extra = (found[1].weights.shape[0] - found[0].weights.shape[0]) * targets.shape[1] * np.log(n)
        return found[bool(n * np.log(errors[0] / np.maximum(errors[1], 1e-300)).sum() > extra)]

    def at(self, z: Array) -> Array:
        """Return the fitted values, shape (n, C), at whitened rows."""
        if self.squares:
            return np.asarray(quadratic_features(z) @ self.weights)
        return np.asarray(z @ self.weights[1:] + self.weights[0])

    def __call__(self, rows: Array) -> Array:
        """Return the fitted values, shape (n, C)."""
        return self.at(self.whitening(rows))


# --- features of states --------------------------------------------------------------------------------


class _Beside(Protocol):
    """What is beside the quadratic features."""

    def __call__(self, z: Array) -> Array:
        """Return features of whitened rows."""


@dataclass(frozen=True, eq=False)
class _Bumps:
    centres: Array
    widths: Array

    def __call__(self, z: Array) -> Array:
        inside = np.clip(z, -FARTHEST, FARTHEST)
        # Half of the squared distances, negative, as one product of matrices: no array has an entry per coordinate.
        half = inside @ self.centres.T
        half -= 0.5 * (inside**2).sum(axis=1)[:, None]
        half -= 0.5 * (self.centres**2).sum(axis=1)
        half /= self.widths**2
        return np.asarray(np.exp(np.minimum(half, 0.0, out=half), out=half))


def _spread_out(z: Array, count: int, rng: np.random.Generator, importance: Array | None = None) -> Array:
    """Return up to `count` rows, each drawn far from the earlier ones (k-means++ seeding), important ones rather."""
    drawn = rng.permutation(len(z))[: 20 * count]
    pool = z[drawn]
    weight = np.ones(len(pool)) if importance is None else importance[drawn]
    chosen = [pool[0]]
    distance = weight * ((pool - chosen[0]) ** 2).sum(axis=1)
    for _ in range(count - 1):
        total = distance.sum()
        if total <= 1e-12 * len(pool):
            break
        chosen.append(pool[rng.choice(len(pool), p=distance / total)])
        distance = np.minimum(distance, weight * ((pool - chosen[-1]) ** 2).sum(axis=1))
    return np.array(chosen)


@dataclass(frozen=True, eq=False)
class Bumps:
    """Which bumps "local" has.

    Attributes
    ----------
    count
        At most so many.
    overlap
        Their width, in distances to the nearest other centres.
    importance
        Of the first of the states, shape (m,): bumps lie there, and rather where it is large. None: anywhere.
    """

    count: int = 40
    overlap: float = 1.5
    importance: Array | None = None

    def among(self, z: Array, rng: np.random.Generator) -> _Bumps:
        """Return bumps at some of the whitened rows."""
        centres = _spread_out(
            z if self.importance is None else z[: len(self.importance)], self.count, rng, self.importance
        )
        nearest = min(3, len(centres))
        distance = np.reshape(scipy.spatial.cKDTree(centres).query(centres, k=nearest)[0], (len(centres), nearest))[
            :, -1
        ]
        return _Bumps(centres, self.overlap * np.maximum(distance, 0.1))


@dataclass(frozen=True, eq=False)
class StateFeatures:
    """Features psi(s, context); with contexts each has a block of its own, the others zero.

    Attributes
    ----------
    whitening
        Of the states.
    num_contexts
        K.
    beside
        Beside the quadratic ones; None where features are polynomials of degree two.
    shared
        Whether contexts share what is beside, and have only the quadratic ones each for itself.
    """

    whitening: Whitening
    num_contexts: int = 1
    beside: _Beside | None = None
    shared: bool = False

    def __call__(self, states: Array, contexts: IntArray) -> Array:
        """Return the features, shape (n, F), of states (n, W) and contexts (n,)."""
        z = self.whitening(states)
        plain = quadratic_features(z)
        if self.beside is None:
            return self._apart(plain, contexts)
        if self.shared:
            return np.concatenate([self._apart(plain, contexts), self.beside(z)], axis=1)
        return self._apart(np.concatenate([plain, self.beside(z)], axis=1), contexts)

    def _apart(self, plain: Array, contexts: IntArray) -> Array:
        """Return features with a block for each context."""
        if self.num_contexts == 1:
            return plain
        out = np.zeros((len(plain), self.num_contexts, plain.shape[1]))
        out[np.arange(len(plain)), contexts] = plain
        return out.reshape(len(plain), -1)


def make_features(
    name: str,
    states: Array,
    num_contexts: int,
    rng: np.random.Generator,
    targets: Callable[[], Array] | None = None,
    bumps: Bumps = Bumps(),
) -> StateFeatures:
    """Return features fitted to observed states.

    Parameters
    ----------
    name
        "quadratic"; "local", with Gaussian bumps at observed states beside; or "network", with the outputs of a small
        network beside (:mod:`agents.estimators.network_features`).
    states
        Shape (n, W).
    num_contexts
        K.
    rng
        Draws centres, and trains.
    targets
        Returns what the network is fitted to at the first of the states, shape (m, M); not called for other features.
    bumps
        Of "local".

    Raises
    ------
    UnknownNameError
        Another name.
    """
    if name not in FEATURES:
        raise unknown_name("features", name, FEATURES)
    whitening = Whitening.of(states)
    if name == "quadratic":
        return StateFeatures(whitening, num_contexts)
    z = whitening(states)
    if name == "network":
        known = np.zeros((len(z), 1)) if targets is None else targets()
        return StateFeatures(whitening, num_contexts, learn_features(z[: len(known)], known, rng))
    return StateFeatures(whitening, num_contexts, bumps.among(z, rng))
