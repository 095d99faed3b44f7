"""Classes by name: those of this package, one per file of a folder, and the user's own."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import is_dataclass
from typing import Any, TypeVar

from stackelberg_envs.errors import ArgumentError, unknown_name

__all__ = ["Registry"]

Player = TypeVar("Player")
Kind = TypeVar("Kind", bound="type[Any]")


class Registry(dict[str, type[Player]]):
    """Name -> class; the folder's files register theirs when they are imported, on the first question.

    Parameters
    ----------
    role
        What the classes are, for messages.
    package
        The folder's name as a package.
    """

    def __init__(self, role: str, package: str) -> None:
        super().__init__()
        self.role, self.package = role, package
        self._walked = False

    def walk(self) -> None:
        """Import every file of the folder, once."""
        if self._walked:
            return
        for module in pkgutil.iter_modules(importlib.import_module(self.package).__path__):
            importlib.import_module(f"{self.package}.{module.name}")
        self._walked = True

    def add(self, name: str) -> Callable[[Kind], Kind]:
        """Class decorator: make a class known by `name`, and let it know: ``kind.name`` is the name for messages.

        Raises
        ------
        ArgumentError
            The name is taken or none, or the class has no dataclass of options.
        """
        given: object = name
        if not isinstance(given, str) or not given.strip():
            raise ArgumentError(f"{self.role}: expected a name, got {name!r}")

        def decorate(kind: Kind) -> Kind:
            taken = self.get(name)
            # The same class again is a module that was run twice, in a notebook say.
            if taken is not None and (taken.__module__, taken.__qualname__) != (kind.__module__, kind.__qualname__):
                raise ArgumentError(
                    f"{self.role} {name!r}: the name is taken by {taken.__module__}.{taken.__qualname__}"
                )
            if not is_dataclass(getattr(kind, "Config", None)):
                raise ArgumentError(f"{self.role} {name!r}: expected a class whose Config is a dataclass, got {kind!r}")
            self[name] = kind
            if "name" not in vars(kind):
                kind.name = name
            return kind

        return decorate

    def names(self) -> list[str]:
        """Return all names, sorted."""
        self.walk()
        return sorted(self)

    def find(self, name: str) -> type[Player]:
        """Return the class registered under `name`.

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
        if name not in self:
            raise unknown_name(self.role, name, self)
        return self[name]
