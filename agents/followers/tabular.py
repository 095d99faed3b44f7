"""What tabular learners share: a table, a rate, exploration, and a simulator to play in."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np

from agents.followers.base import FollowerConfig, FollowerView, TableFollower, gibbs
from stackelberg_envs.arrays import Array, require_count
from stackelberg_envs.errors import ArgumentError

__all__ = ["TabularLearner", "TabularLearnerConfig"]


@dataclass(frozen=True)
class TabularLearnerConfig(FollowerConfig):
    """Hyperparameters of tabular learners.

    Attributes
    ----------
    steps
        Follower steps after each commitment.
    first_steps
        Follower steps when the table is empty; None takes `steps`.
    least_step
        The step size is 1 / visits since the last commitment, but at least this.
    exploration
        Probability of an even draw instead of the Gibbs policy.
    initial_q
        Value of untried actions, reward units; optimistic values make the follower explore.
    """

    steps: int = 20_000
    first_steps: int | None = None
    least_step: float = 0.05
    exploration: float = 0.1
    initial_q: float = 0.0


class TabularLearner(TableFollower):
    """Learns in its own copy of the environment; its table stays when the commitment changes.

    An iteration is one follower step. When the leader watches, it plays its Gibbs policy without exploration.
    """

    Config = TabularLearnerConfig

    def __init__(self, config: Any, rng: np.random.Generator) -> None:
        super().__init__(config, rng)
        require_count(config.steps, "steps")
        if config.first_steps is not None:
            require_count(config.first_steps, "first_steps")
        if not 0.0 < config.least_step <= 1.0:
            raise ArgumentError(f"least_step: expected a number in (0, 1], got {config.least_step!r}")
        if not 0.0 <= config.exploration <= 1.0:
            raise ArgumentError(f"exploration: expected a probability, got {config.exploration!r}")
        if not np.isfinite(config.initial_q):
            raise ArgumentError(f"initial_q: expected a finite number, got {config.initial_q!r}")

    def begin(self, view: FollowerView) -> None:
        """Start with `initial_q` everywhere."""
        self.q = np.full(view.primitives.follower_reward.shape, self.config.initial_q, dtype=np.float64)
        self.visits = np.zeros_like(self.q)

    def adapt(self, view: FollowerView) -> int:
        """Play and learn for the configured number of steps."""
        first = self.config.first_steps
        steps = int(first if self.fresh and first is not None else self.config.steps)
        self.visits = np.zeros_like(self.q)
        self.iterate(view, steps)
        return steps

    def iterate(self, view: FollowerView, iterations: int) -> None:
        """Play and learn for so many steps; an episode begins with the first of them."""
        game = view.primitives
        self.kernel(
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
            iterations,
            self.visits,
            self.q,
        )
        self.policy: Array = gibbs(self.q, game.temperature)

    @staticmethod
    @abstractmethod
    def kernel(*arguments: Any) -> int:
        """Play and learn in arrays; see :func:`agents.kernels.soft_q_learning` for the arguments."""
