"""Leader policies in closed form: clipped Gaussians around a linear or a small neural mean.

The leader's action is clip(mean_x(s) + scale * noise, low, high): the clipped value is what acts, what the follower
sees and what is recorded. Its law has a density inside the bounds and an atom at each of them, so the log-likelihood
and the score are those of a censored Gaussian, exact wherever the mean lies.

Letters: T samples, W state size, A size of the leader's action, D entries of x.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import scipy
from numpy.typing import ArrayLike

from stackelberg_envs.arrays import (
    LARGEST,
    Array,
    as_float,
    frozen,
    require_count,
    require_positive,
    require_room,
    require_text,
)
from stackelberg_envs.errors import GameError
from stackelberg_envs.games.cotangents import StepCotangents
from stackelberg_envs.games.samples import SampledCommitment, SampledEffect, Samples

if TYPE_CHECKING:
    from gymnasium.spaces import Box

__all__ = [
    "POLICIES",
    "ClippedGaussianPolicy",
    "MeanNetwork",
    "censored_log_density",
    "censored_score",
    "policy_network",
]

LOG_ROOT_TWO_PI = 0.5 * np.log(2.0 * np.pi)
#: Names of the means that environments offer.
POLICIES = ("linear", "mlp")


class _Layer(NamedTuple):
    """Weights of shape (inputs, outputs) and biases of shape (outputs,)."""

    weights: Array
    biases: Array


class MeanNetwork:
    """The mean of a policy: s -> layers of tanh units, the last one linear; without hidden units a linear map.

    Parameters
    ----------
    inputs, outputs
        W and A.
    hidden
        Units of each hidden layer; none for a linear mean.
    state_scale
        States are divided by this, shape (W,), so that parameters are of order one.
    seed
        Of the hidden layers' starting values. The commitment is added to them: at x = 0 the last layer is zero,
        so is the mean, and no two hidden units are equal.

    Attributes
    ----------
    size
        D: each layer's weights, row by row, then its biases.
    """

    def __init__(
        self, inputs: int, outputs: int, *, hidden: Sequence[int] = (), state_scale: ArrayLike = 1.0, seed: int = 0
    ) -> None:
        ends = {"inputs": inputs, "outputs": outputs}
        first, last = (require_count(size, name, error=GameError) for name, size in ends.items())
        sizes = [first, *_checked_units(hidden), last]
        self._shapes = list(pairwise(sizes))
        self.inputs, self.outputs = first, last
        self.size = sum((fan_in + 1) * fan_out for fan_in, fan_out in self._shapes)
        require_room((self.size,), "hidden")
        self._divisor = _checked_scale(state_scale, first)
        rng = np.random.default_rng(require_count(seed, "seed", 0, GameError))
        drawn = [rng.standard_normal((i + 1) * o) / np.sqrt(i) for i, o in self._shapes[:-1]]
        self._start = frozen(np.concatenate([*drawn, np.zeros((sizes[-2] + 1) * outputs)]))

    def layers(self, x: Array) -> list[_Layer]:
        """Return the parameters layer by layer."""
        flat, found, at = x + self._start, [], 0
        for fan_in, fan_out in self._shapes:
            weights = flat[at : at + fan_in * fan_out].reshape(fan_in, fan_out)
            at += fan_in * fan_out
            found.append(_Layer(weights, flat[at : at + fan_out]))
            at += fan_out
        return found

    def activations(self, x: Array, states: Array) -> list[Array]:
        """Return the scaled states, each hidden layer's output, and last the mean, shape (T, A)."""
        layers = self.layers(x)
        outputs = [states / self._divisor]
        for i, layer in enumerate(layers):
            sums = outputs[-1] @ layer.weights + layer.biases
            outputs.append(np.tanh(sums) if i + 1 < len(layers) else sums)
        return outputs

    def mean(self, x: Array, states: Array) -> Array:
        """Return the mean, shape (T, A)."""
        return self.activations(x, states)[-1]

    def vjp(self, x: Array, outputs: list[Array], slope: Array) -> Array:
        """Return sum_t slope_t . d mean_t / dx, shape (D,), by backpropagation; `slope` has shape (T, A)."""
        parts: list[Array] = []
        for i, layer in reversed(list(enumerate(self.layers(x)))):
            parts += [slope.sum(axis=0), (outputs[i].T @ slope).ravel()]
            if i:
                slope = (slope @ layer.weights.T) * (1.0 - outputs[i] ** 2)
        return np.concatenate(parts[::-1])


def _checked_units(hidden: object) -> list[int]:
    if not isinstance(hidden, list | tuple):
        raise GameError(f"hidden: expected the units of each hidden layer, such as (16,), got {hidden!r}")
    return [require_count(units, "hidden", error=GameError) for units in hidden]


def _checked_scale(state_scale: ArrayLike, inputs: int) -> Array:
    scale = as_float(state_scale, "state_scale")
    if scale.shape not in ((), (1,), (inputs,)) or not (np.abs(scale) >= 1.0 / LARGEST).all():
        raise GameError(f"state_scale: expected numbers other than 0 of shape {(inputs,)}, got {state_scale!r}")
    return frozen(np.array(np.broadcast_to(scale, (inputs,))))


