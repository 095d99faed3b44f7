"""Searching a model for the best commitment: exact gradients, temperature continuation, many starts.

The model is whatever returns :class:`~stackelberg_envs.games.primitives.Primitives` for a commitment: the game itself
for the `exact` leader, what was observed for `certainty_equivalent`. None of this costs follower steps.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy

from agents.learning.optimizers import power_of_two
from agents.learning.parametrisations import unit_of
from agents.observing.brief import TabularBrief
from agents.options import Count, Natural, NonNegative, Options, Positive
from agents.state import stateful
from agents.state.stateful import Stateful
from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import OutputError
from stackelberg_envs.games.primitives import Primitives

__all__ = [
    "Found",
    "Objective",
    "Search",
    "SearchConfig",
    "ascend",
    "continue_down",
    "search",
    "vertices",
]

#: Bound on the error of the follower's values, in units of its temperature: what its policy depends on.
TOLERANCE = 1e-9
#: Logits further than this below the largest have no gradient left; continuation lifts them back.
DEEPEST = 8.0
#: Kinds of vertex starts: one coordinate of theta that much above or below the others. Near a vertex there is
#: little gradient, further off the follower feels little; which of them works differs from game to game.
VERTEX_LOGITS = (4.0, 6.0, -4.0)


@dataclass(frozen=True)
class Found:
    """The end of an ascent.

    Attributes
    ----------
    value
        In the model.
    theta
        Shape (P,).
    iterations
        How many it took.
    interrupted
        Whether it ended because its evaluations were used up.
    """

    value: float
    theta: Array
    iterations: int = 0
    interrupted: bool = False


@dataclass(frozen=True)
class SearchConfig(Options):
    """How hard to search.

    Attributes
    ----------
    random_starts
        Ascents from standard normal theta times `start_scale`, in units of the parametrisation, besides the
        starts that are given.
    continuation_starts
        How many of all starts are also followed down the temperature ladder.
    ladder
        Multiples of the true temperature, from the highest down; 1 follows by itself.
    vertex_starts
        How many vertices of the commitment set (one coordinate near its bound) are refined, of each kind the best.
    iterations
        Of L-BFGS, per ascent.
    start_scale
        Standard deviation of random starts.
    """

    random_starts: Natural = 4
    continuation_starts: Natural = 3
    ladder: tuple[Positive, ...] = (20.0, 8.0, 4.0, 2.5, 1.6, 1.25)
    vertex_starts: Natural = 4
    iterations: Count = 100
    start_scale: NonNegative = 1.0


class Objective:
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

    def __init__(self, brief: TabularBrief, primitives: Callable[[Array], Primitives]) -> None:
        self._brief = brief
        self._primitives = primitives
        self._warm: dict[float, Array] = {}
        self.unit = unit_of(brief.parametrisation)
        self.steepest = 0.0
        self.evaluations = 0

    def __call__(self, theta: Array, scale: float = 1.0) -> tuple[float, Array]:
        """Return (J, dJ/dtheta) with the follower's temperature multiplied by `scale`."""
        brief = self._brief
        x = brief.parametrisation(theta)
        game = self._primitives(x)
        game = game if scale == 1.0 else replace(game, temperature=scale * game.temperature)
        from stackelberg_envs.solvers.soft import solve_primitives  # only who plans loads solvers

        plan = solve_primitives(game, start=self._warm.get(scale), tolerance=TOLERANCE)
        self._warm[scale] = plan.best.state_values
        self.evaluations += 1
        changes = brief.commitment.changes
        cotangents = plan.direct(changes, brief.array_shape) + plan.through_response(changes, brief.array_shape)
        dx = brief.commitment.vjp(x, cotangents)
        gradient = brief.parametrisation.vjp(theta, dx)
        self.steepest = max(self.steepest, float(np.abs(self.unit * gradient).max()))
        return plan.leader.value, gradient


