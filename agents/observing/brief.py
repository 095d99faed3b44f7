"""What a leader may know: the levels of information and the brief it is handed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from enum import IntEnum
from functools import cached_property
from typing import Any, ClassVar, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import InformationError
from stackelberg_envs.games.commitments.base import Commitment, as_effect
from stackelberg_envs.games.markov_primitives import jointly
from stackelberg_envs.games.samples import ActionSpec, ModelClass
from stackelberg_envs.games.transitions import Transition

from ..learning.parametrisations import Parametrisation
from .trajectories import Trajectories

__all__ = ["Brief", "EnvironmentBrief", "Information", "MarkovBrief", "TabularBrief", "VectorBrief", "redact"]

#: (x, rising numbers of iterations, generator) -> policies; see :class:`TabularBrief`.
TrainFollower: TypeAlias = Callable[[Array, Sequence[int], np.random.Generator], list[Array]]


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


@dataclass(frozen=True, eq=False, kw_only=True)
class Brief:
    """All that a leader legitimately knows of any game before it sees any play; each kind of game adds to it.

    Attributes
    ----------
    kind
        The kind of game.
    information
        The level this brief was made for.
    commitment
        What it announces and how that enters rewards, dynamics and its own policy.
    parametrisation
        theta -> x.
    num_contexts
        K.
    leader_discount, follower_discount
        In [0, 1], per play step; 1 only where play surely ends.
    temperature
        Weight of the follower's entropy, reward units, or None where the game keeps it private.
    horizon
        Play steps after which an episode is truncated.
    model
        The game, at level MODEL; None below.
    updates, steps_per_update
        The budget of the run: how often the leader will commit, and how many follower steps it will see each time.
        None where there is no run.
    """

    kind: ClassVar[str]

    information: Information
    commitment: Commitment
    parametrisation: Parametrisation
    num_contexts: int
    leader_discount: float
    follower_discount: float
    temperature: float | None
    horizon: int
    model: Any = None
    updates: int | None = None
    steps_per_update: int | None = None

    def with_control(self, uniform_play: Callable[[int], Trajectories], train: TrainFollower) -> Brief:
        """Return the brief with control over the follower's play and training, where such games offer that."""
        del uniform_play, train
        return self

    def model_reward(self, x: Array) -> Array | None:
        """Return the leader's rewards in the game itself under x, where they are a table; None where they are not."""
        del x
        return None

    @property
    def known_temperature(self) -> float:
        """The temperature where it is known, reward units.

        Raises
        ------
        InformationError
            The game keeps it private.
        """
        if self.temperature is None:
            raise InformationError("temperature: expected a public one, but this game keeps it private")
        return self.temperature


class JointEffect(NamedTuple):
    """What a leader knows to hold under a commitment, over joint states.

    Attributes
    ----------
    leader_policy
        f(a | s), shape (Z, A), whoever sets it.
    leader_reward, follower_reward
        What the commitment adds to the rewards, shape (Z, A, B), reward units; None for nothing.
    transition
        The dynamics where the commitment sets them, else None.
    """

    leader_policy: Array
    leader_reward: Array | None
    follower_reward: Array | None
    transition: Transition | None


