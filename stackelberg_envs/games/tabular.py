"""Games: the protocol every game satisfies, and TabularGame, its exact finite member, alone and under a commitment.

Letters: S states, A leader actions, B follower actions, K contexts, N successors a row, Z = K S joint states
(a context is a part of the state that never changes during play; solvers and simulators work on joint
states and so need no loop over contexts).
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stackelberg_envs.arrays import Array, frozen
from stackelberg_envs.errors import ArgumentError, GameError
from stackelberg_envs.games.commitments.base import Commitment
from stackelberg_envs.games.committed import Committed
from stackelberg_envs.games.ends import SureEnd, sure_end
from stackelberg_envs.games.primitives import Primitives
from stackelberg_envs.games.tabular_checks import (
    checked_arrays,
    checked_effect,
    checked_scalars,
    possible_transitions,
    require_follower_scale,
    require_room_to_end,
    require_same_moves,
    require_scale,
    require_scales,
    with_facts_left,
)
from stackelberg_envs.games.transitions import Transition

__all__ = ["CommittedTabular", "Game", "Primitives", "TabularGame"]

DEFAULT_HORIZON = 200


@runtime_checkable
class Game(Protocol):
    """What every game offers, whatever its states and actions are.

    Attributes
    ----------
    name
        Human-readable name.
    commitment
        What the leader announces; see :mod:`stackelberg_envs.games.commitments.base`.
    leader_discount, follower_discount
        In [0, 1), per play step; 1 only where play surely ends.
    temperature
        Weight of the follower's entropy, in reward units.
    horizon
        Play steps after which an episode is truncated.
    num_contexts, num_followers
        K, and the number of followers that play at once, each in a copy of the decision process.
    observe_rewards, publish_temperature
        Whether observers of play see the follower's rewards, and whether the temperature is public.
    suggested_follower
        Name of the follower that runs take by default.
    facts
        What else is known: the story's units, reference values, where they come from.
    has_solution
        Whether `solve` knows the exact answer.
    can_be_unstable
        Whether there may be commitments without a finite response of the follower.
    table_shape
        (Z, A, B), the shape of a table of the follower's policy; None for each size where states are vectors.
    """

    @property
    def has_solution(self) -> bool: ...  # noqa: D102
    @property
    def can_be_unstable(self) -> bool: ...  # noqa: D102
    @property
    def table_shape(self) -> tuple[int | None, int | None, int | None]: ...  # noqa: D102
    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def commitment(self) -> Commitment: ...  # noqa: D102
    @property
    def leader_discount(self) -> float: ...  # noqa: D102
    @property
    def follower_discount(self) -> float: ...  # noqa: D102
    @property
    def temperature(self) -> float: ...  # noqa: D102
    @property
    def horizon(self) -> int: ...  # noqa: D102
    @property
    def num_contexts(self) -> int: ...  # noqa: D102
    @property
    def num_followers(self) -> int: ...  # noqa: D102
    @property
    def observe_rewards(self) -> bool: ...  # noqa: D102
    @property
    def publish_temperature(self) -> bool: ...  # noqa: D102
    @property
    def suggested_follower(self) -> str: ...  # noqa: D102
    @property
    def facts(self) -> dict[str, Any]: ...  # noqa: D102

    def under(self, x: ArrayLike) -> Committed:
        """Return the game under the commitment x, which is checked here."""


@dataclass(frozen=True, eq=False, kw_only=True)
class TabularGame:
    """A Stackelberg Markov game over finite sets, as frozen arrays that were checked once.

    Parameters
    ----------
    leader_reward, follower_reward
        r_L and r_F, shape ([K,] S, A, B), before the commitment adds to them; reward units per play step. Or of
        transitions: with one more axis, of next states or of the places in the transition's lists. The game keeps, and
        pays, their mean over next states. That is not possible where the commitment brings the transition, nor for a
        follower that believes in another one.
    initial
        Initial distribution, shape ([K,] S).
    leader_discount, follower_discount
        In [0, 1], per play step. 1 is accepted where, from every state, reached or not, play ends in a terminal state
        whatever the follower does and whatever is committed to.
    temperature
        Weight of the follower's entropy, greater than 0, in reward units.
    commitment
        What the leader announces and what it changes.
    transition
        Dense kernel of shape ([K,] S, A, B, S), or a :class:`Transition`. May be left out when the
        commitment brings the transition.
    terminal
        1 or True where a visit pays and ends the episode, shape ([K,] S); default nowhere.
    feasible
        True where the follower can take an action, shape ([K,] S, B), or ([K,] S, A, B) where that depends on what the
        leader did; at least one in each state. Default everywhere. What rewards and transition say about other actions
        is never read.
    leader_policy
        f(a | s), shape (S, A): only for games with several leader actions whose commitment does not set it.
    believed_transition
        What the follower plans with, if it differs from the truth.
    context_probabilities
        Shape (K,). Given, the game has contexts, and arrays may carry the axis K.
    horizon
        Play steps after which an episode is truncated (no effect on values, which are over infinite play). With
        discount 1, where no episode can have more than so many steps, it must leave room for them.
    num_followers
        Followers that play at once, each in its own copy; the leader is paid their mean.
    observe_rewards, publish_temperature
        Whether observers of play see the follower's rewards, and whether the temperature is public.
    made_for
        Of the temperature and the discounts, those by which rewards or the commitment were made: a dict of names and
        values. A game that is changed in one of them alone is refused, because the rest would not follow.
    name, facts
        For people: a name, and what is known about the game.

    Raises
    ------
    GameError
        Shapes that do not fit, rows that sum to something else than one, a state without a feasible action, discount 1
        where play need not end, a temperature that is not positive, or another one than `made_for` says; the message
        says where.

    Examples
    --------
    >>> import numpy as np, stackelberg_envs as se
    >>> stay = np.ones((1, 2, 1, 1))
    >>> game = se.TabularGame(transition=stay, leader_reward=[[[0.0], [1.0]]],
    ...                       follower_reward=np.zeros((1, 2, 1)),
    ...                       initial=[1.0], leader_discount=0.5, follower_discount=0.5, temperature=0.1,
    ...                       commitment=se.PolicyTable(1, 2))
    >>> float(round(se.solve(game, [[0.0, 1.0]]).leader_value, 6))
    2.0
    """

    leader_reward: Array
    follower_reward: Array
    initial: Array
    leader_discount: float
    follower_discount: float
    temperature: float
    commitment: Commitment
    transition: Transition | None = None
    terminal: Array | None = None
    feasible: NDArray[np.bool_] | None = field(default=None, metadata={"may_be_left_out": True})
    leader_policy: Array | None = None
    believed_transition: Transition | None = None
    context_probabilities: Array | None = None
    horizon: int = DEFAULT_HORIZON
    num_followers: int = 1
    observe_rewards: bool = True
    publish_temperature: bool = True
    made_for: dict[str, float] | None = field(default=None, metadata={"may_be_left_out": True})
    name: str = "tabular"
    facts: dict[str, Any] = field(default_factory=dict)
    #: The kind of game, by which players are found.
    kind: ClassVar[str] = "tabular"
    #: Name of the follower that runs take by default.
    suggested_follower: ClassVar[str] = "soft_value_iteration"
    #: Whether `solve` knows the exact answer.
    has_solution: ClassVar[bool] = True
    #: Whether there may be commitments without a finite response of the follower.
    can_be_unstable: ClassVar[bool] = False
    #: Names of the rewards that are means over next states, as the present transition has them.
    averaged: ClassVar[frozenset[str]] = frozenset()

    def __post_init__(self) -> None:
        """Check and freeze every array."""
        for name, value in checked_scalars(self).items():
            object.__setattr__(self, name, value)
        for name, array in checked_arrays(self).items():
            object.__setattr__(self, name, array)
        self._check_commitment_fits()
        require_scales(self)
        require_room_to_end(self)

    @cached_property
    def num_contexts(self) -> int:
        """K."""
        return 1 if self.context_probabilities is None else len(self.context_probabilities)

    @property
    def table_shape(self) -> tuple[int, int, int]:
        """(Z, A, B), the shape of a table of the follower's policy over joint states."""
        S, A, B = self.shape
        return self.num_contexts * S, A, B

    @cached_property
    def shape(self) -> tuple[int, int, int]:
        """(S, A, B)."""
        S, A, B = self.leader_reward.shape[-3:]
        return S, A, B

    @property
    def array_shape(self) -> tuple[int, ...]:
        """Shape of per-action results: (S, A, B), or (K, S, A, B) for a game with contexts."""
        return self.shape if self.context_probabilities is None else (self.num_contexts, *self.shape)

    @property
    def demands(self) -> frozenset[str]:
        """What players have to be made for, besides games of tables: "feasible actions", "discount 1", or both."""
        found = {"feasible actions": self.feasible is not None, "discount 1": self.ends is not None}
        return frozenset(name for name, needed in found.items() if needed)

    @property
    def joint_initial(self) -> Array:
        """Initial distribution over joint states, shape (Z,)."""
        return self.uncommitted.initial

    @cached_property
    def uncommitted(self) -> Primitives:
        """The game without any commitment, over joint states; what the commitment sets is a placeholder."""
        S, A, B = self.shape
        K = self.num_contexts
        weights = np.ones(1) if self.context_probabilities is None else self.context_probabilities
        transition = self.transition if self.transition is not None else _no_transition(S, A, B)
        believed = transition if self.believed_transition is None else self.believed_transition
        joint = transition.joint(K)
        policy = np.full((S, A), 1.0 / A) if self.leader_policy is None else self.leader_policy
        return Primitives(
            leader_policy=frozen(np.tile(policy, (K, 1))),
            follower_reward=self._paid(self._over_contexts(self.follower_reward, (S, A, B))),
            leader_reward=self._paid(self._over_contexts(self.leader_reward, (S, A, B))),
            transition=joint,
            believed_transition=joint if believed is transition else believed.joint(K),
            initial=frozen((weights[:, None] * np.broadcast_to(self.initial, (K, S))).ravel()),
            continuing=frozen(1.0 - self._over_contexts(np.asarray(self.terminal), (S,))),
            leader_discount=self.leader_discount,
            follower_discount=self.follower_discount,
            temperature=self.temperature,
            num_contexts=K,
            feasible=self._joint_feasible,
            ends=self.ends,
        )

    @cached_property
    def _joint_feasible(self) -> NDArray[np.bool_] | None:
        """Feasible actions in joint states, shape (Z, A, B)."""
        return None if self.feasible is None else self._over_contexts(self.feasible, self.shape)

    def _paid(self, reward: Array) -> Array:
        """Return a reward of joint states, shape (Z, A, B), with 0 for actions that cannot be taken."""
        return reward if self._joint_feasible is None else frozen(np.where(self._joint_feasible, reward, 0.0))

    @cached_property
    def ends(self) -> SureEnd | None:
        """How soon play surely ends, under every commitment; None where both discounts are below 1."""
        if max(self.leader_discount, self.follower_discount) < 1.0:
            return None
        K, S = self.num_contexts, self.shape[0]
        possible = np.repeat(
            1.0 - self._over_contexts(np.asarray(self.terminal), (S,)) > 0, self.shape[1] * self.shape[2]
        )
        possible = possible.reshape(self.table_shape)
        if self._joint_feasible is not None:
            possible &= self._joint_feasible
        if self.leader_policy is not None and "leader_policy" not in self.commitment.changes:
            possible &= np.tile(self.leader_policy > 0, (K, 1))[:, :, None]
        return sure_end([one.joint(K) for one in possible_transitions(self)], possible, S)

    def _over_contexts(self, array: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
        K = self.num_contexts
        return frozen(np.broadcast_to(array, (K, *shape)).reshape(K * shape[0], *shape[1:]))

    def under(self, x: ArrayLike) -> CommittedTabular:
        """Return the game under the commitment x, which is checked here.

        Raises
        ------
        CommitmentError
            x lies outside its space.
        """
        return CommittedTabular(self, self.commitment.check(x))

    def primitives(self, x: ArrayLike) -> Primitives:
        """Return the game's arrays under the commitment x, which is checked first.

        Raises
        ------
        CommitmentError
            x lies outside its space.
        GameError
            What the commitment changes does not fit the game, or has no finite values.
        """
        return self.under(x).primitives

    def replace(self, **changes: Any) -> TabularGame:
        """Return the same game with some arguments changed; it is checked again.

        Facts on what a leader can reach, best known values and references, stay behind where values change.

        Raises
        ------
        ArgumentError
            A name of no argument.
        GameError
            As for a new game; or other moves without the rewards of transitions that were averaged over these.
        """
        known = [each.name for each in fields(self)]
        unknown = [name for name in changes if name not in known]
        if unknown:
            raise ArgumentError(f"replace: expected arguments among {', '.join(known)}, got {', '.join(unknown)}")
        made = replace(self, **with_facts_left(self, changes))
        kept = self.averaged - changes.keys()
        require_same_moves(self, made, kept)
        return made.averaging(kept)

    def averaging(self, names: frozenset[str]) -> TabularGame:
        """Return the same game, knowing that these rewards, too, are means over next states."""
        object.__setattr__(self, "averaged", self.averaged | names)
        return self

    def as_believed(self) -> TabularGame:
        """Return the game in which what the follower believes is true; itself when it believes the truth.

        Raises
        ------
        GameError
            The leader's reward was given by transition, and its mean over what is believed is not known.
        """
        if self.believed_transition is None:
            return self
        return self.replace(transition=self.believed_transition, believed_transition=None)

    def _check_commitment_fits(self) -> None:
        """Try the commitment once: its effect must fit the game's arrays."""
        commitment = self.commitment
        effect = checked_effect(commitment.effect(commitment.project(0.5 * (commitment.low + commitment.high))), self)
        S, A, _ = self.shape
        if effect.leader_policy is None and A > 1 and self.leader_policy is None:
            raise GameError(f"leader_policy: expected shape ({S}, {A}), got None, and the commitment does not set it")
        if effect.transition is None and self.transition is None:
            raise GameError("transition: expected a kernel, got None, and the commitment does not bring one")


@dataclass(frozen=True, eq=False)
class CommittedTabular(Committed):
    """A tabular game under a commitment; its arrays are made when they are first asked for, and kept."""

    game: TabularGame

    def from_every_state(self) -> CommittedTabular:
        """Return the same where play begins in any state, all as likely."""
        game, S = self.game, self.game.shape[0]
        longest = 1 if game.ends is None or game.ends.longest is None else int(game.ends.longest.max())
        # Episodes that begin elsewhere may be longer than any of the game's.
        horizon = max(game.horizon, longest)
        return replace(self, game=game.replace(initial=np.full(S, 1.0 / S), horizon=horizon))

    @cached_property
    def primitives(self) -> Primitives:
        """The game's arrays under the commitment: planners read them, learners sample from them.

        Raises
        ------
        GameError
            What the commitment changes does not fit the game, or has no finite values.
        """
        game, base, commitment = self.game, self.game.uncommitted, self.game.commitment
        effect = commitment.effect(self.commitment)
        if not commitment.always_fits:  # the game has looked at one effect when it was made
            effect = checked_effect(effect, game)
        K, S, A, B = game.num_contexts, *game.shape
        changed: dict[str, Any] = {}
        if effect.leader_policy is not None:
            changed["leader_policy"] = np.tile(effect.leader_policy, (K, 1)) if K > 1 else effect.leader_policy
        if effect.follower_reward is not None:
            own = base.follower_reward.reshape(K, S, A, B) + effect.follower_reward
            own = game._paid(own.reshape(K * S, A, B))
            require_follower_scale(own, base.follower_process, game, "commitment: the follower_reward under it")
            changed["follower_reward"] = own
        if effect.leader_reward is not None:
            own = base.leader_reward.reshape(K, S, A, B) + effect.leader_reward
            own = game._paid(own.reshape(K * S, A, B))
            require_scale(own, base.leader_process, game.temperature, "commitment: the leader_reward under it")
            changed["leader_reward"] = own
        if effect.transition is not None:
            changed["transition"] = effect.transition.joint(K)
            if game.believed_transition is None:
                changed["believed_transition"] = changed["transition"]
        return replace(base, **changed)


def _no_transition(S: int, A: int, B: int) -> Transition:
    """Return a stand-in for games whose commitment brings the transition; it is always replaced."""
    return Transition(np.zeros((S, A, B, 1), dtype=np.int32), np.ones((S, A, B, 1)))
