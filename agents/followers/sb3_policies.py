"""What models of stable-baselines3 play in games of vectors: observations in batch, actions drawn by NumPy.

A response keeps a copy of the model's policy as it was; later training does not change it.
"""

from __future__ import annotations

import importlib
import io
import math
from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array, IntArray
from stackelberg_envs.errors import ArgumentError
from stackelberg_envs.games.leader_policies import LOG_ROOT_TWO_PI, censored_log_density
from stackelberg_envs.games.samples import Actions

from ..learning.networks import one_thread
from .sac import ActionBox

__all__ = ["Categories", "ClippedNormal", "Greedy", "Observations", "SquashedNormal", "policy_of"]


class Observations:
    """What a follower observes in play of batches, with the time hidden.

    Parameters
    ----------
    env
        A :class:`stackelberg_envs.faces.gymnasium_views.FollowerEnv` of a vector game; its present commitment
        is the one shown.
    """

    def __init__(self, env: Any) -> None:
        self._layout, self._width = dict(env.observation_layout), env.observation_space.shape[0]
        self._K = env.game.num_contexts
        self._x = env.game.commitment.project(env.commitment).ravel()

    def __call__(self, states: Array, leader_actions: Array, contexts: IntArray) -> NDArray[np.float32]:
        """Return the observations of n copies as rows."""
        parts = {
            "state": states,
            "leader_action": leader_actions,
            "context": np.eye(self._K)[contexts],
            "commitment": self._x,
            "phase": (0.0, 1.0),
        }
        rows = np.zeros((len(states), self._width), dtype=np.float32)
        for name, values in parts.items():
            if name in self._layout:
                rows[:, self._layout[name]] = values
        return rows


class _Response(ABC):
    """A frozen network that is asked row by row.

    Parameters
    ----------
    network
        A policy of stable-baselines3.
    space
        Of the actions.
    observations
        What it is shown.
    """

    def __init__(self, network: Any, space: Any, observations: Observations) -> None:
        self.network, self.space, self.observations = network, space, observations

    def ask(self, states: Array, leader_actions: Array, contexts: IntArray) -> Any:
        """Return what the network says of n copies."""
        rows = self.observations(states, leader_actions, contexts)
        with one_thread(), importlib.import_module("torch").no_grad():
            return self.read(rows)

    @abstractmethod
    def read(self, rows: NDArray[np.float32]) -> Any:
        """Return what :meth:`ask` is to return, of observations."""

    def seen(self, rows: NDArray[np.float32]) -> Any:
        """Return observations as the network takes them."""
        return self.network.obs_to_tensor(rows)[0]


class ClippedNormal(_Response):
    """Independent normal numbers, clipped to the box: what PPO and A2C play.

    The law of such an action has a density inside the box and an atom at each bound; log-densities count the atoms as
    probabilities.
    """

    def read(self, rows: NDArray[np.float32]) -> tuple[Array, Array]:
        """Return means and standard deviations, each of shape (n, B)."""
        normal = self.network.get_distribution(self.seen(rows)).distribution
        return _doubles(normal.mean), _doubles(normal.stddev)

    def sample(self, rng: np.random.Generator, states: Array, leader_actions: Array, contexts: IntArray) -> Array:
        """Draw actions, shape (n, B)."""
        mean, scale = self.ask(states, leader_actions, contexts)
        drawn = mean + scale * rng.standard_normal(mean.shape)
        return np.asarray(np.clip(drawn, *self._bounds))

    def log_prob(self, states: Array, leader_actions: Array, contexts: IntArray, actions: Actions) -> Array:
        """Return the sum over the entries of log-densities, of log-probabilities at the bounds, shape (n,)."""
        mean, scale = self.ask(states, leader_actions, contexts)
        return np.asarray(censored_log_density(np.asarray(actions), mean, scale, *self._bounds).sum(axis=1))

    @property
    def _bounds(self) -> tuple[Array, Array]:
        return self.space.low.astype(np.float64), self.space.high.astype(np.float64)


class SquashedNormal(_Response):
    """Normal numbers squashed by tanh into the box: what SAC plays."""

    def read(self, rows: NDArray[np.float32]) -> tuple[Array, Array]:
        """Return means and logs of standard deviations before squashing, each of shape (n, B)."""
        mean, log_scale, _ = self.network.actor.get_action_dist_params(self.seen(rows))
        return _doubles(mean), _doubles(log_scale)

    def sample(self, rng: np.random.Generator, states: Array, leader_actions: Array, contexts: IntArray) -> Array:
        """Draw actions, shape (n, B)."""
        mean, log_scale = self.ask(states, leader_actions, contexts)
        return self._box.actions(mean + np.exp(log_scale) * rng.standard_normal(mean.shape))

    def log_prob(self, states: Array, leader_actions: Array, contexts: IntArray, actions: Actions) -> Array:
        """Return the log-density of actions, in the units of the box, shape (n,)."""
        mean, log_scale = self.ask(states, leader_actions, contexts)
        y = self._box.numbers(np.asarray(actions))
        density = -0.5 * ((y - mean) * np.exp(-log_scale)) ** 2 - log_scale - LOG_ROOT_TWO_PI
        return np.asarray(density.sum(axis=1) - self._box.log_slope(y))

    @property
    def _box(self) -> ActionBox:
        return ActionBox(self.space, math.inf)


