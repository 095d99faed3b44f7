"""``stackelberg list``: one line for each environment, leader and follower."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Iterable
from typing import TYPE_CHECKING

from .output import LEVELS, table
from .parser import add_command, add_import

if TYPE_CHECKING:
    from rich.console import Console

    from stackelberg_envs.faces.registration import EnvSpec

    from ..observing.brief import Information
    from .parser import Commands

__all__ = ["act", "add", "levels_of"]

#: Characters of a summary that are shown on the narrowest of terminals.
LEAST_SUMMARY = 20


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    add_import(add_command(commands, "list", "list environments, leaders and followers", act))


def act(options: argparse.Namespace, console: Console) -> int:
    """Print the three tables."""
    from stackelberg_envs.docstrings import summary_of
    from stackelberg_envs.faces.registration import registered_ids, spec

    from ..followers import follower_class, follower_names
    from ..leaders import leader_class, leader_names

    del options
    specs = [spec(name) for name in registered_ids()]
    _print(console, "Environments", ("id", "what happens"), [(entry.id, _without_name(entry)) for entry in specs])

    leaders, used = [], set()
    for name in leader_names():
        levels = levels_of(name)
        used.update(levels)
        leaders.append((name, "-".join(str(int(level)) for level in levels), summary_of(leader_class(name))))
    _print(console, "Leaders", ("name", "sees", "what it does"), leaders)
    for level in sorted(used):
        console.print(f"  {int(level)} {level.name}: {LEVELS[level.name]}", soft_wrap=True)
    console.print("At every level a leader knows what its commitment sets of rewards and dynamics.\n", soft_wrap=True)

    followers = [(name, summary_of(follower_class(name))) for name in follower_names()]
    _print(console, "Followers", ("name", "what it does"), followers)
    console.print("\nNext: stackelberg show ID, or show leader:NAME, or show follower:NAME;")
    console.print("      stackelberg run ID --leader NAME --follower NAME")
    return 0


def levels_of(name: str) -> list[Information]:
    """Return the levels of information at which a leader works, by the least: with commitments of both sorts.

    What a leader has to see depends on whether a commitment changes the play itself, or only what it is worth. To make
    the games for it would take far longer than the rest of a list.
    """
    from stackelberg_envs.games.commitments.incentives import Incentive
    from stackelberg_envs.games.commitments.policy_table import PolicyTable

    from ..leaders.base import LEADERS

    commitments = (Incentive(0.0, 1.0, shape=(1, 1, 1)), PolicyTable(1, 2))
    kinds = LEADERS.named(name)
    return sorted({kind.required_information(each, kind.Config()) for kind in kinds for each in commitments})


def _without_name(entry: EnvSpec) -> str:
    """Return the summary of an environment without the name before its colon, which the id says already."""
    name, _, rest = entry.summary.partition(": ")
    letters = "".join(filter(str.isalnum, name)).lower()
    stem = entry.id.rpartition("/")[2].rpartition("-v")[0].lower()
    return rest[:1].upper() + rest[1:] if rest and letters.startswith(stem) else entry.summary


def _print(console: Console, title: str, columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    """Print a table whose last column, of sentences, ends at a word where the line does."""
    rows = list(rows)
    taken = [max(len(cell) for cell in cells) + 2 for cells in zip(columns, *rows, strict=True)][:-1]
    room = max(console.width - sum(taken), LEAST_SUMMARY)
    made = table(title, *columns)
    for *cells, text in rows:
        made.add_row(*cells, textwrap.shorten(text, room, placeholder=" ..."))
    console.print(made)
    if title == "Environments":
        console.print()
