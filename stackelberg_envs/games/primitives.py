"""Primitives: what solvers and simulators read, a game under one commitment as plain arrays.

They hold no commitment and no game, so that a leader can make its own from what it has observed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array
from stackelberg_envs.games.ends import SureEnd
from stackelberg_envs.games.transitions import Transition

__all__ = ["DecisionProcess", "Primitives"]


class DecisionProcess(NamedTuple):
    """What one player reckons with: its reward and its discount, and the dynamics it plans with.

    Attributes
    ----------
    reward
        Shape (Z, A, B).
    transition, continuing, num_contexts
        As in :class:`Primitives`.
    discount
        In [0, 1]; 1 where play surely ends.
    ends
        How soon it ends; None where that is not known.
    """

    reward: Array
    transition: Transition
    continuing: Array
    discount: float
    num_contexts: int
    ends: SureEnd | None = None

    @property
    def stopping_rate(self) -> float:
        """One over the most discounted steps that play has in the mean, from any state, whatever the follower does.

        It is 1 - discount, as if play stopped after each step with this chance; with discount 1, and where play ends
        sooner than that, one over the expected number of steps.
        """
        if self.ends is None:
            return 1.0 - self.discount
        return max(1.0 - self.discount, 1.0 / self.ends.steps)


@dataclass(frozen=True, eq=False)
class Primitives:
    """A tabular game under one commitment: the arrays solvers and simulators read, over joint states.

    Attributes
    ----------
    leader_policy
        f(a | s), shape (Z, A).
    follower_reward, leader_reward
        Shape (Z, A, B), reward units per play step.
    transition
        The true dynamics, lists of shape (Z, A, B, N).
    believed_transition
        What the follower plans with; the same object unless the game says otherwise.
    initial
        Shape (Z,), sums to one: context probability times the context's initial distribution.
    continuing
        0 at terminal states, else 1; shape (Z,).
    leader_discount, follower_discount, temperature
        As in the game; a discount is 1 only where play surely ends.
    num_contexts
        K; the first S joint states belong to context 0, and so on.
    feasible
        Which actions the follower can take, True or False, shape (Z, A, B), one at least in each row; None where it can
        take all. Rewards of the others are 0, their rows of the transition mean nothing, and their probability is 0.
    ends
        How soon play surely ends; given where a discount is 1.
    """

    leader_policy: Array
    follower_reward: Array
    leader_reward: Array
    transition: Transition
    believed_transition: Transition
    initial: Array
    continuing: Array
    leader_discount: float
    follower_discount: float
    temperature: float
    num_contexts: int
    feasible: NDArray[np.bool_] | None = None
    ends: SureEnd | None = None

    @property
    def leader_process(self) -> DecisionProcess:
        """The leader's reward and discount, in the true dynamics."""
        return DecisionProcess(
            self.leader_reward, self.transition, self.continuing, self.leader_discount, self.num_contexts, self.ends
        )

    @property
    def follower_process(self) -> DecisionProcess:
        """The follower's reward and discount, in the dynamics that it believes in."""
        return DecisionProcess(
            *(self.follower_reward, self.believed_transition, self.continuing, self.follower_discount),
            *(self.num_contexts, self.ends),
        )

    @property
    def barred_reward(self) -> Array:
        """The follower's reward, and minus infinity for actions that it cannot take: none of them is ever the best."""
        if self.feasible is None:
            return self.follower_reward
        return np.where(self.feasible, self.follower_reward, -np.inf)

    def joint_policy(self, response: Array) -> Array:
        """Return pi(a, b | s) = f g of a response g of shape (Z, A, B)."""
        return np.asarray(self.leader_policy[:, :, None] * response)