class Categories(_Response):
    """One distribution for each component of a discrete action: what PPO and A2C play."""

    def read(self, rows: NDArray[np.float32]) -> list[Array]:
        """Return each component's log-probabilities, shape (n, number of its values)."""
        found = self.network.get_distribution(self.seen(rows)).distribution
        parts = [_doubles(part.logits) for part in (found if isinstance(found, list) else [found])]
        return [part - np.logaddexp.reduce(part, axis=1, keepdims=True) for part in parts]

    def sample(
        self, rng: np.random.Generator, states: Array, leader_actions: Array, contexts: IntArray
    ) -> NDArray[np.int64]:
        """Draw actions, shape (n, B)."""
        parts = self.ask(states, leader_actions, contexts)
        uniform = rng.random((len(states), len(parts)))
        drawn = [_drawn(np.exp(part), uniform[:, i]) for i, part in enumerate(parts)]
        return np.stack(drawn, axis=1).astype(np.int64)

    def log_prob(self, states: Array, leader_actions: Array, contexts: IntArray, actions: Actions) -> Array:
        """Return the log-probability of actions, shape (n,)."""
        parts = self.ask(states, leader_actions, contexts)
        rows = np.arange(len(states))
        return np.asarray(sum(part[rows, np.asarray(actions)[:, i]] for i, part in enumerate(parts)))


class Greedy(_Response):
    """One action in each state: what TD3, DDPG and DQN play."""

    def read(self, rows: NDArray[np.float32]) -> NDArray[Any]:
        """Return the actions, shape (n, B)."""
        actions, _ = self.network.predict(rows, deterministic=True)
        return np.asarray(actions).reshape(len(rows), -1)

    def sample(self, rng: np.random.Generator, states: Array, leader_actions: Array, contexts: IntArray) -> Actions:
        """Return the actions, shape (n, B); nothing is drawn."""
        del rng
        actions = self.ask(states, leader_actions, contexts)
        return np.asarray(actions, dtype=np.int64 if actions.dtype.kind in "iu" else np.float64)

    def log_prob(self, states: Array, leader_actions: Array, contexts: IntArray, actions: Actions) -> Array:
        """Raise ArgumentError: there is no density."""
        raise ArgumentError(
            "sb3: expected an algorithm with a distribution over actions, such as PPO or SAC, for log_prob; "
            f"the response of {type(self.network).__name__} is one action in each state"
        )


#: By the name of the distribution class of stable-baselines3.
KINDS: dict[str, type[Any]] = {
    "NoneType": Greedy,
    "DiagGaussianDistribution": ClippedNormal,
    "SquashedDiagGaussianDistribution": SquashedNormal,
    "CategoricalDistribution": Categories,
    "MultiCategoricalDistribution": Categories,
}


def policy_of(model: Any, env: Any) -> Any:
    """Return what a model plays under the environment's present commitment.

    Parameters
    ----------
    model
        A model of stable-baselines3.
    env
        The environment it was trained in, as for :class:`Observations`.

    Raises
    ------
    ArgumentError
        A distribution that is not known here, such as that of ``use_sde``.
    """
    actor = model.policy if hasattr(model.policy, "action_dist") else getattr(model.policy, "actor", None)
    distribution = type(getattr(actor, "action_dist", None)).__name__
    if distribution not in KINDS:
        known = ", ".join(name for name in KINDS if name != "NoneType")
        raise ArgumentError(f"sb3: expected a distribution over actions among {known}, got {distribution}")
    return KINDS[distribution](_frozen(model.policy), model.action_space, Observations(env))


def _frozen(policy: Any) -> Any:
    """Return a copy of a policy, made anew: graphs of the last gradient step hang on it, and those cannot be copied."""
    written = io.BytesIO()
    policy.save(written)
    written.seek(0)
    copy = type(policy).load(written, device="cpu")
    copy.set_training_mode(False)
    return copy


def _doubles(tensor: Any) -> Array:
    return np.asarray(tensor.numpy(), dtype=np.float64)


def _drawn(probabilities: Array, uniform: Array) -> IntArray:
    """Return the value that each uniform number falls on, shape (n,)."""
    sums = np.cumsum(probabilities, axis=1)
    return np.asarray((sums[:, :-1] <= (uniform * sums[:, -1])[:, None]).sum(axis=1))
