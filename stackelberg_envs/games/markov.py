"""Games whose followers affect each other: one state that all share, n followers who act at once, and a leader.

Everybody acts without seeing what the others do at the same step. How followers answer a commitment is an equilibrium
among them: :mod:`stackelberg_envs.solvers.equilibrium`.

Letters: n followers, S states, B actions of each follower, M = B^n joint actions. A joint action is one number,
b = ((b_0 B + b_1) B + b_2) ..., the order of a C array over (B, ..., B).
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stackelberg_envs.arrays import (
    Array,
    as_float,
    first_index,
    frozen,
    require_flag,
    require_room,
    require_rows_sum_to_one,
    require_shape,
)
from stackelberg_envs.errors import ArgumentError, GameError
from stackelberg_envs.games.commitments.base import Commitment, Effect, as_effect
from stackelberg_envs.games.committed import Committed
from stackelberg_envs.games.markov_primitives import MarkovPrimitives, jointly
from stackelberg_envs.games.tabular import DEFAULT_HORIZON
from stackelberg_envs.games.tabular_checks import (
    require_commitment,
    require_sums,
    require_zero_or_one,
    shared_scalars,
    with_facts_left,
)
from stackelberg_envs.games.transitions import Transition

__all__ = ["CommittedMarkov", "MarkovGame"]


@dataclass(frozen=True, eq=False, kw_only=True)
class MarkovGame:
    """A Markov game of n followers who affect each other's rewards and moves, under a leader's commitment.

    Parameters
    ----------
    follower_rewards
        r_i of each follower by state and everybody's actions, shape (n, S, B, ..., B) or (n, S, M), before the
        commitment adds to them; reward units per play step.
    leader_reward
        Shape (S, B, ..., B) or (S, M).
    transition
        Dense kernel of shape (S, B, ..., B, S) or (S, M, S), or a :class:`Transition` of shape (S, 1, M).
    initial
        Initial distribution, shape (S,).
    leader_discount, follower_discount
        In [0, 1), per play step.
    temperature
        Weight of each follower's entropy, greater than 0, in reward units.
    commitment
        What the leader announces. It may add to rewards and replace the transition, on arrays of shape (n, S, 1, M):
        followers stand where other games have contexts, and joint actions where they have the follower's. What it
        adds to the leader's reward by follower counts as the mean over followers, so that a
        :class:`stackelberg_envs.Transfer` pays the leader what the average follower pays.
    terminal
        1 or True where a visit pays and ends the episode, shape (S,); default nowhere.
    feasible
        The actions that a follower has in a state, boolean of shape (n, S, B); default all.
    zero_sum
        With two followers whose rewards sum to zero: whether each also loses what the entropy of the other is worth, so
        that the game stays zero-sum at every temperature.
    horizon
        Play steps after which an episode is truncated (no effect on values, which are over infinite play).
    observe_rewards, publish_temperature
        Whether observers of play see the followers' rewards, and whether the temperature is public.
    name, facts
        For people: a name, and what is known about the game.

    Raises
    ------
    GameError
        Shapes that do not fit, rows that sum to something else than one, a state in which a follower has no action, or
        a commitment that sets more than rewards and transition; the message says where.

    Examples
    --------
    Two drivers, two roads. A road costs the more the more take it, and the leader has a toll on the second.

    >>> import numpy as np, stackelberg_envs as se
    >>> alone, together = 1.0, 2.0
    >>> delay = np.array([[together, alone], [alone, together]])
    >>> features = np.zeros((2, 1, 1, 4, 1))
    >>> features[0, 0, 0, [2, 3]] = features[1, 0, 0, [1, 3]] = 1.0
    >>> game = se.MarkovGame(follower_rewards=[[-delay], [-delay]], leader_reward=[-delay], terminal=[1],
    ...                      transition=np.ones((1, 4, 1)), initial=[1.0], leader_discount=0.0, follower_discount=0.0,
    ...                      temperature=0.1, commitment=se.Transfer(features, 0.0, 1.0))
    >>> se.solve(game, [0.0]).policy.round(3).tolist()
    [[[0.5, 0.5]], [[0.5, 0.5]]]
    """

    follower_rewards: Array
    leader_reward: Array
    transition: Transition
    initial: Array
    leader_discount: float
    follower_discount: float
    temperature: float
    commitment: Commitment
    terminal: Array | None = None
    feasible: NDArray[np.bool_] | None = field(default=None, metadata={"may_be_left_out": True})
    zero_sum: bool = False
    horizon: int = DEFAULT_HORIZON
    observe_rewards: bool = True
    publish_temperature: bool = True
    name: str = "markov"
    facts: dict[str, Any] = field(default_factory=dict)
    #: The kind of game, by which players are found.
    kind: ClassVar[str] = "markov"
    #: Name of the follower that runs take by default.
    suggested_follower: ClassVar[str] = "logit_equilibrium"
    has_solution: ClassVar[bool] = True
    can_be_unstable: ClassVar[bool] = False
    num_contexts: ClassVar[int] = 1

    def __post_init__(self) -> None:
        """Check and freeze every array."""
        require_commitment(self.commitment, Commitment)  # type: ignore[type-abstract]
        for name, array in _checked_arrays(self).items():
            object.__setattr__(self, name, array)
        for name, value in shared_scalars(self).items():
            if name != "num_followers":
                object.__setattr__(self, name, value)
        object.__setattr__(self, "zero_sum", require_flag(self.zero_sum, "zero_sum", GameError))
        if self.zero_sum and self.num_followers != 2:
            raise GameError(f"zero_sum: expected two followers, got {self.num_followers}")
        commitment = self.commitment
        self.under(commitment.project(0.5 * (commitment.low + commitment.high))).arrays  # noqa: B018 - must fit

    @property
    def num_followers(self) -> int:
        """The number n of followers."""
        return len(self.follower_rewards)

    @cached_property
    def shape(self) -> tuple[int, int, int]:
        """(S, B, M)."""
        _, S, M = self.follower_rewards.shape
        return S, _root(M, self.num_followers), M

    @property
    def table_shape(self) -> tuple[int, int, int]:
        """(n, S, B), the shape of a table of the followers' policies."""
        S, B, _ = self.shape
        return self.num_followers, S, B

    def under(self, x: ArrayLike) -> CommittedMarkov:
        """Return the game under the commitment x, which is checked here.

        Raises
        ------
        CommitmentError
            x lies outside its space.
        """
        return CommittedMarkov(self, self.commitment.check(x))

    def replace(self, **changes: Any) -> MarkovGame:
        """Return the same game with some arguments changed; it is checked again.

        Facts on what a leader can reach, best known values and references, stay behind where values change.

        Raises
        ------
        ArgumentError
            A name of no argument.
        GameError
            As for a new game.
        """
        known = [each.name for each in fields(self)]
        unknown = [name for name in changes if name not in known]
        if unknown:
            raise ArgumentError(f"replace: expected arguments among {', '.join(known)}, got {', '.join(unknown)}")
        return replace(self, **with_facts_left(self, changes))


