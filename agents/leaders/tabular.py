"""What gradient leaders with tables share: critics, the follower's soft values, and the way from steps to dJ/dx."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from agents.estimators import StepCotangents, tabulate
from agents.estimators.counts import TabularCounts
from agents.estimators.critics import Critic, EvaluationTask, make_critic
from agents.leaders.base import GradientLeader
from agents.observing.brief import TabularBrief
from agents.observing.trajectories import Trajectories
from agents.state import stateful
from stackelberg_envs.arrays import Array
from stackelberg_envs.games.cotangents import Cotangents

__all__ = ["TabularGradientLeader"]


class TabularGradientLeader(GradientLeader):
    """A gradient leader with a critic of the follower, of the kind that the option `critic` names."""

    brief: TabularBrief
    follower_critic: Critic
    state_fields = stateful.fields(counts=stateful.Part(), follower_critic=stateful.Part())

    def __init__(self, brief: TabularBrief, config: Any, rng: np.random.Generator) -> None:
        super().__init__(brief, config, rng)
        stationary = "transition" not in brief.commitment.changes
        self.counts = TabularCounts(brief.table_shape, brief.num_contexts, stationary=stationary)

    def make_critic(self, discount: float) -> Critic:
        """Return a fresh critic of the kind that was asked for."""
        return make_critic(self.config.critic, self.counts, discount)

    def soft_values(self, task: EvaluationTask, temperature: float) -> tuple[Array, float]:
        """Return V_F, shape (Z, A), from evaluating the observed behaviour with its entropy, and the critic's error."""
        bonus = -temperature * np.log(np.where(task.behaviour > 0, task.behaviour, 1.0))
        error = self.follower_critic.update(replace(task, entropy_bonus=bonus))
        return np.einsum("zab,zab->za", task.behaviour, self.follower_critic.q + bonus), error

    def tabulated(self, coefficients: StepCotangents, steps: Trajectories, policy: Array) -> Cotangents:
        """Return the sums of the coefficients of recorded steps over their cells, as the commitment takes them."""
        return tabulate(
            coefficients,
            steps,
            self.brief.array_shape,
            wanted=self.brief.commitment.changes,
            leader_policy=policy,
            transition=self.brief.joint_transition(steps.commitment),
        )
