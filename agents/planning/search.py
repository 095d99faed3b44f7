"""A search: ascents from many starts, some down a ladder of temperatures, in as many parts as one likes.

One ascent is L-BFGS-B on the values and gradients of a model, to the best point it met.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import scipy

from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import OutputError

from ..learning.optimizers import power_of_two
from ..state import stateful
from ..state.stateful import Stateful

__all__ = ["Ascent", "Draws", "End", "Found", "Objective", "Polish", "Search", "Seeds", "ascend"]

#: An ascent that comes so near an earlier one's end, in parts of the box, ends there as well.
NEAR = 3e-3
#: First step of the last search, relative to the box, and the step at which it ends.
FIRST_STEP, LAST_STEP = 0.02, 1e-5


@dataclass(frozen=True, eq=False)
class Found:
    """The end of an ascent.

    Attributes
    ----------
    value
        In the model.
    point
        Shape (P,).
    iterations
        How many it took.
    interrupted
        Whether it ended because its evaluations were used up.
    """

    value: float
    point: Array
    iterations: int = 0
    interrupted: bool = False


class Objective(ABC):
    """What is climbed.

    Attributes
    ----------
    unit
        Of points, shape (P,) or a number.
    bounds
        Of each entry, in that unit; None where there are none.
    evaluations
        How often it was called.
    coarse, fine
        An ascent ends where an iteration gains less than this part of the size of values: one whose end is compared
        with others, and one whose end is wanted.
    tolerance
        And where no entry of the gradient is larger than this part of their size.
    """

    unit: Array | float = 1.0
    bounds: tuple[float, float] | None = None
    evaluations: int = 0
    coarse: ClassVar[float] = 0.0
    fine: ClassVar[float] = 0.0
    tolerance: ClassVar[float] = 1e-9

    @abstractmethod
    def __call__(self, point: Array, scale: float = 1.0) -> tuple[float, Array]:
        """Return (J, its gradient), shape (P,), with the follower's temperature multiplied by `scale`."""

    def value(self, point: Array) -> float:
        """Return J alone."""
        return self(point)[0]

    @abstractmethod
    def reference(self, slope: Array) -> float:
        """Return the size of values, to which the bounds of an ascent are relative, at a point with this gradient."""

    @property
    def penalised(self) -> float:
        """What counts as the value of a point without a finite one."""
        return -np.inf


class _UsedUpError(Exception):
    """An ascent has used up its evaluations."""


def ascend(
    objective: Objective,
    point: Array,
    *,
    iterations: int,
    scale: float = 1.0,
    gain: float | None = None,
    tolerance: float | None = None,
    evaluations: int | None = None,
    visit: Callable[[Array], object] | None = None,
    ends: Sequence[Found] = (),
) -> Found:
    """Climb from a point, shape (P,); `visit` is called with every iterate.

    It ends where the objective says, by its `fine` and its `tolerance` or by those given here; after so many
    `evaluations`; and where it comes near one of `ends`, which it then returns.
    """
    first, slope = objective(point, scale)
    met, done, used, known = Found(first, point), 0, 1, True
    if not np.isfinite(first):
        return met
    # What ends L-BFGS-B are absolute numbers, and so is the length of its first step: it sees units of their own.
    unit, reference = objective.unit, objective.reference(slope)
    size = power_of_two(reference)

    def negative(scaled: Array) -> tuple[float, Array]:
        nonlocal met, used, known
        if known:
            known = False
            return 0.0, -unit * slope / size
        if used == evaluations:
            raise _UsedUpError
        used += 1
        at = unit * scaled
        value, gradient = objective(at, scale)
        if value > met.value:
            met = Found(value, np.array(at))
        return (first - (value if np.isfinite(value) else objective.penalised)) / size, -unit * gradient / size

    def after(scaled: Array) -> None:
        nonlocal met, done
        done += 1
        at = unit * scaled
        if visit is not None:
            visit(np.array(at))
        near = [end for end in ends if np.abs(at - end.point).max() < NEAR]
        if near:
            met = near[0]
            raise StopIteration

    limit = (objective.tolerance if tolerance is None else tolerance) * reference / size
    options: Any = {"maxiter": iterations, "gtol": limit, "ftol": objective.fine if gain is None else gain}
    bounds = None if objective.bounds is None else [objective.bounds] * len(point)
    # The stubs of SciPy do not know that a function may return its value and its gradient.
    minimize: Any = scipy.optimize.minimize
    try:
        minimize(negative, point / unit, jac=True, method="L-BFGS-B", bounds=bounds, callback=after, options=options)
    except _UsedUpError:
        return Found(met.value, met.point, done, interrupted=True)
    return met if met in ends else Found(met.value, met.point, done)


