"""Fingerprints of games: whether two have the same content, without storing any of it.

Arrays and numbers count by value, objects by class and attributes, functions by name, code, defaults and what they
enclose, everything that Python cannot look into by its class. Nothing is ever made from a fingerprint.
"""

from __future__ import annotations

import enum
import functools
import types
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from ..state.tree import DTYPES, Tree, digest

__all__ = ["fingerprint"]

#: Levels that are looked into; what is deeper counts by its class.
MAX_DEPTH = 12


def fingerprint(value: Any) -> str:
    """Return a hash of the content of any object, equal in every process for equal content."""
    return digest(_Describer().describe(value, 0))


class _Describer:
    """Turns anything into a tree; what lies within itself counts as so many levels up."""

    def __init__(self) -> None:
        # Objects are held on to, because an id is only good for as long as its object lives.
        self._done: dict[int, tuple[Any, Tree]] = {}
        self._under: dict[int, int] = {}

    def describe(self, value: Any, depth: int) -> Tree:
        if value is None or type(value) in (bool, int, float, str, bytes):
            return value
        if isinstance(value, np.generic) and value.dtype.name in DTYPES:
            return value
        if id(value) in self._done:
            return self._done[id(value)][1]
        if id(value) in self._under:
            return ("above", depth - self._under[id(value)])
        if depth > MAX_DEPTH:
            return ("deep", _name(type(value)))
        self._under[id(value)] = depth
        found = self._looked_into(value, depth + 1)
        del self._under[id(value)]
        self._done[id(value)] = value, found
        return found

    def _looked_into(self, value: Any, depth: int) -> Tree:
        for kinds, method in self._methods:
            if isinstance(value, kinds):
                return method(self, value, depth)
        return (_name(type(value)), self._named(_attributes(value), depth))

    def _array(self, value: Any, depth: int) -> Tree:
        if type(value) is np.ndarray and value.dtype.name in DTYPES:
            return np.ascontiguousarray(value)
        return (_name(type(value)), str(value.dtype), list(value.shape))

    def _items(self, value: Any, depth: int) -> Tree:
        return (_name(type(value)), [self.describe(item, depth) for item in value])

    def _set(self, value: Any, depth: int) -> Tree:
        return (_name(type(value)), sorted((self.describe(item, depth) for item in value), key=repr))

    def _mapping(self, value: Mapping[Any, Any], depth: int) -> Tree:
        pairs = [[self.describe(key, depth), self.describe(item, depth)] for key, item in value.items()]
        return (_name(type(value)), pairs)

    def _named(self, value: Mapping[str, Any], depth: int) -> Tree:
        return [[name, self.describe(item, depth)] for name, item in sorted(value.items())]

    def _function(self, value: types.FunctionType, depth: int) -> Tree:
        enclosed = [cell.cell_contents for cell in value.__closure__ or () if _is_filled(cell)]
        defaults = [value.__defaults__, value.__kwdefaults__]
        parts = [self.describe(part, depth) for part in (value.__code__, enclosed, defaults)]
        return ("function", f"{value.__module__}:{value.__qualname__}", parts)

    def _code(self, value: types.CodeType, depth: int) -> Tree:
        return (value.co_code, list(value.co_names), self.describe(value.co_consts, depth))

    def _method(self, value: types.MethodType, depth: int) -> Tree:
        return ("method", value.__name__, self.describe(value.__self__, depth))

    def _partial(self, value: Any, depth: int) -> Tree:
        return ("partial", [self.describe(part, depth) for part in (value.func, value.args, value.keywords)])

    def _by_name(self, value: Any, depth: int) -> Tree:
        return ("name", getattr(value, "__name__", ""), getattr(value, "__module__", None) or "")

    def _enum(self, value: enum.Enum, depth: int) -> Tree:
        return ("enum", _name(type(value)), value.name)

    def _generator(self, value: Any, depth: int) -> Tree:
        return ("generator", _name(type(value)))

    _methods: tuple[tuple[Any, Callable[..., Tree]], ...] = (
        (np.ndarray, _array),
        (enum.Enum, _enum),
        (list | tuple | deque, _items),
        (set | frozenset, _set),
        (dict | types.MappingProxyType, _mapping),
        (types.FunctionType, _function),
        (types.CodeType, _code),
        (types.MethodType, _method),
        (functools.partial, _partial),
        (type | types.ModuleType | types.BuiltinFunctionType, _by_name),
        # How far a generator has got is nothing that a game is made of.
        (np.random.Generator | np.random.RandomState, _generator),
    )


def _attributes(value: Any) -> dict[str, Any]:
    """Return the declared fields of a dataclass, and the attributes of other objects without what is cached."""
    if is_dataclass(value):
        # A field that came later and is left out says nothing: what was made before keeps its fingerprint.
        return {
            item.name: getattr(value, item.name, None)
            for item in fields(value)
            if not (item.metadata.get("may_be_left_out") and getattr(value, item.name, None) is None)
        }
    kind = type(value)
    found = dict(getattr(value, "__dict__", {}))
    for base in kind.__mro__:
        slots = base.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name not in ("__dict__", "__weakref__") and hasattr(value, name):
                found[name] = getattr(value, name)
    return {
        name: item
        for name, item in found.items()
        if not isinstance(getattr(kind, name, None), functools.cached_property) and name != "_np_random"
    }


def _is_filled(cell: Any) -> bool:
    try:
        return cell.cell_contents is not cell
    except ValueError:  # of a name that is not bound yet
        return False


def _name(kind: type[Any]) -> str:
    return f"{kind.__module__}:{kind.__qualname__}"
