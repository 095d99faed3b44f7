"""Exact: an ascent on the exact hypergradient of the game itself, and the best commitment that the yardstick finds.

It shows what could be had if the game were known, and other leaders are compared with that. It has to know the game, so
its level is MODEL. In its first update :func:`stackelberg_envs.best_commitment` searches the closed set of commitments
from many starts; from then on it recommends what that found.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import ArgumentError, InformationError
from stackelberg_envs.solvers.best_commitment import EVALUATIONS, best_commitment

from ..learning.parametrisations import unit_of
from ..observing.brief import Brief, Information, TabularBrief
from ..observing.trajectories import Trajectories
from ..options import Count, NonNegative, Options, Positive, Start
from ..planning.box import BoxObjective
from ..planning.search import ascend
from ..planning.theta import ThetaObjective
from ..state import stateful
from .base import Leader, register_leader, starting_point
from .exact_by_play import EstimatedExact

__all__ = ["Exact", "ExactConfig", "TabularExact", "TabularExactConfig", "VectorExact"]


@dataclass(frozen=True)
class ExactConfig(Options):
    """Options of the exact leader.

    Attributes
    ----------
    start
        Of the ascent that it announces: "zeros", "random" (standard normal theta), or an array of the parametrisation's
        size.
    iterations
        L-BFGS iterations of that ascent.
    search
        Whether it searches for the best commitment besides. With another parametrisation than the game's own, which may
        reach other commitments, it never does.
    unseen, evaluations
        When the search stops; see :func:`stackelberg_envs.best_commitment`.
    """

    start: Start = "zeros"
    iterations: Count = 500
    search: bool = True
    unseen: NonNegative = 0.1
    evaluations: Count = EVALUATIONS


class Exact(Leader):
    """Finds all in its first update, then commits to one iterate of an ascent after the other, and to the best last."""

    information = Information.MODEL
    Config = ExactConfig
    state_fields = stateful.fields(
        _iterates=stateful.Arrays(lambda self: self.theta.shape),
        _position=stateful.Count(),
        _best=stateful.Array(lambda self: self.brief.commitment.shape, optional=True),
    )

    def __init__(self, brief: Brief, config: Any, rng: np.random.Generator) -> None:
        super().__init__(brief, config, rng)
        if brief.model is None:
            raise InformationError("exact: expected the game itself (level MODEL), got a brief without it")
        start = starting_point(config.start, brief.parametrisation.size, rng, unit_of(brief.parametrisation))
        self._iterates = [start]
        self._position = 0
        #: What the search has found.
        self._best: Array | None = None

    @abstractmethod
    def ascent(self, start: Array) -> list[Array]:
        """Return the iterates of theta from `start`."""

    @property
    def theta(self) -> Array:
        """The present iterate."""
        return self._iterates[min(self._position, len(self._iterates) - 1)]

    def parameters(self) -> Array | None:
        """Return the present iterate; None once a commitment was found that may be at the edge of the set."""
        return self.theta if self._best is None else None

    def commit(self) -> Array:
        """Return the present iterate's commitment; after the last one, the best one."""
        if self._best is not None and self._position >= len(self._iterates):
            return self._best
        return self.brief.parametrisation(self.theta)

    def recommend(self) -> Array:
        """Return the best commitment that was found, as soon as there is one."""
        return self.commit() if self._best is None else self._best

    def update(self, trajectories: Trajectories) -> dict[str, float]:
        """Move on to the next iterate; the trajectories are not looked at. The first update finds all there is."""
        del trajectories
        if self._position == 0:
            self._iterates += self.ascent(self.theta)
            if self.config.search and self.brief.parametrisation.name == self.brief.commitment.parametrisation:
                self._search()
        self._position += 1
        return {"iterations": float(len(self._iterates) - 1)}

    def _search(self) -> None:
        """Find the best commitment, from what the ascent came to, too."""
        config, last = self.config, self.brief.parametrisation(self._iterates[-1])
        limits: dict[str, Any] = {"unseen": config.unseen, "evaluations": config.evaluations}
        found = best_commitment(self.brief.model, seed=int(self.rng.integers(2**31)), known=[last], **limits)
        if found.stopped_because == "interrupted":
            raise KeyboardInterrupt  # whoever runs it is to stop, too
        self._best = np.array(found.commitment)


@dataclass(frozen=True)
class TabularExactConfig(ExactConfig):
    """Options of the exact leader with tables.

    Attributes
    ----------
    tolerance
        The ascent from `start` ends when no entry of dJ/dtheta is larger than this part of the largest one there.
    """

    tolerance: Positive = 1e-9


@register_leader("exact")
class TabularExact(Exact):
    """Exact gradients of the game, from many starts.

    It makes an ascent by L-BFGS in theta, and announces one iterate of it after the other.
    """

    brief: TabularBrief
    Config = TabularExactConfig
    serves = frozenset({"feasible actions", "discount 1"})
    state_fields = stateful.fields()

    def ascent(self, start: Array) -> list[Array]:
        """Return the iterates of an ascent from `start`."""
        config, iterates = self.config, list[Array]()
        objective = ThetaObjective(self.brief, self.brief.model.primitives)
        ascend(objective, start, iterations=config.iterations, tolerance=config.tolerance, visit=iterates.append)
        return iterates


@register_leader("exact")
class VectorExact(Exact):
    """Exact gradients of the game, from many starts.

    It makes an ascent by L-BFGS in the box of commitments. There x itself takes the place of theta. In games without an
    exact solution it plays many episodes of the game with each commitment instead, and its options other than `start`
    mean nothing; see :mod:`agents.leaders.exact_by_play`.
    """

    kinds = frozenset({"vector"})
    state_fields = stateful.fields()

    def __new__(cls, brief: Any, config: Any, rng: np.random.Generator) -> Any:
        """Return the leader that goes by play, for a game without an exact solution."""
        parametrisation = getattr(brief, "parametrisation", None)
        if parametrisation is not None and parametrisation.name != "projection":
            raise ArgumentError(
                f"exact: expected the parametrisation 'projection', got {parametrisation.name!r}; "
                "cma_es, zero_order and random_search take any"
            )
        if getattr(brief.model, "has_solution", True):
            return object.__new__(cls)
        return EstimatedExact(brief, config, rng)

    def ascent(self, start: Array) -> list[Array]:
        """Return the iterates of an ascent from `start`."""
        game, commitment = self.brief.model, self.brief.commitment
        objective = BoxObjective(partial(_exactly, game), commitment.low, commitment.high)
        units: list[Array] = []
        first = objective.point(self.brief.parametrisation(start))
        ascend(objective, first, iterations=self.config.iterations, visit=units.append)
        return [objective.commitment(unit).ravel() for unit in units]


def _exactly(game: Any, x: Array, scale: float) -> tuple[float, Array]:
    """Return J and dJ/dx of a vector game at a multiple of its temperature."""
    game = game if scale == 1.0 else game.replace(temperature=scale * game.temperature)
    solution = game.solve(x)
    return float(solution.leader_value), np.asarray(solution.gradient)
