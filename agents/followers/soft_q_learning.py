"""Tabular soft Q-learning: a follower that learns its response from its own play."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from agents import kernels
from agents.followers.base import Follower, FollowerView, register_follower
from stackelberg_envs.arrays import Array, require_count
from stackelberg_envs.errors import ArgumentError

__all__ = ["SoftQLearning", "SoftQLearningConfig"]


@dataclass(frozen=True)
class SoftQLearningConfig:
    """Hyperparameters of soft Q-learning.

    Attributes
    ----------
    steps
        Follower steps after each commitment.
    first_steps
        Follower steps after the first commitment, when the table is still empty; None takes `steps`.
    least_step
        The step size is 1 / visits since the last commitment, but at least this.
    exploration
        Probability of an even draw instead of the Gibbs policy.
    initial_q
        Value of untried actions, reward units; optimistic values make the follower explore.
    restart
        Whether the table is emptied at each new commitment.
    """

    steps: int = 20_000
    first_steps: int | None = None
    least_step: float = 0.05
    exploration: float = 0.1
    initial_q: float = 0.0
    restart: bool = False


@register_follower("soft_q_learning")
class SoftQLearning(Follower):
    """Learns in its own copy of the environment; its table stays when the commitment changes."""

    Config = SoftQLearningConfig

    def __init__(self, config: Any, rng: np.random.Generator) -> None:
        super().__init__(config, rng)
        require_count(config.steps, "steps")
        if not 0.0 < config.least_step <= 1.0:
            raise ArgumentError(f"least_step: expected a number in (0, 1], got {config.least_step!r}")
        if not 0.0 <= config.exploration <= 1.0:
            raise ArgumentError(f"exploration: expected a probability, got {config.exploration!r}")
        self._q: Array | None = None

    def learn(self, view: FollowerView) -> int:
        """Play and learn for the configured number of steps."""
        game = view.primitives
        shape = game.follower_reward.shape
        steps = int(self.config.steps)
        if self._q is None or self.config.restart:
            steps = steps if self.config.first_steps is None else self.config.first_steps
            self._q = np.full(shape, self.config.initial_q)
        kernels.soft_q_learning(
            self.rng,
            np.cumsum(game.initial),
            game.leader_policy,
            game.follower_reward,
            game.transition.successors,
            game.transition.probabilities,
            game.continuing,
            view.game.horizon,
            game.follower_discount,
            game.temperature,
            self.config.least_step,
            self.config.exploration,
            steps,
            np.zeros(shape),
            self._q,
        )
        self.policy = _gibbs(self._q, game.temperature)
        return steps


def _gibbs(q: Array, temperature: float) -> Array:
    weights = np.exp((q - q.max(axis=-1, keepdims=True)) / temperature)
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True))
