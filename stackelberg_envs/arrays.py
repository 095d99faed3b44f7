"""Checks at the door: every argument is converted, checked and frozen here, once.

Every function takes the name the user knows the argument by and says, on failure, what was expected, what
came and the first offending index. ``error`` is the class to raise, from :mod:`stackelberg_envs.errors`.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stackelberg_envs.errors import ArgumentError, GameError, StackelbergError

Array = NDArray[np.float64]
IntArray = NDArray[np.int32]

#: Probability rows further than this from one are refused, nearer ones are normalised.
ROW_SUM_TOLERANCE = 1e-6
#: Numbers beyond this are refused, and so are temperatures below its inverse: their squares and their quotients
#: would be no numbers any more.
LARGEST = 1e150
#: Integers beyond this have no place in an array.
LARGEST_INTEGER = 2**63 - 1
#: Arrays that arguments ask for by their sizes have at most so many entries, two gigabytes.
MOST_ENTRIES = 2**28
#: Array classes whose entries mean what they say; others (masks, units) would lose their meaning on the way.
PLAIN_ARRAYS = (np.ndarray, np.memmap, np.matrix)


def as_float(value: ArrayLike, name: str, error: type[StackelbergError] = GameError, *, booleans: bool = True) -> Array:
    """Return `value` as a new float64 array; anything else than finite numbers is refused.

    Masked, complex, time and object arrays, text, ragged lists and sparse matrices are no numbers, nor is a single
    True or False.

    Parameters
    ----------
    value
        What the user gave.
    name, error
        For the message.
    booleans
        Whether an array of True and False may stand for ones and zeros.
    """
    if type(value) is np.ndarray and value.dtype == np.float64:
        array = np.array(value, order="C")
    else:
        array = _converted(value, name, error, booleans)
    require_finite(array, name, error)
    return array


def require_finite(array: Array, name: str, error: type[StackelbergError] = GameError) -> None:
    """Raise unless all entries are finite numbers, and none too large."""
    # Not entry by entry at first: that would take another array. A nan is neither above nor below.
    if not array.size or (array.max() <= LARGEST and array.min() >= -LARGEST):
        return
    where = first_index(~(np.abs(array) <= LARGEST))
    kind = f"numbers of at most {LARGEST:g}" if np.isfinite(array[where]) else "finite numbers"
    raise error(f"{name}: expected {kind}, got {array[where]} at index {where}")


def _converted(value: ArrayLike, name: str, error: type[StackelbergError], booleans: bool) -> Array:
    """Return what is not yet an array of float64 as one; infinite numbers are not refused here."""
    array = _plain_array(value, name, error)
    if array.dtype.kind not in "fiub":
        raise error(f"{name}: expected numbers, got {_described(value, array)}")
    if array.dtype.kind == "b" and not (booleans and array.ndim):
        raise error(f"{name}: expected numbers, got {_shown_flags(array)}")
    with np.errstate(over="ignore"):  # of what is wider than float64; it comes out infinite
        return np.array(array, dtype=np.float64, order="C")


def as_integers(value: ArrayLike, name: str, error: type[StackelbergError] = GameError) -> NDArray[np.int64]:
    """Return `value` as a new int64 array; anything else than integers is refused."""
    array = _plain_array(value, name, error)
    if array.dtype.kind not in "iu":
        raise error(f"{name}: expected integers, got {_described(value, array)}")
    if array.dtype == np.uint64 and array.size and int(array.max()) > LARGEST_INTEGER:
        raise error(f"{name}: expected integers of at most {LARGEST_INTEGER}, got {array.max()}")
    return np.array(array, dtype=np.int64, order="C")


def _plain_array(value: object, name: str, error: type[StackelbergError]) -> NDArray[Any]:
    """Return `value` as NumPy reads it, unless its class carries a meaning that NumPy would drop."""
    refuse_laden(value, name, error)
    try:
        return np.asarray(value)
    # Whatever an object's own conversion raises: it is no array of numbers.
    except Exception as exc:
        raise error(f"{name}: expected numbers, got {type(value).__name__} ({exc})") from exc


def refuse_laden(value: object, name: str, error: type[StackelbergError] = GameError) -> None:
    """Raise if an array, or one in a list, is of a class whose meaning NumPy would drop: masks, units."""
    if isinstance(value, np.ndarray) and type(value) not in PLAIN_ARRAYS:
        advice = "fill it first" if isinstance(value, np.ma.MaskedArray) else "convert it first"
        raise error(f"{name}: expected numbers in a plain array, got {type(value).__name__}; {advice}")
    if isinstance(value, list | tuple):
        for item in value:
            if isinstance(item, list | tuple | np.ndarray):
                refuse_laden(item, name, error)


def _described(value: object, array: NDArray[Any]) -> str:
    if hasattr(value, "toarray"):
        return f"a sparse {type(value).__name__}; write .toarray()"
    if isinstance(value, int):
        return f"an integer beyond 64 bits, {_short(value)}; write it as a float"
    kinds = {"c": "complex numbers", "m": "durations", "M": "dates", "O": "objects", "U": "text", "S": "bytes"}
    kind = kinds.get(array.dtype.kind)
    return f"{type(value).__name__} ({kind})" if kind else f"{array.dtype}"


def _shown_flags(array: NDArray[Any]) -> str:
    return f"{bool(array)}" if array.ndim == 0 else f"True and False, shape {array.shape}"


def _short(value: object) -> str:
    """Return a value's text in one line, cut where it is long: messages go to a terminal."""
    try:
        text = " ".join(map(str.strip, repr(value).splitlines()))
    # An integer of thousands of digits has no text at all.
    except Exception:
        text = f"a {type(value).__name__}"
    return text if len(text) <= 80 else f"{text[:60]}... ({len(text)} characters)"


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
    return np.asarray(array / require_distributions(array, name, error, axes))


