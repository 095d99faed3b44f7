"""One ascent: L-BFGS-B on the values and gradients of a model, to the best point it met."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import scipy

from agents.learning.optimizers import power_of_two
from stackelberg_envs.arrays import Array

__all__ = ["Found", "Objective", "ascend"]

#: An ascent that comes so near an earlier one's end, in parts of the box, ends there as well.
NEAR = 3e-3


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

    def lifted(self, point: Array) -> Array:
        """Return a point where the gradient is felt, to go on from at another temperature."""
        return point

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
