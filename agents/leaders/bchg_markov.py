"""BC-HG where followers affect each other: the covariance of all followers' observed actions.

By default each follower is taken to answer the commitment, and not what others answer. What that leaves out, the cross
response, was measured against the implicit gradient: docs/explanation/mathematics.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.games.commitments.base import Commitment

from ..estimators.behaviour import CarriedBehaviour
from ..estimators.counts import BehaviourEstimate
from ..estimators.interacting import (
    Estimate,
    InteractingCounts,
    fit_common_temperature,
    implicit_estimate,
    own_estimate,
    own_play,
    own_shifts,
)
from ..estimators.temperature import AveragedTemperature
from ..observing.brief import Information, JointEffect, MarkovBrief
from ..observing.trajectories import Trajectories
from ..state import stateful
from .base import GradientConfig, GradientLeader, register_leader
from .bchg import level_from_play

__all__ = ["MarkovBchg", "MarkovBchgConfig"]


@dataclass(frozen=True)
class MarkovBchgConfig(GradientConfig):
    """Hyperparameters of BC-HG where followers affect each other.

    Attributes
    ----------
    others
        What a follower's answer is reckoned against. "fixed": the others go on as they do, which is what the covariance
        of observed actions shows. "answer": the others answer, too, and each other; this takes the followers' rewards,
        and the estimate is the implicit gradient of the counted game, without the bias.
    """

    others: Literal["fixed", "answer"] = "fixed"


@register_leader("bchg")
class MarkovBchg(GradientLeader):
    """Hypergradient by the Boltzmann covariance of all followers' actions, from play.

    It counts what each follower does, and works out how much each would do otherwise under another commitment if the
    others went on as they do. That needs no more than their actions where the commitment changes rewards only and the
    temperature is public; else it needs their rewards.

    By default it leaves out the cross response: that followers answer what other followers change. Where they hardly
    affect each other that is little, and nothing where each decides for itself. Followers that avoid each other are
    taken to react too strongly. How much it is in some games was measured: docs/explanation/mathematics.md.

    Attributes
    ----------
    counts
        All that was seen under all commitments.
    behaviours
        Each follower's policy under the present commitment.
    with_response
        Whether the followers' responses have a part in the estimate.
    """

    brief: MarkovBrief
    kinds = frozenset({"markov"})
    information = Information.REWARDS_OBSERVED
    Config: ClassVar[type[Any]] = MarkovBchgConfig
    with_response: ClassVar[bool] = True
    state_fields = stateful.fields(
        counts=stateful.Part(),
        behaviours=stateful.Parts(),
        temperature_estimate=stateful.Part(optional=True),
        counted_value=stateful.Number(),
        _last=stateful.Array(lambda self: self.brief.commitment.shape, optional=True),
    )

    def __init__(self, brief: MarkovBrief, config: Any, rng: np.random.Generator) -> None:
        super().__init__(brief, config, rng)
        self.counts = InteractingCounts(brief)
        shape = brief.num_states, 1, brief.num_follower_actions
        able = [None] * brief.num_followers if brief.feasible is None else [own[:, None] for own in brief.feasible]
        self.behaviours: list[Any] = [
            CarriedBehaviour(shape, own) if self.with_response else BehaviourEstimate(shape, feasible=own)
            for own in able
        ]
        #: None where the temperature is public.
        self.temperature_estimate: AveragedTemperature | None = None
        if self.with_response and brief.temperature is None:
            self.temperature_estimate = AveragedTemperature()
        #: Whether the followers' rewards enter.
        answered = self.with_response and config.others == "answer"
        self.uses_rewards = self.with_response and (brief.temperature is None or brief.commitment.changes_play)
        self.uses_rewards |= answered
        self._estimate = implicit_estimate if answered else own_estimate
        #: What the commitment just played is worth in the counted game.
        self.counted_value = 0.0
        #: The last commitment that was observed.
        self._last: Array | None = None

    @classmethod
    def required_information(cls, commitment: Commitment, config: Any, public_temperature: bool = True) -> Information:
        """What states are worth to followers, and private temperatures, are estimated from rewards."""
        if cls.with_response and config.others == "answer":
            return Information.REWARDS_OBSERVED
        return level_from_play(cls.with_response, commitment, public_temperature)

    def gradient(self, trajectories: Trajectories) -> tuple[Array, dict[str, float]]:
        """Update the estimates, then estimate dJ/dx."""
        effect = self.brief.effect(trajectories.commitment)
        if self.with_response and self._last is not None:
            self._carry(effect)
        policies = np.stack(
            [each.update(own_play(trajectories, self.brief, i)) for i, each in enumerate(self.behaviours)]
        )
        self.counts.observe(trajectories, effect, rewards=self.uses_rewards)
        self._last = np.array(trajectories.commitment)
        diagnostics: dict[str, float] = {}
        if self.temperature_estimate is not None:
            self.temperature_estimate.see(np.asarray(trajectories.follower_reward))
            fit = fit_common_temperature(self.brief, self.counts, effect, policies, trajectories)
            self.temperature_estimate.learn(fit)
            diagnostics["temperature"] = self.temperature_estimate.value
        found = self.estimate(effect, policies)
        self.counted_value = found.value
        return self.brief.commitment.vjp(trajectories.commitment, found.cotangents), diagnostics

    def temperature(self) -> float:
        """Return the followers' temperature, reward units: the public one, or the estimate."""
        estimate = self.temperature_estimate
        return self.brief.known_temperature if estimate is None else estimate.value

    def estimate(self, effect: JointEffect, policies: Array) -> Estimate:
        """Return the derivatives in the counted game, and the leader's value there; other estimators replace this."""
        return self._estimate(self.brief, self.counts, effect, policies, self.temperature())

    def judge(self, trajectories: Trajectories) -> tuple[float, float]:
        """Return the commitment's value in the counted game; its noise is not known, and small."""
        del trajectories
        return self.counted_value, 0.0

    def _carry(self, effect: JointEffect) -> None:
        """Move what is known of everybody's policy on to a new commitment."""
        smoothed = np.stack([each.smoothed for each in self.behaviours])
        effects = self.brief.effect(np.asarray(self._last)), effect
        shifts = own_shifts(self.brief, self.counts, effects, smoothed, self.temperature())
        for each, shift in zip(self.behaviours, shifts, strict=True):
            each.carry(shift)