@dataclass(frozen=True, eq=False)
class CommittedMarkov(Committed):
    """A game of interacting followers under a commitment."""

    game: MarkovGame

    @cached_property
    def arrays(self) -> MarkovPrimitives:
        """The game's arrays under the commitment.

        Raises
        ------
        GameError
            What the commitment changes does not fit the game.
        """
        game = self.game
        effect = _checked_effect(game.commitment.effect(self.commitment), game)
        n, S, M = game.follower_rewards.shape
        feasible = np.ones(game.table_shape, dtype=bool) if game.feasible is None else game.feasible
        rewards, leader = game.follower_rewards, game.leader_reward
        if effect.follower_reward is not None:
            rewards = rewards + np.broadcast_to(effect.follower_reward, (n, S, 1, M))[:, :, 0]
        if effect.leader_reward is not None:
            leader = leader + np.broadcast_to(effect.leader_reward, (n, S, 1, M)).mean(axis=0)[:, 0]
        if game.feasible is not None:  # what arrays say of other actions is never read
            possible = jointly(game.feasible)
            rewards, leader = np.where(possible, rewards, 0.0), np.where(possible, leader, 0.0)
        _require_sums(game, rewards, leader)
        return MarkovPrimitives(
            follower_rewards=rewards,
            leader_reward=leader,
            transition=game.transition if effect.transition is None else effect.transition,
            initial=game.initial,
            continuing=1.0 - np.asarray(game.terminal),
            feasible=tuple(feasible),
            leader_discount=game.leader_discount,
            follower_discount=game.follower_discount,
            temperature=game.temperature,
            zero_sum=game.zero_sum,
        )


