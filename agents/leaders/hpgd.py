"""HPGD: hyper policy gradient descent, with the follower's derivatives averaged over visits.

Thoma et al., "Contextual Bilevel Reinforcement Learning for Incentive Alignment", NeurIPS 2024, arXiv 2406.01575.
Deviations from the paper and its code: docs/reproduction.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import InformationError
from stackelberg_envs.games.commitments.base import Commitment

from ..estimators import StepCotangents, ValueEstimates, score_function
from ..estimators.vector import Rule
from ..estimators.visit_averages import advantage_weights, follow_visits, weights_per_visit
from ..observing.brief import Information
from ..observing.trajectories import Trajectories, concatenate
from ..options import Count
from ..state import stateful
from .base import ONE_ASCENT, register_leader
from .bchg import TabularBchg, TabularBchgConfig, VectorBchg

__all__ = [
    "HpgdOracle",
    "HpgdOracleConfig",
    "TabularHpgd",
    "TabularHpgdConfig",
    "VectorHpgd",
]


@dataclass(frozen=True)
class TabularHpgdConfig(TabularBchgConfig):
    """Hyperparameters of HPGD with tables: those of `bchg`."""


@register_leader("hpgd")
class TabularHpgd(TabularBchg):
    """Hypergradient from play, by averages over visits.

    It sees what `bchg` sees. Where `bchg` carries the follower's reaction along by a trace, it takes averages over the
    repeated visits of a state. In expectation both are the same: they differ where a critic is named.
    """

    Config = TabularHpgdConfig
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "published": {**ONE_ASCENT, "critic": "monte_carlo", "prior_visits": 1.0}
    }
    state_fields = stateful.fields()

    def coefficients(self, trajectories: Trajectories, values: ValueEstimates) -> StepCotangents:
        """Return the coefficients of the direct term and of the response term."""
        weights = self.weights(trajectories, values)
        direct = score_function(trajectories, values, leader_discount=self.brief.leader_discount)
        return direct + self.response(weights, trajectories, values)

    def weights(self, trajectories: Trajectories, values: ValueEstimates) -> Array:
        """Return W(z, a, b): gamma_L^t A_L / temperature, summed over visits, per episode."""
        advantage = values.leader_q - np.einsum("zab,zab->za", values.behaviour, values.leader_q)[:, :, None]
        return advantage_weights(
            trajectories,
            advantage,
            leader_discount=self.brief.leader_discount,
            temperature=self.temperature(),
        )

    def response(self, weights: Array, visits: Trajectories, values: ValueEstimates) -> StepCotangents:
        """Return the coefficients of the response term on the steps that are averaged over."""
        return follow_visits(
            weights_per_visit(weights, visits),
            visits,
            values.leader_policy,
            follower_discount=self.brief.follower_discount,
            follower_values=values.follower_values,
        )


@register_leader("hpgd")
class VectorHpgd(VectorBchg):
    """Hypergradient from play, by averages over visits.

    Where states are vectors none is visited twice. There a regression on what the follower saw takes the place of
    averages over visits.
    """

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "published": {**ONE_ASCENT, "critic": "monte_carlo", "features": "quadratic", "trace": "sampled"}
    }
    rule = Rule(with_control_variate=True)
    state_fields = stateful.fields()


@dataclass(frozen=True)
class HpgdOracleConfig(TabularHpgdConfig):
    """Hyperparameters of HPGD with extra play.

    Attributes
    ----------
    extra_steps
        Follower steps from uniformly drawn states, per update.
    """

    extra_steps: Count = 1_000


@register_leader("hpgd_oracle")
class HpgdOracle(TabularHpgd):
    """HPGD with extra play from states of its choice.

    It may also start the follower wherever it wants. Every update asks for play from uniformly drawn states, under the
    present commitment. That tells the averages and critics about states to which the game's own starts seldom lead. How
    much each state counts is still decided by the play that was observed.
    """

    information = Information.CONTROLS_TRAINING
    Config = HpgdOracleConfig
    state_fields = stateful.fields()

    @classmethod
    def required_information(cls, commitment: Commitment, config: Any, public_temperature: bool = True) -> Information:
        """Play from chosen states, whatever the commitment changes."""
        del commitment, config, public_temperature
        return cls.information

    def gradient(self, trajectories: Trajectories) -> tuple[Array, dict[str, float]]:
        """Ask for extra play, update the critics with all of it, then estimate dJ/dx."""
        if self.brief.uniform_play is None:
            raise InformationError("hpgd_oracle: expected a brief with uniform_play (level CONTROLS_TRAINING)")
        effect = self.brief.effect(trajectories.commitment)
        extra = self.brief.uniform_play(self.config.extra_steps)
        everything = concatenate([trajectories, extra])
        behaviour = self.observe_play(trajectories, effect, everything)
        self.counts.observe(extra, self.announced_rewards(effect), usual_starts=False)
        diagnostics = self.estimate_temperature(everything, effect, behaviour)
        if self.critic is None:
            cotangents = self.expected(effect, behaviour)
        else:
            values, errors = self.estimate_values(self.critic, everything, effect, behaviour)
            response = self.response(self.weights(trajectories, values), everything, values)
            direct = score_function(trajectories, values, leader_discount=self.brief.leader_discount)
            cotangents = self.tabulated(direct, trajectories) + self.tabulated(response, everything)
            diagnostics |= errors
        return self.brief.commitment.vjp(trajectories.commitment, cotangents), diagnostics
