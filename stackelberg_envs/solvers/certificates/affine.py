"""A tabular game as functions of coordinates z in [0, 1]^D, all of whose arrays are affine in z, but for kinks.

A box of bounds has a coordinate for each entry of x that can move; a row of n probabilities has n - 1, those of its
last entry follow. Entries that change nothing which either player can notice get no coordinate.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import singledispatch
from typing import NamedTuple

import numpy as np

from stackelberg_envs.arrays import Array, IntArray
from stackelberg_envs.errors import ArgumentError, GameError
from stackelberg_envs.games.commitments.base import Commitment, SimplexRows
from stackelberg_envs.games.commitments.joint import Joint
from stackelberg_envs.games.contexts import InContext
from stackelberg_envs.games.primitives import Primitives
from stackelberg_envs.games.tabular import TabularGame
from stackelberg_envs.games.transitions import Transition
from stackelberg_envs.solvers.certificates.kinks import Kinks, bent_part, no_kinks, rewards_from_above

__all__ = ["AffineArrays", "AffineGame", "affine_game", "count_coordinates"]

#: How far, relative to its largest entry, an effect may be from the affine function that it is said to be.
AFFINE_TOLERANCE = 1e-9
#: Points at which that is looked at.
TRIALS = 3


class AffineArrays(NamedTuple):
    """The arrays of a game; entry 0 of the last axis is the value at z = 0, entry 1 + i the derivative by z_i.

    Attributes
    ----------
    leader_policy
        Shape (Z, A, 1 + D).
    follower_reward, leader_reward
        Shape (Z, A, B, 1 + D).
    successors, probabilities
        Shapes (Z, A, B, N) and (Z, A, B, N, 1 + D), the last axis 1 where the commitment leaves the dynamics alone.
    believed_successors, believed_probabilities
        The same of what the follower plans with.
    continuing, initial
        Shape (Z,).
    leader_discount, follower_discount, temperature
        As in the game.
    groups
        For each coordinate the number of its row of probabilities, those of a row in a sequence; -1 for entries of a
        box. Shape (D,).
    limits
        Functions of z that lie between 0 and 1 at every commitment, besides z itself; shape (C, 1 + D).
    """

    leader_policy: Array
    follower_reward: Array
    leader_reward: Array
    successors: IntArray
    probabilities: Array
    believed_successors: IntArray
    believed_probabilities: Array
    continuing: Array
    initial: Array
    leader_discount: float
    follower_discount: float
    temperature: float
    groups: IntArray
    limits: Array


@dataclass(frozen=True, eq=False)
class AffineGame:
    """A game in coordinates.

    Attributes
    ----------
    arrays
        The game's arrays as functions of z.
    base
        The commitment at z = 0, flat.
    directions
        By how much x moves with each coordinate, shape (D, x.size).
    shape
        Of x.
    kinks
        What the leader's reward has besides.
    """

    arrays: AffineArrays
    base: Array
    directions: Array
    shape: tuple[int, ...]
    kinks: Kinks

    def on(self, low: Array, high: Array) -> AffineArrays:
        """Return arrays that are those of the game on a box, but for rewards of the leader that may be larger."""
        if not len(self.kinks.places):
            return self.arrays
        rewards = rewards_from_above(self.arrays.leader_reward, self.kinks, low, high)
        return self.arrays._replace(leader_reward=rewards)

    def commitment(self, z: Array) -> Array:
        """Return the commitment at z."""
        return np.asarray((self.base + z @ self.directions).reshape(self.shape))

    def coordinates(self, x: Array) -> Array:
        """Return the coordinates of a commitment."""
        return np.asarray(np.linalg.lstsq(self.directions.T, x.ravel() - self.base)[0])


@singledispatch
def moves(commitment: Commitment) -> tuple[Array, Array, Array]:
    """Return the flat commitment at z = 0, the directions of coordinates, shape (D, x.size), and their rows, (D,)."""
    low, width = commitment.low.ravel(), (commitment.high - commitment.low).ravel()
    free = np.flatnonzero(width > 0)
    directions = np.zeros((len(free), low.size))
    directions[np.arange(len(free)), free] = width[free]
    return low, directions, np.full(len(free), -1)


@moves.register
def _(commitment: SimplexRows) -> tuple[Array, Array, Array]:
    rows, n = commitment.shape
    base = np.zeros((rows, n))
    base[:, -1] = 1.0
    directions = np.zeros((rows, n - 1, rows, n))
    for row in range(rows):
        directions[row, :, row, :-1] = np.eye(n - 1)
        directions[row, :, row, -1] = -1.0
    return base.ravel(), directions.reshape(rows * (n - 1), rows * n), np.repeat(np.arange(rows), n - 1)


@moves.register
def _(commitment: Joint) -> tuple[Array, Array, Array]:
    made: tuple[Array, Array, Array] = moves(commitment.parts[0])
    return made


@moves.register
def _(commitment: InContext) -> tuple[Array, Array, Array]:
    made: tuple[Array, Array, Array] = moves(commitment.commitment)
    return made


@singledispatch
def count_coordinates(commitment: Commitment) -> int:
    """Return D of a commitment, those coordinates included that may turn out to change nothing."""
    return int((commitment.high > commitment.low).sum())


@count_coordinates.register
def _(commitment: SimplexRows) -> int:
    rows, n = commitment.shape
    return rows * (n - 1)


@count_coordinates.register
def _(commitment: Joint) -> int:
    made: int = count_coordinates(commitment.parts[0])
    return made


@count_coordinates.register
def _(commitment: InContext) -> int:
    made: int = count_coordinates(commitment.commitment)
    return made


def affine_game(game: TabularGame) -> AffineGame:
    """Return a game in coordinates.

    Raises
    ------
    ArgumentError
        A commitment whose effect is not known to be affine.
    GameError
        One that says it is and is not.
    """
    require_affine(game)
    base, directions, groups = moves(game.commitment)
    shape = game.commitment.shape
    known: dict[Transition, Transition] = {}
    start = without_mask(game.primitives(base.reshape(shape)), known)
    moved = [without_mask(game.primitives((base + direction).reshape(shape)), known) for direction in directions]
    arrays = _arrays(start, moved, groups.astype(np.int32))
    made = _with_kinks(game, AffineGame(arrays, base, directions, shape, no_kinks(*game.table_shape)))
    _require_affine_effect(game, made)
    kept = made.kinks.coordinates
    return _without(made, [i for i in range(len(directions)) if i not in kept and not _matters(made.arrays, i)])


def without_mask(game: Primitives, known: dict[Transition, Transition] | None = None) -> Primitives:
    """Return the game in which each action that is not feasible does what a feasible one does; itself where all are.

    To a follower that takes a best action for certain the two are the same game; one with entropy likes an action more
    that it has twice. What became of a transition is kept in `known`, so that one that stays the same does.
    """
    if game.feasible is None:
        return game
    B = game.feasible.shape[2]
    place = np.where(game.feasible, np.arange(B), game.feasible.argmax(axis=2)[..., None])

    known = {} if known is None else known
    for lists in (game.transition, game.believed_transition):
        if lists not in known:
            rows = place[..., None]
            successors = np.take_along_axis(lists.successors, rows, axis=2)
            known[lists] = Transition(successors, np.take_along_axis(lists.probabilities, rows, axis=2), lists.dense)
    return replace(
        game,
        follower_reward=np.take_along_axis(game.follower_reward, place, axis=2),
        leader_reward=np.take_along_axis(game.leader_reward, place, axis=2),
        transition=known[game.transition],
        believed_transition=known[game.believed_transition],
        feasible=None,
    )


def _with_kinks(game: TabularGame, made: AffineGame) -> AffineGame:
    """Take in the entries of a box at which the leader's reward bends between their bounds."""
    if game.commitment.kinks is None or (made.arrays.groups >= 0).any():
        return made
    entries = made.directions.argmax(axis=1)
    places = (game.commitment.kinks.ravel() - made.base)[entries] / made.directions.max(axis=1)
    own = np.flatnonzero((places > 0.0) & (places < 1.0))
    places, directions = places[own], made.directions[own]
    rewards, bends = made.arrays.leader_reward.copy(), []
    for i, place, direction in zip(own, places, directions, strict=True):
        bent = without_mask(game.primitives((made.base + place * direction).reshape(made.shape))).leader_reward
        left = (bent - rewards[..., 0]) / place
        right = (rewards[..., 0] + rewards[..., 1 + i] - bent) / (1.0 - place)
        rewards[..., 1 + i] = 0.5 * (left + right)
        bends.append(0.5 * (right - left))
    if not bends:
        return made
    kinks = Kinks(own, places, np.stack(bends, axis=-1))
    rewards[..., 0] -= bent_part(kinks, np.zeros(len(entries)))
    return replace(made, arrays=made.arrays._replace(leader_reward=rewards), kinks=kinks)