@dataclass(frozen=True, eq=False, kw_only=True)
class TabularBrief(Brief):
    """What a leader knows of a game over finite sets.

    Attributes
    ----------
    num_states, num_leader_actions, num_follower_actions
        S, A, B.
    leader_policy
        The leader's own policy f(a | s), shape (S, A), in force where the commitment does not set it.
    feasible
        Which actions the follower can take in each joint state, shape (Z, A, B): a part of its action space, which is
        public. None where it can take all.
    uniform_play
        At level CONTROLS_TRAINING and above, in a run: a number of steps -> play of so many follower steps under
        the last commitment and the follower's present policy, from uniformly drawn states. None below.
    train
        At level CONTROLS_TRAINING and above: (x, rising numbers of iterations, generator) -> the policies, each of
        shape (Z, A, B), of a follower trained from the start under x, after so many iterations. None below.
    """

    kind = "tabular"

    num_states: int
    num_leader_actions: int
    num_follower_actions: int
    leader_policy: Array
    feasible: NDArray[np.bool_] | None = None
    uniform_play: Callable[[int], Trajectories] | None = None
    train: TrainFollower | None = None

    def with_control(self, uniform_play: Callable[[int], Trajectories], train: TrainFollower) -> TabularBrief:
        """Return the brief with control over the follower's play and training."""
        return replace(self, uniform_play=uniform_play, train=train)

    def model_reward(self, x: Array) -> Array | None:
        """Return the leader's rewards in the game itself under x, shape (Z, A, B); None without the game."""
        if self.model is None:
            return None
        reward: Array = self.model.primitives(x).leader_reward
        return reward

    @property
    def longest_discount(self) -> float:
        """The larger of both discounts."""
        return max(self.leader_discount, self.follower_discount)

    @property
    def num_joint_states(self) -> int:
        """Z = K S: a context is a part of the state that never changes in play."""
        return self.num_contexts * self.num_states

    @cached_property
    def table_shape(self) -> tuple[int, int, int]:
        """(Z, A, B)."""
        return self.num_contexts * self.num_states, self.num_leader_actions, self.num_follower_actions

    @cached_property
    def array_shape(self) -> tuple[int, ...]:
        """([K,] S, A, B), the shape in which a commitment takes cotangents."""
        shape = (self.num_states, self.num_leader_actions, self.num_follower_actions)
        return shape if self.num_contexts == 1 else (self.num_contexts, *shape)

    def effect(self, x: Array) -> JointEffect:
        """Return what holds under the commitment x, over joint states."""
        K, made = self.num_contexts, self.commitment.effect(x)
        policy = self.leader_policy if made.leader_policy is None else made.leader_policy
        shape = K, self.num_states, self.num_leader_actions, self.num_follower_actions
        leader, follower = made.leader_reward, made.follower_reward
        leader = None if leader is None else np.broadcast_to(leader, shape).reshape(self.table_shape)
        follower = None if follower is None else np.broadcast_to(follower, shape).reshape(self.table_shape)
        transition = None if made.transition is None else made.transition.joint(K)
        return JointEffect(policy if K == 1 else np.tile(policy, (K, 1)), leader, follower, transition)


@dataclass(frozen=True, eq=False, kw_only=True)
class VectorBrief(Brief):
    """What a leader knows of a game whose states are vectors.

    Attributes
    ----------
    state_size, leader_action_size
        Of one state and one play action of the leader, W and A.
    follower_actions
        The follower's actions.
    model_class
        Fits models of the form that the game publishes; None where it publishes none.
    """

    kind = "vector"

    state_size: int
    leader_action_size: int
    follower_actions: ActionSpec
    model_class: ModelClass | None


@dataclass(frozen=True, eq=False, kw_only=True)
class MarkovBrief(Brief):
    """What a leader knows of a game whose followers affect each other.

    Attributes
    ----------
    num_followers, num_states, num_follower_actions
        n, S, and B of each follower.
    feasible
        Which actions each follower can take in each state, shape (n, S, B): a part of its action space, which is
        public. None where it can take all.
    zero_sum
        Whether each of two followers also loses what the entropy of the other is worth.
    """

    kind: ClassVar[str] = "markov"

    num_followers: int
    num_states: int
    num_follower_actions: int
    feasible: NDArray[np.bool_] | None = None
    zero_sum: bool = False

    @cached_property
    def as_one(self) -> TabularBrief:
        """The same as if one follower chose the actions of all: tables of shape (S, 1, M), of joint actions."""
        feasible = None if self.feasible is None else jointly(self.feasible)[:, None]
        return TabularBrief(
            **{item.name: getattr(self, item.name) for item in fields(Brief)},
            num_states=self.num_states,
            num_leader_actions=1,
            num_follower_actions=int(self.num_follower_actions**self.num_followers),
            leader_policy=np.ones((self.num_states, 1)),
            feasible=feasible,
        )

    def effect(self, x: Array) -> JointEffect:
        """Return what holds under the commitment x: of the followers' rewards shape (n, S, 1, M), of the leader's mean.

        The leader's part is the mean over followers, shape (S, 1, M).
        """
        made = as_effect(self.commitment.effect(x))
        shape = self.num_followers, *self.as_one.table_shape
        leader, follower = made.leader_reward, made.follower_reward
        leader = None if leader is None else np.broadcast_to(leader, shape).mean(axis=0)
        follower = None if follower is None else np.broadcast_to(follower, shape)
        return JointEffect(self.as_one.leader_policy, leader, follower, made.transition)


@dataclass(frozen=True, eq=False, kw_only=True)
class EnvironmentBrief(Brief):
    """What a leader knows of an environment in which nobody knows what its commitment changes."""

    kind = "environment"


def redact(seen: Trajectories, level: Information, policy: Any) -> Trajectories:
    """Return the trajectories with just what a level of information includes; `policy` is the follower's.

    A policy that is no table is shown only to leaders that know the game.
    """
    if level < Information.REWARDS_OBSERVED:
        return seen.without("follower_reward")
    if level >= Information.RESPONSE and isinstance(policy, np.ndarray):
        return replace(seen, response=policy)
    return Trajectories.of_loop(**{**vars(seen), "response": policy}) if level == Information.MODEL else seen
