"""The dynamics as an observer counts them, in successor lists that grow as they fill."""

from __future__ import annotations

import numpy as np

from agents import kernels
from agents.trajectories import Trajectories
from stackelberg_envs.arrays import Array
from stackelberg_envs.kernels import next_values
from stackelberg_envs.planning.linear import resolvent
from stackelberg_envs.transitions import Transition

__all__ = ["TransitionCounts"]

FIRST_WIDTH = 4
EVALUATION_TOLERANCE = 1e-9


class TransitionCounts:
    """How often each (z, a, b) led where; rows never seen lead nowhere.

    Parameters
    ----------
    shape
        (Z, A, B).
    """

    def __init__(self, shape: tuple[int, int, int]) -> None:
        self.successors = np.zeros((*shape, FIRST_WIDTH), dtype=np.int32)
        self.counts = np.zeros((*shape, FIRST_WIDTH))

    def observe(self, trajectories: Trajectories) -> None:
        """Count the recorded steps."""
        steps = (
            trajectories.joint_state,
            trajectories.leader_action,
            trajectories.follower_action,
            trajectories.next_joint_state,
            trajectories.ends,
        )
        done = 0
        while (done := kernels.record_successors(*steps, done, self.successors, self.counts)) < trajectories.num_steps:
            self.successors = np.concatenate([self.successors, np.zeros_like(self.successors)], axis=-1)
            self.counts = np.concatenate([self.counts, np.zeros_like(self.counts)], axis=-1)

    def transition(self) -> Transition:
        """Return the relative frequencies; rows never seen are all zero."""
        totals = self.counts.sum(axis=-1, keepdims=True)
        return Transition(self.successors, self.counts / np.maximum(totals, 1.0))

    def evaluate(self, reward: Array, joint_policy: Array, discount: float, bonus: Array | None = None) -> Array:
        """Return the action values of a policy in the counted model, shape (Z, A, B).

        Parameters
        ----------
        reward
            Mean reward, shape (Z, A, B).
        joint_policy
            pi(a, b | z), shape (Z, A, B).
        discount
            Per play step.
        bonus
            Added to the action values wherever they are averaged.
        """
        transition = self.transition()
        everywhere = np.ones(len(reward))
        system = resolvent(joint_policy, transition, everywhere, discount, 1)
        earned = reward if bonus is None else reward + bonus
        values = system.solve(np.einsum("zab,zab->z", joint_policy, earned), EVALUATION_TOLERANCE)
        q = np.empty_like(reward)
        next_values(transition.successors, transition.probabilities, values, q)
        return reward + discount * q
