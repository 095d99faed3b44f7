"""What tuning tries for each option of a leader: derived from what the option declares to take, with ranges as data."""

from __future__ import annotations

import functools
import typing
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal, TypeAlias

from msgspec import Meta

from stackelberg_envs.errors import ArgumentError
from stackelberg_envs.validation import checked, hints_of

from ..options import Options, make_config
from ..runs.toml_files import read_toml

__all__ = ["Choices", "Range", "search_space"]

PATH = Path(__file__).parent / "data" / "search_space.toml"
#: Without a range of its own, a number is searched up to this many times its default, and down to its part.
AROUND = 10


@dataclass(frozen=True)
class Range(Options):
    """Numbers from `low` to `high`, both included, even in their logarithms where `log` is set.

    Whole numbers where both ends are.
    """

    low: int | float
    high: int | float
    log: bool = False

    @property
    def varies(self) -> bool:
        """Whether there is something to try."""
        return self.low < self.high

    def suggest(self, trial: Any, name: str) -> int | float:
        """Return what a trial of Optuna tries."""
        if isinstance(self.low, int) and isinstance(self.high, int):
            return int(trial.suggest_int(name, self.low, self.high, log=self.log))
        return float(trial.suggest_float(name, self.low, self.high, log=self.log))

    def holds(self, value: Any) -> bool:
        """Whether a value is within."""
        return isinstance(value, int | float) and self.low <= value <= self.high


@dataclass(frozen=True)
class Choices(Options):
    """One of several values."""

    values: tuple[Any, ...]

    @property
    def varies(self) -> bool:
        """Whether there is something to try."""
        return len(self.values) > 1

    def suggest(self, trial: Any, name: str) -> Any:
        """Return what a trial of Optuna tries."""
        return trial.suggest_categorical(name, list(self.values))

    def holds(self, value: Any) -> bool:
        """Whether a value is among them."""
        return value in self.values


Space: TypeAlias = Range | Choices


def search_space(leader: type[Any], commitment: Any, fixed: Mapping[str, Any]) -> dict[str, Space]:
    """Return what is searched, by the name of the option.

    Parameters
    ----------
    leader
        A class of leaders.
    commitment
        What the game admits: it decides how much a leader has to know.
    fixed
        Options that are not searched.

    Raises
    ------
    ArgumentError
        Nothing is left to search.
    """
    never, ranges = _declared()
    kind, found = leader.Config, {}
    default = kind(**fixed)
    for item in fields(kind):
        if item.name in fixed or item.name in never:
            continue
        space = _space(hints_of(kind).get(item.name), getattr(default, item.name), ranges.get(item.name))
        if isinstance(space, Choices):
            # What lets the leader know more would make it another competitor.
            level = leader.required_information(commitment, default)
            levels = [
                leader.required_information(commitment, kind(**{**fixed, item.name: value})) for value in space.values
            ]
            space = Choices(tuple(value for value, at in zip(space.values, levels, strict=True) if at <= level))
        if space is not None and space.varies and space.holds(getattr(default, item.name)):
            found[item.name] = space
    if not found:
        raise ArgumentError(f"leader {leader.name!r}: expected an option to tune, got none that is not fixed")
    return found


@functools.cache
def _declared() -> tuple[frozenset[str], dict[str, Range]]:
    data = read_toml(PATH, "a search space")
    ranges = {name: make_config(Range, row, f"{PATH}: {name}") for name, row in data["ranges"].items()}
    return frozenset(data["never"]), ranges


def _space(hint: Any, default: Any, declared: Range | None) -> Space | None:
    kind, note = _parts(hint)
    if typing.get_origin(kind) is Literal:
        return Choices(typing.get_args(kind))
    if kind is bool:
        return Choices((False, True))
    if kind not in (int, float):
        return None
    if declared is not None:
        return declared if _takes(hint, declared) else None
    return _derived(hint, kind, note, default)


def _parts(hint: Any) -> tuple[Any, Meta]:
    """Return the type and the limits of an annotation; those of what may also be None are its own."""
    others = [part for part in typing.get_args(hint) if part is not NoneType]
    if NoneType in typing.get_args(hint) and len(others) == 1:
        return _parts(others[0])
    if typing.get_origin(hint) is Annotated:
        kind, *notes = typing.get_args(hint)
        return kind, next((note for note in notes if isinstance(note, Meta)), Meta())
    return hint, Meta()


def _takes(hint: Any, space: Range) -> bool:
    try:
        for end in (space.low, space.high):
            checked(end, hint, "range")
    except ArgumentError:
        return False
    return True


def _derived(hint: Any, kind: type[Any], note: Meta, default: Any) -> Range | None:
    """Return a range around a default: the whole one where it has two ends, else a tenth to ten times of it, as far
    as the option takes that.
    """
    if note.ge is not None and note.le is not None and kind is float:
        return Range(float(note.ge), float(note.le))
    if not isinstance(default, int | float) or default <= 0:
        return None
    low = max(1, default // AROUND) if kind is int else default / AROUND
    high = default * AROUND if note.le is None else min(default * AROUND, note.le)
    space = Range(kind(low), kind(high), log=True)
    return space if _takes(hint, space) else None
