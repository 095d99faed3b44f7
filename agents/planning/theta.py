"""Searching a model for the best parameters theta: exact gradients, temperature continuation, many starts.

The model is whatever returns :class:`~stackelberg_envs.games.primitives.Primitives` for a commitment: the game itself
for the `exact` leader, what was observed for `certainty_equivalent`. None of this costs follower steps.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from agents.learning.parametrisations import unit_of
from agents.observing.brief import TabularBrief
from agents.options import Count, Natural, NonNegative, Options, Positive
from agents.planning.search import Ascent, Objective, Search, Seeds
from agents.state import stateful
from stackelberg_envs.arrays import Array
from stackelberg_envs.games.primitives import Primitives

__all__ = ["SearchConfig", "ThetaObjective", "Vertices", "theta_search"]

#: Bound on the error of the follower's values, in units of its temperature: what its policy depends on.
TOLERANCE = 1e-9
#: Logits further than this below the largest have no gradient left; continuation lifts them back.
DEEPEST = 8.0
#: Kinds of vertex starts: one coordinate of theta that much above or below the others. Near a vertex there is
#: little gradient, further off the follower feels little; which of them works differs from game to game.
VERTEX_LOGITS = (4.0, 6.0, -4.0)


@dataclass(frozen=True)
class SearchConfig(Options):
    """How much work a search may take.

    Attributes
    ----------
    random_starts
        Ascents from random theta, besides the starts that are given: standard normal times `start_scale`, in units of
        the parametrisation.
    continuation_starts
        From how many of all starts there is also an ascent by temperature continuation: at the temperatures of
        `ladder` first, one after the other, each from where the last one ended.
    ladder
        Multiples of the true temperature, from the highest down. The true temperature itself comes last and is not
        listed.
    vertex_starts
        From how many vertices of the set of commitments (one coordinate near its bound) there is an ascent. The best
        of each kind are taken.
    iterations
        L-BFGS iterations per ascent.
    start_scale
        Standard deviation of random starts.
    """

    random_starts: Natural = 4
    continuation_starts: Natural = 3
    ladder: tuple[Positive, ...] = (20.0, 8.0, 4.0, 2.5, 1.6, 1.25)
    vertex_starts: Natural = 4
    iterations: Count = 100
    start_scale: NonNegative = 1.0


class ThetaObjective(Objective):
    """J and dJ/dtheta of a model, warm-started from the last call at each temperature.

    Parameters
    ----------
    brief
        For the commitment, the parametrisation and the shapes.
    primitives
        x -> the model under x.

    Attributes
    ----------
    unit
        Of theta, shape (P,): see :func:`agents.learning.parametrisations.unit_of`.
    steepest
        The largest entry of dJ/dtheta met so far, in these units.
    evaluations
        How often it was called.
    """

    unit: Array

    def __init__(self, brief: TabularBrief, primitives: Callable[[Array], Primitives]) -> None:
        self._brief = brief
        self._primitives = primitives
        self._warm: dict[float, Array] = {}
        self.unit = unit_of(brief.parametrisation)
        self.steepest = 0.0
        self.evaluations = 0

    def __call__(self, point: Array, scale: float = 1.0) -> tuple[float, Array]:
        """Return (J, dJ/dtheta) with the follower's temperature multiplied by `scale`."""
        brief = self._brief
        x = brief.parametrisation(point)
        game = self._primitives(x)
        game = game if scale == 1.0 else replace(game, temperature=scale * game.temperature)
        from stackelberg_envs.solvers.soft import solve_primitives  # only who plans loads solvers

        plan = solve_primitives(game, start=self._warm.get(scale), tolerance=TOLERANCE)
        self._warm[scale] = plan.best.state_values
        self.evaluations += 1
        changes = brief.commitment.changes
        cotangents = plan.direct(changes, brief.array_shape) + plan.through_response(changes, brief.array_shape)
        dx = brief.commitment.vjp(x, cotangents)
        gradient = brief.parametrisation.vjp(point, dx)
        self.steepest = max(self.steepest, float(np.abs(self.unit * gradient).max()))
        return plan.leader.value, gradient

    def reference(self, slope: Array) -> float:
        """Return the largest entry of dJ/dtheta met so far."""
        del slope
        return self.steepest

    def lifted(self, point: Array) -> Array:
        """Return theta with the logits lifted that lie too deep to have a gradient."""
        return _lifted(point, self.unit)


class Vertices(Seeds):
    """Vertices of the commitment set as seeds: for each kind, each coordinate near its bound.

    Parameters
    ----------
    unit
        Of theta, shape (P,).
    count, iterations
        How many of each kind are ascended from, and in how many iterations.
    """

    state_fields = stateful.fields()

    def __init__(self, unit: Array, count: int, iterations: int) -> None:
        self.unit, self.count, self.iterations = unit, count, iterations

    def __len__(self) -> int:
        """Kinds times P."""
        return len(VERTEX_LOGITS) * len(self.unit)

    def point(self, number: int) -> Array:
        """Return one of them, kind by kind."""
        kind, place = divmod(number, len(self.unit))
        theta = np.zeros(len(self.unit))
        theta[place] = VERTEX_LOGITS[kind] * self.unit[place]
        return theta

    def ascents(self, values: list[float]) -> list[Ascent]:
        """Return the ascents from the best of each kind."""
        size = len(self.unit)
        ranked = np.argsort(-np.reshape(values, (-1, size)), kind="stable")[:, : self.count]
        best = [self.point(kind * size + int(place)) for kind, row in enumerate(ranked) for place in row]
        return [Ascent(theta, (1.0,), self.iterations) for theta in best]


def theta_search(config: SearchConfig, rng: np.random.Generator, given: list[Array], unit: Array) -> Search:
    """Return a search from many starts.

    Parameters
    ----------
    config
        How hard to search.
    rng
        For random starts.
    given
        Starts to try besides, the first of them first: the present theta, say; each of shape (P,).
    unit
        Of theta, shape (P,).
    """
    size, n = len(unit), config.iterations
    starts = [*given, *(config.start_scale * unit * rng.standard_normal(size) for _ in range(config.random_starts))]
    ascents = [Ascent(theta, (1.0,), n) for theta in starts]
    scales = (*config.ladder, 1.0)
    ascents += [Ascent(_lifted(theta, unit), scales, n) for theta in starts[: config.continuation_starts]]
    vertices = Vertices(unit, config.vertex_starts, n) if config.vertex_starts else None
    return Search(size, ascents, vertices, iterations=n)


def _lifted(theta: Array, unit: Array) -> Array:
    scaled = theta / unit
    return np.asarray(unit * np.maximum(scaled, scaled.max() - DEEPEST))
