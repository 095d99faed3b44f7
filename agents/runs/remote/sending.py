"""What a leader is made of, as bytes for its own process; what cannot be sent is named."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from types import FunctionType
from typing import Any

import cloudpickle

from stackelberg_envs.errors import ArgumentError

__all__ = ["sendable"]

#: Levels of attributes within which the culprit is looked for.
DEPTH = 12


def sendable(players: dict[str, Any]) -> bytes:
    """Return objects as bytes; functions that no module has, closures and lambdas, go along whole.

    Raises
    ------
    ArgumentError
        Something cannot be sent, with the way to it.
    """
    try:
        return bytes(cloudpickle.dumps(players))
    except Exception as exc:  # whatever an object's own way of being stored raises
        way, value = _culprit(players, "", DEPTH)
        raise ArgumentError(
            f"leader process: {way}: expected what another process can be sent, got {_described(value)} "
            f"({type(exc).__name__}: {exc})"
        ) from exc


def _culprit(value: Any, way: str, depth: int) -> tuple[str, Any]:
    """Return the innermost part that cannot be stored, and the way to it."""
    if depth:
        for name, part in _parts(value):
            try:
                cloudpickle.dumps(part)
            except Exception:  # see above
                return _culprit(part, f"{way}.{name}" if way else name, depth - 1)
    return way, value


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        yield from ((str(key), item) for key, item in value.items())
    elif isinstance(value, list | tuple):
        yield from ((str(i), item) for i, item in enumerate(value))
    elif isinstance(value, FunctionType):
        found = inspect.getclosurevars(value)
        yield from {**found.globals, **found.nonlocals}.items()
    else:
        yield from getattr(value, "__dict__", {}).items()


def _described(value: Any) -> str:
    if isinstance(value, FunctionType):
        code = value.__code__
        return f"the function {value.__qualname__} ({code.co_filename}, line {code.co_firstlineno})"
    return f"{type(value).__module__}.{type(value).__qualname__}"
