"""How play went, fitted by least squares: the mean next state, and the behaviour of both players.

What a critic needs of these is one thing: the means, over the follower's action, of functions of the step. Where
actions are vectors of a box, behaviour is linear in the state or in quadratic features, with Gaussian residuals, and
functions are averaged over nodes of that Gaussian. Where actions are discrete, functions are regressed on features of
what the follower saw.

Letters: T steps, W, A, B sizes of the state and of both actions, C columns of a function.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Protocol

import numpy as np
import scipy
from numpy.typing import NDArray

from agents.estimators.state_features import StateFeatures, Whitening, quadratic
from stackelberg_envs.arrays import Array, IntArray
from stackelberg_envs.games.samples import Actions, ActionSpec, Samples

__all__ = [
    "Conditional",
    "DiscreteBehaviour",
    "GaussianBehaviour",
    "Regression",
    "StepFunction",
    "encode",
    "gaussian_nodes",
    "regress",
]

#: Singular values below this, relative to the largest, are taken for zero.
RANK = 1e-12
#: Visits of a cell in which the frequencies of discrete actions are counted.
CELL = 500

#: (state, leader action, follower action, context) -> columns, shape (n, C).
StepFunction = Callable[[Array, Array, Actions, IntArray], Array]


def regress(columns: Array, targets: Array) -> Array:
    """Least squares by the normal equations of scaled columns: weights of shape (F, ...) for targets (n, ...)."""
    scale = np.sqrt(np.einsum("nf,nf->f", columns, columns))
    scale = np.where(scale > 0, scale, 1.0)
    gram = columns.T @ columns / np.outer(scale, scale)
    right = (columns.T @ targets) / (scale if targets.ndim == 1 else scale[:, None])
    found = np.linalg.lstsq(gram, right, rcond=RANK)[0]
    return np.asarray(found / (scale if targets.ndim == 1 else scale[:, None]))


def encode(actions: Actions, spec: ActionSpec) -> Array:
    """Return a follower's actions as floats: boxes as they are, discrete ones by indicators, shape (n, E)."""
    if spec.counts is None:
        return np.asarray(actions, dtype=np.float64)
    # The first choice of each is the reference: with it the columns would sum to one.
    parts = [actions[:, i, None] == np.arange(1, count) for i, count in enumerate(spec.counts)]
    return np.concatenate(parts, axis=1).astype(np.float64)


@dataclass(frozen=True, eq=False)
class Regression:
    """A function of rows that is linear in quadratic features of them, fitted by least squares."""

    whitening: Whitening
    weights: Array
    squares: bool

    @classmethod
    def of(cls, rows: Array, targets: Array, *, squares: bool = True) -> Regression:
        """Fit targets (n, C) to rows (n, D); without `squares` the features are 1 and the rows themselves."""
        whitening = Whitening.of(rows)
        z = whitening(rows)
        return cls(whitening, regress(_features(z, squares), targets), squares)

    def at(self, z: Array) -> Array:
        """Return the fitted values, shape (n, C), at whitened rows."""
        if self.squares:
            return np.asarray(quadratic(z) @ self.weights)
        return np.asarray(z @ self.weights[1:] + self.weights[0])

    def __call__(self, rows: Array) -> Array:
        """Return the fitted values, shape (n, C)."""
        return self.at(self.whitening(rows))


def _features(z: Array, squares: bool) -> Array:
    return quadratic(z) if squares else np.concatenate([np.ones((len(z), 1)), z], axis=1)


@dataclass(frozen=True, eq=False)
class Conditional:
    """A function at the steps, each of shape (T, C).

    Attributes
    ----------
    at
        At (s_t, a_t, b_t).
    given
        Its mean over the follower's action at (s_t, a_t).
    base
        The same at the leader's mean action in s_t, a function of s_t alone.
    """

    at: Array
    given: Array
    base: Array


class Behaviour(Protocol):
    """The follower's policy as far as critics need it."""

    #: Its entropy at the steps, shape (T,), and features of what it saw, shape (T, G).
    entropy: Array
    seen: Array

    #: Actions that stand for the follower's at the steps, (T, B) each, and their shares, which sum to one.
    plays: list[tuple[float, Actions]]
    #: The same at the leader's mean action; none where the leader does not play or the shares there are not known.
    base_plays: list[tuple[float, Actions]]
    #: The leader's mean action at the steps, shape (T, A).
    leader_means: Array
    #: Whether impulses at these have mean zero in every state; otherwise only on average over what was seen.
    balanced: bool

    def conditional(self, function: StepFunction) -> Conditional:
        """Return a function's values at the steps and their means over the follower's action."""


def leader_means(samples: Samples) -> Array:
    """Return the leader's mean action at the steps, shape (T, A), by regression on the states."""
    if not samples.leader_action.shape[1]:
        return samples.leader_action
    return Regression.of(samples.state, samples.leader_action)(samples.state)


