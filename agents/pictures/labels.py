"""What tells runs apart in a legend: of their options those that differ, and no others."""

from __future__ import annotations

import textwrap
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from ..runs.records import RunRecord

__all__ = ["groups_of", "wrapped"]

#: Fields by which runs are compared; runs that differ in none of them differ in their seeds only.
COMPARED = ("follower", "game", "game_arguments", "leader_options", "follower_options", "parametrisation")
#: Whose options they are: options are compared between runs that share the owner.
OWNERS = {"leader_options": "leader", "follower_options": "follower", "game_arguments": "game"}
#: Characters of one value, of one line of a legend, and lines of one entry.
LONGEST_VALUE, WIDTH, MOST_LINES = 24, 58, 3


def groups_of(records: Sequence[RunRecord]) -> dict[str, list[int]]:
    """Return label -> indices of the runs that differ in their seeds only.

    A label is the leader's name and what differs from other runs: whole fields, and of options each that differs among
    the runs of the same leader, follower or game. Long values are shortened; labels that are then equal are numbered.
    """
    members: dict[Hashable, list[int]] = {}
    for i, record in enumerate(records):
        members.setdefault(_identity(record), []).append(i)
    differing = {name: _differing(records, name) for name in OWNERS}
    names = {name for name in ("follower", "game", "parametrisation", "steps_per_update") if _varies(records, name)}
    labels: dict[str, list[int]] = {}
    for indices in members.values():
        text = _label(records[indices[0]], names, differing)
        count, label = 1, text
        while label in labels:
            count += 1
            label = f"{text} ({count})"
        labels[label] = indices
    return labels


def wrapped(label: str, width: int = WIDTH) -> str:
    """Return a label in lines of a legend, shortened where it would have too many; nothing in it is a formula."""
    lines = textwrap.wrap(label, width, break_long_words=True) or [""]
    if len(lines) > MOST_LINES:
        lines = [*lines[: MOST_LINES - 1], lines[MOST_LINES - 1][: width - 4] + " ..."]
    # matplotlib leaves out labels that begin with an underscore, and reads formulas between dollars.
    text = "\n".join(lines).replace("$", r"\$")
    return " " + text if text.startswith("_") else text


def _identity(record: RunRecord) -> Hashable:
    values = (getattr(record, name) for name in COMPARED)
    return (record.leader, record.steps_per_update, *(_frozen(value) for value in values))


def _frozen(value: Any) -> Hashable:
    if isinstance(value, dict):
        return tuple(sorted((str(name), _frozen(item)) for name, item in value.items()))
    if isinstance(value, np.ndarray):
        value = value.tolist()
    # 1 and 1.0 are one value, and so are a list and a tuple.
    if isinstance(value, list | tuple):
        return "[" + ", ".join(str(_frozen(item)) for item in value) + "]"
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value:.12g}"
    return str(value)


def _varies(records: Sequence[RunRecord], name: str) -> bool:
    return len({_frozen(getattr(record, name)) for record in records}) > 1


def _differing(records: Sequence[RunRecord], name: str) -> set[tuple[str, str]]:
    """Return (owner, option) of each option that differs between runs of one owner, or that only some have."""
    found: set[tuple[str, str]] = set()
    for owner in {getattr(record, OWNERS[name]) for record in records}:
        options = [getattr(record, name) for record in records if getattr(record, OWNERS[name]) == owner]
        for option in {option for given in options for option in given}:
            if len({_frozen(given[option]) if option in given else None for given in options}) > 1:
                found.add((owner, option))
    return found


def _label(record: RunRecord, names: set[str], differing: dict[str, set[tuple[str, str]]]) -> str:
    parts = [record.leader]
    parts += [f"against {record.follower}"] if "follower" in names else []
    parts += [record.game.removeprefix("stackelberg/")] if "game" in names else []
    for name, owner in OWNERS.items():
        for option, value in sorted(getattr(record, name).items()):
            if (getattr(record, owner), option) in differing[name]:
                parts.append(f"{option}={_short(value)}")
    parts += [record.parametrisation] if "parametrisation" in names and record.parametrisation else []
    parts += [f"{record.steps_per_update:,} steps per update"] if "steps_per_update" in names else []
    return ", ".join(parts)


def _short(value: Any) -> str:
    """Return a value as text of at most so many characters; numbers with six digits."""
    text = f"{value:.6g}" if isinstance(value, float) and not value.is_integer() else str(value)
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 3] + "..."