def ascend(
    objective: Objective,
    theta: Array,
    *,
    iterations: int,
    scale: float = 1.0,
    tolerance: float = 1e-9,
    evaluations: int | None = None,
    visit: Callable[[Array], object] | None = None,
) -> Found:
    """L-BFGS from `theta`, shape (P,); `visit` is called with every iterate.

    It ends where no entry of dJ/dtheta is larger than `tolerance` times the largest one that the objective has met when
    it begins, its start included, and after so many `evaluations` with the best point it has seen.
    """
    first, slope = objective(theta, scale)
    best, done, used, known = Found(first, theta), 0, 1, True
    # L-BFGS sees theta and J in units of their own: its bounds are absolute numbers.
    unit, size = objective.unit, power_of_two(objective.steepest)

    def negative(point: Array) -> tuple[float, Array]:
        nonlocal best, used, known
        if known:
            known = False
            return 0.0, -unit * slope / size
        if used == evaluations:
            raise _UsedUpError
        used += 1
        at = unit * point
        value, gradient = objective(at, scale)
        if value > best.value:
            best = Found(value, at)
        return (first - value) / size, -unit * gradient / size

    def after(point: Array) -> None:
        nonlocal done
        done += 1
        if visit is not None:
            visit(unit * point)

    limit = tolerance * objective.steepest / size
    options: Any = {"maxiter": iterations, "gtol": limit, "ftol": 0.0}
    # The stubs of SciPy do not know that a function may return its value and its gradient.
    solver: Any = scipy.optimize.minimize
    try:
        result = solver(negative, theta / unit, jac=True, method="L-BFGS-B", callback=after, options=options)
    except _UsedUpError:
        return replace(best, iterations=done, interrupted=True)
    return Found(first - size * float(result.fun), unit * np.asarray(result.x), int(result.nit))


class _UsedUpError(Exception):
    """An ascent has used up its evaluations."""


def continue_down(objective: Objective, theta: Array, config: SearchConfig) -> Found:
    """Ascend at a high temperature first, then lower it rung by rung to the true one, keeping theta."""
    for scale in (*config.ladder, 1.0):
        found = ascend(objective, _lifted(theta, objective.unit), iterations=config.iterations, scale=scale)
        theta = found.theta
    return found


def vertices(objective: Objective, size: int, count: int) -> list[Array]:
    """Return the `count` best vertex starts of each kind, each of shape (P,)."""
    best: list[Array] = []
    for logit in VERTEX_LOGITS:
        ranked = sorted(logit * np.diag(objective.unit), key=lambda theta: -objective(theta)[0])
        best += ranked[:count]
    return best


@dataclass(eq=False)
class _Ascent:
    """One ascent to be made: from theta, at the first of the `scales`, with so many iterations left there."""

    theta: Array
    scales: tuple[float, ...]
    left: int


POINT = stateful.Array(lambda self: (self.size,))


