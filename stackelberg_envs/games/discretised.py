"""Grids: a vector game of few dimensions as a tabular game, with everything exact on the grid.

Next states are brought onto the grid in one of two ways. *By density*: where the commitment gives the log-density of
the transition, a row is that density at the grid points times the volumes of their cells, normalised; accurate where
the noise is wider than the spacing. *By sampling*: seeded draws of the game, each shared among the corners of the
cell it falls into (multilinear weights); this needs no density, keeps means, and adds a spread of at most half a
spacing. All actions in a state share their luck, and so do all commitments: nobody chooses by chance, and derivatives
by differences hold.

Letters: S grid points, W state size, A and B actions of leader and follower, K contexts, n samples.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stackelberg_envs.arrays import (
    Array,
    IntArray,
    as_float,
    frozen,
    refuse_laden,
    require_count,
    require_room,
    require_text,
)
from stackelberg_envs.errors import ArgumentError, GameError
from stackelberg_envs.games.actions import action_bounds
from stackelberg_envs.games.commitments.base import Commitment, Effect
from stackelberg_envs.games.tabular import TabularGame
from stackelberg_envs.games.trajectories import Samples
from stackelberg_envs.games.transitions import Transition
from stackelberg_envs.games.vector import BatchStep, VectorGame, call_game

__all__ = ["GridCommitment", "discretise"]

#: One array of grid points per dimension; for one dimension the array alone will do.
Axes = Sequence[ArrayLike] | Array
Method = Literal["auto", "density", "sampling"]

DEFAULT_SAMPLES = 32
DEFAULT_INITIAL_SAMPLES = 100_000
#: Draws of the leader's action per state.
LEADER_SAMPLES = 1_000
#: Rows that are computed at once.
CHUNK = 200_000
#: "auto" takes densities where the mass they put on the grid is one to within this, in most rows, and in none greater.
MASS_TOLERANCE = 0.1


@dataclass(frozen=True, eq=False)
class _Grid:
    """Points in rows, the first axis slowest, with the volumes of their cells (trapezoid rule)."""

    axes: tuple[Array, ...]
    points: Array
    volumes: Array

    @classmethod
    def of(cls, axes: Axes, size: int, name: str) -> _Grid:
        """Return the grid of `size` axes, or of one axis for each."""
        refuse_laden(axes, name, ArgumentError)
        if not isinstance(axes, list | tuple | np.ndarray):
            raise ArgumentError(f"{name}: expected a list of grid points for each axis, got {type(axes).__name__}")
        parts: list[Any] = list(axes)
        if parts and np.ndim(parts[0]) == 0:
            parts = [parts]
        if len(parts) != size:
            raise ArgumentError(f"{name}: expected {size} axes of grid points, got {len(parts)}")
        checked = tuple(as_float(part, f"{name}[{d}]", ArgumentError) for d, part in enumerate(parts))
        for d, axis in enumerate(checked):
            if axis.ndim != 1 or len(axis) < 2 or (np.diff(axis) <= 0).any():
                raise ArgumentError(f"{name}[{d}]: expected at least two rising numbers, got {axis!r}")
        require_room((*(len(axis) for axis in checked), size), name, ArgumentError)
        points = np.stack(np.meshgrid(*checked, indexing="ij"), axis=-1).reshape(-1, size)
        widths = np.meshgrid(*(np.gradient(axis) * _end_halves(len(axis)) for axis in checked), indexing="ij")
        return cls(checked, points, np.prod(widths, axis=0).ravel())

    def corners(self, states: Array) -> tuple[NDArray[np.int64], Array]:
        """Return the grid points around states of shape (n, W) and their multilinear weights, shape (n, 2^W)."""
        below, share = [], []
        for d, axis in enumerate(self.axes):
            inside = np.clip(states[:, d], axis[0], axis[-1])
            cell = np.clip(np.searchsorted(axis, inside, side="right") - 1, 0, len(axis) - 2)
            below.append(cell)
            share.append((inside - axis[cell]) / (axis[cell + 1] - axis[cell]))
        index, weight = [], []
        sizes = [len(axis) for axis in self.axes]
        for corner in itertools.product((0, 1), repeat=len(self.axes)):
            place = [cell + step for cell, step in zip(below, corner, strict=True)]
            index.append(np.ravel_multi_index(place, sizes))
            weight.append(np.prod([s if step else 1 - s for s, step in zip(share, corner, strict=True)], axis=0))
        return np.stack(index, axis=1), np.stack(weight, axis=1)


def _end_halves(n: int) -> Array:
    """Return ones, and halves at the ends: np.gradient gives whole widths there."""
    out = np.ones(n)
    out[[0, -1]] = 0.5
    return out


def _follower_actions(game: VectorGame, axes: Axes | None) -> tuple[NDArray[Any], Array]:
    """Return the follower's actions, shape (B, .), and their volumes; every one of a discrete space has volume 1."""
    low, high = action_bounds(game.follower_action_space)
    if low.dtype.kind == "f":
        if axes is None:
            raise ArgumentError("actions: expected axes of grid points for the follower's box, got None")
        grid = _Grid.of(axes, len(low), "actions")
        return grid.points, grid.volumes
    if axes is not None:
        raise ArgumentError("actions: expected None for discrete actions, which are all taken, got axes")
    choices = [np.arange(lowest, highest + 1) for lowest, highest in zip(low, high, strict=True)]
    points = np.stack(np.meshgrid(*choices, indexing="ij"), axis=-1).reshape(-1, len(low))
    return points, np.ones(len(points))


