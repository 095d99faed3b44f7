"""Features of states that are vectors, for critics that are linear in them.

States are whitened first: shifted, and mixed so that the observed ones are uncorrelated and of unit variance. That
changes no span of polynomials, but makes least squares well conditioned, also where one coordinate nearly follows
another.

Letters: n samples, W state size, K contexts, F features.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import scipy

from agents.estimators.network_features import learn_features
from stackelberg_envs.arrays import Array, IntArray
from stackelberg_envs.errors import unknown_name

__all__ = ["FEATURES", "StateFeatures", "Whitening", "make_features", "quadratic"]

FEATURES = ("quadratic", "local", "fourier", "network")
#: Coordinates with less spread than this, relative to their size, are taken for copies of others.
LEAST_SPREAD = 1e-9
#: Bumps and waves beside the quadratic features.
CENTRES, WAVES = 40, 60
#: Width of a bump, in distances to the nearest other centre.
OVERLAP = 1.5
#: Whitened states are cut off here before they meet a bump or a wave; beyond, only the quadratic part is left.
FARTHEST = 6.0


@dataclass(frozen=True, eq=False)
class Whitening:
    """An affine map after which given rows have mean zero and covariance one.

    Attributes
    ----------
    mean
        Shape (W,).
    mix
        Shape (W, W), upper triangular: z = (s - mean) mix. Columns of coordinates that only copy others are zero.
    """

    mean: Array
    mix: Array

    @classmethod
    def of(cls, rows: Array) -> Whitening:
        """Return the map for rows of shape (n, W)."""
        mean = rows.mean(axis=0)
        centred = rows - mean
        size = np.sqrt((centred**2).mean(axis=0))
        scale = np.where(size > LEAST_SPREAD * np.abs(mean), size, np.inf)
        upper = np.linalg.qr(centred / scale, mode="r") / np.sqrt(len(rows))
        W = rows.shape[1]
        if len(upper) < W:
            upper = np.vstack([upper, np.zeros((W - len(upper), W))])
        copies = np.abs(np.diag(upper)) < LEAST_SPREAD
        upper[np.diag_indices(W)] = np.where(copies, 1.0, np.diag(upper))
        mix = np.linalg.inv(upper) / scale[:, None]
        mix[:, copies] = 0.0
        return cls(mean, mix)

    def __call__(self, rows: Array) -> Array:
        """Return the whitened rows, shape (n, W)."""
        return (rows - self.mean) @ self.mix


def quadratic(z: Array) -> Array:
    """Return 1, all z_i and all products z_i z_j, i <= j, of rows z, shape (n, 1 + W + W (W + 1) / 2)."""
    n, W = z.shape
    # One feature after the other in memory: thirty times as fast as a row after the other.
    out, columns = np.empty((1 + W + W * (W + 1) // 2, n)), np.ascontiguousarray(z.T)
    out[0], out[1 : W + 1], start = 1.0, columns, W + 1
    for i in range(W):
        np.multiply(columns[i], columns[i:], out=out[start : start + W - i])
        start += W - i
    return out.T


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


@dataclass(frozen=True, eq=False)
class _Waves:
    frequencies: Array
    phases: Array

    def __call__(self, z: Array) -> Array:
        return np.cos(np.clip(z, -FARTHEST, FARTHEST) @ self.frequencies + self.phases)


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


def _bumps(
    z: Array, rng: np.random.Generator, count: int = CENTRES, overlap: float = OVERLAP, importance: Array | None = None
) -> _Bumps:
    centres = _spread_out(z if importance is None else z[: len(importance)], count, rng, importance)
    nearest = min(3, len(centres))
    distance = np.reshape(scipy.spatial.cKDTree(centres).query(centres, k=nearest)[0], (len(centres), nearest))[:, -1]
    return _Bumps(centres, overlap * np.maximum(distance, 0.1))


def _waves(z: Array, rng: np.random.Generator) -> _Waves:
    return _Waves(rng.standard_normal((z.shape[1], WAVES)), rng.uniform(0.0, 2.0 * np.pi, WAVES))


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
        Beside the quadratic ones, or None.
    """

    whitening: Whitening
    num_contexts: int = 1
    beside: _Beside | None = None

    @property
    def is_quadratic(self) -> bool:
        """Whether they are polynomials of degree two."""
        return self.beside is None

    def __call__(self, states: Array, contexts: IntArray) -> Array:
        """Return the features, shape (n, F), of states (n, W) and contexts (n,)."""
        z = self.whitening(states)
        plain = quadratic(z)
        if self.beside is not None:
            plain = np.concatenate([plain, self.beside(z)], axis=1)
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
    targets: Array | None = None,
    *,
    importance: Array | None = None,
    centres: int = CENTRES,
    overlap: float = OVERLAP,
) -> StateFeatures:
    """Return features fitted to observed states.

    Parameters
    ----------
    name
        "quadratic"; "local", with Gaussian bumps at observed states beside; or "fourier", with random waves beside
        (Rahimi and Recht, "Random Features for Large-Scale Kernel Machines", NeurIPS 2007); or "network", with the
        outputs of a small network beside (:mod:`agents.estimators.network_features`).
    states
        Shape (n, W).
    num_contexts
        K.
    rng
        Draws centres and waves, and trains.
    targets
        What the network is fitted to at the first of the states, shape (m, M).
    importance
        Of the first of the states, shape (m,): bumps lie there, and rather where it is large.
    centres, overlap
        How many bumps, and how wide, in distances to the nearest other centres.

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
        known = np.zeros((len(z), 1)) if targets is None else targets
        return StateFeatures(whitening, num_contexts, learn_features(z[: len(known)], known, rng))
    if name == "local":
        return StateFeatures(whitening, num_contexts, _bumps(z, rng, centres, overlap, importance))
    return StateFeatures(whitening, num_contexts, _waves(z, rng))
