r"""The soft best response of a follower with one bounded action, by policy iteration on a grid of states.

With a the leader's action, which the follower sees, and s' the state that follows,

.. math::
    W(s) = E_a\Big[\lambda \log \int \exp\big((r(s, a, b) + \gamma\, W(s'(s, a, b))) / \lambda\big)\, db\Big] ,

and the response is the density in b under the integral. Exact are moves, rewards, ends, the weights of densities
between nodes of b, and the policy's own look ahead by a step. Not exact are W between grid points, where it is
multilinear; the law of a, for which two points stand; and the integral over b, where the exponent is linear between
nodes. The grid makes the right-hand side monotone and a contraction, so there is one W wherever the search starts.
"""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stackelberg_envs.arrays import Array, IntArray, as_float, require_count, require_positive
from stackelberg_envs.errors import ArgumentError
from stackelberg_envs.games.guided import GuidedGame
from stackelberg_envs.solvers.grids.line_density import draws, log_densities
from stackelberg_envs.solvers.grids.policy_iteration import Landings, Policy, policy_iteration

__all__ = ["GridResponse", "ValueGrid", "grid_of", "respond"]

#: Nodes of the follower's action while planning, and in play.
PLANNED, PLAYED = 9, 17
#: Residual at which the iteration ends, reward units per step, and the sweeps it may take.
TOLERANCE, MOST_SWEEPS = 0.05, 5_000


class ValueGrid(ABC):
    """Grid points and the game's moves from them; subclasses write the moves down as compiled loops.

    Parameters
    ----------
    game
        The game.
    points
        Grid points on each axis.

    Attributes
    ----------
    points
        The subclass's default.
    shape
        Of W.
    states
        The game's states at the grid points, shape (n, W).
    """

    points: ClassVar[tuple[int, ...]]

    def __init__(self, game: GuidedGame, points: tuple[int, ...]) -> None:
        self.game, self.shape = game, points
        self.limit = float(game.PUSHES.high[0])

    @property
    @abstractmethod
    def states(self) -> Array: ...  # noqa: D102

    @property
    @abstractmethod
    def bounds(self) -> tuple[float, float]:
        """Bounds of W."""

    @abstractmethod
    def grouped(self, values: Array) -> Array:
        """Return numbers at the grid points, given in `shape`, by groups, shape (G, L)."""

    @abstractmethod
    def ungrouped(self, values: Array) -> Array:
        """Return numbers by groups in `shape`."""

    @property
    @abstractmethod
    def landings(self) -> Landings:
        """What W is after a step of which the speeds are those of grid points."""

    @abstractmethod
    def improved(self, values: Array, winds: Array) -> Policy:
        """Return the best policy for values under mean winds, both of shape (G, L)."""

    def backup(self, values: Array, winds: Array) -> Array:
        """Return the right-hand side of the equation for W; `values` in `shape`, mean winds of the same shape."""
        return self.ungrouped(self.improved(self.grouped(values), self.grouped(winds)).image)

    @abstractmethod
    def exponents(self, values: Array, states: Array, winds: Array) -> Array:
        """Return (r + discount W(s')) / temperature at the nodes of play, shape (n, PLAYED), up to a constant."""


class GridResponse:
    """The soft best response to a commitment, up to the error of its grid.

    Attributes
    ----------
    x
        The commitment.
    values
        W at the grid points, in the grid's shape, reward units.
    residual, sweeps
        How far the iteration came, and how often it went over the grid.
    """

    def __init__(self, grid: ValueGrid, x: Array, values: Array, residual: float, sweeps: int) -> None:
        self.grid, self.x, self.values, self.residual, self.sweeps = grid, x, values, residual, sweeps
        self._low, self._step = -grid.limit, 2.0 * grid.limit / (PLAYED - 1)

    def sample(self, rng: np.random.Generator, states: Array, leader_actions: Array, contexts: IntArray) -> Array:
        """Draw actions, shape (n, 1)."""
        del contexts
        q = self.grid.exponents(self.values, states, leader_actions[:, 0])
        return draws(q, rng.random(len(states)), self._low, self._step)[:, None]

    def log_prob(self, states: Array, leader_actions: Array, contexts: IntArray, actions: NDArray[Any]) -> Array:
        """Return the log-density of actions, shape (n,)."""
        del contexts
        q = self.grid.exponents(self.values, states, leader_actions[:, 0])
        return log_densities(q, np.asarray(actions, np.float64)[:, 0], self._low, self._step)


def respond(
    game: GuidedGame,
    x: ArrayLike,
    *,
    points: Sequence[int] | None = None,
    tolerance: float = TOLERANCE,
    start: Array | None = None,
) -> GridResponse:
    """Return the soft best response to a commitment on a grid.

    Parameters
    ----------
    game
        A guided game.
    x
        The commitment.
    points
        Grid points on each axis, at least 3; None takes the game's.
    tolerance
        Residual at which the iteration ends, reward units per step.
    start
        ``response.values`` of a nearby commitment, to save sweeps.

    Raises
    ------
    CommitmentError
        x lies outside its space.
    ArgumentError
        A game without such a grid, other axes than its grid has, or a start of another shape.
    """
    grid = grid_of(game, points)
    x = game.commitment.check(x)
    low, high = grid.bounds
    winds = game.commitment.mean(x, grid.states)[:, 0].reshape(grid.shape)
    first = np.full(grid.shape, 0.5 * (low + high)) if start is None else as_float(start, "start", ArgumentError)
    if first.shape != grid.shape:
        raise ArgumentError(f"start: expected values of shape {grid.shape}, got {first.shape}")
    mean_winds = grid.grouped(winds)
    found = policy_iteration(
        lambda values: grid.improved(values, mean_winds),
        grid.landings,
        grid.grouped(first),
        tolerance=require_positive(tolerance, "tolerance", ArgumentError),
        most=MOST_SWEEPS,
    )
    return GridResponse(grid, x, grid.ungrouped(found.values), found.residual, found.sweeps)


def grid_of(game: Any, points: Any) -> ValueGrid:
    """Return the grid of a game with so many points on each axis, or with the game's own number where that is None.

    Raises
    ------
    ArgumentError
        A game without such a grid, or other axes than its grid has.
    """
    if not isinstance(game, GuidedGame):
        name = getattr(game, "name", type(game).__name__)
        raise ArgumentError(f"{name}: expected a guided game, whose follower can plan on a grid of states")
    module, _, name = game.value_grid.partition(":")
    kind: type[ValueGrid] = getattr(importlib.import_module(module), name)
    if points is None:
        points = kind.points
    if not isinstance(points, list | tuple) or len(points) != len(kind.points):
        raise ArgumentError(f"points: expected {len(kind.points)} numbers of grid points, got {points!r}")
    return kind(game, tuple(require_count(count, f"points[{i}]", 3) for i, count in enumerate(points)))
