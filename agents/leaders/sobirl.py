r"""SoBiRL: the score of whole episodes under the follower's soft-optimal policy.

Yang, Gao, Yuan, "Bilevel Reinforcement Learning via the Development of Hyper-gradient without Lower-Level Convexity",
AISTATS 2025, arXiv 2405.19697, in its model-free form. The leader is paid for an episode as a whole, R, so

.. math::
    dJ = E[dR] + E\Big[ R \sum_t \tfrac{1}{\lambda} \big(dQ_F(s_t,a_t,b_t) - dV_F(s_t,a_t)\big) \Big] ,

because log g = (Q_F - V_F) / temperature; dV_F is the fixed point of the follower's Bellman equation, differentiated.
Here R is the leader's discounted return. If the commitment sets f or P, their scores are added to the sum. In the mean
this is the hypergradient. It differs from HPGD in the weights of the visits: R instead of gamma_L^t A_L. So the leader
needs no critic for its own values, but its estimates are noisier. Deviations from the paper: docs/reproduction.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import InformationError

from ..estimators import StepCotangents, ValueEstimates
from ..estimators.counts import EvaluationTask, Player
from ..estimators.expected import counted_primitives, counted_solution
from ..estimators.visit_averages import cell_weights, follow_visits, weights_per_visit
from ..observing.brief import Information
from ..observing.trajectories import Trajectories
from ..state import stateful
from .base import GradientConfig, register_leader
from .bchg import TabularGradientLeader

__all__ = ["Sobirl", "SobirlConfig"]


@dataclass(frozen=True)
class SobirlConfig(GradientConfig):
    """Hyperparameters of SoBiRL.

    Attributes
    ----------
    critic
        The one that evaluates the follower, where V_F is needed: "lstd", "expected_sarsa" or "monte_carlo".
    baseline
        Whether the mean return is subtracted from R. That leaves the expectation as it is and removes much of the
        noise.
    """

    critic: Literal["lstd", "expected_sarsa", "monte_carlo"] = "lstd"
    baseline: bool = True


@register_leader("sobirl")
class Sobirl(TabularGradientLeader):
    """Score of whole episodes under the response.

    It multiplies the return of each episode by the derivative of the log-probabilities of the follower's actions in it.

    Its level is RESPONSE: dV_F is the average of dQ_F under the follower's true policy, not under counts of its
    actions.
    """

    information = Information.RESPONSE
    Config = SobirlConfig
    serves: ClassVar[frozenset[str]] = frozenset({"feasible actions", "discount 1"})
    state_fields = stateful.fields()

    def gradient(self, trajectories: Trajectories) -> tuple[Array, dict[str, float]]:
        """Evaluate the follower where V_F is needed, then estimate dJ/dx."""
        behaviour, effect = trajectories.response, self.brief.effect(trajectories.commitment)
        policy, announced = effect.leader_policy, effect.follower_reward
        if behaviour is None:
            raise InformationError("sobirl: expected the follower's policy (level RESPONSE), got none")
        values, diagnostics = None, dict[str, float]()
        known = self.brief.commitment.changes_play
        rewards: dict[Player, Array | None] = {"follower": announced} if known else {}
        self.counts.observe(trajectories, {"leader": effect.leader_reward, **rewards})
        if self.search is not None:
            game = counted_primitives(self.brief, self.counts, effect, self.brief.known_temperature)
            self.counted_value = counted_solution(game, behaviour, self.counts).leader.value
        if known:
            task = EvaluationTask(trajectories, "follower", policy, behaviour, announced_reward=announced)
            values, diagnostics["follower_critic_error"] = self.soft_values(task, self.brief.known_temperature)
        found = self.coefficients(trajectories, ValueEstimates(policy, behaviour, np.zeros_like(behaviour), values))
        cotangents = self.tabulated(found, trajectories)
        return self.brief.commitment.vjp(trajectories.commitment, cotangents), diagnostics

    def coefficients(self, trajectories: Trajectories, values: ValueEstimates) -> StepCotangents:
        """Return the coefficients: those of dR, the episode's return on every d log f and d log P, and the response."""
        time = trajectories.time
        weight = trajectories.step_weights[time]
        returns = self._weighted_returns(trajectories)
        payments = weight * self.brief.leader_discount**time
        direct = StepCotangents(None, payments, returns, np.where(trajectories.ends, 0.0, returns))
        return direct + self._response(returns / self.brief.known_temperature, trajectories, values)

    def _weighted_returns(self, trajectories: Trajectories) -> Array:
        """Return what each step's score is multiplied by, shape (T,), reward units: R times the weight of the step.

        The product of the score at t and the reward at t' is seen in the episodes not cut before the later of the two,
        and is averaged over those.
        """
        weight = trajectories.step_weights[trajectories.time]
        rewards = self.brief.leader_discount**trajectories.time * trajectories.leader_reward
        earned = cumulative(rewards, trajectories) - self._baseline(trajectories)
        later = cumulative(weight * rewards, trajectories)
        total = np.repeat(later[trajectories.offsets[1:] - 1], trajectories.lengths)
        return np.asarray(weight * earned + total - later)

    def _baseline(self, trajectories: Trajectories) -> float:
        return trajectories.mean_return(self.brief.leader_discount) if self.config.baseline else 0.0

    def _response(self, weights: Array, trajectories: Trajectories, values: ValueEstimates) -> StepCotangents:
        cells = cell_weights(trajectories, weights, values.behaviour.shape)
        return follow_visits(
            weights_per_visit(cells, trajectories, values.behaviour),
            trajectories,
            values.leader_policy,
            follower_discount=self.brief.follower_discount,
            follower_values=values.follower_values,
        )


def cumulative(values: Array, trajectories: Trajectories) -> Array:
    """Return the sums of values, shape (T,), from the beginning of each step's episode to that step, inclusive."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    return np.asarray(sums[1:] - np.repeat(sums[trajectories.offsets[:-1]], trajectories.lengths))