class Search(Stateful):
    """A search from many starts, in as many parts as one likes; the model may change between them.

    Parameters
    ----------
    size
        P, the size of theta.
    config
        How hard to search.
    rng
        For random starts.
    given
        Starts to try besides, the first of them first: the present theta, say; each of shape (P,).
    unit
        Of theta, shape (P,) or a number.

    Attributes
    ----------
    best
        The best end so far; None before the first part.
    done
        Whether nothing is left to do.
    """

    state_fields = stateful.fields(
        best=stateful.Record(
            Found,
            value=stateful.Number(),
            theta=POINT,
            iterations=stateful.Count(),
            interrupted=stateful.Flag(),
            optional=True,
        ),
        _ascents=stateful.List(
            stateful.Record(
                _Ascent,
                theta=POINT,
                scales=stateful.List(stateful.Number(low=0.0), as_tuple=True),
                left=stateful.Count(),
            )
        ),
        _tried=stateful.List(stateful.Number(), most=lambda self: len(VERTEX_LOGITS) * self.size, optional=True),
    )

    def __init__(
        self,
        size: int,
        config: SearchConfig,
        rng: np.random.Generator,
        given: list[Array],
        unit: Array | float = 1.0,
    ) -> None:
        starts = [*given, *(config.start_scale * unit * rng.standard_normal(size) for _ in range(config.random_starts))]
        n = config.iterations
        self.config, self.size = config, size
        self.best: Found | None = None
        self._ascents = [_Ascent(theta, (1.0,), n) for theta in starts]
        for theta in starts[: config.continuation_starts]:
            scales = (*config.ladder, 1.0)
            self._ascents.append(_Ascent(_lifted(theta, unit), scales, n))
        #: Values of the vertices tried so far, kind by kind; None when they have been chosen from.
        self._tried: list[float] | None = [] if config.vertex_starts else None

    def check_state(self, loaded: dict[str, Any], where: str) -> None:
        """Raise OutputError unless the next part has something to do, and finds an end where there is none yet."""
        ascents = loaded["_ascents"]
        if not all(ascent.scales for ascent in ascents):
            raise OutputError(f"{where}: expected ascents at one or more temperatures, got one at none")
        if not ascents and loaded["_tried"] is None:
            raise OutputError(f"{where}: expected a search with something left to do, got one that is done")
        if loaded["best"] is None and not (ascents and ascents[0].scales == (1.0,)):
            raise OutputError(f"{where}: expected a first ascent at the true temperature, got another")

    @property
    def done(self) -> bool:
        """Whether nothing is left to do."""
        return not self._ascents and self._tried is None

    def run(self, objective: Objective, evaluations: int | None = None) -> Found:
        """Go on for about so many evaluations of the objective, by default to the end; return the best end so far."""
        end = np.inf if evaluations is None else objective.evaluations + evaluations
        if self.best is not None:
            self.best = replace(self.best, value=objective(self.best.theta)[0])
        while not self.done and objective.evaluations < end:
            left = None if evaluations is None else int(end - objective.evaluations)
            if self._ascents:
                self._ascend(objective, left)
            else:
                self._try_vertex(objective)
        assert self.best is not None  # noqa: S101 - the first part ascends at the true temperature
        return self.best

    def _ascend(self, objective: Objective, evaluations: int | None) -> None:
        """Go on with the first ascent."""
        ascent = self._ascents[0]
        found = ascend(objective, ascent.theta, iterations=ascent.left, scale=ascent.scales[0], evaluations=evaluations)
        if ascent.scales == (1.0,) and (self.best is None or found.value > self.best.value):
            self.best = found
        # At least one, so that it ends even where no part is long enough for an iteration.
        ascent.theta, ascent.left = found.theta, ascent.left - max(1, found.iterations)
        if found.interrupted and ascent.left > 0:
            return
        if len(ascent.scales) == 1:
            del self._ascents[0]
        else:
            ascent.scales, ascent.left = ascent.scales[1:], self.config.iterations
            ascent.theta = _lifted(ascent.theta, objective.unit)

    def _try_vertex(self, objective: Objective) -> None:
        """Evaluate one more vertex; after the last one, ascend from the best of each kind."""
        assert self._tried is not None  # noqa: S101 - the caller looks
        kind, place = divmod(len(self._tried), self.size)
        if kind < len(VERTEX_LOGITS):
            self._tried.append(objective(_vertex(kind, place, objective.unit))[0])
            return
        values = np.reshape(self._tried, (-1, self.size))
        for kind, row in enumerate(values):
            best = np.argsort(-row, kind="stable")[: self.config.vertex_starts]
            starts = (_vertex(kind, int(place), objective.unit) for place in best)
            self._ascents += [_Ascent(theta, (1.0,), self.config.iterations) for theta in starts]
        self._tried = None


def _lifted(theta: Array, unit: Array | float) -> Array:
    scaled = theta / unit
    return np.asarray(unit * np.maximum(scaled, scaled.max() - DEEPEST))


def _vertex(kind: int, place: int, unit: Array) -> Array:
    theta = np.zeros(len(unit))
    theta[place] = VERTEX_LOGITS[kind] * unit[place]
    return theta


def search(
    objective: Objective, size: int, config: SearchConfig, rng: np.random.Generator, given: list[Array]
) -> Found:
    """Return the best end of all ascents.

    Parameters
    ----------
    objective
        The model's J and gradient.
    size
        P, the size of theta.
    config
        How hard to search.
    rng
        For random starts.
    given
        Starts to try besides: the present theta, say; each of shape (P,).
    """
    return Search(size, config, rng, given, objective.unit).run(objective)