class GridCommitment(Commitment):
    """The commitment of a vector game, as it changes the game's tables on a grid.

    Its derivative is by central differences of the tables.

    Parameters
    ----------
    game
        The vector game.
    grid, actions, volumes, leader
        The grid of states; the follower's actions, shape (B, .), with their volumes; the grid of the leader's actions,
        None where it only configures.
    method, samples, seed
        See :func:`discretise`.
    """

    changes = frozenset({"follower_reward", "leader_reward", "transition"})

    def __init__(
        self,
        game: VectorGame,
        grid: _Grid,
        actions: NDArray[Any],
        volumes: Array,
        leader: _Grid | None,
        method: Method,
        samples: int,
        seed: int,
    ) -> None:
        inner = game.commitment
        super().__init__(inner.low, inner.high, names=inner.names)
        self.game, self.grid, self.leader, self.samples, self.seed = game, grid, leader, samples, seed
        self.parametrisation = inner.parametrisation
        self.actions, self._volumes = actions, volumes
        self._leader_points = np.zeros((1, 0)) if leader is None else leader.points
        if leader is not None:
            self.changes = self.changes | {"leader_policy"}
        middle = self.project(0.5 * (inner.low + inner.high))
        self.ends = any(self._terminates(self.project(x)) for x in (inner.low, middle, inner.high))
        self.by_density = method == "density" or (method == "auto" and self._density_fits(middle))

    def check(self, x: ArrayLike) -> Array:
        """Check by the game's rule."""
        return self.game.commitment.check(x)

    def project(self, x: ArrayLike) -> Array:
        """Project by the game's rule."""
        return self.game.commitment.project(x)

    @property
    def shape_of_tables(self) -> tuple[int, int, int]:
        """(S, A, B); the last state is the end of the episode where the game has one."""
        return len(self.grid.points) + self.ends, len(self._leader_points), len(self.actions)

    def effect(self, x: Array) -> Effect:
        """Return all tables under x."""
        parts = [self._tables(x, k) for k in range(self.game.num_contexts)]
        leader, follower, successors, probabilities = (np.stack(column) for column in zip(*parts, strict=True))
        if len(parts) == 1:
            leader, follower, successors, probabilities = leader[0], follower[0], successors[0], probabilities[0]
        return Effect(
            leader_policy=self._leader_policy(x),
            follower_reward=follower,
            leader_reward=leader,
            transition=Transition(frozen(successors), frozen(probabilities)),
        )

    def _tables(self, x: Array, k: int) -> tuple[Array, Array, IntArray, Array]:
        """Return both rewards (S, A, B) and successor lists (S, A, B, N) in context k."""
        S, A, B = self.shape_of_tables
        rows = len(self.grid.points) * A * B
        leader, follower, lists = np.zeros(S * A * B), np.zeros(S * A * B), []
        for begin in range(0, rows, CHUNK // self.samples):
            chunk = np.arange(begin, min(rows, begin + CHUNK // self.samples))
            leader[chunk], follower[chunk], places = self._played(x, k, chunk)
            lists.append(self._from_density(x, k, chunk) if self.by_density else places)
        successors, probabilities = (np.concatenate(column) for column in zip(*lists, strict=True))
        # A weight of exp(volume) turns the sum over actions into the integral over their box.
        follower[:rows] += self.game.temperature * np.tile(np.log(self._volumes), rows // B)
        if self.ends:
            # There is nothing to choose at the end, so its soft value must be zero.
            follower[rows:] = -self.game.temperature * np.log(B)
            nowhere = np.zeros((A * B, successors.shape[1]))
            successors = np.concatenate([successors, np.full(nowhere.shape, S - 1)])
            nowhere[:, 0] = 1.0
            probabilities = np.concatenate([probabilities, nowhere])
        shape = (S, A, B)
        lengthened = (*shape, successors.shape[1])
        return (
            leader.reshape(shape),
            follower.reshape(shape),
            successors.reshape(lengthened).astype(np.int32),
            probabilities.reshape(lengthened),
        )

    def _played(self, x: Array, k: int, rows: NDArray[np.int64]) -> tuple[Array, Array, tuple[NDArray[Any], Array]]:
        """Return mean rewards and successor lists of some rows, by draws that are equal for every x."""
        n = self.samples
        made = self._one_by_one(x, k, rows) if n > 1 else self._at_once(x, k, rows)
        if made.terminated.any() and not self.ends:
            raise GameError("discretise: expected no end of an episode, as under other commitments, but x brings one")
        index, weight = self.grid.corners(np.where(made.terminated[:, None], self.grid.points[0], made.next_state))
        index[made.terminated] = len(self.grid.points)
        width = n * index.shape[1]
        lists = self._gathered(index.reshape(-1, width), weight.reshape(-1, width) / n)
        shape = (len(rows), n)
        return made.leader_reward.reshape(shape).mean(1), made.follower_reward.reshape(shape).mean(1), lists

    def _at_once(self, x: Array, k: int, rows: NDArray[np.int64]) -> BatchStep:
        # A stream per chunk: what one x draws must not shift what comes after.
        return self._step(np.random.default_rng((self.seed, k, int(rows[0]))), x, k, rows)

    def _one_by_one(self, x: Array, k: int, rows: NDArray[np.int64]) -> BatchStep:
        """Return n draws per row, the same luck for all actions in a state.

        With luck of their own the actions' sample means would differ by chance, and the follower would choose by it.
        """
        actions = len(self._leader_points) * len(self.actions)
        made, state = [], -1
        for row in rows:
            if row // actions != state:
                state = int(row // actions)
                rng = np.random.default_rng((self.seed, k, state))
                luck = rng.bit_generator.state
            rng.bit_generator.state = luck
            made.append(self._step(rng, x, k, np.full(self.samples, row)))
        return BatchStep(*(np.concatenate([getattr(one, item.name) for one in made]) for item in fields(BatchStep)))

    def _step(self, rng: np.random.Generator, x: Array, k: int, rows: NDArray[np.int64]) -> BatchStep:
        states, leader, follower = self._parts(rows)
        return call_game(self.game, "step", rng, x, states, np.full(len(rows), k, np.int32), leader, follower)

    def _gathered(self, index: NDArray[Any], weight: Array) -> tuple[NDArray[Any], Array]:
        """Return the lists, as rows over all states where that is shorter."""
        S = self.shape_of_tables[0]
        if index.shape[1] <= S:
            return index, weight
        cells = index + S * np.arange(len(index))[:, None]
        dense: Array = np.bincount(cells.ravel(), weight.ravel(), minlength=S * len(index)).astype(np.float64)
        dense = dense.reshape(-1, S)
        return np.broadcast_to(np.arange(S), dense.shape), dense

    def _parts(self, rows: NDArray[np.int64]) -> tuple[Array, Array, NDArray[Any]]:
        """Return state, leader's and follower's action of rows of the tables."""
        s, a, b = np.unravel_index(rows, (len(self.grid.points), len(self._leader_points), len(self.actions)))
        return self.grid.points[s], self._leader_points[a], self.actions[b]

    def _from_density(self, x: Array, k: int, rows: NDArray[np.int64]) -> tuple[NDArray[Any], Array]:
        masses = self._log_masses(x, k, rows)
        # A move far off the grid has no mass on it that floating point could hold; it goes to the nearest points.
        weights = np.exp(masses - masses.max(axis=1, keepdims=True))
        return np.broadcast_to(np.arange(masses.shape[1]), masses.shape), weights / weights.sum(axis=1, keepdims=True)

    def _log_masses(self, x: Array, k: int, rows: NDArray[np.int64]) -> Array:
        """Return the logarithm of density times volume at every grid point, shape (rows, S)."""
        S, out = len(self.grid.points), []
        for begin in range(0, len(rows), max(1, CHUNK // S)):
            parts = self._parts(rows[begin : begin + max(1, CHUNK // S)])
            states, leader, follower = (np.repeat(part, S, axis=0) for part in parts)
            after = np.tile(self.grid.points, (len(parts[0]), 1))
            samples = Samples(states, leader, follower, after, np.full(len(states), k, np.int32))
            density = self.game.commitment.effect_at(x, samples).transition
            if density is None:
                raise ArgumentError(
                    "transition: expected 'sampling', for this game's commitment gives no density of next states"
                )
            out.append(density.reshape(-1, S) + np.log(self.grid.volumes))
        return np.concatenate(out)

    def _density_fits(self, x: Array) -> bool:
        """Whether densities exist and put a mass of one on the grid, or less where moves lead off it."""
        if "transition" not in self.game.commitment.changes or self.ends:
            return False
        rows = len(self.grid.points) * len(self._leader_points) * len(self.actions)
        some = np.unique(np.linspace(0, rows - 1, 200).astype(np.int64))
        mass = np.exp(self._log_masses(x, 0, some)).sum(axis=1)
        return bool(abs(np.median(mass) - 1) <= MASS_TOLERANCE and mass.max() <= 1 + MASS_TOLERANCE)

    def _terminates(self, x: Array) -> bool:
        rows = len(self.grid.points) * len(self._leader_points) * len(self.actions)
        some = np.unique(np.linspace(0, rows - 1, 2_000).astype(np.int64))
        rng = np.random.default_rng(self.seed)
        states, leader, follower = self._parts(some)
        contexts = np.zeros(len(some), np.int32)
        return bool(call_game(self.game, "step", rng, x, states, contexts, leader, follower).terminated.any())

    def _leader_policy(self, x: Array) -> Array | None:
        """Return f(a | s), shape (S, A), by draws that are shared among the corners around them."""
        if self.leader is None:
            return None
        S, A = len(self.grid.points), len(self._leader_points)
        rng = np.random.default_rng((self.seed, S))
        states = np.repeat(self.grid.points, LEADER_SAMPLES, axis=0)
        drawn = call_game(self.game, "leader_actions", rng, x, states, np.zeros(len(states), np.int32))
        index, weight = self.leader.corners(drawn)
        cells = index.reshape(S, -1) + A * np.arange(S)[:, None]
        flat: Array = np.bincount(cells.ravel(), weight.ravel() / LEADER_SAMPLES, minlength=S * A).astype(np.float64)
        policy = flat.reshape(S, A)
        return policy if not self.ends else np.concatenate([policy, np.full((1, A), 1.0 / A)])


def discretise(
    game: VectorGame,
    grid: Axes,
    *,
    actions: Axes | None = None,
    leader_actions: Axes | None = None,
    transition: Method = "auto",
    samples: int = DEFAULT_SAMPLES,
    initial_samples: int = DEFAULT_INITIAL_SAMPLES,
    seed: int = 0,
) -> TabularGame:
    """Return a vector game as a tabular game on a grid.

    Parameters
    ----------
    game
        A vector game with few state dimensions: the tables have S A B rows.
    grid
        For each of the W state dimensions, rising grid points; states beyond the ends are brought to them.
    actions
        The same for the follower's action where it is a box; discrete actions are all taken.
    leader_actions
        The same for the leader's play action, if it has one.
    transition
        "density", "sampling", or "auto": densities where the commitment gives them and the grid is fine enough.
    samples
        Draws of the game per row of the tables. One will do where neither dynamics nor rewards have noise, or where
        rewards have none and next states come by density; it is far quicker.
    initial_samples
        Draws of the initial state in each context.
    seed
        Equal seeds give equal games.

    Returns
    -------
    TabularGame
        With the same discounts, temperature, contexts and horizon. ``commitment.grid.points`` are the states,
        ``commitment.actions`` the follower's actions. Where the game's episodes can end, one more state stands for the
        end. The soft maximum over a box is an integral: each action's volume is a part of the follower's reward,
        ``temperature * log(volume)``.

    Raises
    ------
    ArgumentError
        Axes that do not fit the game, or a density where there is none.

    Examples
    --------
    >>> import numpy as np, stackelberg_envs as se
    >>> tax = se.make_game("stackelberg/TaxDesign-v0", num_households=2)
    >>> table = se.discretise(tax, [np.linspace(-100, 100, 11), [0.0, 1.0]], samples=1)
    >>> table.shape
    (22, 1, 1250)
    """
    if not isinstance(game, VectorGame):
        raise ArgumentError(f"game: expected a VectorGame, got {type(game).__name__}")
    if require_text(transition, "transition", ArgumentError) not in ("auto", "density", "sampling"):
        raise ArgumentError(f"transition: expected 'auto', 'density' or 'sampling', got {transition!r}")
    require_count(seed, "seed", 0)
    states = _Grid.of(grid, game.state_space.shape[0], "grid")
    own = game.leader_action_space
    if (own is None) != (leader_actions is None):
        raise ArgumentError("leader_actions: expected axes exactly where the leader has a play action")
    leader = None if own is None or leader_actions is None else _Grid.of(leader_actions, own.shape[0], "leader_actions")
    commitment = GridCommitment(
        game, states, *_follower_actions(game, actions), leader, transition, require_count(samples, "samples"), seed
    )
    S, A, B = commitment.shape_of_tables
    K = game.num_contexts
    require_room((K, S, A, B), "grid", ArgumentError)
    terminal = np.zeros(S)
    terminal[len(states.points) :] = 1.0
    return TabularGame(
        leader_reward=np.zeros((S, A, B)),
        follower_reward=np.zeros((S, A, B)),
        initial=_initial(game, states, require_count(initial_samples, "initial_samples"), S, seed),
        terminal=terminal,
        commitment=commitment,
        context_probabilities=game.context_probabilities if K > 1 else None,
        name=f"{game.name} on a grid",
        **{
            name: getattr(game, name)
            for name in (
                "leader_discount",
                "follower_discount",
                "temperature",
                "horizon",
                "num_followers",
                "observe_rewards",
                "publish_temperature",
            )
        },
    )


def _initial(game: VectorGame, grid: _Grid, n: int, S: int, seed: int) -> Array:
    """Return the initial distribution, shape ([K,] S), by draws that are shared among the corners around them."""
    out = np.zeros((game.num_contexts, S))
    for k in range(game.num_contexts):
        drawn = call_game(game, "initial_states", np.random.default_rng((seed, k)), np.full(n, k, np.int32))
        index, weight = grid.corners(drawn)
        out[k] = np.bincount(index.ravel(), weight.ravel() / n, minlength=S)
    return out if game.num_contexts > 1 else out[0]
