"""Exact: L-BFGS on the exact hypergradient of the game itself. Declared MODEL: the yardstick for all others.

With starts of other kinds (random, vertices of the commitment set, temperature continuation) it is the source of
best known values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from agents.brief import Brief, Information
from agents.leaders.base import Leader, register_leader, starting_point
from agents.search import Objective, SearchConfig, ascend, search
from agents.trajectories import Trajectories
from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import InformationError

__all__ = ["Exact", "ExactConfig"]


@dataclass(frozen=True)
class ExactConfig(SearchConfig):
    """Options of the exact leader; by default one ascent from `start`.

    Attributes
    ----------
    start
        "zeros", "random" (standard normal theta), or an array of the parametrisation's size.
    tolerance
        The ascent from `start` ends when no entry of dJ/dtheta is larger.
    random_starts, continuation_starts, vertex_starts, ladder, iterations, start_scale
        See :class:`agents.search.SearchConfig`.
    """

    start: str | list[float] = "zeros"
    tolerance: float = 1e-9
    random_starts: int = 0
    continuation_starts: int = 0
    vertex_starts: int = 0
    iterations: int = 500


@register_leader("exact")
class Exact(Leader):
    """Solves the game inside itself, then commits to one L-BFGS iterate after the other, the best end last."""

    information = Information.MODEL
    Config = ExactConfig

    def __init__(self, brief: Brief, config: Any, rng: np.random.Generator) -> None:
        super().__init__(brief, config, rng)
        if brief.model is None:
            raise InformationError("exact: expected the game itself (level MODEL), got a brief without it")
        self._iterates = [starting_point(config.start, brief.parametrisation.size, rng)]
        objective = Objective(brief, brief.model.primitives)
        found = ascend(
            objective,
            self._iterates[0],
            iterations=config.iterations,
            tolerance=config.tolerance,
            visit=self._iterates.append,
        )
        if config.random_starts or config.continuation_starts or config.vertex_starts:
            given = [found.theta, self._iterates[0]]
            self._iterates.append(search(objective, len(found.theta), config, rng, given).theta)
        self._position = 0

    @property
    def theta(self) -> Array:
        """The present iterate."""
        return self._iterates[min(self._position, len(self._iterates) - 1)]

    def commit(self) -> Array:
        """Return the present iterate's commitment; after the last one, that."""
        return self.brief.parametrisation(self.theta)

    def update(self, trajectories: Trajectories) -> dict[str, float]:
        """Move on to the next iterate; the trajectories are not looked at."""
        del trajectories
        self._position += 1
        return {"iterations": float(len(self._iterates) - 1)}
