"""Naive policy gradient: ascend the direct term, as if the follower's response were fixed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from stackelberg_envs.arrays import Array
from stackelberg_envs.games.cotangents import Cotangents

from ..estimators import StepCotangents, ValueEstimates, score_function
from ..estimators.expected import counted_primitives, counted_solution
from ..estimators.interacting import Estimate, direct_estimate
from ..estimators.vector import Rule
from ..observing.brief import Information, JointEffect
from ..observing.trajectories import Trajectories
from ..options import Natural
from ..state import stateful
from .base import ONE_ASCENT, GradientConfig, register_leader
from .bchg import TabularBchg, VectorBchg
from .bchg_markov import MarkovBchg

__all__ = ["MarkovNaive", "TabularNaive", "VectorNaive", "VectorNaiveConfig"]


@register_leader("naive")
class TabularNaive(TabularBchg):
    """Policy gradient that ignores the reaction.

    It climbs along the direct term of the gradient, as if the follower would not react to a new commitment. Both papers
    compare with it.
    """

    information = Information.ACTIONS_ONLY
    with_response = False
    state_fields = stateful.fields()

    def coefficients(self, trajectories: Trajectories, values: ValueEstimates) -> StepCotangents:
        """Return the coefficients of the direct term."""
        return score_function(trajectories, values, leader_discount=self.brief.leader_discount)

    def expected(self, effect: JointEffect, behaviour: Array) -> Cotangents:
        """Return the direct term in the counted game, which the follower's temperature has no part in."""
        game = counted_primitives(self.brief, self.counts, effect, temperature=1.0)
        solution = counted_solution(game, behaviour, self.counts)
        self.counted_value = solution.leader.value
        return solution.direct(self.brief.commitment.changes, self.brief.array_shape)


@dataclass(frozen=True)
class VectorNaiveConfig(GradientConfig):
    """Hyperparameters of the naive leader in vector games: those of `bchg` but for the trace, which it has none of.

    Attributes
    ----------
    critic, features
        As for `bchg`.
    replay
        How many past steps the critic "fitted" keeps beside the present ones. Only whole updates are kept.
    """

    critic: Literal["auto", "lstd", "monte_carlo", "fitted", "occupancy"] = "auto"
    features: Literal["auto", "quadratic", "local", "network"] = "auto"
    replay: Natural = 4_000
    trace: ClassVar[str] = "expected"


@register_leader("naive")
class VectorNaive(VectorBchg):
    """Policy gradient that ignores the reaction.

    It is `bchg` without the follower's reaction, where states are vectors.
    """

    information = Information.ACTIONS_ONLY
    Config: ClassVar[type[Any]] = VectorNaiveConfig
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "published": {**ONE_ASCENT, "critic": "lstd", "features": "quadratic"}
    }
    rule = Rule(with_response=False)
    state_fields = stateful.fields()


@register_leader("naive")
class MarkovNaive(MarkovBchg):
    """Policy gradient that ignores the reaction.

    It is `bchg` without any follower's reaction, where followers affect each other.
    """

    information = Information.ACTIONS_ONLY
    Config: ClassVar[type[Any]] = GradientConfig
    with_response = False
    state_fields = stateful.fields()

    def estimate(self, effect: JointEffect, policies: Array) -> Estimate:
        """Return the direct term."""
        return direct_estimate(self.brief, self.counts, effect, policies)
