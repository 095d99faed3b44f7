"""BC-HG: the Boltzmann-covariance hypergradient from observed trajectories.

Kudo et al., "Sample-Efficient Hypergradient Estimation for Decentralized Bi-Level Reinforcement Learning",
ICAPS 2026, arXiv 2603.14867. Deviations from the paper: docs/reproduction.md.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np

from agents.estimators import (
    BehaviourEstimate,
    StepCotangents,
    ValueEstimates,
    boltzmann_covariance,
    make_critic,
    tabulate,
)
from agents.estimators.counts import Player, TabularCounts
from agents.estimators.critics import Critic, EvaluationTask
from agents.estimators.temperature import TemperatureEstimate
from agents.estimators.vector import Rule, VectorEstimator, make_vector_estimator
from agents.leaders.base import GradientConfig, GradientLeader, register_leader
from agents.observing.brief import Brief, Information
from agents.observing.trajectories import Trajectories
from agents.options import Natural, NonNegative, option
from agents.state import stateful
from stackelberg_envs.arrays import Array
from stackelberg_envs.games.commitments.base import Commitment

__all__ = ["Bchg", "BchgConfig"]


@dataclass(frozen=True)
class BchgConfig(GradientConfig):
    """Hyperparameters of BC-HG.

    Attributes
    ----------
    critic
        The leader's critic: "lstd", "expected_sarsa" or "monte_carlo". On batched games "lstd", "monte_carlo" or,
        where the commitment changes the leader's policy only, "fitted".
    memory
        Weight of the last estimate of the follower's policy, in visits.
    privileged
        For ablations: what the leader is told instead of estimating it, among "temperature" and "behaviour" (the
        follower's policy). Its declared level is then RESPONSE.
    features
        On batched games, of the critics: "quadratic", "local", "fourier" or "network"; see
        :mod:`agents.estimators.state_features`.
    trace
        On batched games: "mean" replaces averages over single steps by fitted means, "sampled" is as published; see
        :mod:`agents.estimators.vector`.
    replay
        On batched games: past steps that the critic "fitted" keeps beside the present ones, whole updates.
    """

    critic: Literal["lstd", "expected_sarsa", "monte_carlo", "fitted"] = "lstd"
    memory: NonNegative = option(1.0, kinds=["tabular"])
    privileged: tuple[Literal["temperature", "behaviour"], ...] = option((), kinds=["tabular"])
    features: Literal["quadratic", "local", "fourier", "network"] = option("quadratic", kinds=["batched"])
    trace: Literal["mean", "sampled"] = option("mean", kinds=["batched"])
    replay: Natural = option(4_000, kinds=["batched"])


@register_leader("bchg")
class Bchg(GradientLeader):
    """BC-HG: with tables, or in batched games with least squares.

    For configurations it uses actions only. For policy or transition commitments it also evaluates the
    follower from its observed rewards, with the entropy bonus. Where the game keeps the temperature private it is
    estimated, again from the follower's rewards.
    """

    information = Information.REWARDS_OBSERVED
    Config = BchgConfig
    kinds = frozenset({"tabular", "batched"})
    uses_temperature: ClassVar[bool] = True
    rule: ClassVar[Rule] = Rule()
    state_fields = stateful.fields(
        _reward_range=stateful.Number(low=0.0),
        **{
            name: stateful.Part(optional=True)
            for name in ("sampled", "behaviour", "counts", "critic", "follower_critic", "temperature_estimate")
        },
    )

    def __init__(self, brief: Brief, config: Any, rng: np.random.Generator) -> None:
        super().__init__(brief, config, rng)
        self.sampled: VectorEstimator | None = None
        self._reward_range = 0.0
        if brief.kind == "batched":
            settings = config.critic, config.features, config.trace, self.rule, rng, config.replay
            self.sampled = make_vector_estimator(brief, *settings)
        else:
            self._start_tables(brief, config, rng)

    def _start_tables(self, brief: Brief, config: Any, rng: np.random.Generator) -> None:
        self.behaviour = BehaviourEstimate(brief.table_shape, config.memory)
        self.counts = TabularCounts(brief.table_shape, stationary="transition" not in brief.commitment.changes)
        self.critic = self.make_critic(brief.leader_discount)
        self.follower_critic = self.make_critic(brief.follower_discount)
        self.privileged = frozenset(config.privileged)
        self.temperature_estimate: TemperatureEstimate | None = None
        if self.uses_temperature and brief.temperature is None:
            self.temperature_estimate = TemperatureEstimate(self.counts, brief.follower_discount)

    def make_critic(self, discount: float) -> Critic:
        """Return a fresh critic of the kind that was asked for."""
        return make_critic(self.config.critic, self.counts, discount)

    @classmethod
    def needs(cls, commitment: Commitment) -> Information:
        """Actions are enough unless the commitment changes the leader's policy or the dynamics."""
        if commitment.changes & {"leader_policy", "transition"}:
            return Information.REWARDS_OBSERVED
        return Information.ACTIONS_ONLY

    @classmethod
    def declared(cls, commitment: Commitment, config: Any, *, public_temperature: bool = True) -> Information:
        """Private temperatures are estimated from the follower's rewards; privileged truths need its response."""
        level = cls.needs(commitment)
        if getattr(config, "privileged", ()):
            return max(level, Information.RESPONSE)
        if cls.uses_temperature and not public_temperature:
            return max(level, Information.REWARDS_OBSERVED)
        return level

    def gradient(self, trajectories: Trajectories) -> tuple[Array, dict[str, float]]:
        """Update the critics, then estimate dJ/dx."""
        if self.sampled is not None:
            return self.sampled.gradient(trajectories)
        values, diagnostics = self.estimate_values(trajectories)
        commitment = self.brief.commitment
        effect = commitment.effect(trajectories.commitment)
        cotangents = tabulate(
            self.coefficients(trajectories, values),
            trajectories,
            self.brief.array_shape,
            wanted=commitment.changes,
            leader_policy=values.leader_policy,
            transition=None if effect.transition is None else effect.transition.joint(self.brief.num_contexts),
        )
        return commitment.vjp(trajectories.commitment, cotangents), diagnostics

    def coefficients(self, trajectories: Trajectories, values: ValueEstimates) -> StepCotangents:
        """Return the coefficients of the recorded steps; `naive` replaces this."""
        return boltzmann_covariance(
            trajectories,
            values,
            leader_discount=self.brief.leader_discount,
            follower_discount=self.brief.follower_discount,
            temperature=self.temperature(),
        )

    def temperature(self) -> float:
        """Return the follower's temperature, reward units: the public one, or the estimate.

        While there is none it is taken to be of the size of the rewards: the range of those seen of the follower.
        """
        if self.brief.temperature is not None:
            return self.brief.temperature
        estimate = None if self.temperature_estimate is None else self.temperature_estimate.temperature
        return estimate or self._reward_range or 1.0

    def estimate_values(self, trajectories: Trajectories) -> tuple[ValueEstimates, dict[str, float]]:
        """Estimate the follower's policy by counts, Q_L by the critic and, where needed, temperature and V_F."""
        policy = self.brief.joint_leader_policy(trajectories.commitment)
        behaviour = self._behaviour(trajectories)
        announced = self._count(trajectories)
        task = EvaluationTask(trajectories, "leader", policy, behaviour, announced_reward=announced["leader"])
        diagnostics = {"critic_error": self.critic.update(task)}
        follower_task = replace(task, player="follower", announced_reward=announced.get("follower"))
        if self.temperature_estimate is not None:
            self._reward_range = max(self._reward_range, float(np.ptp(follower_task.rewards)))
            self.temperature_estimate.update(follower_task)
            diagnostics["temperature"] = self.temperature()
        soft_values = None
        if self.uses_follower_values():
            soft_values, diagnostics["follower_critic_error"] = self._follower_values(follower_task)
        return ValueEstimates(policy, behaviour, self.critic.q, soft_values), diagnostics

    def _count(self, trajectories: Trajectories) -> dict[Player, Array | None]:
        """Count the play where that is read; return what the commitment pays, by player whose rewards are used."""
        x = trajectories.commitment
        announced: dict[Player, Array | None] = {"leader": self.brief.own_reward(x, "leader_reward")}
        if self.temperature_estimate is not None or self.uses_follower_values():
            announced["follower"] = self.brief.own_reward(x, "follower_reward")
        if self.critic.uses_counts or self.temperature_estimate is not None:
            self.counts.observe(trajectories, announced)
        return announced

    def _behaviour(self, trajectories: Trajectories) -> Array:
        """Return g, shape (Z, A, B): estimated from the play, or the truth where that was asked for."""
        if "behaviour" in self.privileged and trajectories.response is not None:
            return trajectories.response
        return self.behaviour.update(trajectories)

    def uses_follower_values(self) -> bool:
        """Whether V_F enters the gradient."""
        return self.needs(self.brief.commitment) >= Information.REWARDS_OBSERVED

    def _follower_values(self, task: EvaluationTask) -> tuple[Array, float]:
        """Estimate V_F(z, a) by evaluating the observed behaviour with its entropy."""
        bonus = -self.temperature() * np.log(np.where(task.behaviour > 0, task.behaviour, 1.0))
        error = self.follower_critic.update(replace(task, entropy_bonus=bonus))
        return np.einsum("zab,zab->za", task.behaviour, self.follower_critic.q + bonus), error
