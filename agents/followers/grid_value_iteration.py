"""Grid value iteration: a follower that plans on a grid of states, in games whose moves are written for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from msgspec import Meta

from stackelberg_envs.arrays import Array
from stackelberg_envs.solvers.grids.response import TOLERANCE, grid_of, respond

from ..options import MOST, Positive
from ..state import stateful
from .base import FollowerConfig, FollowerView, RestartingFollower, register_follower

__all__ = ["GridValueIteration", "GridValueIterationConfig"]


@dataclass(frozen=True)
class GridValueIterationConfig(FollowerConfig):
    """Options of the follower that plans on a grid.

    Attributes
    ----------
    points
        Grid points on each axis, at least 3; None takes the game's. More of them are slower and nearer to the exact
        response.
    tolerance
        The iteration ends where no value changes by more than this in a sweep, reward units.
    """

    points: tuple[Annotated[int, Meta(ge=3, le=MOST)], ...] | None = None
    tolerance: Positive = TOLERANCE


@register_follower("grid_value_iteration")
class GridValueIteration(RestartingFollower):
    """Soft best response by value iteration on a grid of states.

    It knows its own game and plans in it. Values are interpolated between grid points, so its response is a little more
    careful than the exact one. It begins at the values of the last commitment, or anew with `restart`, and ends at the
    same response up to the tolerance.
    """

    Config = GridValueIterationConfig
    kinds = frozenset({"vector"})
    state_fields = stateful.fields(
        _values=stateful.Array(lambda self: grid_of(self.game, self.config.points).shape, optional=True)
    )

    def __init__(self, config: Any, rng: np.random.Generator) -> None:
        super().__init__(config, rng)
        self._values: Array | None = None

    def begin(self, view: FollowerView) -> None:
        """Forget all values where that is asked for; a follower that was loaded has values and no policy yet."""
        if self.config.restart:
            self._values = None

    def adapt(self, view: FollowerView) -> int:
        """Plan; no environment step is taken.

        Raises
        ------
        ArgumentError
            A game without such a grid, or other axes than its grid has.
        """
        game: Any = view.game
        made = respond(
            game, view.commitment, points=self.config.points, tolerance=self.config.tolerance, start=self._values
        )
        self._values, self.policy = made.values, made
        return 0
