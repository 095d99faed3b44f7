"""Whether a game can travel: by pickle and copy, as environments, checkpoints and other processes need it."""

from __future__ import annotations

import copy
import io
import pickle
import sys
from collections.abc import Iterator
from functools import partial
from types import FunctionType, MethodType
from typing import Any

from stackelberg_envs.conformity.clauses import attempt
from stackelberg_envs.errors import ConformityError

__all__ = ["require_travel"]

CLAUSE = "pickle, copy.deepcopy and other processes take it"
#: How deep the search for the part that cannot be pickled goes.
DEPTH = 12


def require_travel(thing: Any, name: str) -> Any:
    """Return a twin made by pickle where the parts can be found by name, else one made by copy.deepcopy.

    Parameters
    ----------
    thing
        A game or an environment.
    name
        What to call it in messages.

    Raises
    ------
    ConformityError
        A part cannot be pickled or copied; the message has its place, and what to write instead.
    """
    problem = _problem(thing)
    if problem is not None:
        place, part, error = _innermost(thing, name, problem)
        raise ConformityError(f"{CLAUSE}: {place} is {_shown(part)}, {_reason(part, error)}") from error
    with attempt(f"copy.deepcopy takes {name}"):
        twin = copy.deepcopy(thing)
    if not _findable(thing):
        return twin
    with attempt(f"pickle brings {name} back"):
        return pickle.loads(pickle.dumps(thing))  # noqa: S301 - made in the line itself


class _Probe(pickle.Pickler):
    """A pickler that lets functions and classes pass that stand at the top level of code which is no importable module.

    Such is a page of code that is run as a whole; put into a module, they would be found.
    """

    def reducer_override(self, part: Any) -> Any:
        if isinstance(part, FunctionType | type) and not _is_local(part) and not _has_file(part.__module__):
            return str, (part.__qualname__,)
        return NotImplemented


def _has_file(module: str) -> bool:
    return getattr(sys.modules.get(module), "__spec__", None) is not None


def _problem(thing: Any) -> Exception | None:
    """Return why something cannot be pickled, or None."""
    try:
        _Probe(io.BytesIO(), protocol=pickle.HIGHEST_PROTOCOL).dump(thing)
    except Exception as error:
        return error
    return None


def _findable(thing: Any) -> bool:
    try:
        pickle.dumps(thing)
    except Exception:
        return False
    return True


def _innermost(thing: Any, place: str, error: Exception, depth: int = DEPTH) -> tuple[str, Any, Exception]:
    """Return the innermost part that cannot be pickled: its place, itself, and the error."""
    if depth and not isinstance(thing, FunctionType | type):
        for name, part in _parts(thing):
            problem = _problem(part)
            if problem is not None:
                return _innermost(part, f"{place}{name}", problem, depth - 1)
    return place, thing, error


def _parts(thing: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(thing, partial):
        yield ".func", thing.func
        yield from ((f".args[{i}]", part) for i, part in enumerate(thing.args))
        yield from ((f".keywords[{key!r}]", part) for key, part in thing.keywords.items())
    elif isinstance(thing, MethodType):
        yield ".__self__", thing.__self__
    elif isinstance(thing, dict):
        yield from ((f"[{key!r}]", part) for key, part in thing.items())
    elif isinstance(thing, list | tuple | set | frozenset):
        yield from ((f"[{i}]", part) for i, part in enumerate(thing))
    else:
        yield from ((f".{name}", part) for name, part in getattr(thing, "__dict__", {}).items())
        if _is_local(type(thing)):
            yield " (its class)", type(thing)


def _is_local(part: Any) -> bool:
    """Return whether a function or class was made inside a function, or is a lambda: nobody else finds it by name."""
    return "<" in part.__qualname__


def _shown(part: Any) -> str:
    kind = "class" if isinstance(part, type) else "function"
    if isinstance(part, FunctionType | type):
        return f"the {kind} {part.__module__}.{part.__qualname__}"
    return f"of type {type(part).__name__}"


def _reason(part: Any, error: Exception) -> str:
    if not (isinstance(part, FunctionType | type) and _is_local(part)):
        return f"which cannot be pickled ({type(error).__name__}: {error}); keep it out, or give it __getstate__"
    if isinstance(part, type):
        return "which is defined inside a function, where other processes cannot find it; define it in a module"
    return (
        "which is defined inside a function, where other processes cannot find it; define it at the top level of a "
        "module, and hand it what it needs by functools.partial, or write a class with __call__"
    )
