"""``stackelberg submit-check``: whether an archive is what it says."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from .output import REFUSED, on_one_line
from .parser import add_command, add_import

if TYPE_CHECKING:
    from rich.console import Console

    from .parser import Commands

__all__ = ["act", "add"]

EPILOG = """\
examples:
  stackelberg submit-check mine.zip
  stackelberg submit-check mine.zip --import my_games

Nothing of the archive is executed or written to disk. Exit code 0: everything agrees; 2: something does not."""


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    text = "play the commitments of an archive again, and say what disagrees"
    check = add_command(commands, "submit-check", text, act, EPILOG)
    check.add_argument("archive", metavar="FILE.zip", help="made by 'stackelberg submit'")
    add_import(check)


def act(options: argparse.Namespace, console: Console) -> int:
    """Print what was found, a line each."""
    from ..benchmark.submission_check import check_submission

    found = check_submission(options.archive, options.modules)
    manifest = found.manifest
    lines = [f"{manifest.name} ({manifest.licence}; {manifest.contact}): {', '.join(manifest.sweeps)}"]
    lines += [f"note: {note}" for note in found.notes]
    lines += [f"disagrees: {fault}" for fault in found.disagreements]
    lines += [
        f"{found.records:,} records; {found.exact:,} values held to exact ones, {found.by_play:,} to play; "
        f"{len(found.disagreements):,} disagreements"
    ]
    for line in lines:
        console.print(on_one_line(line), soft_wrap=True)
    return REFUSED if found.disagreements else 0
