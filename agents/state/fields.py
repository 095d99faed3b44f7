"""The kinds of attributes that a state is made of: what each may hold, how it is saved and how it is checked."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from stackelberg_envs.errors import OutputError

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
    "Pending",
    "Policy",
    "Record",
    "Rng",
    "Text",
    "Tuple",
    "fields",
    "gathered",
    "loaded",
    "require_names",
    "size_of",
]

Shape = tuple[int | None, ...]
#: Of a sum of probabilities.
ROUNDING = 1e-9


class Pending:
    """Something that was checked and can be put into force.

    Parameters
    ----------
    apply
        Puts it into force; returns what the attribute then holds, unless it `stays` what it is.
    stays
        Whether the attribute goes on holding the same object, which has changed.
    """

    def __init__(self, apply: Callable[[], Any], *, stays: bool = False) -> None:
        self.apply, self.stays = apply, stays


class Field(ABC):
    """What an attribute may hold.

    Parameters
    ----------
    optional
        Whether it may be None, or not be there at all.
    """

    #: Whether what is there when the owner is made stays there.
    lasts = False

    def __init__(self, *, optional: bool = False) -> None:
        self.optional = optional

    def saves(self, value: Any) -> bool:
        """Whether a value is stored at all, by default yes; of those that are not, the attribute has to be optional."""
        del value
        return True

    def save(self, value: Any) -> Tree:
        """Return a value as a tree; None stays None."""
        return value

    @abstractmethod
    def load(self, tree: Tree, own: Any, owner: Any, where: str) -> Any:
        """Return the value, or a :class:`Pending` one; it has been checked.

        Parameters
        ----------
        tree
            What came; None is dealt with before.
        own
            What the attribute holds at present, or None.
        owner
            The object it belongs to.
        where
            The way to it, for the message.

        Raises
        ------
        OutputError
            What came is not what may come.
        """


def fields(**named: Field) -> Mapping[str, Field]:
    """Return what a class declares as its ``state_fields``: name -> kind of each attribute it adds."""
    return MappingProxyType(named)


def _of(value: Any, owner: Any) -> Any:
    return value(owner) if callable(value) else value


class Like(Field):
    """A tree laid out as the present value: equal types, keys and lengths, arrays of equal dtype and shape."""

    def load(self, tree: Tree, own: Any, owner: Any, where: str) -> Any:  # noqa: D102
        check_like(own, tree, where)
        return tree


class Array(Field):
    """An array.

    Parameters
    ----------
    shape
        Its shape, or a function of the owner that returns it; None stands for any length, and for any shape where it
        is what the function returns. By default that of the present value.
    like
        Name of an attribute of the owner that has its shape and dtype.
    dtype
        One or more; by default that of the present value, and float64 where there is none.
    low, high
        Least and greatest entry, or functions of the owner that return them; entries that are no numbers fail both.
    optional
        See :class:`Field`.
    """

    def __init__(
        self,
        shape: Shape | Callable[[Any], Shape | None] | None = None,
        *,
        like: str | None = None,
        dtype: Any = None,
        low: Any = None,
        high: Any = None,
        optional: bool = False,
    ) -> None:
        super().__init__(optional=optional)
        self.shape, self.like, self.dtype, self.low, self.high = shape, like, dtype, low, high

    def load(self, tree: Tree, own: Any, owner: Any, where: str) -> Any:  # noqa: D102
        model = own if self.like is None else getattr(owner, self.like)
        shape = _of(self.shape, owner) if self.shape is not None else np.shape(model)
        dtype = self.dtype if self.dtype is not None else getattr(model, "dtype", np.float64)
        dtypes = [np.dtype(kind) for kind in (dtype if isinstance(dtype, tuple) else (dtype,))]
        if not isinstance(tree, np.ndarray) or tree.dtype not in dtypes or not _fits(tree.shape, shape):
            given = f"{tree.dtype} of shape {tree.shape}" if isinstance(tree, np.ndarray) else type(tree).__name__
            wanted = " or ".join(map(str, dtypes))
            raise OutputError(f"{where}: expected {wanted} of shape {_shown(shape)}, got {given}")
        low, high = _of(self.low, owner), _of(self.high, owner)
        if low is not None and not (tree >= low).all():
            raise OutputError(f"{where}: expected entries of at least {low}, got {tree.min()}")
        if high is not None and not (tree <= high).all():
            raise OutputError(f"{where}: expected entries of at most {high}, got {tree.max()}")
        return tree


def _fits(shape: tuple[int, ...], wanted: Shape | None) -> bool:
    return wanted is None or (
        len(shape) == len(wanted) and all(m is None or n == m for n, m in zip(shape, wanted, strict=True))
    )


def _shown(shape: Shape | None) -> str:
    return "any" if shape is None else str(shape).replace("None", "any")


class Number(Field):
    """A number, infinite ones and NaN included unless bounds say otherwise."""

    def __init__(self, low: Any = None, high: Any = None, *, optional: bool = False) -> None:
        super().__init__(optional=optional)
        self.low, self.high = low, high

    def load(self, tree: Tree, own: Any, owner: Any, where: str) -> Any:  # noqa: D102
        if not isinstance(tree, float | np.floating):
            raise OutputError(f"{where}: expected a number, got {type(tree).__name__}")
        return _within(tree, _of(self.low, owner), _of(self.high, owner), where)

    def save(self, value: Any) -> Tree:  # noqa: D102
        return value if value is None or isinstance(value, float | np.floating) else float(value)


class Count(Field):
    """An integer of at least `low`, by default 0."""

    def __init__(self, low: Any = 0, high: Any = None, *, optional: bool = False) -> None:
        super().__init__(optional=optional)
        self.low, self.high = low, high

    def load(self, tree: Tree, own: Any, owner: Any, where: str) -> Any:  # noqa: D102
        if type(tree) is not int:
            raise OutputError(f"{where}: expected an integer, got {type(tree).__name__}")
        return _within(tree, _of(self.low, owner), _of(self.high, owner), where)

    def save(self, value: Any) -> Tree:  # noqa: D102
        return value if value is None else int(value)


def _within(value: Any, low: Any, high: Any, where: str) -> Any:
    if low is not None and not value >= low:
        raise OutputError(f"{where}: expected at least {low}, got {value}")
    if high is not None and not value <= high:
        raise OutputError(f"{where}: expected at most {high}, got {value}")
    return value


class Flag(Field):
    """True or False."""

    def load(self, tree: Tree, own: Any, owner: Any, where: str) -> Any:  # noqa: D102
        if type(tree) is not bool:
            raise OutputError(f"{where}: expected True or False, got {type(tree).__name__}")
        return tree

    def save(self, value: Any) -> Tree:  # noqa: D102
        return value if value is None else bool(value)


class Text(Field):
    """A string."""

    def load(self, tree: Tree, own: Any, owner: Any, where: str) -> Any:  # noqa: D102
        if type(tree) is not str:
            raise OutputError(f"{where}: expected a string, got {type(tree).__name__}")
        return tree


class Rng(Field):
    """A random generator; the present one goes on where the other was, so that whoever shares it does too."""

    def load(self, tree: Tree, own: Any, owner: Any, where: str) -> Any:  # noqa: D102
        check_like(own, tree, where)

        def apply() -> None:
            if isinstance(own, np.random.RandomState):
                own.set_state(tree.get_state(legacy=False))
            else:
                own.bit_generator.state = tree.bit_generator.state

        return Pending(apply, stays=True)


class Tuple(Field):
    """A tuple of so many entries, each of its own kind."""

    def __init__(self, *items: Field, optional: bool = False) -> None:
        super().__init__(optional=optional)
        self.items = items

    def save(self, value: Any) -> Tree:  # noqa: D102
        return None if value is None else tuple(item.save(part) for item, part in zip(self.items, value, strict=True))

    def load(self, tree: Tree, own: Any, owner: Any, where: str) -> Any:  # noqa: D102
        if type(tree) is not tuple or len(tree) != len(self.items):
            raise OutputError(f"{where}: expected {len(self.items)} entries, got {size_of(tree)}")
        owns = own if isinstance(own, tuple) and len(own) == len(tree) else (None,) * len(tree)
        parts = zip(self.items, tree, owns, strict=True)
        found = [loaded(item, part, o, owner, f"{where}[{i}]") for i, (item, part, o) in enumerate(parts)]
        return gathered(found, tuple)


class List(Field):
    """A list, or a deque where the present value is one, of at most `most` entries of one kind; or a tuple of such."""

    def __init__(self, item: Field, most: Any = None, *, as_tuple: bool = False, optional: bool = False) -> None:
        super().__init__(optional=optional)
        self.item, self.most, self.as_tuple = item, most, as_tuple

    def save(self, value: Any) -> Tree:  # noqa: D102
        return None if value is None else [self.item.save(part) for part in value]

    def load(self, tree: Tree, own: Any, owner: Any, where: str) -> Any:  # noqa: D102
        most = own.maxlen if isinstance(own, deque) else _of(self.most, owner)
        if type(tree) is not list or (most is not None and len(tree) > most):
            limit = "a list" if most is None else f"a list of at most {most} entries"
            raise OutputError(f"{where}: expected {limit}, got {size_of(tree)}")
        found = [loaded(self.item, part, None, owner, f"{where}[{i}]") for i, part in enumerate(tree)]
        if isinstance(own, deque):
            return gathered(found, lambda items: deque(items, maxlen=own.maxlen))
        return gathered(found, tuple if self.as_tuple else list)


class Arrays(List):
    """A list of one or more arrays of one shape, kept as one array."""

    def __init__(self, shape: Shape | Callable[[Any], Shape], *, optional: bool = False) -> None:
        super().__init__(Array(shape), optional=optional)

    def save(self, value: Any) -> Tree:  # noqa: D102
        return None if value is None else np.stack(value)

    def load(self, tree: Tree, own: Any, owner: Any, where: str) -> Any:  # noqa: D102
        if not isinstance(tree, np.ndarray) or not np.shape(tree) or not len(tree):
            raise OutputError(f"{where}: expected an array of one or more arrays, got {size_of(tree)}")
        return super().load(list(tree), own, owner, where)


class Record(Field):
    """An object that `kind` makes of keyword arguments, each of its own kind; its attributes have their names."""

    def __init__(self, kind: Callable[..., Any], *, optional: bool = False, **items: Field) -> None:
        super().__init__(optional=optional)
        self.kind, self.items = kind, items

    def save(self, value: Any) -> Tree:  # noqa: D102
        return None if value is None else {name: item.save(getattr(value, name)) for name, item in self.items.items()}

    def load(self, tree: Tree, own: Any, owner: Any, where: str) -> Any:  # noqa: D102
        require_names(tree, self.items, where)
        values = {
            name: loaded(item, tree[name], getattr(own, name, None), owner, f"{where}.{name}")
            for name, item in self.items.items()
        }
        return gathered([*values.values()], lambda items: self.kind(**dict(zip(values, items, strict=True))))


class Policy(Array):
    """A table of probabilities, whose last axis sums to one; what is no table is not stored.

    Parameters
    ----------
    shape
        As for :class:`Array`.
    """

    def __init__(self, shape: Callable[[Any], Shape | None]) -> None:
        super().__init__(shape, low=0.0, high=1.0, dtype=np.float64, optional=True)

    def saves(self, value: Any) -> bool:  # noqa: D102
        return isinstance(value, np.ndarray)

    def load(self, tree: Tree, own: Any, owner: Any, where: str) -> Any:  # noqa: D102
        table = super().load(tree, own, owner, where)
        off = np.abs(table.sum(axis=-1) - 1.0).max(initial=0.0)
        if off > ROUNDING:
            raise OutputError(f"{where}: expected probabilities that sum to one, got a sum that is off by {off:.3g}")
        return table


def gathered(found: list[Any], make: Callable[[list[Any]], Any]) -> Any:
    """Return what is made of loaded values; pending, if one of them is."""
    if not any(isinstance(value, Pending) for value in found):
        return make(found)
    return Pending(lambda: make([value.apply() if isinstance(value, Pending) else value for value in found]))


def size_of(tree: Tree) -> str:
    """Return the type of a tree and how many entries it has, for messages."""
    return f"{type(tree).__name__} of {len(tree)}" if isinstance(tree, list | tuple | dict) else type(tree).__name__


def require_names(tree: Tree, known: Mapping[str, Field], where: str) -> None:
    """Raise unless a tree is a dict of the known names; optional ones may be missing."""
    if not isinstance(tree, dict):
        raise OutputError(f"{where}: expected a dict, got {type(tree).__name__}")
    unknown = [str(name) for name in tree if name not in known]
    missing = [name for name, item in known.items() if name not in tree and not item.optional]
    if unknown or missing:
        problem = f"unknown {', '.join(unknown)[:200]}" if unknown else f"no {', '.join(missing)}"
        raise OutputError(f"{where}: expected {', '.join(known) or 'nothing'}; got {problem}")


def loaded(item: Field, tree: Tree, own: Any, owner: Any, where: str) -> Any:
    """Return what a field makes of a tree, of None too."""
    if tree is None:
        if not item.optional or (own is not None and item.lasts):
            raise OutputError(f"{where}: expected a value, got None")
        return None
    return item.load(tree, own, owner, where)
