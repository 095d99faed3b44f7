"""Actions of vector games: rows of numbers, checked against a Gymnasium space before anything moves.

A batch of n actions has shape (n, B): float64 for boxes, int64 for Discrete (B = 1) and MultiDiscrete spaces.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium.spaces import Box, Discrete, MultiDiscrete, Space
from numpy.typing import NDArray

from stackelberg_envs.arrays import ROW_SUM_TOLERANCE, first_index
from stackelberg_envs.errors import ActionError, GameError

__all__ = ["action_bounds", "checked_actions", "no_actions", "require_action_space"]

Actions = NDArray[Any]
Bounds = tuple[Actions, Actions]


def require_action_space(space: object, name: str) -> Space[Any]:
    """Return a space vector games may act in: a flat Box, Discrete or MultiDiscrete.

    Raises
    ------
    GameError
        Any other space.
    """
    flat = isinstance(space, Box | MultiDiscrete) and len(space.shape) == 1
    if not isinstance(space, Space) or not (flat or isinstance(space, Discrete)):
        raise GameError(f"{name}: expected a Box or MultiDiscrete of shape (B,) or a Discrete space, got {space!r}")
    return space


def action_bounds(space: Space[Any]) -> Bounds:
    """Return the least and greatest action, shape (B,): float64 for boxes, int64 for the others."""
    if isinstance(space, Box):
        return space.low.astype(np.float64), space.high.astype(np.float64)
    if isinstance(space, MultiDiscrete):
        start = np.asarray(space.start, dtype=np.int64)
        return start, start + np.asarray(space.nvec, dtype=np.int64) - 1
    if isinstance(space, Discrete):
        start = np.array([space.start], dtype=np.int64)
        return start, start + int(space.n) - 1
    raise GameError(f"space: expected a Box, Discrete or MultiDiscrete space, got {space!r}")


def no_actions(bounds: Bounds, n: int) -> Actions:
    """Return what stands for n actions that were not taken, shape (n, B): zeros in boxes, -1 elsewhere."""
    low = bounds[0]
    return np.full((n, low.size), 0.0 if low.dtype.kind == "f" else -1, dtype=low.dtype)


def checked_actions(actions: Any, n: int, bounds: Bounds, name: str) -> Actions:
    """Return n legal actions as a new array of shape (n, B).

    A bound may be missed by the rounding of float32 and is then meant.

    Raises
    ------
    ActionError
        Another shape or kind of numbers, or an action outside its bounds; the message says where.
    """
    low, high = bounds
    kinds = "iu" if low.dtype.kind == "i" else "fiu"
    array = actions if type(actions) is np.ndarray else _as_array(actions)
    # One number an action may come without its own axis.
    if array.shape != (n, low.size) and not (array.shape == (n,) and low.size == 1):
        raise ActionError(f"{name}: expected shape {(n, low.size)}, got {_shown(actions, array)}")
    if array.dtype.kind not in kinds:
        raise ActionError(f"{name}: expected {'integers' if kinds == 'iu' else 'numbers'}, got {array.dtype}")
    array = array.reshape(n, low.size).astype(low.dtype)
    if ((array >= low) & (array <= high) & np.isfinite(array)).all():
        return array
    legal = _legal(array, low, high)
    if not legal.all():
        where = first_index(~legal)
        raise ActionError(
            f"{name}: expected a value in [{low[where[-1]]:g}, {high[where[-1]]:g}], "
            f"got {array[where]:g} at index {where if n > 1 else where[1:]}"
        )
    return np.clip(array, low, high, out=array)


def _as_array(actions: Any) -> NDArray[Any]:
    """Return actions as an array, or an empty one of objects, which no check passes, where they are none."""
    nothing = np.empty(0, dtype=object)
    parts = [actions, *actions] if isinstance(actions, list | tuple) else [actions]
    if any(isinstance(part, np.ma.MaskedArray) for part in parts):
        return nothing
    try:
        return np.array(actions)
    # Whatever an object's own conversion raises.
    except Exception:
        return nothing


def _legal(array: Actions, low: Actions, high: Actions) -> Any:
    if low.dtype.kind == "i":
        return (array >= low) & (array <= high)
    # A bound is missed by at most its rounding, whatever its unit; an infinite one makes no slack on the other side.
    sizes = [np.where(np.isfinite(bound), np.abs(bound), 0.0) for bound in (low, high)]
    slack = ROW_SUM_TOLERANCE * np.maximum(*sizes)
    return np.isfinite(array) & (array >= low - slack) & (array <= high + slack)


def _shown(actions: Any, array: Actions) -> str:
    return f"{actions!r}" if array.dtype.kind == "O" or array.ndim == 0 else f"shape {array.shape}"
