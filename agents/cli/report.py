"""``stackelberg report``: one HTML page about a benchmark."""

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
  stackelberg report runs/mine --output page.html
      open it in a browser; it needs no network"""


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    report = add_command(commands, "report", "write one HTML page about a benchmark", act, EPILOG)
    report.add_argument("folder", metavar="FOLDER", help="where a sweep has put its records")
    report.add_argument("--output", default="report.html", metavar="FILE", help=".html (default: %(default)s)")


def act(options: argparse.Namespace, console: Console) -> int:
    """Write the page, and say where it is."""
    from ..benchmark.report.page import report

    console.print(f"Page: {report(options.folder, options.output)}", soft_wrap=True)
    return 0
