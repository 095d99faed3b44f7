"""Checks at the door: array arguments are converted, checked and frozen here, once.

Every function takes the name the user knows the argument by and says, on failure, what was expected, what
came and the first offending index. ``error`` is the class to raise, from :mod:`stackelberg_envs.errors`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stackelberg_envs.errors import ArgumentError, GameError, StackelbergError

Array = NDArray[np.float64]
IntArray = NDArray[np.int32]

#: Probability rows further than this from one are refused, nearer ones are normalised.
ROW_SUM_TOLERANCE = 1e-6


def as_float(value: ArrayLike, name: str, error: type[StackelbergError] = GameError) -> Array:
    """Return `value` as a new float64 array; anything else than finite numbers is refused."""
    try:
        array = np.array(value, dtype=np.float64, order="C")
    except (TypeError, ValueError) as exc:
        raise error(f"{name}: expected numbers, got {type(value).__name__} ({exc})") from exc
    finite = np.isfinite(array)
    if not finite.all():
        where = first_index(~finite)
        raise error(f"{name}: expected finite numbers, got {array[where]} at index {where}")
    return array


def first_index(mask: NDArray[np.bool_]) -> tuple[int, ...]:
    """Return the first index, in row-major order, at which `mask` holds."""
    return tuple(int(i) for i in np.argwhere(mask)[0])


def require_shape(
    array: NDArray[Any], shapes: list[tuple[int, ...]], name: str, error: type[StackelbergError] = GameError
) -> None:
    """Raise unless the array has one of the `shapes`."""
    if array.shape not in shapes:
        expected = " or ".join(str(shape) for shape in shapes)
        raise error(f"{name}: expected shape {expected}, got {array.shape}")


def require_rows_sum_to_one(
    array: Array,
    name: str,
    error: type[StackelbergError] = GameError,
    axes: tuple[str, ...] = ("state",),
) -> Array:
    """Return `array` with its last axis normalised; rows that are no distributions are refused.

    `axes` names the axes before the last, for the message; the last of them count if there are more.
    """
    negative = array < 0
    if negative.any():
        where = first_index(negative)
        raise error(f"{name}: expected probabilities, got {array[where]} at index {where}")
    sums = array.sum(axis=-1, keepdims=True)
    off = np.abs(sums[..., 0] - 1.0) > ROW_SUM_TOLERANCE
    if off.any():
        where = first_index(off)
        names = axes[len(axes) - len(where) :]
        place = ", ".join(f"{axis} {i}" for axis, i in zip(names, where, strict=True))
        first = f" (first at {place})" if place else ""
        raise error(f"{name}: expected rows that sum to one, got a sum of {sums[where][0]:.9g}{first}")
    return np.asarray(array / sums)


def require_discount(value: float, name: str) -> float:
    """Return a discount in [0, 1); one itself makes an endless sum and is refused."""
    if not (_is_real(value) and 0.0 <= value < 1.0):
        raise GameError(f"{name}: expected a number in [0, 1), per play step, got {value!r}")
    return float(value)


def require_positive(value: float, name: str, error: type[StackelbergError] = GameError) -> float:
    """Return a positive finite number."""
    if not (_is_real(value) and value > 0):
        raise error(f"{name}: expected a number greater than 0, got {value!r}")
    return float(value)


def _is_real(value: object) -> bool:
    return isinstance(value, int | float | np.integer | np.floating) and bool(np.isfinite(value))


def require_at_least(value: float, minimum: float, name: str, error: type[StackelbergError] = ArgumentError) -> float:
    """Return a finite number of at least `minimum`."""
    number: Any = value
    if not isinstance(number, int | float | np.number) or not minimum <= number < np.inf:
        raise error(f"{name}: expected a finite number of at least {minimum:g}, got {value!r}")
    return float(value)


def require_count(value: object, name: str, minimum: int = 1, error: type[StackelbergError] = ArgumentError) -> int:
    """Return an integer of at least `minimum`."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < minimum:
        raise error(f"{name}: expected an integer of at least {minimum}, got {value!r}")
    return int(value)


def frozen(array: NDArray[Any]) -> NDArray[Any]:
    """Return `array` marked read-only, in C order."""
    array = np.ascontiguousarray(array)
    array.flags.writeable = False
    return array
