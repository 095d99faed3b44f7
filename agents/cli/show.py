"""``stackelberg show``: one environment, leader or follower."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from .parser import add_command, add_id

if TYPE_CHECKING:
    from rich.console import Console

    from .parser import Commands

__all__ = ["act", "add"]

EPILOG = """\
examples:
  stackelberg show stackelberg/FourRooms-v0
  stackelberg show stackelberg/FourRooms-v0 --set 'goals=[[1, 9], [11, 11]]' --set penalty=1
  stackelberg show leader:bchg"""


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    text = "show one environment: story, arguments, numbers, picture; or one leader or follower: options"
    add_id(add_command(commands, "show", text, act, EPILOG), more=", leader:NAME or follower:NAME")


def act(options: argparse.Namespace, console: Console) -> int:
    """Print the page of what is named."""
    role, colon, name = options.id.partition(":")
    if colon and role in ("leader", "follower") and "/" not in name:
        from .show_player import show_player

        show_player(role, name, console)
    else:
        from .show_game import show_game

        _require_role(options.id)
        show_game(options.id, dict(options.set), console)
    return 0


def _require_role(name: str) -> None:
    """Refuse the bare name of a leader or follower: a name may be that of both."""
    from stackelberg_envs.errors import UnknownNameError

    from ..followers import follower_names
    from ..leaders import leader_names

    roles = [role for role, names in (("leader", leader_names()), ("follower", follower_names())) if name in names]
    if roles:
        raise UnknownNameError(
            f"unknown environment {name!r}; did you mean {' or '.join(f'{role}:{name}' for role in roles)}?"
        )