def require_affine(game: TabularGame) -> None:
    """Raise unless the effect of the commitment is known to be affine in x."""
    if not game.commitment.affine:
        raise ArgumentError(
            f"{game.name}: expected a commitment whose effect is affine in x, got {type(game.commitment).__name__}; "
            "these are: PolicyTable, TiedPolicy, TransitionMixture, Incentive, StateIncentive, LinearFeatures, "
            "Transfer, IncentiveCost, a Joint of them, and a FunctionCommitment made with affine=True"
        )


def _arrays(start: Primitives, moved: list[Primitives], groups: IntArray) -> AffineArrays:
    # Copies that can be written to, as they are after a way to another process: what is compiled then serves there too.
    def along(name: str) -> Array:
        first = getattr(start, name)
        return np.ascontiguousarray(np.stack([first, *(getattr(p, name) - first for p in moved)], axis=-1))

    def lists(name: str) -> tuple[IntArray, Array]:
        first = getattr(start, name)
        steps = [getattr(p, name) for p in moved]
        if all(step is first for step in steps):
            return np.array(first.successors), np.array(first.probabilities[..., None])
        if any(not np.array_equal(step.successors, first.successors) for step in steps):
            raise GameError("transition: expected successors that are the same at every x")
        parts = [first.probabilities, *(step.probabilities - first.probabilities for step in steps)]
        return np.array(first.successors), np.ascontiguousarray(np.stack(parts, axis=-1))

    true = lists("transition")
    same = start.believed_transition is start.transition
    return AffineArrays(
        along("leader_policy"),
        along("follower_reward"),
        along("leader_reward"),
        *true,
        *(true if same else lists("believed_transition")),
        np.array(start.continuing),
        np.array(start.initial),
        start.leader_discount,
        start.follower_discount,
        start.temperature,
        groups,
        np.empty((0, 1 + len(groups))),
    )


