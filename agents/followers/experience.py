"""What networks learn from: copies of the game to play in, a memory of play, and inputs of a suitable scale."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array, IntArray
from stackelberg_envs.errors import OutputError
from stackelberg_envs.games.actions import checked_actions
from stackelberg_envs.games.vector import FollowerPolicy, VectorGame, call_game

from ..learning.optimizers import length
from ..state import stateful
from ..state.stateful import Stateful
from ..state.tree import check_like

__all__ = ["Copies", "Floats", "Inputs", "Replay", "Rows", "root_mean_square"]

Floats = NDArray[np.float32]
Rows = dict[str, NDArray[Any]]

#: A spread smaller than this, relative to the largest number, is rounding: to divide by it would blow that up.
LEAST_SPREAD = 1e-12


class Inputs(Stateful):
    """What networks are shown of states, leader actions, contexts and commitments.

    States are shown twice: as they are, in units of their spread, and compressed, asinh(s / typical change in one
    step), which tells states near zero apart however far others are away.

    Parameters
    ----------
    game
        The game.
    observe_commitment
        Whether the commitment is shown.
    seen
        Transitions to scale by.

    Attributes
    ----------
    size
        Numbers per row.
    middle_action
        Mean of the leader's actions, shape (A,).
    change
        Typical change of the state in one step, shape (W,).
    plain
        Places of all but the compressed states.
    """

    state_fields = stateful.fields(
        **{name: stateful.Like() for name in ("_state", "_action", "middle_action", "change")}
    )

    def __init__(self, game: VectorGame, observe_commitment: bool, seen: Rows) -> None:
        self._state, self._action = _center_and_scale(seen["state"]), _center_and_scale(seen["leader_action"])
        self.middle_action = self._action[0]
        moved = np.sqrt(np.mean((seen["next_state"] - seen["state"]) ** 2, axis=0))
        self.change = _positive(moved, np.abs(seen["state"]).max(axis=0, initial=0.0))
        self._contexts = game.num_contexts if game.num_contexts > 1 else 0
        box = game.commitment
        self._low, self._width = box.low.ravel(), np.where(box.high > box.low, box.high - box.low, 1.0).ravel()
        self._shown = len(self._low) if observe_commitment else 0
        W, A = seen["state"].shape[1], seen["leader_action"].shape[1]
        self.size = 2 * W + A + self._contexts + self._shown
        self.plain = [i for i in range(self.size) if not W + A <= i < 2 * W + A]

    def commitment(self, x: Array) -> Floats:
        """Return what is shown of a commitment, in [-1, 1]; shape (D,), or (0,) if nothing is."""
        inside = 2.0 * (x.ravel() - self._low) / self._width - 1.0
        return np.asarray(inside[: self._shown], dtype=np.float32)

    def __call__(self, states: Array, leader_actions: Array, contexts: IntArray, commitments: Floats) -> Floats:
        """Return the rows, shape (n, size); `commitments` is (D,), or (n, D) where rows differ in it."""
        (middle, spread), (middle_of_actions, spread_of_actions) = self._state, self._action
        scaled = [(states - middle) / spread, (leader_actions - middle_of_actions) / spread_of_actions]
        parts = [*scaled, np.arcsinh(states / self.change)]
        if self._contexts:
            parts.append(np.eye(self._contexts)[contexts])
        if self._shown:
            parts.append(np.broadcast_to(commitments, (len(states), self._shown)))
        return np.concatenate(parts, axis=1, dtype=np.float32)


def _center_and_scale(values: Array) -> tuple[Array, Array]:
    return values.mean(axis=0), _positive(values.std(axis=0), np.abs(values).max(axis=0, initial=0.0))


def _positive(scale: Array, size: Array | float = 0.0) -> Array:
    """Return a scale with ones where it is rounding of what has that size: what never changes needs none."""
    return np.where(scale > LEAST_SPREAD * size, scale, 1.0)


def root_mean_square(values: Array) -> float:
    """Return the root of the mean square, also where squares would be zero or infinite."""
    return length(values) / math.sqrt(len(values))


class _Filled(stateful.Field):
    """Arrays with the names, dtypes and row sizes of the present ones, all of one length."""

    def load(self, tree: Any, own: Any, owner: Any, where: str) -> Any:
        check_like({name: values[:0] for name, values in own.items()}, _emptied(tree, where), where)
        return tree


def _emptied(tree: Any, where: str) -> Any:
    """Return a dict of arrays without their rows."""
    if not isinstance(tree, dict) or not all(
        isinstance(values, np.ndarray) and values.ndim for values in tree.values()
    ):
        raise OutputError(f"{where}: expected columns, got {type(tree).__name__}")
    return {name: values[:0] for name, values in tree.items()}


class Replay(Stateful):
    """The latest transitions, in arrays that are overwritten in a circle.

    Parameters
    ----------
    capacity
        Transitions kept.

    Attributes
    ----------
    rows
        Name -> array of shape (capacity, ...).
    added
        Transitions added so far.
    """

    state_fields = stateful.fields(added=stateful.Count(), filled=_Filled())

    def __init__(self, capacity: int) -> None:
        self.capacity, self.added = capacity, 0
        self.rows: Rows = {}

    def __len__(self) -> int:
        """Return how many transitions there are to draw from."""
        return min(self.added, self.capacity)

    @property
    def filled(self) -> Rows:
        """The rows that hold something."""
        return {name: values[: min(self.added, self.capacity)] for name, values in self.rows.items()}

    @filled.setter
    def filled(self, rows: Rows) -> None:
        for name, values in rows.items():
            self.rows[name] = np.zeros((self.capacity, *values.shape[1:]), dtype=values.dtype)
            self.rows[name][: len(values)] = values

    def check_state(self, loaded: dict[str, Any], where: str) -> None:
        """Raise OutputError unless there are as many rows as were added and have room."""
        n = min(loaded["added"], self.capacity)
        if any(len(values) != n for values in loaded["filled"].values()):
            raise OutputError(f"{where}: expected {n} rows, got others")

    def clear(self) -> None:
        """Forget all."""
        self.added = 0

    def add(self, rows: Rows) -> None:
        """Add n transitions, arrays of shape (n, ...); floats are kept in single precision."""
        n = len(next(iter(rows.values())))
        places = np.arange(self.added, self.added + n) % self.capacity
        for name, values in rows.items():
            if name not in self.rows:
                kind = np.float32 if values.dtype == np.float64 else values.dtype
                self.rows[name] = np.zeros((self.capacity, *values.shape[1:]), dtype=kind)
            self.rows[name][places] = values
        self.added += n

    def sample(self, rng: np.random.Generator, size: int) -> Rows:
        """Draw transitions with replacement."""
        places = rng.integers(len(self), size=size)
        return {name: values[places] for name, values in self.rows.items()}


class Copies(Stateful):
    """Copies of the game that a follower plays in; where an episode ends the copy begins a new one.

    Parameters
    ----------
    game
        The game; only what play shows of it is used.
    count
        How many.
    episode_steps
        Steps after which an episode is cut.
    rng
        Draws contexts and states; first episodes are cut early, each at another step, so that later ones are spread.
    """

    state_fields = stateful.fields(
        clocks=stateful.Array(low=0, high=lambda self: self.episode_steps - 1),
        contexts=stateful.Array(low=0, high=lambda self: self.num_contexts - 1),
        states=stateful.Array(),
        leader_actions=stateful.Array(),
    )

    def __init__(self, game: VectorGame, count: int, episode_steps: int, rng: np.random.Generator) -> None:
        self.count, self.episode_steps, self.num_contexts = count, episode_steps, game.num_contexts
        self.clocks = rng.integers(episode_steps, size=count)
        self.contexts, self.states = _begin(game, count, rng)

    def announce(self, game: VectorGame, x: Array, rng: np.random.Generator) -> None:
        """Go on under another commitment: the leader's next actions are drawn from it."""
        self.leader_actions = call_game(game, "leader_actions", rng, x, self.states, self.contexts)

    def step(self, game: VectorGame, x: Array, policy: FollowerPolicy, rng: np.random.Generator) -> Rows:
        """Make one step in each copy and return the transitions, arrays of shape (n, ...)."""
        z, a, k = self.states, self.leader_actions, self.contexts
        b = checked_actions(
            policy.sample(rng, z, a, k), self.count, game.played_bounds, "follower: what its policy draws"
        )
        made = call_game(game, "step", rng, x, z, k, a, b)
        following = call_game(game, "leader_actions", rng, x, made.next_state, k)
        rows: Rows = {"state": z, "leader_action": a, "context": k, "action": b, "reward": made.follower_reward}
        rows |= {"next_state": made.next_state, "next_leader_action": following, "terminated": made.terminated}
        self.clocks = self.clocks + 1
        over = made.terminated | (self.clocks >= self.episode_steps)
        self.states, self.leader_actions = made.next_state, following
        if over.any():
            self._begin_anew(game, x, over, rng)
        return rows

    def _begin_anew(self, game: VectorGame, x: Array, over: NDArray[np.bool_], rng: np.random.Generator) -> None:
        n = int(over.sum())
        k, z = _begin(game, n, rng)
        a = call_game(game, "leader_actions", rng, x, z, k)
        self.clocks[over] = 0
        # New arrays, because the recorded transitions hold the old ones.
        self.contexts, self.states, self.leader_actions = (
            _replaced(old, over, new) for old, new in ((self.contexts, k), (self.states, z), (self.leader_actions, a))
        )


def _begin(game: VectorGame, n: int, rng: np.random.Generator) -> tuple[IntArray, Array]:
    K = game.num_contexts
    drawn = rng.choice(K, size=n, p=game.context_probabilities) if K > 1 else np.zeros(n)
    contexts = drawn.astype(np.int32)
    return contexts, call_game(game, "initial_states", rng, contexts)


def _replaced(old: NDArray[Any], where: NDArray[np.bool_], new: NDArray[Any]) -> NDArray[Any]:
    out = old.copy()
    out[where] = new
    return out
