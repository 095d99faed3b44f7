"""How players say what their state is: names and kinds of attributes, written in code.

A class lists the attributes that change from one update to the next, with what each may hold. Saving reads them;
loading checks a tree against the object itself, all of it, before anything is assigned. Names come from the class and
never from a file, and so do the classes of whatever is made::

    class Mine(GradientLeader):
        state_fields = fields(_mean=Array(), _seen=Count(), _best=Array(like="theta", optional=True))
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, ClassVar

import numpy as np

from stackelberg_envs.errors import ArgumentError, OutputError, StackelbergError

from .fields import (
    Array,
    Arrays,
    Count,
    Field,
    Flag,
    Like,
    List,
    Number,
    Pending,
    Policy,
    Record,
    Rng,
    Text,
    Tuple,
    fields,
    loaded,
    require_names,
    size_of,
)
from .tree import Tree, check_like

__all__ = [
    "Array",
    "Arrays",
    "Count",
    "Field",
    "Flag",
    "Like",
    "List",
    "Number",
    "Part",
    "Parts",
    "Pending",
    "Policy",
    "Record",
    "Rng",
    "Stateful",
    "Text",
    "Tuple",
    "fields",
    "load_fields",
    "pending_state",
    "require_declared",
    "save_fields",
]


class Part(Field):
    """An object that has a state of its own.

    Parameters
    ----------
    make
        A function of the owner that makes it where there is none yet.
    like
        Name of an attribute of the owner whose shape and dtype all arrays of the part have, as an optimizer's do.
    optional
        See :class:`Field`.
    """

    def __init__(
        self, make: Callable[[Any], Any] | None = None, *, like: str | None = None, optional: bool = False
    ) -> None:
        super().__init__(optional=optional)
        self.make, self.like, self.lasts = make, like, make is None

    def save(self, value: Any) -> Tree:  # noqa: D102
        return None if value is None else state_of(value)

    def load(self, tree: Tree, own: Any, owner: Any, where: str) -> Any:  # noqa: D102
        if own is None and self.make is not None:
            own = self.make(owner)
        if own is None:
            raise OutputError(f"{where}: expected nothing, since this run has none; got {size_of(tree)}")
        if self.like is not None and isinstance(tree, dict):
            model = getattr(owner, self.like)
            for name, value in tree.items():
                if isinstance(value, np.ndarray):
                    check_like(model, value, f"{where}.{name}")
        pending = pending_state(own, tree, where)

        def apply() -> Any:
            pending.apply()
            return own

        return Pending(apply, stays=self.make is None)


class Parts(Field):
    """A list of objects that each have a state of their own; it stays as long as it is."""

    lasts = True

    def save(self, value: Any) -> Tree:  # noqa: D102
        return None if value is None else [state_of(part) for part in value]

    def load(self, tree: Tree, own: Any, owner: Any, where: str) -> Any:  # noqa: D102
        if type(tree) is not list or own is None or len(tree) != len(own):
            raise OutputError(f"{where}: expected {len(own or ())} parts, got {size_of(tree)}")
        pending = [
            pending_state(part, item, f"{where}[{i}]") for i, (part, item) in enumerate(zip(own, tree, strict=True))
        ]

        def apply() -> None:
            for each in pending:
                each.apply()

        return Pending(apply, stays=True)


def save_fields(owner: Any, known: Mapping[str, Field]) -> dict[str, Tree]:
    """Return the named attributes of an object as a tree; optional ones that are not there are left out."""
    return {
        name: item.save(getattr(owner, name))
        for name, item in known.items()
        if not item.optional or (hasattr(owner, name) and item.saves(getattr(owner, name)))
    }


def load_fields(owner: Any, known: Mapping[str, Field], tree: Tree, where: str) -> dict[str, Any]:
    """Return what a tree says of the named attributes, checked; some of it may be :class:`Pending`.

    Raises
    ------
    OutputError
        The tree is no state of this object.
    """
    require_names(tree, known, where)
    for name, item in known.items():
        if name not in tree and hasattr(owner, name) and item.saves(getattr(owner, name)):
            raise OutputError(f"{where}: expected {name}, got a state without it")
    return {
        name: loaded(item, tree[name], getattr(owner, name, None), owner, f"{where}.{name}")
        for name, item in known.items()
        if name in tree
    }


def assign(owner: Any, loaded: Mapping[str, Any]) -> None:
    """Put into force what :func:`load_fields` returned."""
    for name, value in loaded.items():
        if isinstance(value, Pending):
            new, stays = value.apply(), value.stays
        else:
            new, stays = value, False
        if not stays:
            setattr(owner, name, new)


class Stateful:
    """An object whose state is what its class declares.

    Attributes
    ----------
    state_fields
        Name -> kind of the attributes that this class adds to those of its bases; see :class:`Field`. A class that
        adds none says so by ``fields()``: without it, its state counts as not declared.
    """

    state_fields: ClassVar[Mapping[str, Field]] = fields()

    @classmethod
    @cache
    def all_fields(cls) -> Mapping[str, Field]:
        """Return the fields of the class and of its bases."""
        return {
            name: item for base in reversed(cls.__mro__) for name, item in vars(base).get("state_fields", {}).items()
        }

    def state_dict(self) -> dict[str, Tree]:
        """Return the state as a tree: arrays, numbers, strings, generators, and lists and dicts of those.

        Raises
        ------
        ArgumentError
            The class does not declare its state.
        """
        require_declared(self)
        return save_fields(self, self.all_fields())

    def load_state_dict(self, tree: Tree) -> None:
        """Take over a state; nothing is changed unless all of it is right.

        Raises
        ------
        OutputError
            The tree is no state of this object, with the first thing that is wrong and the way to it.
        """
        self.checked_state(tree, type(self).__name__).apply()

    def checked_state(self, tree: Tree, where: str) -> Pending:
        """Return a state that was checked and can be put into force."""
        loaded = load_fields(self, self.all_fields(), tree, where)
        self.check_state(loaded, where)
        return Pending(lambda: assign(self, loaded))

    def check_state(self, loaded: dict[str, Any], where: str) -> None:
        """Raise OutputError unless the attributes that were loaded fit together; by default they do.

        Parameters
        ----------
        loaded
            Name -> value; those of parts with a state of their own are :class:`Pending`.
        where
            The way to the object, for the message.
        """


def require_declared(value: Any) -> None:
    """Raise unless the class of an object itself says what its state is.

    Raises
    ------
    ArgumentError
        It does not, with what to write.
    """
    kind = type(value)
    if not {"state_fields", "state_dict"} & vars(kind).keys():
        raise ArgumentError(
            f"state: {kind.__module__}:{kind.__qualname__}: expected a class that says what its state is, by "
            "state_fields (empty where it adds nothing to its base) or by state_dict and load_state_dict"
        )


def state_of(value: Any) -> Tree:
    """Return the state of an object by its ``state_dict``.

    Raises
    ------
    ArgumentError
        It has none, or that fails.
    """
    kind = type(value)
    try:
        return value.state_dict()
    except StackelbergError:
        raise
    except Exception as exc:  # of whatever kind, from somebody else's class
        problem = f"{type(exc).__name__}: {exc}"
        raise ArgumentError(
            f"state: {kind.__module__}:{kind.__qualname__}: expected a state_dict that works, got {problem}"
        ) from exc


def pending_state(value: Any, tree: Tree, where: str) -> Pending:
    """Return the state of an object, checked where it is a :class:`Stateful` one, to be put into force."""
    own = getattr(type(value), "load_state_dict", None)
    if own is Stateful.load_state_dict:
        pending: Pending = value.checked_state(tree, where)
        return pending
    if own is None:
        raise OutputError(f"{where}: expected an object with load_state_dict, got {type(value).__name__}")

    def apply() -> None:
        try:
            value.load_state_dict(tree)
        except StackelbergError:
            raise
        except Exception as exc:  # of whatever kind, from somebody else's class
            problem = f"{type(exc).__name__}: {exc}"
            raise OutputError(f"{where}: expected what load_state_dict takes, got {problem}") from exc

    return Pending(apply)