def require_distributions(
    array: Array,
    name: str,
    error: type[StackelbergError] = GameError,
    axes: tuple[str, ...] = ("state",),
) -> Array:
    """Return the sums of the last axis, which stays as an axis of length 1, or raise unless they are about one."""
    if array.min(initial=0.0) < 0:
        where = first_index(array < 0)
        raise error(f"{name}: expected probabilities, got {array[where]} at index {where}")
    sums = np.asarray(array.sum(axis=-1, keepdims=True))
    off = np.abs(sums[..., 0] - 1.0) > ROW_SUM_TOLERANCE
    if off.any():
        where = first_index(off)
        names = axes[len(axes) - len(where) :]
        place = ", ".join(f"{axis} {i}" for axis, i in zip(names, where, strict=True))
        first = f" (first at {place})" if place else ""
        raise error(f"{name}: expected rows that sum to one, got a sum of {sums[where][0]:.9g}{first}")
    return sums


def require_discount(value: float, name: str, *, whole: bool = False) -> float:
    """Return a discount in [0, 1); one itself makes an endless sum and is refused, unless `whole` allows it."""
    if not (_is_real(value) and (0.0 <= value < 1.0 or (whole and value == 1.0))):
        interval = "[0, 1]" if whole else "[0, 1)"
        raise GameError(f"{name}: expected a number in {interval}, per play step, got {_got(value)}")
    return float(value)


def require_number(value: float, name: str) -> float:
    """Return a finite number."""
    if not _is_real(value):
        raise GameError(f"{name}: expected a finite number, got {_got(value)}")
    return float(value)


def require_positive(value: float, name: str, error: type[StackelbergError] = GameError) -> float:
    """Return a positive finite number."""
    if not (_is_real(value) and value > 0):
        raise error(f"{name}: expected a number greater than 0, got {_got(value)}")
    return float(value)


def require_probability(value: float, name: str) -> float:
    """Return a number in [0, 1]."""
    if not (_is_real(value) and 0.0 <= value <= 1.0):
        raise GameError(f"{name}: expected a probability in [0, 1], got {_got(value)}")
    return float(value)


def require_share(value: float, name: str) -> float:
    """Return a part of something, in [0, 1]."""
    if not (_is_real(value) and 0.0 <= value <= 1.0):
        raise GameError(f"{name}: expected a share in [0, 1], got {_got(value)}")
    return float(value)


def require_temperature(value: float) -> float:
    """Return a temperature: positive, and neither so small nor so large that quotients by it are no numbers."""
    temperature = require_positive(value, "temperature")
    if temperature < 1.0 / LARGEST:
        raise GameError(f"temperature: expected at least {1.0 / LARGEST:g}, in reward units, got {value!r}")
    return temperature


