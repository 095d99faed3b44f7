"""Naive policy gradient: ascend the direct term, as if the follower's response were fixed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from agents.estimators import StepCotangents, ValueEstimates, score_function
from agents.estimators.vector import Rule
from agents.leaders.base import register_leader
from agents.leaders.bchg import Bchg, BchgConfig
from agents.observing.brief import Information
from agents.observing.trajectories import Trajectories
from agents.options import option
from agents.state import stateful
from stackelberg_envs.games.commitments.base import Commitment

__all__ = ["Naive", "NaiveConfig"]


@dataclass(frozen=True)
class NaiveConfig(BchgConfig):
    """Hyperparameters of the naive leader: those of `bchg` but `trace`, since it has none."""

    trace: Literal["mean", "sampled"] = option("mean", kinds=[])


@register_leader("naive")
class Naive(Bchg):
    """BC-HG without its trace: the baseline of both papers."""

    information = Information.ACTIONS_ONLY
    Config = NaiveConfig
    uses_temperature = False
    rule = Rule(with_response=False)
    state_fields = stateful.fields()

    @classmethod
    def needs(cls, commitment: Commitment) -> Information:
        """Actions are always enough."""
        del commitment
        return Information.ACTIONS_ONLY

    def coefficients(self, trajectories: Trajectories, values: ValueEstimates) -> StepCotangents:
        """Return the coefficients of the direct term."""
        return score_function(trajectories, values, leader_discount=self.brief.leader_discount)
