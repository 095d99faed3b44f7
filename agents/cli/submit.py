"""``stackelberg submit``: an archive for the leaderboard."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from .parser import add_command

if TYPE_CHECKING:
    from rich.console import Console

    from .parser import Commands

__all__ = ["act", "add"]

EPILOG = """\
examples:
  stackelberg submit runs/mine --output mine.zip --name "My leader" --contact me@example.org
  stackelberg submit runs/mine --output mine.zip --name "My leader" --contact me@example.org --suite tabular-v1

Then check it with 'stackelberg submit-check mine.zip', and send it by pull request: docs/how-to/submit.md."""


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    submit = add_command(commands, "submit", "put complete sweeps into one archive for the leaderboard", act, EPILOG)
    submit.add_argument("folder", metavar="FOLDER", help="where 'stackelberg sweep' has put the records")
    submit.add_argument("--output", required=True, metavar="FILE.zip", help="to write; none is overwritten")
    submit.add_argument("--name", required=True, help="of your team or your leader")
    submit.add_argument("--contact", required=True, help="where questions go: an address, a page")
    submit.add_argument("--licence", default="CC-BY-4.0", help="of the records (default: %(default)s)")
    submit.add_argument("--note", default="", help="one line for readers: a paper, a page")
    submit.add_argument(
        "--suite", action="append", dest="suites", metavar="NAME", help="a sweep; may be repeated (default: all)"
    )


def act(options: argparse.Namespace, console: Console) -> int:
    """Write the archive and say what is in it."""
    from ..benchmark.submission import RECORDS, submit

    told = {name: getattr(options, name) for name in ("name", "contact", "licence", "note", "suites")}
    manifest = submit(options.folder, options.output, **told)
    sweeps, size = ", ".join(manifest.sweeps), manifest.files[RECORDS].bytes
    console.print(f"Archive: {options.output} ({sweeps}; {size:,} bytes of records before packing)", soft_wrap=True)
    return 0
