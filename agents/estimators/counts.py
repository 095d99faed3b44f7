"""The dynamics as an observer counts them, in successor lists that grow as they fill."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents import kernels
from agents.observing.trajectories import Trajectories
from agents.state import stateful
from agents.state.stateful import Stateful
from stackelberg_envs.arrays import Array, IntArray
from stackelberg_envs.errors import OutputError
from stackelberg_envs.games.transitions import Transition
from stackelberg_envs.kernels import next_values
from stackelberg_envs.solvers.soft.linear import resolvent

__all__ = ["TransitionCounts", "common_lists"]

FIRST_WIDTH = 4
#: Relative to the largest expected reward of a step.
EVALUATION_TOLERANCE = 1e-9


class TransitionCounts(Stateful):
    """How often each (z, a, b) led where; rows never seen lead nowhere.

    Parameters
    ----------
    shape
        (Z, A, B).
    """

    state_fields = stateful.fields(
        # Kernels use successors as they are, so none may lie outside the table.
        successors=stateful.Array(lambda self: self.lists_shape, low=0, high=lambda self: len(self.counts) - 1),
        counts=stateful.Array(lambda self: self.lists_shape, low=0.0),
    )

    def __init__(self, shape: tuple[int, int, int]) -> None:
        self.successors = np.zeros((*shape, FIRST_WIDTH), dtype=np.int32)
        self.counts = np.zeros((*shape, FIRST_WIDTH))

    @property
    def lists_shape(self) -> tuple[int | None, ...]:
        """Z, A, B, and any width."""
        return (*self.counts.shape[:3], None)

    def check_state(self, loaded: dict[str, Any], where: str) -> None:
        """Raise OutputError unless there is a count for each successor."""
        shapes = loaded["successors"].shape, loaded["counts"].shape
        if shapes[0] != shapes[1] or not shapes[0][-1]:
            raise OutputError(f"{where}: expected as many counts as successors, got {shapes[1]} and {shapes[0]}")

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
        expected = np.einsum("zab,zab->z", joint_policy, earned)
        values = system.solve(expected, EVALUATION_TOLERANCE * float(np.abs(expected).max()))
        q = np.empty_like(reward)
        next_values(transition.successors, transition.probabilities, values, q)
        return reward + discount * q


def common_lists(successors: IntArray, *weights: Array) -> tuple[IntArray, list[Array]]:
    """Return weights of successors in lists that name, for every follower action of (z, a), the same ones.

    Parameters
    ----------
    successors
        Shape (Z, A, B, N); where all weights are zero the successor means nothing.
    *weights
        One or more arrays of that shape.

    Returns
    -------
    tuple
        Successors in rising order, shape (Z, A, B, W) with W the longest list needed, and each array of weights in
        that shape; weights of the same successor are added.
    """
    Z, A, B, N = successors.shape
    used = np.any([array != 0 for array in weights], axis=0)
    # Z stands for "none": it sorts last, and ends in a place of its own behind the lists.
    states = np.where(used, successors, Z).reshape(Z, A, B * N)
    order = np.argsort(states, axis=-1, kind="stable")
    ranked = np.take_along_axis(states, order, axis=-1)
    new = np.diff(ranked, axis=-1, prepend=-1) != 0
    width = max(1, int((new & (ranked < Z)).sum(axis=-1).max()))
    rank = np.minimum(np.cumsum(new, axis=-1) - 1, width)
    own = np.arange(Z, dtype=np.int32)[:, None, None]
    lists = np.broadcast_to(own, (Z, A, width + 1)).copy()
    np.put_along_axis(lists, rank, np.where(ranked < Z, ranked, own), axis=-1)
    place = np.empty_like(rank)
    np.put_along_axis(place, order, rank, axis=-1)
    index = (*np.indices((Z, A, B, N), sparse=True)[:3], place.reshape(Z, A, B, N))
    shared = np.broadcast_to(lists[:, :, None, :width], (Z, A, B, width))
    return np.ascontiguousarray(shared), [_gathered(array, index, width) for array in weights]


def _gathered(weights: Array, index: tuple[NDArray[np.intp], ...], width: int) -> Array:
    out = np.zeros((*weights.shape[:3], width + 1))
    np.add.at(out, index, weights)
    return np.ascontiguousarray(out[..., :width])
