r"""Penalty: the value penalty of bilevel reinforcement learning.

Shen, Yang, Chen, "Principled Penalty-based Methods for Bilevel Reinforcement Learning and RLHF", ICML 2024,
arXiv 2402.06886. The leader may choose the follower's policy, too, but is punished by as much as that policy earns the
follower less than its best one, times a weight:

.. math::
    F(x) = \max_\pi \; J(x, \pi) + \tfrac{1}{\varepsilon} \big( V_F^\pi(x) - \max_{\pi'} V_F^{\pi'}(x) \big) .

With equal discounts the inner maximum is one soft decision problem, with reward r_F + eps r_L, and so

.. math::
    F = (V^*_{r_F + \varepsilon r_L} - V^*_{r_F}) / \varepsilon, \qquad
    dF = \partial_x J|_{\pi_\varepsilon} + (\partial_x V_F|_{\pi_\varepsilon} - \partial_x V_F|_{\pi^*}) / \varepsilon

by the envelope theorem: two soft best responses, no derivative of either. F is a difference quotient of the soft
value, so dF differs from dJ by a multiple of eps. Deviations from the paper: docs/reproduction.md.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import ArgumentError, InformationError
from stackelberg_envs.games.cotangents import Cotangents
from stackelberg_envs.solvers.soft import Primitives, SoftSolution, evaluate, soft_best_response

from ..observing.brief import Information, TabularBrief
from ..observing.trajectories import Trajectories
from ..options import Positive
from ..state import stateful
from .base import GradientConfig, GradientLeader, register_leader

__all__ = ["Penalty", "PenaltyConfig"]

#: Bound on the error of the follower's values, in temperatures. It is tight because the penalty multiplies the error.
TOLERANCE = 1e-12


@dataclass(frozen=True)
class PenaltyConfig(GradientConfig):
    """Hyperparameters of the penalty method.

    Attributes
    ----------
    penalty
        Weight of what the follower loses against its best response, 1 / eps; no unit.
    """

    penalty: Positive = 1_000.0


@register_leader("penalty")
class Penalty(GradientLeader):
    """Makes the follower's optimality a penalty.

    It never looks at the trajectories. Each update climbs along the derivative of the penalised value, under the last
    commitment.

    Its level is MODEL, because it solves the follower's decision process for rewards that the follower itself never
    has.
    """

    brief: TabularBrief
    information = Information.MODEL
    Config = PenaltyConfig
    off_policy: ClassVar[bool] = True
    serves: ClassVar[frozenset[str]] = frozenset({"feasible actions", "discount 1"})
    state_fields = stateful.fields(_own=stateful.Array(), _bent=stateful.Array(), _value=stateful.Number())

    def __init__(self, brief: TabularBrief, config: Any, rng: np.random.Generator) -> None:
        super().__init__(brief, config, rng)
        if brief.model is None:
            raise InformationError("penalty: expected the game itself (level MODEL), got a brief without it")
        if brief.leader_discount != brief.follower_discount:
            raise ArgumentError(
                f"penalty: expected equal discounts, got {brief.leader_discount} for the leader and "
                f"{brief.follower_discount} for the follower; both rewards have to add up to one problem; "
                "amd, exact and bchg take any discounts"
            )
        if brief.model.believed_transition is not None:
            raise ArgumentError(
                "penalty: expected a follower that knows the dynamics, got a game with a believed_transition; "
                "amd, exact and bchg take it"
            )
        Z = brief.num_joint_states
        self._own, self._bent = np.zeros(Z), np.zeros(Z)
        self._value = 0.0

    def gradient(self, trajectories: Trajectories) -> tuple[Array, dict[str, float]]:
        """Return dF/dx and F itself, reward units."""
        del trajectories
        x = self.brief.commitment.check(self.commit())
        game: Primitives = self.brief.model.primitives(x)
        eps = 1.0 / self.config.penalty
        own = soft_value_solution(game, game.follower_reward, self._own)
        bent = soft_value_solution(game, game.follower_reward + eps * game.leader_reward, self._bent)
        self._own, self._bent = own.best.state_values, bent.best.state_values
        wanted, shape = self.brief.commitment.changes, self.brief.array_shape
        cotangents = penalised(value_cotangents(bent, shape), value_cotangents(own, shape), eps, wanted)
        self._value = (bent.leader.value - own.leader.value) / eps
        return self.brief.commitment.vjp(x, cotangents), {"penalised_value": self._value}

    def judge(self, trajectories: Trajectories) -> tuple[float, float]:
        """Return F, which has no noise."""
        del trajectories
        return self._value, 0.0


def soft_value_solution(game: Primitives, reward: Array, start: Array) -> SoftSolution:
    """Solve for the soft optimum of `reward`, shape (Z, A, B), with the soft value in the leader's place.

    The leader's reward becomes reward - temperature log g at the optimal g: its value is then the soft value, and
    its direct term the derivative of the soft value, because at an optimum g need not be moved.
    """
    best = soft_best_response(replace(game, follower_reward=reward), tolerance=TOLERANCE, start=start)
    regularised = reward - (best.q - best.values[:, :, None])
    if game.feasible is not None:  # who never takes an action is neither paid for it nor punished
        regularised = np.where(game.feasible, regularised, 0.0)
    valued = replace(game, follower_reward=reward, leader_reward=regularised)
    return SoftSolution(valued, best, evaluate(valued, best.policy))


def value_cotangents(solution: SoftSolution, shape: tuple[int, ...]) -> Cotangents:
    """Return the derivatives of a soft value by its reward (as `leader_reward`), the leader's policy and P."""
    return solution.direct(frozenset({"leader_reward", "leader_policy", "transition"}), shape)


def penalised(bent: Cotangents, own: Cotangents, eps: float, wanted: frozenset[str]) -> Cotangents:
    """Return dF: difference quotients, and for r_L, which enters the bent problem alone, its visits."""
    pairs = {"follower_reward": "leader_reward", "leader_policy": "leader_policy", "transition": "transition"}
    given = {
        name: (getattr(bent, source) - getattr(own, source)) / eps for name, source in pairs.items() if name in wanted
    }
    if "leader_reward" in wanted and bent.leader_reward is not None:
        given["leader_reward"] = bent.leader_reward
    return Cotangents(**given)
