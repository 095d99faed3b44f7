"""Searching a box for the best commitment by values and gradients of a model, or of a game with an exact solver.

Many random points first, L-BFGS-B from the best of them and from given ones, the same down a ladder of temperatures,
and a last search without derivatives around the best: a leader's value may have its maximum in a corner. Commitments
without a finite response count as worse than all others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import minimize

from agents.options import Count, Natural, Options, Positive, option
from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import ConvergenceError, InstabilityError

__all__ = ["BoxFound", "BoxObjective", "BoxSearchConfig", "box_ascend", "box_search"]

#: How much worse than the worst seen a commitment without a finite response counts, relative to the range of values.
PENALTY = 1.0
#: First step of the last search, relative to the box, and the step at which it ends.
FIRST_STEP, LAST_STEP = 0.02, 1e-5


@dataclass(frozen=True)
class BoxFound:
    """The end of a search: its value, and x as a flat vector."""

    value: float
    x: Array


@dataclass(frozen=True)
class BoxSearchConfig(Options):
    """How hard to search.

    Attributes
    ----------
    box_draws
        Random points that are looked at.
    box_starts
        Of these, the best ones that are refined.
    box_ladder
        Multiples of the true temperature down which the first starts are followed, too.
    box_iterations
        Of L-BFGS-B, per ascent.
    polish
        Evaluations of the last search.
    """

    box_draws: Natural = option(64, kinds=["batched"])
    box_starts: Natural = option(4, kinds=["batched"])
    box_ladder: tuple[Positive, ...] = option((8.0, 2.0), kinds=["batched"])
    box_iterations: Count = option(60, kinds=["batched"])
    polish: Natural = option(60, kinds=["batched"])


class BoxObjective:
    """J and dJ/dx on the unit cube, with a finite value everywhere.

    Parameters
    ----------
    function
        (x, scale of the temperature) -> (J, dJ/dx).
    low, high
        The box, the shape of x.

    Attributes
    ----------
    evaluations, unstable
        How often it was called, and how often there was no finite value.
    """

    def __init__(self, function: Callable[[Array, float], tuple[float, Array]], low: Array, high: Array) -> None:
        self._function, self._low, self._width = function, low, high - low
        self.evaluations = self.unstable = 0
        self._least, self._most = np.inf, -np.inf

    @property
    def size(self) -> int:
        """D."""
        return self._low.size

    def commitment(self, unit: Array) -> Array:
        """Return x, in its own shape, from a point of the unit cube."""
        return np.asarray(self._low + self._width * np.clip(unit, 0.0, 1.0).reshape(self._low.shape))

    def unit(self, x: Array) -> Array:
        """Return the point of the unit cube for x, flat."""
        width = np.where(self._width > 0, self._width, 1.0)
        return np.asarray(np.clip((x - self._low) / width, 0.0, 1.0)).ravel()

    def __call__(self, unit: Array, scale: float = 1.0) -> tuple[float, Array]:
        """Return J and its gradient by the unit cube, shape (D,)."""
        self.evaluations += 1
        try:
            value, gradient = self._function(self.commitment(unit), scale)
            flat = (gradient * self._width).ravel()
        except (InstabilityError, ConvergenceError, np.linalg.LinAlgError):
            value, flat = np.nan, np.full(self.size, np.nan)
        if not (np.isfinite(value) and np.isfinite(flat).all()):
            self.unstable += 1
            return self._penalised(), np.zeros(self.size)
        self._least, self._most = min(self._least, value), max(self._most, value)
        return float(value), flat

    def _penalised(self) -> float:
        if not np.isfinite(self._least):
            return -1.0
        return self._least - PENALTY * (1.0 + self._most - self._least)


def box_ascend(
    objective: BoxObjective,
    unit: Array,
    *,
    iterations: int,
    scale: float = 1.0,
    visit: Callable[[Array], object] | None = None,
) -> BoxFound:
    """L-BFGS-B from a point of the unit cube; the best point it met. `visit` is called with every iterate."""
    met = [BoxFound(objective(unit, scale)[0], unit)]

    def negative(point: Array) -> tuple[float, Array]:
        value, gradient = objective(point, scale)
        if value > met[-1].value:
            met.append(BoxFound(value, np.array(point)))
        return -value, -gradient

    def after(point: Array) -> None:
        if visit is not None:
            visit(np.array(point))

    options: Any = {"maxiter": iterations, "gtol": 1e-8, "ftol": 1e-12}
    solver: Any = minimize
    bounds = [(0.0, 1.0)] * objective.size
    solver(negative, unit, jac=True, method="L-BFGS-B", bounds=bounds, callback=after, options=options)
    return met[-1]


def polished(objective: BoxObjective, found: BoxFound, evaluations: int, rng: np.random.Generator) -> BoxFound:
    """Search around a point without derivatives: random steps that shrink where none helps."""
    best, step = found, FIRST_STEP
    for _ in range(evaluations):
        if step < LAST_STEP:
            break
        point = np.clip(best.x + step * rng.standard_normal(objective.size), 0.0, 1.0)
        value = objective(point)[0]
        better = value > best.value
        best = BoxFound(value, point) if better else best
        step *= 2.0 if better else 0.8
    return best


def box_search(
    objective: BoxObjective, config: BoxSearchConfig, rng: np.random.Generator, given: list[Array]
) -> BoxFound:
    """Return the best end of all ascents.

    Parameters
    ----------
    objective
        The model's J and gradient.
    config
        How hard to search.
    rng
        Of random points.
    given
        Points of the unit cube to start from besides.
    """
    draws = sorted(rng.random((config.box_draws, objective.size)), key=lambda unit: -objective(unit)[0])
    starts = [*given, *draws[: config.box_starts]]
    ends = [box_ascend(objective, unit, iterations=config.box_iterations) for unit in starts]
    for unit in starts[: len(given) + 1]:
        end = BoxFound(0.0, unit)
        for scale in (*config.box_ladder, 1.0):
            end = box_ascend(objective, end.x, iterations=config.box_iterations, scale=scale)
        ends.append(end)
    return polished(objective, max(ends, key=lambda end: end.value), config.polish, rng)
