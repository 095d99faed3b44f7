"""What a leader may know: the levels of information and the brief it is handed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

import numpy as np

from agents.learning.parametrisations import Parametrisation
from agents.observing.trajectories import Trajectories
from stackelberg_envs.arrays import Array
from stackelberg_envs.games.commitments.base import Commitment
from stackelberg_envs.games.samples import ActionSpec, ModelClass

__all__ = ["Brief", "Information", "redact"]


class Information(IntEnum):
    """What a leader sees, from least to most; every leader declares one and every table shows it."""

    #: States, both actions, its own reward, ends of episodes, contexts.
    ACTIONS_ONLY = 0
    #: Also the follower's rewards.
    REWARDS_OBSERVED = 1
    #: Also the follower's policy, and the temperature where it is private.
    RESPONSE = 2
    #: May also stop or restart the follower's training.
    CONTROLS_TRAINING = 3
    #: The game itself.
    MODEL = 4


@dataclass(frozen=True, eq=False)
class Brief:
    """All that a leader legitimately knows before it sees any play.

    Attributes
    ----------
    information
        The level this brief was made for.
    commitment
        What it announces and how that enters rewards, dynamics and its own policy.
    parametrisation
        theta -> x.
    num_states, num_leader_actions, num_follower_actions, num_contexts
        S, A, B, K.
    leader_discount, follower_discount
        In [0, 1), per play step.
    temperature
        Weight of the follower's entropy, reward units, or None where the game keeps it private.
    horizon
        Play steps after which an episode is truncated.
    leader_policy
        The leader's own policy f(a | s), shape (S, A), in force where the commitment does not set it.
    kind
        "tabular", or "batched" for games whose states are vectors; in the latter S, A and B are 0.
    state_size, leader_action_size
        Of one state and one play action of the leader, W and A, in batched games; else 0.
    follower_actions
        The follower's actions in batched games; else None.
    model_class
        Fits models of the form that a batched game publishes; None where it publishes none.
    model
        The game, at level MODEL; None below.
    uniform_play
        At level CONTROLS_TRAINING and above, in a run: a number of steps -> play of so many follower steps under
        the last commitment and the follower's present policy, from uniformly drawn states. None below.
    train
        At level CONTROLS_TRAINING and above: (x, rising numbers of iterations, generator) -> the policies, each of
        shape (Z, A, B), of a follower trained from the start under x, after so many iterations. None below.
    """

    information: Information
    commitment: Commitment
    parametrisation: Parametrisation
    num_states: int
    num_leader_actions: int
    num_follower_actions: int
    num_contexts: int
    leader_discount: float
    follower_discount: float
    temperature: float | None
    horizon: int
    leader_policy: Array
    kind: str = "tabular"
    state_size: int = 0
    leader_action_size: int = 0
    follower_actions: ActionSpec | None = None
    model_class: ModelClass | None = None
    model: Any = None
    uniform_play: Callable[[int], Trajectories] | None = None
    train: Callable[[Array, Sequence[int], np.random.Generator], list[Array]] | None = None

    @property
    def num_joint_states(self) -> int:
        """Z = K S: a context is a part of the state that never changes in play."""
        return self.num_contexts * self.num_states

    @property
    def table_shape(self) -> tuple[int, int, int]:
        """(Z, A, B)."""
        return self.num_joint_states, self.num_leader_actions, self.num_follower_actions

    @property
    def array_shape(self) -> tuple[int, ...]:
        """([K,] S, A, B), the shape in which a commitment takes cotangents."""
        shape = (self.num_states, self.num_leader_actions, self.num_follower_actions)
        return shape if self.num_contexts == 1 else (self.num_contexts, *shape)

    def joint_leader_policy(self, x: Array) -> Array:
        """Return f(a | s) under the commitment x over joint states, shape (Z, A)."""
        committed = self.commitment.effect(x).leader_policy
        policy = self.leader_policy if committed is None else committed
        return policy if self.num_contexts == 1 else np.tile(policy, (self.num_contexts, 1))

    def own_reward(self, x: Array, name: str) -> Array | None:
        """Return what the commitment adds to "leader_reward" or "follower_reward", shape (Z, A, B), or None."""
        extra: Array | None = getattr(self.commitment.effect(x), name)
        if extra is None:
            return None
        S, A, B = self.num_states, self.num_leader_actions, self.num_follower_actions
        return np.broadcast_to(extra, (self.num_contexts, S, A, B)).reshape(self.table_shape)


def redact(seen: Trajectories, level: Information, policy: Any) -> Trajectories:
    """Return the trajectories with just what a level of information includes; `policy` is the follower's."""
    if level < Information.REWARDS_OBSERVED:
        return seen.without("follower_reward")
    if level < Information.RESPONSE or not isinstance(policy, np.ndarray):
        return seen
    return replace(seen, response=policy)
