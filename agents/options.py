"""Options of leaders, followers and runs: declared as fields of dataclasses, checked in one place.

:class:`Options` is the base of every configuration of this package. A field's annotation says what it takes::

    @dataclass(frozen=True)
    class MyConfig(Options):
        step: Positive = 0.1
        memory: Weight = 0.9
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from types import MappingProxyType
from typing import Annotated, Any, Literal

from msgspec import Meta

from stackelberg_envs.errors import ArgumentError, StackelbergError
from stackelberg_envs.validation import checked, hints_of, shown

__all__ = [
    "AtLeastOne",
    "Count",
    "FramesPerSecond",
    "Natural",
    "NonNegative",
    "Options",
    "Positive",
    "Probability",
    "Seed",
    "Several",
    "Share",
    "Start",
    "Unit",
    "Weight",
    "make_config",
    "refuse_unknown",
]

#: Counts end where 32 bits do: what is larger cannot be held in memory, or not be waited for.
MOST = 2**31 - 1

Count = Annotated[int, Meta(ge=1, le=MOST)]
Natural = Annotated[int, Meta(ge=0, le=MOST)]
Several = Annotated[int, Meta(ge=2, le=MOST)]
#: Faster films are played by viewers at a pace of their own.
FramesPerSecond = Annotated[int, Meta(ge=1, le=50)]
#: Any natural number: generators take them all.
Seed = Annotated[int, Meta(ge=0)]
Positive = Annotated[float, Meta(gt=0)]
NonNegative = Annotated[float, Meta(ge=0)]
AtLeastOne = Annotated[float, Meta(ge=1)]
Probability = Annotated[float, Meta(ge=0, le=1, description="a probability")]
Unit = Annotated[float, Meta(ge=0, le=1)]
#: A part that is more than nothing.
Share = Annotated[float, Meta(gt=0, le=1)]
#: Of the past in a running average.
Weight = Annotated[float, Meta(ge=0, lt=1)]
Numbers = Annotated[list[float | list[float | list[float]]], Meta(description="an array of finite numbers")]
#: Where a leader begins.
Start = Literal["zeros", "random"] | Numbers


@dataclass(frozen=True)
class Options:
    """Base of configurations: whatever makes one, every field is held to its annotation.

    Raises
    ------
    ArgumentError
        A value of another type or out of range, by the name of the field.
    """

    def __post_init__(self) -> None:
        """Hold every field to its annotation."""
        hints = hints_of(type(self))
        for item in fields(self):
            given = getattr(self, item.name)
            value = checked(given, hints.get(item.name, Any), f"{type(self).__name__}: {item.name}")
            object.__setattr__(self, item.name, value)


def make_config(
    kind: type[Any],
    options: Mapping[str, Any],
    owner: str,
    elsewhere: Mapping[str, type[Any]] = MappingProxyType({}),
) -> Any:
    """Return `kind(**options)`, every option checked.

    Parameters
    ----------
    kind
        The dataclass of a leader's or follower's options. One that is not derived from :class:`Options` is held to
        its annotations too, as far as they can be read.
    options
        What differs from the defaults.
    owner
        Whose options they are, for messages: "leader 'bchg'".
    elsewhere
        Kind of game -> the dataclass of options that the same name has there.

    Raises
    ------
    ArgumentError
        An option it does not have, or not on such games, with those it has; a value of another type or out of range.
    """
    refuse_unknown(kind, options, owner, elsewhere)
    required = [item.name for item in fields(kind) if item.default is MISSING and item.default_factory is MISSING]
    missing = [name for name in required if name not in options]
    if missing:
        raise ArgumentError(f"{owner}: expected {', '.join(missing)} too, which have no default")
    hints = hints_of(kind)
    values = {name: checked(value, hints.get(name, Any), f"{owner}: {name}") for name, value in options.items()}
    try:
        return kind(**values)
    except StackelbergError as exc:
        raise type(exc)(f"{owner}: {exc}") from exc
    except (TypeError, ValueError) as exc:
        raise ArgumentError(f"{owner}: expected options that {kind.__name__} takes, got {exc}") from exc


def refuse_unknown(
    kind: type[Any],
    options: Mapping[str, Any],
    owner: str,
    elsewhere: Mapping[str, type[Any]] = MappingProxyType({}),
) -> None:
    """Raise unless a dataclass has all these options; see :func:`make_config`.

    Raises
    ------
    ArgumentError
        The first one it does not have, with those it has.
    """
    if not isinstance(options, Mapping):
        raise ArgumentError(f"{owner}: expected a dict of options, got {shown(options)}")
    if not is_dataclass(kind):
        raise ArgumentError(f"{owner}: expected a Config that is a dataclass, got {shown(kind)}")
    known = [item.name for item in fields(kind)]
    for name in options:
        if name not in known:
            expected = f"expected one of {', '.join(known)}" if known else "expected none"
            others = [word for word, other in elsewhere.items() if name in {item.name for item in fields(other)}]
            if others:
                raise ArgumentError(
                    f"{name}: not an option of {owner} on this game, but on {' and '.join(others)} games; {expected}; "
                    f"got {name}={shown(options[name])}"
                )
            raise ArgumentError(f"{owner}: unknown option {shown(name)}; {expected}")