def _require_affine_effect(game: TabularGame, made: AffineGame) -> None:
    """Compare the game's own arrays at random points with those that follow from its corners."""
    rng = np.random.default_rng(0)
    for _ in range(TRIALS):
        x = game.commitment.project(rng.uniform(game.commitment.low, game.commitment.high))
        z, own = made.coordinates(x), without_mask(game.primitives(x))
        for name in ("leader_policy", "follower_reward", "leader_reward"):
            affine = getattr(made.arrays, name) @ np.concatenate([[1.0], z])
            if name == "leader_reward":
                affine = affine + bent_part(made.kinks, z)
            off, size = np.abs(affine - getattr(own, name)).max(), np.abs(getattr(made.arrays, name)).max()
            if off > AFFINE_TOLERANCE * size:
                raise GameError(f"commitment: expected an effect that is affine in x, as it says; {name} is not")


def _matters(arrays: AffineArrays, i: int) -> bool:
    """Return whether a coordinate changes anything: it may shift weight among actions of the leader that are alike."""
    moving = (arrays.follower_reward, arrays.leader_reward, arrays.probabilities, arrays.believed_probabilities)
    if any(array.shape[-1] > 1 and (array[..., 1 + i] != 0).any() for array in moving):
        return True
    for s in np.flatnonzero((arrays.leader_policy[..., 1 + i] != 0).any(axis=1)):
        rows = [
            array[s].reshape(array.shape[1], -1) for array in (*moving, arrays.successors, arrays.believed_successors)
        ]
        alike = np.unique(np.concatenate(rows, axis=1), axis=0, return_inverse=True)[1].ravel()
        shift = np.bincount(alike, arrays.leader_policy[s, :, 1 + i])
        if np.abs(shift).max() > 1e-12:
            return True
    return False


def _without(made: AffineGame, dropped: list[int]) -> AffineGame:
    """Return the game without some coordinates, which stay 0."""
    if not dropped:
        return made
    keep = np.setdiff1d(np.arange(len(made.directions)), dropped)
    columns = np.concatenate([[0], 1 + keep])
    arrays = made.arrays

    def kept(array: Array) -> Array:
        return np.ascontiguousarray(array[..., columns]) if array.shape[-1] > 1 else array

    return AffineGame(
        arrays._replace(
            leader_policy=kept(arrays.leader_policy),
            follower_reward=kept(arrays.follower_reward),
            leader_reward=kept(arrays.leader_reward),
            probabilities=kept(arrays.probabilities),
            believed_probabilities=kept(arrays.believed_probabilities),
            groups=arrays.groups[keep],
            limits=kept(arrays.limits),
        ),
        made.base,
        made.directions[keep],
        made.shape,
        made.kinks._replace(coordinates=np.searchsorted(keep, made.kinks.coordinates)),
    )
