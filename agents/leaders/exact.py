"""Exact: L-BFGS on the exact hypergradient of the game itself.

It shows what could be had if the game were known, and other leaders are compared with that. It has to know the game, so
its level is MODEL. The best known values of games come from it, begun at many starts: at random, at vertices of the set
of commitments, and by temperature continuation.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from agents.leaders.base import Leader, register_leader, starting_point
from agents.learning.parametrisations import unit_of
from agents.observing.brief import Brief, Information, TabularBrief
from agents.observing.trajectories import Trajectories
from agents.options import Count, Natural, Positive, Start
from agents.planning.box import BoxObjective, BoxSearchConfig, box_search
from agents.planning.search import ascend
from agents.planning.theta import SearchConfig, ThetaObjective, theta_search
from agents.state import stateful
from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import ArgumentError, InformationError

__all__ = ["Exact", "TabularExact", "TabularExactConfig", "VectorExact", "VectorExactConfig"]


class Exact(Leader):
    """Finds all iterates of an ascent in its first update, then commits to one after the other, the best one last."""

    information = Information.MODEL
    state_fields = stateful.fields(
        _iterates=stateful.Arrays(lambda self: self.theta.shape),
        _position=stateful.Count(),
    )

    def __init__(self, brief: Brief, config: Any, rng: np.random.Generator) -> None:
        super().__init__(brief, config, rng)
        if brief.model is None:
            raise InformationError("exact: expected the game itself (level MODEL), got a brief without it")
        start = starting_point(config.start, brief.parametrisation.size, rng, unit_of(brief.parametrisation))
        self._iterates = [start]
        self._position = 0

    @abstractmethod
    def ascent(self, start: Array) -> list[Array]:
        """Return the iterates of theta from `start`, and the best end of a search last."""

    @property
    def theta(self) -> Array:
        """The present iterate."""
        return self._iterates[min(self._position, len(self._iterates) - 1)]

    def parameters(self) -> Array:
        """Return the present iterate."""
        return self.theta

    def commit(self) -> Array:
        """Return the present iterate's commitment; after the last one, that."""
        return self.brief.parametrisation(self.theta)

    def update(self, trajectories: Trajectories) -> dict[str, float]:
        """Move on to the next iterate; the trajectories are not looked at. The first update finds all iterates."""
        del trajectories
        if self._position == 0:
            self._iterates += self.ascent(self.theta)
        self._position += 1
        return {"iterations": float(len(self._iterates) - 1)}


@dataclass(frozen=True)
class TabularExactConfig(SearchConfig):
    """Options of the exact leader with tables; by default one ascent from `start`.

    Attributes
    ----------
    start
        "zeros", "random" (standard normal theta), or an array of the parametrisation's size.
    tolerance
        The ascent from `start` ends when no entry of dJ/dtheta is larger than this part of the largest one there.
    """

    start: Start = "zeros"
    tolerance: Positive = 1e-9
    random_starts: Natural = 0
    continuation_starts: Natural = 0
    vertex_starts: Natural = 0
    iterations: Count = 500


@register_leader("exact")
class TabularExact(Exact):
    """Ascent on the exact hypergradient: the yardstick.

    It makes an ascent by L-BFGS in theta, and announces one iterate of it after the other.
    """

    brief: TabularBrief
    Config = TabularExactConfig
    state_fields = stateful.fields()

    def ascent(self, start: Array) -> list[Array]:
        """Return the iterates of an ascent from `start`, and the best end of a search last."""
        config, iterates = self.config, list[Array]()
        objective = ThetaObjective(self.brief, self.brief.model.primitives)
        found = ascend(
            objective, start, iterations=config.iterations, tolerance=config.tolerance, visit=iterates.append
        )
        if config.random_starts or config.continuation_starts or config.vertex_starts:
            search = theta_search(config, self.rng, [found.point, start], objective.unit)
            iterates.append(search.run(objective).point)
        return iterates


@dataclass(frozen=True)
class VectorExactConfig(BoxSearchConfig):
    """Options of the exact leader in vector games; by default it searches the box.

    Attributes
    ----------
    start
        "zeros", "random" (standard normal theta), or an array of the parametrisation's size.
    iterations
        L-BFGS iterations of the ascent from `start`.
    box_draws
        Random points of the box that are evaluated first; with 0 there is one ascent from `start`, and no search.
    """

    start: Start = "zeros"
    iterations: Count = 500


@register_leader("exact")
class VectorExact(Exact):
    """Ascent on the exact hypergradient: the yardstick.

    It makes an ascent by L-BFGS in the box of commitments. There x itself takes the place of theta.
    """

    kinds = frozenset({"vector"})
    Config = VectorExactConfig
    state_fields = stateful.fields()

    def __init__(self, brief: Brief, config: Any, rng: np.random.Generator) -> None:
        super().__init__(brief, config, rng)
        if not brief.model.has_solution or brief.parametrisation.name != "projection":
            raise ArgumentError("exact: expected a game with an exact solution and the parametrisation 'projection'")

    def ascent(self, start: Array) -> list[Array]:
        """Return the iterates of an ascent from `start`, and the best end of a search last."""
        game, config, commitment = self.brief.model, self.config, self.brief.commitment
        objective = BoxObjective(partial(_exactly, game), commitment.low, commitment.high)
        units: list[Array] = []
        first = objective.point(self.brief.parametrisation(start))
        ascend(objective, first, iterations=config.iterations, visit=units.append)
        if config.box_draws:
            units.append(box_search(objective.size, config, self.rng, [first, *units[-1:]]).run(objective).point)
        return [objective.commitment(unit).ravel() for unit in units]


def _exactly(game: Any, x: Array, scale: float) -> tuple[float, Array]:
    """Return J and dJ/dx of a vector game at a multiple of its temperature."""
    game = game if scale == 1.0 else game.replace(temperature=scale * game.temperature)
    solution = game.solve(x)
    return float(solution.leader_value), np.asarray(solution.gradient)
