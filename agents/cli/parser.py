"""What the commands' parsers share: refusals in one line, and the options that several of them have."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

from .output import REFUSED, on_one_line
from .values import pair

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    Commands: TypeAlias = argparse._SubParsersAction["CommandParser"]
    Action: TypeAlias = Callable[[argparse.Namespace, Console], int]

__all__ = ["CommandParser", "add_command", "add_id", "add_import", "add_pairs"]


class CommandParser(argparse.ArgumentParser):
    """Says in one line what is wrong, and where help is."""

    def __init__(self, prog: str, **options: Any) -> None:
        options |= {"formatter_class": argparse.RawDescriptionHelpFormatter, "allow_abbrev": False}
        super().__init__(prog, **options)

    def error(self, message: str) -> NoReturn:
        """End the process with the code of what is refused."""
        self.exit(REFUSED, f"stackelberg: error: {on_one_line(message)} (see '{self.prog} --help')\n")


def add_command(commands: Commands, name: str, text: str, act: Action, epilog: str | None = None) -> CommandParser:
    """Return the parser of a new command, with one line of help and what it does."""
    parser = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.", epilog=epilog)
    parser.set_defaults(act=act)
    return parser


def add_id(parser: CommandParser, *, more: str = "", **options: Any) -> None:
    """Add the environment with its arguments, and how modules that register one are imported."""
    parser.add_argument("id", metavar="ID", help=f"an id from 'stackelberg list', or MODULE:ID{more}", **options)
    add_import(parser)
    add_pairs(parser, "--set", "an argument of the environment; 'stackelberg show ID' lists them")


def add_import(parser: CommandParser) -> None:
    """Add how modules that register something are imported."""
    parser.add_argument(
        "--import",
        dest="modules",
        action="append",
        default=[],
        metavar="MODULE",
        help="a module of yours that registers environments, leaders or followers; may be repeated",
    )


def add_pairs(parser: CommandParser, flag: str, meaning: str) -> None:
    """Add an option that is given as NAME=VALUE, as often as one likes."""
    parser.add_argument(
        flag, action="append", type=pair, default=[], metavar="NAME=VALUE", help=f"{meaning}; may be repeated"
    )