def censored_log_density(actions: Array, mean: Array, scale: float, low: Array, high: Array) -> Array:
    """Return the log-density, at a bound the log-probability, of clip(N(mean, scale^2), low, high), entry by entry."""
    inside = -0.5 * ((actions - mean) / scale) ** 2 - np.log(scale) - LOG_ROOT_TWO_PI
    below, above = scipy.special.log_ndtr((low - mean) / scale), scipy.special.log_ndtr((mean - high) / scale)
    return np.where(actions <= low, below, np.where(actions >= high, above, inside))


def censored_score(actions: Array, mean: Array, scale: float, low: Array, high: Array) -> Array:
    """Return the derivative of :func:`censored_log_density` by the mean, entry by entry."""
    below, above = -_hazard((low - mean) / scale) / scale, _hazard((mean - high) / scale) / scale
    inside = (actions - mean) / scale**2
    return np.where(actions <= low, below, np.where(actions >= high, above, inside))


def _hazard(z: Array) -> Array:
    """Return d log Phi(z) / dz, accurate in both tails."""
    return np.asarray(np.exp(-0.5 * z**2 - LOG_ROOT_TWO_PI - scipy.special.log_ndtr(z)))


class ClippedGaussianPolicy(SampledCommitment):
    """The parameters of the leader's policy, a = clip(mean_x(s) + scale * noise, low, high).

    Parameters
    ----------
    network
        The mean.
    space
        Of the leader's action, finite.
    scale
        Standard deviation of the noise, in units of the action.
    bound
        Parameters lie in [-bound, bound].
    """

    changes = frozenset({"leader_policy"})
    #: Actions at a bound have a probability of their own, so the law is no Gaussian.
    clips_actions = True

    def __init__(self, network: MeanNetwork, space: Box, *, scale: float, bound: float) -> None:
        if not isinstance(network, MeanNetwork):
            raise GameError(f"network: expected a MeanNetwork, got {type(network).__name__}")
        limit = require_positive(bound, "bound", GameError)
        super().__init__(-limit, limit, (network.size,))
        self.network = network
        self.scale = require_positive(scale, "scale", GameError)
        if not 1.0 / LARGEST <= self.scale**2 <= LARGEST:
            raise GameError(f"scale: expected a number whose square is one, got {scale!r}")
        self.least, self.greatest = _finite_bounds(space, network.outputs)

    def mean(self, x: Array, states: Array) -> Array:
        """Return the mean before clipping, shape (T, A)."""
        return self.network.mean(x, states)

    def draw(self, rng: np.random.Generator, x: Array, states: Array) -> Array:
        """Draw the leader's actions, shape (T, A)."""
        mean = self.network.mean(x, states)
        noisy = mean + self.scale * rng.standard_normal(mean.shape)
        return np.asarray(np.clip(noisy, self.least, self.greatest))

    def effect_at(self, x: Array, samples: Samples) -> SampledEffect:
        """Return log f(a_t | s_t)."""
        mean = self.network.mean(x, samples.state)
        each = censored_log_density(samples.leader_action, mean, self.scale, self.least, self.greatest)
        return SampledEffect(leader_policy=each.sum(axis=1))

    def vjp_at(self, x: Array, samples: Samples, cotangents: StepCotangents) -> Array:
        """Return sum_t w_t d log f(a_t | s_t) / dx for the weights w of the samples."""
        if cotangents.leader_policy is None:
            return np.zeros(self.shape)
        outputs = self.network.activations(x, samples.state)
        score = censored_score(samples.leader_action, outputs[-1], self.scale, self.least, self.greatest)
        return self.network.vjp(x, outputs, score * cotangents.leader_policy[:, None])


def _finite_bounds(space: object, size: int) -> tuple[Array, Array]:
    from gymnasium.spaces import Box

    if not isinstance(space, Box) or space.shape != (size,) or not space.is_bounded():
        raise GameError(f"space: expected a bounded Box of shape {(size,)}, as the network has outputs, got {space!r}")
    return frozen(space.low.astype(np.float64)), frozen(space.high.astype(np.float64))


def policy_network(policy: str, hidden: Sequence[int], state_scale: ArrayLike, outputs: int, seed: int) -> MeanNetwork:
    """Return the mean that an environment's arguments ``policy`` and ``hidden`` name.

    Raises
    ------
    GameError
        A policy that is neither "linear" nor "mlp", or hidden units with a linear one.
    """
    if require_text(policy, "policy") not in POLICIES:
        raise GameError(f"policy: expected 'linear' or 'mlp', got {policy!r}")
    units = _checked_units(hidden) if policy == "mlp" else []
    if policy == "mlp" and not units:
        raise GameError("hidden: expected the units of at least one layer for policy='mlp', got none")
    scale = as_float(state_scale, "state_scale")
    return MeanNetwork(scale.size, outputs, hidden=units, state_scale=scale, seed=seed)