def _require_sums(game: MarkovGame, rewards: Array, leader: Array) -> None:
    """Raise unless everybody's values, the entropies' part included, are numbers in units of the temperature."""
    for name, array, discount in (
        ("follower_rewards", rewards, game.follower_discount),
        ("leader_reward", leader, game.leader_discount),
    ):
        sizes = np.array([array.max(), -array.min(), game.temperature * np.log(game.shape[1])])
        require_sums(sizes, discount, 1.0 - discount, game.temperature, f"{name}, with the commitment's part")


def _root(M: int, n: int) -> int:
    """Return the number of actions of each of n followers who have M joint ones, or 0 where there is none."""
    B = round(M ** (1.0 / n))
    return B if B**n == M else 0


def _checked_arrays(game: MarkovGame) -> dict[str, Any]:
    rewards = as_float(game.follower_rewards, "follower_rewards")
    if rewards.ndim < 3 or 0 in rewards.shape:
        raise GameError(f"follower_rewards: expected shape (n, S, B, ..., B) or (n, S, M), got {rewards.shape}")
    n, S = rewards.shape[:2]
    M = int(np.prod(rewards.shape[2:]))
    B = _root(M, n)
    if not B or (rewards.ndim > 3 and rewards.shape[2:] != (B,) * n):
        raise GameError(
            f"follower_rewards: expected as many actions for each of {n} followers, (n, S, B, ..., B) or (n, S, B^n), "
            f"got shape {rewards.shape}; who has fewer says so in feasible"
        )
    require_room((n, S, M), "follower_rewards")
    own = as_float(game.leader_reward, "leader_reward")
    require_shape(own, [(S, M), (S, *(B,) * n)], "leader_reward")
    initial = as_float(game.initial, "initial")
    require_shape(initial, [(S,)], "initial")
    terminal = as_float(np.zeros(S) if game.terminal is None else game.terminal, "terminal")
    require_shape(terminal, [(S,)], "terminal")
    require_zero_or_one(terminal)
    return {
        "follower_rewards": frozen(rewards.reshape(n, S, M)),
        "leader_reward": frozen(own.reshape(S, M)),
        "initial": frozen(require_rows_sum_to_one(initial[None], "initial")[0]),
        "terminal": frozen(terminal),
        "transition": _checked_transition(game.transition, "transition", S, B, n),
        "feasible": _checked_feasible(game.feasible, (n, S, B)),
    }


def _checked_transition(value: Any, name: str, S: int, B: int, n: int) -> Transition:
    M = B**n
    if isinstance(value, Transition):
        lists = value.checked(name)
    else:
        array = as_float(value, name)
        require_shape(array, [(S, M, S), (S, *(B,) * n, S), (S, 1, M, S)], name)
        lists = Transition.from_dense(array.reshape(S, 1, M, S), name)
    if lists.shape != (S, 1, M) or lists.num_contexts is not None:
        raise GameError(f"{name}: expected leading shape {(S, 1, M)}, got {lists.successors.shape[:-1]}")
    return lists


def _checked_feasible(value: Any, shape: tuple[int, int, int]) -> NDArray[np.bool_] | None:
    if value is None:
        return None
    array = as_float(value, "feasible")
    require_shape(array, [shape], "feasible")
    odd = (array != 0) & (array != 1)
    if odd.any():
        where = first_index(odd)
        raise GameError(f"feasible: expected True or False, got {array[where]} at index {where}")
    mask = np.asarray(array > 0)
    none = ~mask.any(axis=-1)
    if none.any():
        i, s = first_index(np.asarray(none))
        raise GameError(f"feasible: expected an action in each state, got none of follower {i} in state {s}")
    return None if mask.all() else frozen(mask)


def _checked_effect(effect: object, game: MarkovGame) -> Effect:
    effect = as_effect(effect)
    n, S, M = game.follower_rewards.shape
    full = (n, S, 1, M)
    if effect.leader_policy is not None:
        raise GameError(
            "commitment: expected one that adds to rewards or brings the transition, because in games of interacting "
            f"followers the leader only configures; {type(game.commitment).__name__} sets a leader policy"
        )
    for name in ("follower_reward", "leader_reward"):
        array = getattr(effect, name)
        if array is None:
            continue
        try:
            fits = np.broadcast_shapes(array.shape, full) == full
        except ValueError:
            fits = False
        if not fits:
            raise GameError(f"commitment: its {name} has shape {array.shape}, which does not broadcast to {full}")
        as_float(array, f"commitment: its {name}")
    if effect.transition is None:
        return effect
    B = game.shape[1]
    return replace(effect, transition=_checked_transition(effect.transition, "commitment: its transition", S, B, n))
