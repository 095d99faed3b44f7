"""The page of a leader or follower: what it does, what it sees, its options."""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from stackelberg_envs.docstrings import meanings_of, summary_of
from stackelberg_envs.validation import hints_of, words_for

from ..followers.base import FOLLOWERS
from ..leaders.base import LEADERS
from .listing import levels_of
from .output import LEVELS, in_words, plain, table

__all__ = ["show_player"]


def show_player(role: str, name: str, console: Console) -> None:
    """Print the page of a "leader" or "follower".

    Raises
    ------
    UnknownNameError
        Nobody registered it; the message names the nearest names.
    """
    kinds: tuple[type[Any], ...] = (LEADERS if role == "leader" else FOLLOWERS).named(name)
    for kind in kinds:
        console.print(Text(f"{_games(kind)}: {summary_of(kind)}" if kinds[1:] else summary_of(kind), style="bold"))
    if role == "leader":
        for level in levels_of(name):
            console.print(f"At the level {level.name} it sees {LEVELS[level.name]}.")
    for kind in kinds:
        on = f" on {_games(kind)}" if kinds[1:] else ""
        console.print()
        console.print(_options_table(kind.Config, f"Options{on} (--{role}-option NAME=VALUE)"))
    console.print(f"\nTry it: stackelberg run ID --{role} {name}", soft_wrap=True)


def _games(kind: type[Any]) -> str:
    return f"{' and '.join(sorted(kind.kinds))} games"


def _options_table(config: type[Any], title: str) -> Table:
    """Return the options of a player: what each takes, its default, and what it means."""
    made = table(title, "name", "takes", "default", "meaning")
    hints, meanings = hints_of(config), meanings_of(config)
    for item in fields(config):
        default = "required" if item.default is item.default_factory is MISSING else in_words(_default_of(item))
        made.add_row(item.name, words_for(hints[item.name]), default, plain(meanings.get(item.name, "")))
    return made


def _default_of(item: Any) -> Any:
    """Return the default of a dataclass's field."""
    return item.default if item.default_factory is MISSING else item.default_factory()
