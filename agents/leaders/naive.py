"""Naive policy gradient: ascend the direct term, as if the follower's response were fixed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from agents.estimators import StepCotangents, ValueEstimates, score_function
from agents.estimators.vector import Rule, VectorEstimator, make_vector_estimator
from agents.leaders.base import GradientConfig, register_leader
from agents.leaders.bchg import TabularBchg, VectorBchg
from agents.observing.brief import Information
from agents.observing.trajectories import Trajectories
from agents.options import Natural
from agents.state import stateful
from stackelberg_envs.games.commitments.base import Commitment

__all__ = ["TabularNaive", "VectorNaive", "VectorNaiveConfig"]


@register_leader("naive")
class TabularNaive(TabularBchg):
    """BC-HG without its trace: the baseline of both papers."""

    information = Information.ACTIONS_ONLY
    with_response = False
    state_fields = stateful.fields()

    @classmethod
    def required_information(
        cls, commitment: Commitment, config: Any, *, public_temperature: bool = True
    ) -> Information:
        """Actions are always enough, but for privileged truths."""
        del commitment, public_temperature
        return Information.RESPONSE if config.privileged else Information.ACTIONS_ONLY

    def coefficients(self, trajectories: Trajectories, values: ValueEstimates) -> StepCotangents:
        """Return the coefficients of the direct term."""
        return score_function(trajectories, values, leader_discount=self.brief.leader_discount)


@dataclass(frozen=True)
class VectorNaiveConfig(GradientConfig):
    """Hyperparameters of the naive leader in batched games, as those of `bchg`: it has no trace.

    Attributes
    ----------
    critic
        The leader's critic: "lstd", "monte_carlo" or, where the commitment changes the leader's policy only, "fitted".
    features
        Of the critic: "quadratic", "local" or "network"; see :mod:`agents.estimators.state_features`.
    replay
        Past steps that the critic "fitted" keeps beside the present ones, whole updates.
    """

    critic: Literal["lstd", "monte_carlo", "fitted"] = "lstd"
    features: Literal["quadratic", "local", "network"] = "quadratic"
    replay: Natural = 4_000


@register_leader("naive")
class VectorNaive(VectorBchg):
    """BC-HG without its trace, in batched games."""

    information = Information.ACTIONS_ONLY
    Config: ClassVar[type[Any]] = VectorNaiveConfig
    state_fields = stateful.fields()

    @classmethod
    def required_information(
        cls, commitment: Commitment, config: Any, *, public_temperature: bool = True
    ) -> Information:
        """Actions are always enough."""
        del commitment, config, public_temperature
        return Information.ACTIONS_ONLY

    def make_estimator(self) -> VectorEstimator:
        """Return the estimator of the direct term."""
        config, rule = self.config, Rule(with_response=False)
        return make_vector_estimator(
            self.brief, config.critic, config.features, "expected", rule, self.rng, config.replay
        )