def _got(value: object) -> str:
    """Return what came, for a message; where a number is too large, how large it may be."""
    if isinstance(value, int | np.integer) and abs(int(value)) > LARGEST_INTEGER:
        return f"{_short(value)}; integers have 64 bits at most"
    if isinstance(value, float | np.floating) and LARGEST < abs(float(value)) < np.inf:
        return f"{value!r}; numbers go up to {LARGEST:g}"
    return _short(value)


def _is_real(value: object) -> bool:
    """Whether `value` is one number, no flag, that float64 can carry and whose square too."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        return False
    # An integer beyond 64 bits converts to float, or not, by accident of its size.
    if isinstance(value, int) and abs(value) > LARGEST_INTEGER:
        return False
    return abs(float(value)) <= LARGEST


def require_at_least(value: float, minimum: float, name: str, error: type[StackelbergError] = ArgumentError) -> float:
    """Return a finite number of at least `minimum`."""
    if not (_is_real(value) and value >= minimum):
        raise error(f"{name}: expected a finite number of at least {minimum:g}, got {_got(value)}")
    return float(value)


def require_count(value: object, name: str, minimum: int = 1, error: type[StackelbergError] = ArgumentError) -> int:
    """Return an integer of at least `minimum`, and of 64 bits at most."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or int(value) < minimum:
        raise error(f"{name}: expected an integer of at least {minimum}, got {_short(value)}")
    if int(value) > LARGEST_INTEGER:
        raise error(f"{name}: expected an integer of at most {LARGEST_INTEGER}, got {_short(value)}")
    return int(value)


def require_room(shape: tuple[int, ...], name: str, error: type[StackelbergError] = GameError) -> None:
    """Raise unless an array of this shape has at most MOST_ENTRIES entries, so that asking for it is no accident."""
    entries = 1
    for size in shape:
        entries *= int(size)
    if entries > MOST_ENTRIES:
        raise error(f"{name}: expected at most {MOST_ENTRIES} entries, got {_short(shape)}")


def require_flag(value: object, name: str, error: type[StackelbergError] = ArgumentError) -> bool:
    """Return True or False; anything else is refused: "no" is true in Python."""
    if not isinstance(value, bool | np.bool_):
        raise error(f"{name}: expected True or False, got {_short(value)}")
    return bool(value)


def require_progress(value: object, name: str = "progress") -> None:
    """Raise unless a value is a function of progress, or None for none."""
    if not (value is None or callable(value)):
        raise ArgumentError(f"{name}: expected a function of one argument, got {_short(value)}")


def require_text(value: object, name: str, error: type[StackelbergError] = GameError) -> str:
    """Return a string."""
    if not isinstance(value, str):
        raise error(f"{name}: expected a string, got {_short(value)}")
    return str(value)


def frozen(array: NDArray[Any]) -> NDArray[Any]:
    """Return `array` marked read-only, in C order; the caller must own it."""
    array = np.ascontiguousarray(array)
    array.flags.writeable = False
    return array


def own(array: NDArray[Any]) -> NDArray[Any]:
    """Return `array` if nobody can write to it any more, else a frozen copy."""
    base: Any = array
    while isinstance(base, np.ndarray):
        if base.flags.writeable:
            return frozen(array.copy())
        base = base.base
    return array if base is None else frozen(array.copy())


def ratio(values: NDArray[Any], by: NDArray[Any]) -> Array:
    """Return values / by, and zero where `by` is not above zero; what is in single precision stays so."""
    out: Array = np.zeros(np.broadcast_shapes(values.shape, by.shape), np.result_type(values, by, np.float32))
    np.divide(values, by, out=out, where=by > 0)
    return out


def frozen_space(space: Any) -> Any:
    """Return a Gymnasium space after marking its bounds read-only: one object serves every game and face."""
    for name in ("low", "high", "nvec", "start"):
        bound = getattr(space, name, None)
        if isinstance(bound, np.ndarray):
            bound.flags.writeable = False
    return space


def own_facts(facts: object) -> dict[str, Any]:
    """Return a copy of what is known about a game, its arrays copied and frozen at any depth."""
    if not isinstance(facts, Mapping) or not all(isinstance(key, str) for key in facts):
        raise GameError(f"facts: expected a dict with names as keys, got {_short(facts)}")
    return {key: _own_fact(value) for key, value in facts.items()}


def _own_fact(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return own(value)
    if type(value) in (list, tuple):
        return type(value)(map(_own_fact, value))
    if type(value) is dict:
        return {key: _own_fact(item) for key, item in value.items()}
    return copy.copy(value) if isinstance(value, set) else value