class GaussianBehaviour:
    """Actions in a box: b ~ N(mean(s, a), covariance).

    Parameters
    ----------
    samples
        The steps.
    linear
        Whether the mean is linear and functions to be averaged are quadratic in b, so that fewer nodes do.
    """

    balanced = True

    def __init__(self, samples: Samples, linear: bool = False) -> None:
        self._samples = samples
        self.leader_means = leader_means(samples)
        seen = np.concatenate([samples.state, samples.leader_action], axis=1)
        mean = Regression.of(seen, samples.follower_action, squares=not linear)
        given = base = mean(seen)
        if samples.leader_action.shape[1]:
            base = mean(np.concatenate([samples.state, self.leader_means], axis=1))
        self.seen = quadratic(mean.whitening(seen))
        residual = samples.follower_action - given
        T, B = residual.shape
        spare = max(T - mean.weights.shape[0], 1)
        self.covariance = residual.T @ residual / spare
        values, vectors = np.linalg.eigh(self.covariance)
        values = np.maximum(values, 1e-300)
        root = vectors * np.sqrt(values)
        self.entropy = np.full(T, 0.5 * float(np.log(2.0 * np.pi * np.e * values).sum()))
        nodes, shares = gaussian_nodes(B, linear)
        shifts = nodes @ root.T
        self.plays = [(float(share), given + shift) for share, shift in zip(shares, shifts, strict=True)]
        self.base_plays: list[tuple[float, Actions]] = []
        if samples.leader_action.shape[1]:
            self.base_plays = [(share, base + shift) for (share, _), shift in zip(self.plays, shifts, strict=True)]

    def conditional(self, function: StepFunction) -> Conditional:
        """Return a function's values, averaged over the nodes of the Gaussian."""
        steps = self._samples
        at = function(steps.state, steps.leader_action, steps.follower_action, steps.context)
        given = self._average(function, steps.leader_action, self.plays)
        if not self.base_plays:
            return Conditional(at, given, given)
        return Conditional(at, given, self._average(function, self.leader_means, self.base_plays))

    def _average(self, function: StepFunction, leader_action: Array, plays: list[tuple[float, Actions]]) -> Array:
        steps = self._samples
        return np.asarray(sum(share * function(steps.state, leader_action, b, steps.context) for share, b in plays))


def gaussian_nodes(B: int, exact_squares: bool) -> tuple[Array, Array]:
    """Return nodes (k, B) and weights (k,) for means under N(0, 1), of functions up to cubic ones or smooth ones."""
    if exact_squares or B > 2:
        unit = np.sqrt(B) * np.eye(B)
        return np.concatenate([unit, -unit]), np.full(2 * B, 0.5 / B)
    points, weights = np.polynomial.hermite_e.hermegauss(9 if B == 1 else 5)
    weights = weights / weights.sum()
    return np.array(list(product(points, repeat=B))), np.array([np.prod(w) for w in product(weights, repeat=B)])


class DiscreteBehaviour:
    """Discrete actions: means over them by regression on features of what the follower saw.

    Parameters
    ----------
    samples
        The steps.
    features
        Of the states.
    spec
        The follower's actions.
    """

    balanced = False

    def __init__(self, samples: Samples, features: StateFeatures, spec: ActionSpec) -> None:
        self._samples = samples
        self.plays: list[tuple[float, Actions]] = [(1.0, samples.follower_action)]
        self.base_plays: list[tuple[float, Actions]] = []
        A = samples.leader_action.shape[1]
        means = self.leader_means = leader_means(samples)
        deviation = samples.leader_action - means
        spread = np.sqrt((deviation**2).mean(axis=0)) if A else np.ones(0)
        scaled = deviation / np.where(spread > 0, spread, 1.0)
        plain = features(samples.state, samples.context)
        # The leader's action enters by its deviation from its mean, and by the products of that with the features.
        self.seen = np.concatenate([plain, *(scaled[:, i, None] * plain for i in range(A))], axis=1)
        self._base = np.concatenate([plain, np.zeros((len(plain), plain.shape[1] * A))], axis=1)
        self.entropy = _entropies(samples, features, spec)

    def conditional(self, function: StepFunction) -> Conditional:
        """Return a function's values, regressed on what the follower saw."""
        steps = self._samples
        at = function(steps.state, steps.leader_action, steps.follower_action, steps.context)
        weights = regress(self.seen, at)
        return Conditional(at, self.seen @ weights, self._base @ weights)


def _entropies(samples: Samples, features: StateFeatures, spec: ActionSpec) -> Array:
    """Return the entropy of the action frequencies around each step, shape (T,)."""
    counts = spec.counts or ()
    action = np.ravel_multi_index(tuple(samples.follower_action.T.astype(np.int64)), counts)
    z = np.concatenate([features.whitening(samples.state), samples.leader_action], axis=1)
    out = np.zeros(len(action))
    for context in np.unique(samples.context):
        rows = np.flatnonzero(samples.context == context)
        cells = _cells(z[rows])
        out[rows] = _plug_in(cells, action[rows])
    return out


def _cells(z: Array) -> NDArray[np.intp]:
    """Return the number of a cell of about CELL rows for each row: the nearest of evenly thinned rows."""
    order = np.lexsort(z.T)
    centres = z[order[CELL // 2 :: CELL]] if len(z) > CELL else z[order[:1]]
    return np.asarray(scipy.spatial.cKDTree(centres).query(z)[1])


def _plug_in(cells: NDArray[np.intp], actions: NDArray[np.int64]) -> Array:
    """Return each row's cell's entropy: that of frequencies, with the correction of Miller and Madow (1955)."""
    pairs, visits = np.unique(np.stack([cells, actions]), axis=1, return_counts=True)
    total = np.bincount(cells)
    share = visits / total[pairs[0]]
    size = total.size
    entropy = np.bincount(pairs[0], -share * np.log(share), minlength=size)
    kinds = np.bincount(pairs[0], minlength=size)
    return np.asarray((entropy + (kinds - 1) / (2.0 * np.maximum(total, 1)))[cells])
