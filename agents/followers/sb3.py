"""A follower trained by any algorithm of stable-baselines3 that chooses among discrete actions."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.followers.base import FollowerConfig, FollowerView, RestartingFollower, register_follower
from stackelberg_envs.arrays import Array, require_count
from stackelberg_envs.errors import ArgumentError, MissingExtraError

__all__ = ["Sb3", "Sb3Config"]

PACKAGE = "stable_baselines3"


@dataclass(frozen=True)
class Sb3Config(FollowerConfig):
    """Options of the wrapper.

    Attributes
    ----------
    algorithm
        A class of stable-baselines3 ("DQN", "PPO", "A2C"), or "module:Class" for one from elsewhere.
    network
        The name of its policy class.
    steps
        Environment steps after each commitment; algorithms that collect whole batches round up.
    first_steps
        The same when nothing has been learned yet; None takes `steps`.
    observe_commitment
        How much of the commitment the network sees: "all", "local" or "none".
    model_options
        Further arguments of the algorithm, such as ``{"learning_rate": 1e-3}``.
    """

    algorithm: str = "DQN"
    network: str = "MlpPolicy"
    steps: int = 20_000
    first_steps: int | None = None
    observe_commitment: str = "all"
    model_options: dict[str, Any] = field(default_factory=dict)


@register_follower("sb3")
class Sb3(RestartingFollower):
    """Trains a network in the follower's environment; its response is the network's policy, state by state.

    Algorithms with a distribution over actions respond with its probabilities, the others (DQN) greedily. The
    network is not shown the time, so that one table describes it.
    """

    Config = Sb3Config

    def __init__(self, config: Any, rng: np.random.Generator) -> None:
        super().__init__(config, rng)
        require_count(config.steps, "steps")
        if config.first_steps is not None:
            require_count(config.first_steps, "first_steps")
        self._algorithm = _algorithm(config.algorithm)

    def begin(self, view: FollowerView) -> None:
        """Make the environment and an untrained model."""
        self._env, shown = _environment(view, self.config.observe_commitment)
        options = {"device": "cpu", "seed": int(self.rng.integers(2**31)), **self.config.model_options}
        self.model = self._algorithm(self.config.network, shown, **options)

    def adapt(self, view: FollowerView) -> int:
        """Train under the commitment, from the first step of an episode on."""
        before = 0 if self.fresh else int(self.model.num_timesteps)
        first = self.config.first_steps
        steps = first if self.fresh and first is not None else self.config.steps
        self._env.commitment = view.commitment
        self.model.set_env(self.model.get_env(), force_reset=True)
        self.model.learn(total_timesteps=steps, reset_num_timesteps=self.fresh)
        self.policy = _table(self.model, _observations(self._env), view.primitives.follower_reward.shape)
        return int(self.model.num_timesteps) - before


def _algorithm(name: str) -> Any:
    """Return the class of an algorithm by name.

    Raises
    ------
    MissingExtraError
        stable-baselines3 is not installed.
    ArgumentError
        It has no such algorithm.
    """
    try:
        package = importlib.import_module(PACKAGE)
    except ImportError as exc:
        raise MissingExtraError(
            "sb3: this follower needs stable-baselines3, which `pip install 'stackelberg-envs[sb3]'` installs"
        ) from exc
    module, _, attribute = name.rpartition(":")
    found = getattr(importlib.import_module(module) if module else package, attribute, None)
    if not isinstance(found, type):
        raise ArgumentError(f"algorithm: expected a class of stable-baselines3 or 'module:Class', got {name!r}")
    return found


def _environment(view: FollowerView, observe_commitment: str) -> tuple[Any, Any]:
    """Return the follower's environment, and the same with the time hidden."""
    from gymnasium.wrappers import TransformObservation

    from stackelberg_envs.adapters.gymnasium_views import FollowerEnv

    env = FollowerEnv(view.game, commitment=view.commitment, observe_commitment=observe_commitment)
    time = env.observation_layout["time"]

    def hide_time(observation: Any) -> Any:
        observation[time] = 0.0
        return observation

    return env, TransformObservation(env, hide_time, env.observation_space)


def _observations(env: Any) -> NDArray[np.float32]:
    """Return what a follower sees in play in each joint state for each leader action, shape (Z * A, W)."""
    from stackelberg_envs.adapters.observations import local_rows

    game, layout, simulator = env.game, env.observation_layout, env.session.simulator
    S, A, _ = game.shape
    out = np.zeros((game.num_contexts, S, A, env.observation_space.shape[0]), dtype=np.float32)
    for s in range(S):
        row = np.zeros(out.shape[-1], dtype=np.float32)
        simulator.write_state(row, None, s)
        out[:, s] = row
    out[..., layout["phase"]] = (0.0, 1.0)
    if "leader_action" in layout:
        out[..., layout["leader_action"]] = np.eye(A)
    if "context" in layout:
        out[..., layout["context"]] = np.eye(game.num_contexts)[:, None, None]
    if "commitment" in layout:
        rows = local_rows(game, env.commitment) if env.observer.observes == "local" else None
        shown = env.commitment.ravel() if rows is None else np.asarray(rows)[:, None]
        out[..., layout["commitment"]] = shown
    return out.reshape(-1, out.shape[-1])


def _table(model: Any, observations: NDArray[np.float32], shape: tuple[int, ...]) -> Array:
    """Return the model's policy, shape (Z, A, B)."""
    if not hasattr(model.policy, "get_distribution"):
        actions, _ = model.predict(observations, deterministic=True)
        return np.eye(shape[-1])[np.asarray(actions, dtype=np.intp)].reshape(shape)
    torch = importlib.import_module("torch")
    with torch.no_grad():
        tensor, _ = model.policy.obs_to_tensor(observations)
        probabilities = model.policy.get_distribution(tensor).distribution.probs.numpy().astype(np.float64)
    return np.asarray(probabilities / probabilities.sum(axis=1, keepdims=True)).reshape(shape)
