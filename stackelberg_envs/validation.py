"""Values from users, held to the types and ranges that their options declare; the checking itself is msgspec's.

An option declares what it takes by its annotation, with :class:`msgspec.Meta` for a range::

    learning_rate: Annotated[float, Meta(gt=0)] = 0.05
    critic: Literal["lstd", "monte_carlo"] = "lstd"

Nothing is guessed: True is no number, "" is not False, "3" is not 3, and a fraction is no count. A whole number is a
number, NumPy's scalars are scalars, its arrays are lists. Numbers are finite.
"""

from __future__ import annotations

import functools
import inspect
import math
import os
import reprlib
import sys
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal

import msgspec
import numpy as np

from stackelberg_envs.errors import ArgumentError, StackelbergError

__all__ = ["checked", "checked_path", "hints_of", "shown", "words_for"]

WORDS = {float: "a finite number", int: "an integer", str: "a word", bool: "True or False", NoneType: "None"}
PLURALS = {float: "numbers", int: "integers", str: "words", bool: "True or False"}


def checked(value: object, hint: Any, where: str, error: type[StackelbergError] = ArgumentError) -> Any:
    """Return a value as the declared type.

    Parameters
    ----------
    value
        What came.
    hint
        The declared type. What msgspec cannot check (two classes of one's own in a union, say) is let through.
    where
        Owner and name of the option, for the message.
    error
        To raise.

    Raises
    ------
    ArgumentError
        Another type or a value out of range: what was expected, and what came.
    """
    if not _is_checkable(hint):
        return value
    try:
        return _converted(_plain(value), hint)
    except Exception as exc:
        if _is_array(value, hint):
            return value
        _, at, place = str(exc).partition(" - at `$")
        inside = f" (at {place.rstrip('`')})" if at and place != "`" else ""
        raise error(f"{where}: expected {words_for(hint, value)}, got {shown(value)}{inside}") from None


def _is_checkable(hint: Any) -> bool:
    if hint in (Any, object):
        return False
    try:
        msgspec.convert(None, hint)
    except TypeError:
        return False
    except msgspec.ValidationError:
        pass
    return True


def _converted(plain: object, hint: Any) -> Any:
    # What a dict of anything holds is checked, by its own name, by whoever it is handed on to.
    if typing.get_args(hint)[1:] != (Any,) and not _is_finite(plain):
        raise msgspec.ValidationError("Expected finite numbers")
    if _is_unordered(plain) and not _names_sets(hint):
        # The library would take a set for a list, in an order that nobody chose.
        raise msgspec.ValidationError("Expected an order")
    return msgspec.convert(plain, hint)


def _is_array(value: object, hint: Any) -> bool:
    """Whether NumPy's own is what the option declares."""
    kinds = [kind for kind in _alternatives(hint) if inspect.isclass(typing.get_origin(kind) or kind)]
    own = tuple(kind for kind in (typing.get_origin(kind) or kind for kind in kinds) if kind.__module__ == "numpy")
    return isinstance(value, own)


def _plain(value: object) -> object:
    """Return NumPy's scalars and arrays as Python's numbers and lists, inside containers too."""
    if isinstance(value, np.ma.MaskedArray):
        return value
    if isinstance(value, np.generic | np.ndarray):
        if value.dtype.kind == "f":
            return value.astype(np.float64).tolist()
        return value.tolist() if value.dtype.kind in "biuU" else value
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value


def _is_finite(value: object) -> bool:
    if isinstance(value, list | tuple):
        return all(_is_finite(item) for item in value)
    # What a dict holds are options with types of their own.
    return not isinstance(value, float) or math.isfinite(value)


def _is_unordered(value: object) -> bool:
    if isinstance(value, list | tuple):
        return any(_is_unordered(item) for item in value)
    return isinstance(value, AbstractSet)


def _names_sets(hint: Any) -> bool:
    origin = typing.get_origin(hint) or hint
    if inspect.isclass(origin) and issubclass(origin, AbstractSet):
        return True
    return any(_names_sets(part) for part in typing.get_args(hint))


# Words for people.


def words_for(hint: Any, value: object = None) -> str:
    """Return what an option takes, in words; the upper limit of an integer only where `value` is above it."""
    alternatives = list(_alternatives(hint))
    if isinstance(value, int | float) and not isinstance(value, bool):
        # Who gives a number means one: that nothing would do as well is no help.
        alternatives = [part for part in alternatives if part is not NoneType] or alternatives
    plain = [part for part in alternatives if typing.get_origin(part) is not Literal]
    chosen = [repr(name) for part in alternatives for name in typing.get_args(part) if part not in plain]
    words = chosen + [_words(part, value) for part in plain]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _alternatives(hint: Any) -> Iterator[Any]:
    if typing.get_origin(hint) in (typing.Union, UnionType):
        for part in typing.get_args(hint):
            yield from _alternatives(part)
    else:
        yield hint


