"""The follower's behaviour in play, as nodes and weights by which functions of its action are averaged.

What a critic needs of behaviour is one thing: the means, over the follower's action, of functions of the step. Where
actions are vectors of a box, behaviour is a Gaussian around a fitted mean, and functions are averaged over nodes of
quadrature. Where actions are discrete, the recorded action is the only node, and functions are regressed on features of
what the follower saw.

Letters: T steps, W, A, B sizes of the state and of both actions, C columns of a function.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import ClassVar

import numpy as np
import scipy
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array
from stackelberg_envs.games.samples import Actions, ActionSpec, Samples

from .regression import LeastSquares, Regression, StateFeatures, quadratic_features

__all__ = [
    "Behaviour",
    "DiscreteBehaviour",
    "GaussianBehaviour",
    "GaussianNodes",
    "encode",
    "even_nodes",
    "gaussian_nodes",
    "weighted_sum",
]

#: Rows of a cell in which the frequencies of discrete actions are counted. With fewer rows frequencies are noisy and
#: their entropy is biased; with more a cell is so wide that the policy changes inside it.
ROWS_PER_CELL = 500
#: Even nodes of one action: so many, from minus to plus this many standard deviations.
NODES, FARTHEST_NODE = 7, 2.6
#: The least variance, so that its logarithm is finite.
LEAST_VARIANCE = 1e-300


def encode(actions: Actions, spec: ActionSpec) -> Array:
    """Return a follower's actions as floats: boxes as they are, discrete ones by indicators, shape (n, E)."""
    if spec.counts is None:
        return np.asarray(actions, dtype=np.float64)
    # The first choice of each is the reference: with it the columns would sum to one.
    parts = [actions[:, i, None] == np.arange(1, count) for i, count in enumerate(spec.counts)]
    return np.concatenate(parts, axis=1).astype(np.float64)


def gaussian_nodes(B: int, exact_squares: bool) -> tuple[Array, Array]:
    """Return nodes (k, B) and weights (k,) for means under N(0, 1), of functions up to cubic ones or smooth ones."""
    if exact_squares or B > 2:
        unit = np.sqrt(B) * np.eye(B)
        return np.concatenate([unit, -unit]), np.full(2 * B, 0.5 / B)
    points, weights = np.polynomial.hermite_e.hermegauss(9 if B == 1 else 5)
    weights = weights / weights.sum()
    return np.array(list(product(points, repeat=B))), np.array([np.prod(w) for w in product(weights, repeat=B)])


def even_nodes(B: int) -> tuple[Array, Array]:
    """Return nodes (k, B) and weights (k,) for means under N(0, 1).

    Of one action they lie evenly, as for the trapezoidal rule, and have variance one: features much narrower than
    the distribution pass between the nodes of Gauss and Hermite. Of several actions see :func:`gaussian_nodes`.
    """
    if B > 1:
        return gaussian_nodes(B, False)
    points = np.linspace(-FARTHEST_NODE, FARTHEST_NODE, NODES)
    weights = np.exp(-0.5 * points**2)
    weights /= weights.sum()
    return (points / np.sqrt(weights @ points**2))[:, None], weights


def weighted_sum(weights: Array, arrays: Sequence[Array]) -> Array:
    """Return the sum of arrays of one shape, each times its weight."""
    total = np.zeros_like(arrays[0])
    for weight, array in zip(weights, arrays, strict=True):
        total += weight * array
    return total


@dataclass(frozen=True, eq=False)
class GaussianNodes:
    """Nodes of the Gaussian that residuals come from.

    Attributes
    ----------
    covariance
        Shape (B, B).
    entropy
        Of the Gaussian, nats.
    shifts, weights
        The nodes, less the mean, shape (k, B), and what each counts, shape (k,).
    """

    covariance: Array
    entropy: float
    shifts: Array
    weights: Array

    @classmethod
    def of(cls, residual: Array, parameters: int, nodes: Array, weights: Array) -> GaussianNodes:
        """Return nodes for residuals (n, B) of a mean with so many parameters, from nodes (k, B) of N(0, 1)."""
        return cls.around(residual.T @ residual / max(len(residual) - parameters, 1), nodes, weights)

    @classmethod
    def around(cls, covariance: Array, nodes: Array, weights: Array) -> GaussianNodes:
        """Return nodes for a covariance (B, B), from nodes (k, B) of N(0, 1)."""
        values, vectors = np.linalg.eigh(covariance)
        values = np.maximum(values, LEAST_VARIANCE)
        entropy = 0.5 * float(np.log(2.0 * np.pi * np.e * values).sum())
        return cls(covariance, entropy, nodes @ (vectors * np.sqrt(values)).T, weights)


