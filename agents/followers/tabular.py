"""What tabular learners share: a table, a rate, exploration, and a simulator to play in."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np

from agents.followers.base import FollowerConfig, FollowerView, TableFollower, gibbs
from agents.options import Count, Probability, Share
from agents.state import stateful
from stackelberg_envs.arrays import Array

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

    steps: Count = 20_000
    first_steps: Count | None = None
    least_step: Share = 0.05
    exploration: Probability = 0.1
    initial_q: float = 0.0


class TabularLearner(TableFollower):
    """Learns in its own copy of the environment; its table stays when the commitment changes.

    An iteration is one follower step. When the leader watches, it plays its Gibbs policy without exploration.
    """

    Config = TabularLearnerConfig
    state_fields = stateful.fields(visits=stateful.Array(lambda self: self.table_shape, low=0.0, optional=True))

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
