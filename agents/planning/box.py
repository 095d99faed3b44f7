"""Searching a box for the best commitment by values and gradients of a model, or of a game with an exact solver.

Many random points first, L-BFGS-B from the best of them and from given ones, the same down a ladder of temperatures,
and a last search without derivatives around the best: a leader's value may have its maximum in a corner. Commitments
without a finite response count as worse than all others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import ConvergenceError, InstabilityError

from ..learning.optimizers import power_of_two
from ..options import Count, Natural, Options, Positive
from .search import Ascent, Draws, Objective, Polish, Search

__all__ = ["BoxObjective", "BoxSearchConfig", "box_point", "box_search"]

#: How much worse than the worst seen a commitment without a finite response counts, relative to the range of values.
PENALTY = 1.0
#: An ascent ends where an iteration gains less than this part of the range of values seen: those that are compared,
#: and the last one, from the best of their ends.
COARSE, FINE = 1e-7, 1e-12
#: It ends where no entry of the gradient by the unit cube is larger than this part of that range.
LEAST_SLOPE = 1e-8
#: While no range is known: the part of the box that a first step along the gradient goes.
FIRST_MOVE = 0.1


@dataclass(frozen=True)
class BoxSearchConfig(Options):
    """How much work a search may take.

    Attributes
    ----------
    box_draws
        Random points of the box that are evaluated first.
    box_starts
        From how many of these, the best ones, there is an ascent.
    box_ladder
        Multiples of the true temperature, from the highest down. From the first starts there is a second ascent, which
        goes through these temperatures before the true one.
    box_iterations
        L-BFGS-B iterations per ascent.
    polish
        Evaluations of the last search, around the best point, which needs no derivatives.
    """

    box_draws: Natural = 64
    box_starts: Natural = 4
    box_ladder: tuple[Positive, ...] = (8.0, 2.0)
    box_iterations: Count = 60
    polish: Natural = 60


class BoxObjective(Objective):
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

    bounds = (0.0, 1.0)
    coarse, fine, tolerance = COARSE, FINE, LEAST_SLOPE

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

    def commitment(self, point: Array) -> Array:
        """Return x, in its own shape, from a point of the unit cube."""
        return np.asarray(self._low + self._width * np.clip(point, 0.0, 1.0).reshape(self._low.shape))

    def point(self, x: Array) -> Array:
        """Return the point of the unit cube for x, flat."""
        return box_point(x, self._low, self._low + self._width)

    def __call__(self, point: Array, scale: float = 1.0) -> tuple[float, Array]:
        """Return J and its gradient by the unit cube, shape (D,); -inf and zeros where they are not finite."""
        return self._found(point, lambda x: self._function(x, scale))

    def value(self, point: Array) -> float:
        """Return J, -inf where it is not finite."""
        value = self._value
        return self(point)[0] if value is None else self._found(point, lambda x: (value(x), np.zeros(x.shape)))[0]

    def _found(self, point: Array, function: Callable[[Array], tuple[float, Array]]) -> tuple[float, Array]:
        self.evaluations += 1
        try:
            value, gradient = function(self.commitment(point))
        except (InstabilityError, ConvergenceError, np.linalg.LinAlgError):
            value, gradient = np.nan, np.zeros_like(self._width)
        if not (np.isfinite(value) and np.isfinite(gradient).all()):
            self.unstable += 1
            return -np.inf, np.zeros(self.size)
        self._least, self._most = min(self._least, value), max(self._most, value)
        return float(value), (gradient * self._width).ravel()

    @property
    def spread(self) -> float:
        """The range of the finite values seen; 0 while there is none."""
        return max(self._most - self._least, 0.0) if np.isfinite(self._least) else 0.0

    def reference(self, slope: Array) -> float:
        """Return the range of the finite values seen, as a power of two; from the slope while there is none."""
        return power_of_two(self.spread or float(np.abs(slope).max()) / FIRST_MOVE)

    @property
    def penalised(self) -> float:
        """What counts as the value of a commitment without a finite response, once a finite one was seen."""
        return self._least - PENALTY * (self.spread or abs(self._least) or 1.0)


def box_point(x: Array, low: Array, high: Array) -> Array:
    """Return the point of the unit cube for x, flat."""
    width = np.where(high > low, high - low, 1.0)
    return np.asarray(np.clip((x - low) / width, 0.0, 1.0)).ravel()


def box_search(size: int, config: BoxSearchConfig, rng: np.random.Generator, given: list[Array]) -> Search:
    """Return a search from given points and from the best of many random ones.

    Parameters
    ----------
    size
        D.
    config
        How hard to search.
    rng
        Of random points.
    given
        At least one point of the unit cube to start from besides.
    """
    n, ladder = config.box_iterations, config.box_ladder
    ascents = [Ascent(point, (1.0,), n) for point in given]
    ascents += [Ascent(point, (*ladder, 1.0), n) for point in given if ladder]
    draws = Draws(rng.random((config.box_draws, size)), config.box_starts, n, ladder)
    return Search(size, ascents, draws, iterations=n, polish=Polish(rng.standard_normal((config.polish, size))))
