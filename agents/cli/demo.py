"""``stackelberg demo``, which is behind ``make demo``: one run, with an explanation before it."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from . import run
from .parser import CommandParser, add_command
from .values import command_of, words_of

if TYPE_CHECKING:
    from rich.console import Console

    from .parser import Commands

__all__ = ["DEMO", "act", "add"]

#: The run, as arguments of :func:`agents.run`: nothing is said but the game.
DEMO: dict[str, Any] = {"game": "stackelberg/FourRooms-v0"}

INTRODUCTION = """\
A follower walks through four rooms to its goal, the way that pays it best. A leader may place incentives in \
the cells (here: small charges for every visit) and would like the follower to pass over a target cell. The leader \
sees only trajectories: after each announcement it watches the follower walk, and improves the incentives from that \
alone. No option is set: this is what anybody gets.

[bold]Leader return[/bold] is what the leader earns on average, later steps counting less: 1 for each \
step of the follower on the target cell, minus the price of the incentives when the follower reaches its goal."""


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    text = "watch a leader learn incentives in Four-Rooms, in well under a minute"
    add_command(commands, "demo", text, act).add_argument(
        "--output", default="runs/demo", metavar="FOLDER", help="for record.json and run.png (default: %(default)s)"
    )


def act(options: argparse.Namespace, console: Console) -> int:
    """Explain the run, do it, and print the command that does it again."""
    console.print(INTRODUCTION + "\n", markup=True)
    parser = CommandParser("stackelberg")
    run.add(parser.add_subparsers())
    code = run.act(parser.parse_args(words_of(DEMO, options.output)), console)
    console.print("The same run, to change as you like:")
    console.print("  " + command_of(DEMO, options.output), soft_wrap=True)
    return code
