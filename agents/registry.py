"""Classes by name and kind of game: those of this package, one algorithm per file of a folder, and the user's own.

A class says in ``kinds`` which games it serves; classes of one name share it, each for games of its own. So an
algorithm that works differently on tables and on vectors is two short classes, and nobody asks what kind a game is.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import is_dataclass
from operator import attrgetter
from typing import Any, ClassVar, Generic, Protocol, TypeVar, cast

from stackelberg_envs.deprecation import warn_deprecated
from stackelberg_envs.errors import ArgumentError, unknown_name
from stackelberg_envs.plugins import load_entry_points

from .options import make_config

__all__ = ["Registry"]


class Named(Protocol):
    """What a registry asks of the classes in it; see :class:`agents.Leader`."""

    name: ClassVar[str]
    kinds: ClassVar[frozenset[str]]
    serves: ClassVar[frozenset[str]]
    Config: ClassVar[type[Any]]


Player = TypeVar("Player", bound=Named)
Kind = TypeVar("Kind", bound="type[Named]")

#: Deprecated name of a kind of game -> its name.
FORMER_KINDS = {"batched": "vector"}
#: Classes that share a name stand in this order, by the first kind of game that each serves; others' kinds come last.
ORDER = ("tabular", "vector", "environment", "markov")


class Registry(Generic[Player]):
    """(name, kind of game) -> class; the folder's files register theirs when they are imported, on the first question.

    Parameters
    ----------
    role
        What the classes are, for messages.
    package
        The folder's name as a package.
    kind_of
        Which kind of game a game is to these classes.

    Attributes
    ----------
    classes
        Name -> the classes that share it, each for other kinds of game; complete after :meth:`walk`.
    """

    def __init__(self, role: str, package: str, kind_of: Callable[[Any], str] = attrgetter("kind")) -> None:
        self.role, self.package, self.kind_of = role, package, kind_of
        self.classes: dict[str, tuple[type[Player], ...]] = {}
        self._walked = False

    def walk(self) -> None:
        """Import every file of the folder, once."""
        if self._walked:
            return
        for module in pkgutil.iter_modules(importlib.import_module(self.package).__path__):
            importlib.import_module(f"{self.package}.{module.name}")
        self._walked = True

    def register(self, name: str) -> Callable[[Kind], Kind]:
        """Class decorator: make a class known by `name` on the kinds of game it serves; ``kind.name`` is that name.

        Raises
        ------
        ArgumentError
            The name is none, or is taken for a kind of game, or the class has no dataclass of options.
        """
        given: object = name
        if not isinstance(given, str) or not given.strip():
            raise ArgumentError(f"{self.role}: expected a name, got {name!r}")

        def decorate(kind: Kind) -> Kind:
            if not kind.__module__.startswith(f"{self.package}."):
                self.walk()  # a name of this package is taken, whether or not anybody has asked for it
            if not (is_dataclass(getattr(kind, "Config", None)) and hasattr(kind, "kinds")):
                raise ArgumentError(
                    f"{self.role} {name!r}: expected a {self.role} whose Config is a dataclass, got {kind!r}"
                )
            for word in kind.kinds & FORMER_KINDS.keys():
                warn_deprecated(f'kinds = {{"{word}"}}', f'kinds = {{"{FORMER_KINDS[word]}"}}', "0.3")
            kind.kinds = frozenset(FORMER_KINDS.get(word, word) for word in kind.kinds)
            # The same class again is a module that was run twice, in a notebook say.
            others = [other for other in self.classes.get(name, ()) if _place(other) != _place(kind)]
            for other in others:
                if other.kinds & kind.kinds:
                    raise ArgumentError(f"{self.role} {name!r}: the name is taken by {'.'.join(_place(other))}")
            # Whichever module came first: what shows players shows them alike in every process.
            self.classes[name] = tuple(sorted((*others, cast("type[Player]", kind)), key=_rank))
            if "name" not in vars(kind):
                kind.name = name
            return kind

        return decorate

    def names(self) -> list[str]:
        """Return all names, sorted."""
        self.walk()
        return sorted(self.classes)

    def named(self, name: str) -> tuple[type[Player], ...]:
        """Return the classes registered under `name`, one or more.

        A name that nobody has registered is looked for among the packages that announce players by entry points in the
        group ``stackelberg.leaders`` or ``stackelberg.followers``.

        Raises
        ------
        UnknownNameError
            With the nearest names.
        ArgumentError
            Something that is no text.
        """
        given: object = name
        if not isinstance(given, str):
            raise ArgumentError(f"{self.role}: expected a name, got {name!r}")
        self.walk()
        failed = () if name in self.classes else load_entry_points(f"stackelberg.{self.role}s")
        if name not in self.classes:
            raise unknown_name(self.role, name, self.classes, failed)
        return self.classes[name]

    def find(self, name: str, kind: str = "tabular") -> type[Player]:
        """Return the class of a name for a kind of game; one that has the name to itself is the one for all.

        Raises
        ------
        UnknownNameError
            With the nearest names.
        """
        classes = self.named(name)
        return next((each for each in classes if kind in each.kinds), classes[0])

    def serving(self, name: str, game: Any) -> type[Player]:
        """Return the class of a name that serves a game, by its kind.

        Raises
        ------
        UnknownNameError
            With the nearest names.
        ArgumentError
            No class of that name does, with the names that would.
        """
        kind = self.kind_of(game)
        found = self.find(name, kind)
        if kind in found.kinds:
            self._require_served(name, found, game, kind)
            return found
        kinds = sorted(frozenset[str]().union(*(each.kinds for each in self.named(name))))
        fit = ", ".join(other for other in self.names() if kind in self.find(other, kind).kinds)
        article = "an" if kind[0] in "aeiou" else "a"
        raise ArgumentError(
            f"{self.role} {name!r}: works on {' and '.join(kinds)} games, but {game.name!r} is {article} {kind} one; "
            f"expected one of {fit}"
        )

    def _require_served(self, name: str, found: type[Player], game: Any, kind: str) -> None:
        """Raise where a game of tables has what a class is not made for."""
        demands: frozenset[str] = getattr(game, "demands", frozenset())
        missing = demands and demands - found.serves
        if missing:
            classes = ((other, self.find(other, kind)) for other in self.names())
            fit = ", ".join(other for other, each in classes if kind in each.kinds and demands <= each.serves)
            raise ArgumentError(
                f"{self.role} {name!r}: is not made for {' and '.join(sorted(missing))}, which {game.name!r} has; "
                f"expected one of {fit}"
            )

    def configure(self, name: str, kind: type[Player], options: Mapping[str, Any]) -> Any:
        """Return the options of one class of a name, all of them checked.

        Raises
        ------
        ArgumentError
            An option it does not have, or has on other games only; a value of another type or out of range.
        """
        elsewhere = {word: other.Config for other in self.named(name) for word in other.kinds - kind.kinds}
        return make_config(kind.Config, options, f"{self.role} {name!r}", elsewhere)


def _place(kind: Any) -> tuple[str, str]:
    return kind.__module__, kind.__qualname__


def _rank(kind: type[Player]) -> tuple[int, str]:
    """Return where a class stands among those of its name."""
    first = min((ORDER.index(word) for word in kind.kinds if word in ORDER), default=len(ORDER))
    return first, min(kind.kinds, default="")