# --- many ascents --------------------------------------------------------------------------------------


@dataclass(eq=False)
class Ascent:
    """One ascent to be made: from a point, at the first of the `scales`, with so many iterations left there."""

    point: Array
    scales: tuple[float, ...]
    left: int


@dataclass(frozen=True, eq=False)
class End(Found):
    """The end of an ascent at a multiple of the true temperature."""

    scale: float = 1.0


class Seeds(Stateful, ABC):
    """Many points to look at, of which the best are ascended from."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def point(self, number: int) -> Array:
        """Return one of them, shape (P,)."""

    @abstractmethod
    def ascents(self, values: list[float]) -> list[Ascent]:
        """Return the ascents to be made, by the values of all: from the best."""


POINT = stateful.Array(lambda self: (self.size,))


class Draws(Seeds):
    """Points that were drawn.

    Parameters
    ----------
    points
        Shape (n, P).
    count, iterations
        How many are ascended from, the best ones, and in how many iterations.
    ladder
        Multiples of the true temperature, from the highest down: the best draw is followed down these, too.
    """

    state_fields = stateful.fields(points=stateful.Array(lambda self: (None, self.points.shape[1])))

    def __init__(self, points: Array, count: int, iterations: int, ladder: tuple[float, ...] = ()) -> None:
        self.points, self.count, self.iterations, self.ladder = points, count, iterations, ladder

    def __len__(self) -> int:
        """N."""
        return len(self.points)

    def point(self, number: int) -> Array:
        """Return one of them."""
        return np.asarray(self.points[number])

    def ascents(self, values: list[float]) -> list[Ascent]:
        """Return those from the best at the true temperature, and the one down the ladder."""
        best = self.points[np.argsort(-np.asarray(values), kind="stable")[: self.count]]
        made = [Ascent(point, (1.0,), self.iterations) for point in best]
        down = best[:1] if self.ladder else ()
        return made + [Ascent(point, (*self.ladder, 1.0), self.iterations) for point in down]


class Polish(Stateful):
    """A last search without derivatives: steps along given directions that shrink where none helps.

    Parameters
    ----------
    directions
        Shape (n, P), drawn from a standard normal distribution.
    """

    state_fields = stateful.fields(
        directions=stateful.Array(lambda self: self.directions.shape),
        _used=stateful.Count(),
        _step=stateful.Number(low=0.0),
    )

    def __init__(self, directions: Array) -> None:
        self.directions = directions
        self._used, self._step = 0, FIRST_STEP

    @property
    def done(self) -> bool:
        """Whether no direction is left, or steps have become too short."""
        return self._used >= len(self.directions) or self._step < LAST_STEP

    def better(self, objective: Objective, best: Found) -> Found:
        """Return the better one of the best point so far and another one near it."""
        point = np.clip(best.point + self._step * self.directions[self._used], 0.0, 1.0)
        value = objective.value(point)
        self._used += 1
        self._step *= 2.0 if value > best.value else 0.8
        return Found(value, point) if value > best.value else best


class Search(Stateful):
    """Ascents from many starts and from the best of many seeds; the model may change between two parts.

    Parameters
    ----------
    size
        P, the size of a point.
    ascents
        To be made first.
    seeds
        To be looked at after them; None for none.
    iterations
        Of each ascent, at each temperature.
    polish
        What is made of the best end when nothing else is left to do, after one more ascent from there.

    Attributes
    ----------
    best
        The best end so far at the true temperature; None before the first.
    ends
        Of all ascents.
    done
        Whether nothing is left to do.
    """

    state_fields = stateful.fields(
        best=stateful.Record(
            Found,
            value=stateful.Number(),
            point=POINT,
            iterations=stateful.Count(),
            interrupted=stateful.Flag(),
            optional=True,
        ),
        ends=stateful.List(
            stateful.Record(
                End,
                value=stateful.Number(),
                point=POINT,
                iterations=stateful.Count(),
                interrupted=stateful.Flag(),
                scale=stateful.Number(low=0.0),
            )
        ),
        seeds=stateful.Part(optional=True),
        _ascents=stateful.List(
            stateful.Record(
                Ascent,
                point=POINT,
                scales=stateful.List(stateful.Number(low=0.0), as_tuple=True),
                left=stateful.Count(),
            )
        ),
        _tried=stateful.List(stateful.Number(low=-np.inf), most=lambda self: len(self.seeds or ()), optional=True),
        _polish=stateful.Part(optional=True),
        _refining=stateful.Flag(),
    )

    def __init__(
        self,
        size: int,
        ascents: list[Ascent],
        seeds: Seeds | None,
        *,
        iterations: int,
        polish: Polish | None = None,
    ) -> None:
        self.size, self.seeds, self.iterations = size, seeds, iterations
        self.best: Found | None = None
        self.ends: list[End] = []
        self._ascents, self._polish = ascents, polish
        #: Values of the seeds looked at so far; None when they have been chosen from.
        self._tried: list[float] | None = None if seeds is None else []
        #: Whether the last ascent, from the best end, has begun.
        self._refining = False

    def check_state(self, loaded: dict[str, Any], where: str) -> None:
        """Raise OutputError unless the next part has something to do, and finds an end where there is none yet."""
        ascents, tried = loaded["_ascents"], loaded.get("_tried")
        if not all(ascent.scales for ascent in ascents):
            raise OutputError(f"{where}: expected ascents at one or more temperatures, got one at none")
        if not ascents and tried is None and self._polish is None:
            raise OutputError(f"{where}: expected a search with something left to do, got one that is done")
        if loaded.get("best") is None and not (ascents and ascents[0].scales == (1.0,)):
            raise OutputError(f"{where}: expected a first ascent at the true temperature, got another")

    @property
    def done(self) -> bool:
        """Whether nothing is left to do."""
        looked = not self._ascents and self._tried is None
        return looked and (self._polish is None or (self._refining and self._polish.done))

    def run(self, objective: Objective, evaluations: int | None = None) -> Found:
        """Go on for about so many evaluations of the objective, by default to the end; return the best end so far.

        The first part goes on until there is one.
        """
        end = np.inf if evaluations is None else objective.evaluations + evaluations
        if self.best is not None:
            self.best = replace(self.best, value=objective(self.best.point)[0])
        while not self.done and (self.best is None or objective.evaluations < end):
            if self._ascents:
                self._ascend(objective, None if evaluations is None else max(1, int(end - objective.evaluations)))
            elif self._tried is not None:
                self._look(objective)
            else:
                self._finish(objective)
        assert self.best is not None  # noqa: S101 - some ascent is at the true temperature
        return self.best

    def _ascend(self, objective: Objective, evaluations: int | None) -> None:
        """Go on with the first ascent."""
        ascent = self._ascents[0]
        scale = ascent.scales[0]
        # In a box, an ascent that comes where another one ended would go from there where that one went.
        apart = objective.bounds is None or self._refining
        near = () if apart else tuple(end for end in self.ends if end.scale == scale)
        found = ascend(
            objective,
            ascent.point,
            iterations=ascent.left,
            scale=scale,
            gain=None if self._refining else objective.coarse,
            evaluations=evaluations,
            ends=near,
        )
        if any(found is end for end in near):
            del self._ascents[0]
            return
        if ascent.scales == (1.0,) and (self.best is None or found.value > self.best.value):
            self.best = found
        # At least one, so that it ends even where no part is long enough for an iteration.
        ascent.point, ascent.left = found.point, ascent.left - max(1, found.iterations)
        if found.interrupted and ascent.left > 0:
            return
        self.ends.append(End(found.value, found.point, found.iterations, found.interrupted, scale))
        if len(ascent.scales) == 1:
            del self._ascents[0]
        else:
            ascent.scales, ascent.left = ascent.scales[1:], self.iterations

    def _look(self, objective: Objective) -> None:
        """Evaluate one more seed; after the last one, go on with ascents from the best."""
        assert self._tried is not None and self.seeds is not None  # noqa: S101 - the caller looks
        if len(self._tried) < len(self.seeds):
            self._tried.append(objective.value(self.seeds.point(len(self._tried))))
            return
        self._ascents += self.seeds.ascents(self._tried)
        self._tried = None

    def _finish(self, objective: Objective) -> None:
        """Ascend once more from the best end, and then look around it."""
        assert self.best is not None and self._polish is not None  # noqa: S101 - the caller looks
        if not self._refining:
            self._refining = True
            self._ascents = [Ascent(self.best.point, (1.0,), self.iterations)]
            return
        self.best = self._polish.better(objective, self.best)
