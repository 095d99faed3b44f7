"""Any algorithm of stable-baselines3 in a Gymnasium environment that nobody looks into."""

from __future__ import annotations

import copy
import importlib
import io
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from stackelberg_envs.errors import ArgumentError, OutputError
from stackelberg_envs.validation import shown

from ..state import stateful
from ..state.tree import Tree
from .base import register_follower
from .learners import Learner, LearnerConfig, LearningFollower
from .sb3 import algorithm_named, buffered, fill

__all__ = ["EnvironmentSb3", "EnvironmentSb3Config"]


@dataclass(frozen=True)
class EnvironmentSb3Config(LearnerConfig):
    """Options of the wrapper in environments.

    Attributes
    ----------
    algorithm
        A class of stable-baselines3 ("DQN", "PPO", "A2C", "SAC", "TD3", "DDPG"), or "module:Class" for one from
        elsewhere.
    policy
        The kind of network, as the algorithm names it.
    model_options
        Further arguments of the algorithm, such as ``{"learning_rate": 1e-3}``.
    """

    algorithm: str = "PPO"
    policy: str = "MlpPolicy"
    model_options: dict[str, Any] = field(default_factory=dict)


@register_follower("sb3")
class EnvironmentSb3(LearningFollower):
    """Any fitting algorithm of stable-baselines3, in any Gymnasium environment.

    It trains a network in the environment under the commitment, and goes on from there under the next one. Algorithms
    with a distribution over discrete actions play by that distribution, the others their best action.
    """

    Config = EnvironmentSb3Config
    storable = needs_trust = True
    state_fields = stateful.fields()

    def __init__(self, config: Any, rng: np.random.Generator) -> None:
        super().__init__(config, rng)
        self._algorithm = algorithm_named(config.algorithm)

    def make_learner(self, env: Any) -> Learner:
        """Return an untrained model.

        Raises
        ------
        ArgumentError
            A PettingZoo environment, or spaces that the algorithm does not take.
        """
        if hasattr(env, "possible_agents"):
            raise ArgumentError(
                "follower 'sb3': expected a Gymnasium environment, got one of PettingZoo; soft_q_learning and learners "
                "of your own take it"
            )
        config = self.config
        options = {"device": "cpu", "seed": int(self.rng.integers(2**31)), **config.model_options}
        try:
            model = self._algorithm(config.policy, env, **options)
        except (AssertionError, TypeError, ValueError) as exc:
            raise ArgumentError(
                f"follower 'sb3': expected what {config.algorithm} takes, got policy={config.policy!r}, "
                f"model_options={shown(config.model_options)} and the spaces {env.observation_space} and "
                f"{env.action_space} ({exc})"
            ) from exc
        return _Model(model, self.rng)


class _Model:
    """A model of stable-baselines3 as a learner."""

    def __init__(self, model: Any, rng: np.random.Generator) -> None:
        self.model, self.rng = model, rng

    def __deepcopy__(self, memo: dict[int, Any]) -> _Model:
        """Return a copy that learns on by itself: networks on their way cannot be copied as objects are."""
        written = io.BytesIO()
        self.model.save(written)
        written.seek(0)
        return _Model(type(self.model).load(written, device="cpu"), copy.deepcopy(self.rng, memo))

    def state_dict(self) -> dict[str, Tree]:
        """Return the model as stable-baselines3 writes it, which holds pickles, and what is in its replay buffer."""
        written = io.BytesIO()
        self.model.save(written)
        return {"model": written.getvalue(), "buffer": buffered(self.model)}

    def load_state_dict(self, tree: Tree) -> None:
        """Take over a model.

        Raises
        ------
        OutputError
            What came is no model, or another buffer than it has.
        """
        if not isinstance(tree, dict) or tree.keys() != {"model", "buffer"} or not isinstance(tree["model"], bytes):
            raise OutputError("follower 'sb3': expected a model and its buffer, got another state")
        self.model = type(self.model).load(io.BytesIO(tree["model"]), device="cpu")
        if tree["buffer"] is not None:
            fill(self.model.replay_buffer, tree["buffer"], "follower 'sb3'")

    def learn(self, env: Any, steps: int) -> None:
        """Train, from the first step of an episode on."""
        fresh = not self.model.num_timesteps
        self.model.set_env(env, force_reset=True)
        self.model.set_random_seed(int(self.rng.integers(2**31)))
        self.model.learn(total_timesteps=steps, reset_num_timesteps=fresh)

    def act(self, observation: Any, rng: np.random.Generator) -> Any:
        """Draw from the distribution over discrete actions, where there is one, else return the best action."""
        space = self.model.action_space
        if not (hasattr(space, "start") and hasattr(self.model.policy, "get_distribution")):
            action, _ = self.model.predict(observation, deterministic=True)
            return int(action) if hasattr(space, "start") else action
        torch = importlib.import_module("torch")
        with torch.no_grad():
            tensor, _ = self.model.policy.obs_to_tensor(observation)
            row = self.model.policy.get_distribution(tensor).distribution.probs.numpy()[0].astype(np.float64)
        return int(np.searchsorted(np.cumsum(row)[:-1], rng.random(), side="right")) + int(space.start)
