"""What is climbed: the leader's exact value and its gradient, in the coordinates of the set of commitments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import singledispatch
from typing import Any

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import ArgumentError, ConvergenceError, InstabilityError
from stackelberg_envs.games.markov import MarkovGame
from stackelberg_envs.games.tabular import CommittedTabular, TabularGame
from stackelberg_envs.games.vector import VectorGame
from stackelberg_envs.solvers.equilibrium.solution import solve_markov
from stackelberg_envs.solvers.searching.sets import SearchSet, set_of
from stackelberg_envs.solvers.soft.hypergradient import solve_primitives

__all__ = ["Objective"]

#: Bound on the error of every probability of the response, while it is searched.
TOLERANCE = 1e-9

#: (x, multiple of the follower's temperature, whether the gradient is wanted) -> (J, dJ/dx or None).
Values = Callable[[Array, float, bool], tuple[float, Array | None]]


class Objective:
    """J of a point of the set, and dJ/du.

    Parameters
    ----------
    game
        Any game with an exact solution.

    Attributes
    ----------
    points
        The set.
    evaluations
        How often it was called.
    low, high
        The least and the greatest finite value at the true temperature so far.
    warmest
        Multiple of the temperature at which the follower's rewards hardly matter beside its entropy; 1 where the game
        does not say.
    """

    def __init__(self, game: Any) -> None:
        self._values = values_of(game)  # first: it refuses what is no game with a solution
        self.points: SearchSet = set_of(game.commitment)
        self.evaluations = 0
        self.low, self.high = np.inf, -np.inf
        self.warmest = warmest_of(game)
        self._commitment = game.commitment

    @property
    def range(self) -> float:
        """The range of the finite values so far; the size of these where they are all one, and 1 for zero."""
        return (self.high - self.low) or abs(self.high) or 1.0

    def __call__(self, u: Array, scale: float = 1.0) -> tuple[float, Array]:
        """Return (J, dJ/du), with the follower's temperature multiplied by `scale`; -inf where J is not finite."""
        value, dx = self._found(u, scale, gradient=True)
        return value, np.zeros(self.points.size) if dx is None else self.points.slope(dx)

    def value(self, u: Array) -> float:
        """Return J alone."""
        return self._found(u, 1.0, gradient=False)[0]

    def _found(self, u: Array, scale: float, *, gradient: bool) -> tuple[float, Array | None]:
        self.evaluations += 1
        x = self._commitment.project(self.points.commitment(u))
        try:
            value, dx = self._values(x, scale, gradient)
        except (InstabilityError, ConvergenceError, np.linalg.LinAlgError):
            return -np.inf, None
        if not np.isfinite(value) or (dx is not None and not np.isfinite(dx).all()):
            return -np.inf, None
        if scale == 1.0:
            self.low, self.high = min(self.low, value), max(self.high, value)
        return float(value), dx


@singledispatch
def values_of(game: Any) -> Values:
    """Return what tells J and its gradient by x.

    Raises
    ------
    ArgumentError
        A game without an exact solution.
    """
    raise ArgumentError(f"game: expected a game whose exact solution is known, got {type(game).__name__}")


@values_of.register
def _(game: TabularGame) -> Values:
    commitment, shape = game.commitment, game.array_shape
    changes = commitment.changes
    warm: dict[float, Array] = {}

    def values(x: Array, scale: float, gradient: bool) -> tuple[float, Array | None]:
        primitives = CommittedTabular(game, x).primitives  # a projected x needs no check
        if scale != 1.0:
            primitives = replace(primitives, temperature=scale * game.temperature)
        plan = solve_primitives(primitives, start=warm.get(scale), tolerance=TOLERANCE)
        warm[scale] = plan.best.state_values
        if not gradient:
            return plan.leader.value, None
        cotangents = plan.direct(changes, shape) + plan.through_response(changes, shape)
        return plan.leader.value, commitment.vjp(x, cotangents)

    return values


@values_of.register
def _(game: MarkovGame) -> Values:
    warm: dict[float, MarkovGame] = {1.0: game}

    def values(x: Array, scale: float, gradient: bool) -> tuple[float, Array | None]:
        if scale not in warm:
            warm[scale] = game.replace(temperature=scale * game.temperature)
        # From no start: among several equilibria a start would choose one, and what was asked before would count.
        solution = solve_markov(warm[scale], x)
        return solution.leader_value, solution.gradient if gradient else None

    return values


@values_of.register
def _(game: VectorGame) -> Values:
    if not game.has_solution:
        raise ArgumentError(
            f"game: expected a game whose exact solution is known, but none is for {game.name}; "
            "estimate its values by play"
        )

    def values(x: Array, scale: float, gradient: bool) -> tuple[float, Array | None]:
        at = game if scale == 1.0 else game.replace(temperature=scale * game.temperature)
        solution = at.solve(x)
        return solution.leader_value, np.asarray(solution.gradient) if gradient else None

    return values


@singledispatch
def warmest_of(game: Any) -> float:
    """Return the multiple of the game's temperature at which the follower's rewards hardly matter."""
    del game
    return 1.0


@warmest_of.register
def _(game: TabularGame) -> float:
    return float(game.uncommitted.follower_reward.std()) / game.temperature


@warmest_of.register
def _(game: MarkovGame) -> float:
    return float(game.follower_rewards.std()) / game.temperature