class Behaviour(ABC):
    """The follower's policy as far as critics need it."""

    #: Its entropy at the steps, shape (T,), and features of what it saw, shape (T, G).
    entropy: Array
    seen: Array
    #: The leader's mean action at the steps, shape (T, A).
    leader_means: Array
    #: What nodes count; they sum to one.
    weights: Array
    #: Actions that stand for the follower's at the steps, each of shape (T, B).
    action_nodes: list[Actions]
    #: The same at the leader's mean action; none where the leader does not play or weights there are not known.
    action_nodes_at_mean: list[Actions]
    #: Whether an advantage has mean zero over the nodes in every state; else only on average over what was seen.
    nodes_have_zero_mean: ClassVar[bool] = True

    @abstractmethod
    def means(self, recorded: Array, nodes: Sequence[Array], at_mean: Sequence[Array]) -> tuple[Array, Array]:
        """Return the means over the follower's action of a function with C columns, each of shape (T, C).

        The first at the state and the leader's action, the second at its mean action: a function of the state alone.

        Parameters
        ----------
        recorded
            The function at the recorded actions, shape (T, C).
        nodes, at_mean
            The same at the nodes, and at the nodes and the action of the leader's mean.
        """


class GaussianBehaviour(Behaviour):
    """Actions in a box: b ~ N(mean(s, a), covariance).

    Parameters
    ----------
    samples
        The steps.
    linear
        Whether the mean is linear and functions to be averaged are quadratic in b, so that fewer nodes do.
    """

    def __init__(self, samples: Samples, linear: bool = False) -> None:
        state, a = samples.state, samples.leader_action
        self.leader_means = Regression.of(state, a)(state) if a.shape[1] else a
        seen = np.concatenate([state, a], axis=1)
        mean = Regression.of(seen, samples.follower_action, squares=not linear)
        z = mean.whitening(seen)
        given, self.seen = mean.at(z), quadratic_features(z)
        unit = gaussian_nodes(given.shape[1], linear)
        nodes = GaussianNodes.of(samples.follower_action - given, len(mean.weights), *unit)
        self.covariance, self.weights = nodes.covariance, nodes.weights
        self.entropy = np.full(len(given), nodes.entropy)
        around = nodes.shifts[:, None]
        self.action_nodes, self.action_nodes_at_mean = list(given + around), []
        if a.shape[1]:
            base = mean(np.concatenate([state, self.leader_means], axis=1))
            self.action_nodes_at_mean = list(base + around)

    def means(self, recorded: Array, nodes: Sequence[Array], at_mean: Sequence[Array]) -> tuple[Array, Array]:
        """Return the weighted sums over the nodes."""
        del recorded
        given = weighted_sum(self.weights, nodes)
        return given, weighted_sum(self.weights, at_mean) if at_mean else given


class DiscreteBehaviour(Behaviour):
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

    nodes_have_zero_mean = False

    def __init__(self, samples: Samples, features: StateFeatures, spec: ActionSpec) -> None:
        self.action_nodes, self.action_nodes_at_mean = [samples.follower_action], []
        self.weights = np.ones(1)
        state, a = samples.state, samples.leader_action
        A = a.shape[1]
        self.leader_means = Regression.of(state, a)(state) if A else a
        deviation = a - self.leader_means
        spread = np.sqrt((deviation**2).mean(axis=0)) if A else np.ones(0)
        scaled = deviation / np.where(spread > 0, spread, 1.0)
        plain = features(samples.state, samples.context)
        # The leader's action enters by its deviation from its mean, and by the products of that with the features.
        self.seen = np.concatenate([plain, *(scaled[:, i, None] * plain for i in range(A))], axis=1)
        self._base = np.concatenate([plain, np.zeros((len(plain), plain.shape[1] * A))], axis=1)
        self.entropy = _entropies(samples, features, spec)

    def means(self, recorded: Array, nodes: Sequence[Array], at_mean: Sequence[Array]) -> tuple[Array, Array]:
        """Return the regressions on what the follower saw, and on its part that the state alone says."""
        del nodes, at_mean
        weights = LeastSquares(self.seen).solve(recorded)
        return self.seen @ weights, self._base @ weights


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
    """Return the number of a cell of about ROWS_PER_CELL rows for each row: the nearest of evenly thinned rows."""
    order = np.lexsort(z.T)
    centres = z[order[ROWS_PER_CELL // 2 :: ROWS_PER_CELL]] if len(z) > ROWS_PER_CELL else z[order[:1]]
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
