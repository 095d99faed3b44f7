"""Naive policy gradient: ascend the direct term, as if the follower's response were fixed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from agents.estimators import StepCotangents, ValueEstimates, score_function
from agents.estimators.vector import Rule
from agents.leaders.base import GradientConfig, register_leader
from agents.leaders.bchg import TabularBchg, VectorBchg
from agents.observing.brief import Information
from agents.observing.trajectories import Trajectories
from agents.options import Natural
from agents.state import stateful

__all__ = ["TabularNaive", "VectorNaive", "VectorNaiveConfig"]


@register_leader("naive")
class TabularNaive(TabularBchg):
    """Policy gradient that ignores the reaction.

    BC-HG without its trace: the baseline of both papers.
    """

    information = Information.ACTIONS_ONLY
    with_response = False
    state_fields = stateful.fields()

    def coefficients(self, trajectories: Trajectories, values: ValueEstimates) -> StepCotangents:
        """Return the coefficients of the direct term."""
        return score_function(trajectories, values, leader_discount=self.brief.leader_discount)


@dataclass(frozen=True)
class VectorNaiveConfig(GradientConfig):
    """Hyperparameters of the naive leader in vector games, as those of `bchg`: it has no trace.

    Attributes
    ----------
    critic
        The leader's critic: "lstd", "monte_carlo" or, where the commitment changes the leader's policy only, "fitted".
    features
        Of the critic: "quadratic", "local" or "network"; see :mod:`agents.estimators.regression`.
    replay
        Past steps that the critic "fitted" keeps beside the present ones, whole updates.
    """

    critic: Literal["lstd", "monte_carlo", "fitted"] = "lstd"
    features: Literal["quadratic", "local", "network"] = "quadratic"
    replay: Natural = 4_000
    trace: ClassVar[str] = "expected"


@register_leader("naive")
class VectorNaive(VectorBchg):
    """Policy gradient that ignores the reaction.

    BC-HG without its trace, in vector games.
    """

    information = Information.ACTIONS_ONLY
    Config: ClassVar[type[Any]] = VectorNaiveConfig
    rule = Rule(with_response=False)
    state_fields = stateful.fields()