def _words(hint: Any, value: object) -> str:
    origin = typing.get_origin(hint)
    if origin is typing.Annotated:
        kind, *notes = typing.get_args(hint)
        for note in notes:
            if isinstance(note, msgspec.Meta):
                words = _words(kind, value) + _range(kind, note, value)
                bounded = {note.gt, note.lt, note.le} != {None}
                return note.description or (words.replace("a finite", "a") if bounded else words)
        return _words(kind, value)
    if hint in WORDS:
        return WORDS[hint]
    kind = origin or hint
    if inspect.isclass(kind) and issubclass(kind, Mapping):
        return "a dict"
    if inspect.isclass(kind) and issubclass(kind, Sequence | AbstractSet):
        items = typing.get_args(hint)
        many = f"{len(items)} " if kind is tuple and ... not in items else ""
        return "a list" if not items else f"a list of {many}{_plural(items[0])}"
    return str(getattr(kind, "__name__", kind))


def _plural(hint: Any) -> str:
    if typing.get_origin(hint) is typing.Annotated:
        kind, *notes = typing.get_args(hint)
        limits = "".join(_range(kind, note, None) for note in notes if isinstance(note, msgspec.Meta))
        return _plural(kind) + limits
    if typing.get_origin(hint) is Literal:
        return f"words among {', '.join(map(repr, typing.get_args(hint)))}"
    return PLURALS.get(hint, "lists" if typing.get_origin(hint) else "items")


def _range(kind: Any, note: msgspec.Meta, value: object) -> str:
    if note.min_length:
        return ", at least one" if note.min_length == 1 else f", at least {note.min_length}"
    low = note.gt if note.ge is None else note.ge
    high = note.lt if note.le is None else note.le
    if kind is int and not (isinstance(value, int) and high is not None and value > high):
        high = None
    if low is not None and high is not None:
        return f" in {'(' if note.ge is None else '['}{low}, {high}{')' if note.le is None else ']'}"
    if low is None:
        return "" if high is None else f" {'less than' if note.le is None else 'of at most'} {high}"
    return f" {'greater than' if note.ge is None else 'of at least'} {low}"


class _Short(reprlib.Repr):
    """Representations of a line at most, of anything."""

    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = self.maxlong = 100

    def repr_int(self, x: int, level: int) -> str:
        # Python refuses to write numbers of more than some thousand digits.
        return f"an integer of {x.bit_length()} bits" if x.bit_length() > 4_000 else super().repr_int(x, level)


def shown(value: object) -> str:
    """Return what came, in at most a line, for a message."""
    if isinstance(value, np.ndarray):
        if value.size > 6:
            return f"an array of shape {value.shape} and type {value.dtype}"
        return " ".join(map(str.strip, repr(value).splitlines()))
    return " ".join(_Short().repr(value).split())


# Declared types.


@functools.cache
def _hints_of(kind: Any) -> dict[str, Any]:
    try:
        return typing.get_type_hints(kind, include_extras=True)
    except Exception:
        return {name: _resolved(annotation, kind) for name, annotation in _annotations(kind).items()}


def hints_of(kind: Callable[..., Any]) -> dict[str, Any]:
    """Return the declared types of a function's arguments or a dataclass's fields; Any where they cannot be read."""
    found: dict[str, Any] = _hints_of(kind)
    return found


def _annotations(kind: Any) -> dict[str, Any]:
    if is_dataclass(kind):
        return {item.name: item.type for item in fields(kind)}
    return dict(getattr(kind, "__annotations__", {}))


def _resolved(annotation: Any, kind: Any) -> Any:
    def holder() -> None: ...

    holder.__annotations__ = {"it": annotation}
    try:
        module = vars(sys.modules[kind.__module__])
        return typing.get_type_hints(holder, module, include_extras=True)["it"]
    except Exception:
        return Any


def checked_path(value: object, where: str, error: type[StackelbergError] = ArgumentError) -> Path:
    """Return the path of a file or folder.

    Raises
    ------
    ArgumentError
        Neither text nor a path, empty, or text that no file system can hold.
    """
    if not isinstance(value, str | os.PathLike):
        raise error(f"{where}: expected a path, got {shown(value)}")
    text = os.fspath(value)
    if not isinstance(text, str) or not text:
        raise error(f"{where}: expected a path, got {shown(value)}")
    try:
        encoded = os.fsencode(text)
    except UnicodeEncodeError:
        raise error(f"{where}: expected a path that can be encoded, got {shown(value)}") from None
    if b"\0" in encoded:
        raise error(f"{where}: expected a path without NUL, got {shown(value)}")
    return Path(text)
