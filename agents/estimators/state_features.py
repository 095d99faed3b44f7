"""Features of states that are vectors, for critics that are linear in them.

States are whitened first; see :class:`agents.estimators.least_squares.Whitening`.

Letters: n samples, W state size, K contexts, F features.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import scipy

from agents.estimators.least_squares import Whitening, quadratic_features
from agents.estimators.network_features import learn_features
from stackelberg_envs.arrays import Array, IntArray
from stackelberg_envs.errors import unknown_name

__all__ = ["FEATURES", "Bumps", "StateFeatures", "make_features"]

FEATURES = ("quadratic", "local", "network")
#: Whitened states are cut off here before they meet a bump; beyond, only the quadratic part is left.
FARTHEST = 6.0


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
        plain = quadratic_features(z)
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
