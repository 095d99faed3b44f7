"""Searching a box for the best commitment by values and gradients of a model, or of a game with an exact solver.

Many random points first, L-BFGS-B from the best of them and from given ones, the same down a ladder of temperatures,
and a last search without derivatives around the best: a leader's value may have its maximum in a corner. Commitments
without a finite response count as worse than all others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy

from agents.learning.optimizers import power_of_two
from agents.options import Count, Natural, Options, Positive
from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import ConvergenceError, InstabilityError

__all__ = ["BoxFound", "BoxObjective", "BoxSearchConfig", "box_ascend", "box_search"]

#: How much worse than the worst seen a commitment without a finite response counts, relative to the range of values.
PENALTY = 1.0
#: An ascent ends where an iteration gains less than this part of the range of values seen: those that are compared,
#: and the last one, from the best of their ends.
COARSE, FINE = 1e-7, 1e-12
#: It ends where no entry of the gradient by the unit cube is larger than this part of that range.
LEAST_SLOPE = 1e-8
#: An ascent of a search that comes so near an earlier one's end, in parts of the box, ends there as well.
NEAR = 3e-3
#: While no range is known: the part of the box that a first step along the gradient goes.
FIRST_MOVE = 0.1
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

    box_draws: Natural = 64
    box_starts: Natural = 4
    box_ladder: tuple[Positive, ...] = (8.0, 2.0)
    box_iterations: Count = 60
    polish: Natural = 60


class BoxObjective:
    """J and dJ/dx on the unit cube, with a finite value everywhere.

    Parameters
    ----------
    function
        (x, scale of the temperature) -> (J, dJ/dx).
    low, high
        The box, the shape of x.
    value
        x -> J, where that takes less time.

    Attributes
    ----------
    evaluations, unstable
        How often it was called, and how often there was no finite value.
    """

    def __init__(
        self,
        function: Callable[[Array, float], tuple[float, Array]],
        low: Array,
        high: Array,
        value: Callable[[Array], float] | None = None,
    ) -> None:
        self._function, self._value, self._low, self._width = function, value, low, high - low
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
        """Return J and its gradient by the unit cube, shape (D,); -inf and zeros where they are not finite."""
        self.evaluations += 1
        try:
            value, gradient = self._function(self.commitment(unit), scale)
            flat = (gradient * self._width).ravel()
        except (InstabilityError, ConvergenceError, np.linalg.LinAlgError):
            value, flat = np.nan, np.full(self.size, np.nan)
        if not (self._seen(value) and np.isfinite(flat).all()):
            return -np.inf, np.zeros(self.size)
        return float(value), flat

    def value(self, unit: Array) -> float:
        """Return J, -inf where it is not finite."""
        if self._value is None:
            return self(unit)[0]
        self.evaluations += 1
        try:
            value = self._value(self.commitment(unit))
        except (InstabilityError, ConvergenceError, np.linalg.LinAlgError):
            value = np.nan
        return float(value) if self._seen(value) else -np.inf

    def _seen(self, value: float) -> bool:
        """Take note of a value, and return whether it is finite."""
        if not np.isfinite(value):
            self.unstable += 1
            return False
        self._least, self._most = min(self._least, value), max(self._most, value)
        return True

    @property
    def spread(self) -> float:
        """The range of the finite values seen; 0 while there is none."""
        return max(self._most - self._least, 0.0) if np.isfinite(self._least) else 0.0

    @property
    def penalised(self) -> float:
        """What counts as the value of a commitment without a finite response, once a finite one was seen."""
        return self._least - PENALTY * (self.spread or abs(self._least) or 1.0)


def box_ascend(
    objective: BoxObjective,
    unit: Array,
    *,
    iterations: int,
    scale: float = 1.0,
    gain: float = FINE,
    visit: Callable[[Array], object] | None = None,
    ends: Sequence[BoxFound] = (),
) -> BoxFound:
    """L-BFGS-B from a point of the unit cube; the best point it met.

    It ends where an iteration gains less than `gain`, as a part of the range of values seen, and where it comes near
    one of `ends`, which it then returns. `visit` is called with every iterate.
    """
    first, slope = objective(unit, scale)
    met, known = [BoxFound(first, unit)], True
    if not np.isfinite(first):
        return met[0]
    # What ends L-BFGS-B are absolute numbers, and so is the length of its first step.
    size = power_of_two(objective.spread or float(np.abs(slope).max()) / FIRST_MOVE)

    def negative(point: Array) -> tuple[float, Array]:
        nonlocal known
        if known:
            known = False
            return 0.0, -slope / size
        value, gradient = objective(point, scale)
        if value > met[-1].value:
            met.append(BoxFound(value, np.array(point)))
        return (first - (value if np.isfinite(value) else objective.penalised)) / size, -gradient / size

    def after(point: Array) -> None:
        if visit is not None:
            visit(np.array(point))
        near = [end for end in ends if np.abs(point - end.x).max() < NEAR]
        if near:
            met.append(near[0])
            raise StopIteration

    options: Any = {"maxiter": iterations, "gtol": LEAST_SLOPE, "ftol": gain}
    solver: Any = scipy.optimize.minimize
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
        value = objective.value(point)
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
    draws = sorted(rng.random((config.box_draws, objective.size)), key=lambda unit: -objective.value(unit))
    starts = [*given, *draws[: config.box_starts]]
    ends: dict[float, list[BoxFound]] = {scale: [] for scale in (*config.box_ladder, 1.0)}

    def climb(unit: Array, scales: tuple[float, ...]) -> None:
        for scale in scales:
            known = ends[scale]
            end = box_ascend(
                objective, unit, iterations=config.box_iterations, scale=scale, gain=COARSE, ends=tuple(known)
            )
            if any(end is other for other in known):
                return  # From here on it would go where that one went.
            known.append(end)
            unit = end.x

    for unit in starts:
        climb(unit, (1.0,))
    for unit in starts[: len(given) + 1]:
        climb(unit, (*config.box_ladder, 1.0))
    best = max(ends[1.0], key=lambda end: end.value)
    return polished(objective, box_ascend(objective, best.x, iterations=config.box_iterations), config.polish, rng)
