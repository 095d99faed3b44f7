"""Primitives: what solvers and simulators read, a game under one commitment as plain arrays.

They hold no commitment and no game, so that a leader can make its own from what it has observed.
"""

from __future__ import annotations

from dataclasses import dataclass

from stackelberg_envs.arrays import Array
from stackelberg_envs.games.transitions import Transition

__all__ = ["Primitives"]


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
        As in the game.
    num_contexts
        K; the first S joint states belong to context 0, and so on.
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
