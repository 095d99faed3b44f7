"""``stackelberg compare``: what the records of a benchmark say of its leaders."""

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
  stackelberg compare runs/mine
  stackelberg compare runs/mine --against my_leader
      with the question whether my_leader is better than each other one
  stackelberg compare runs/mine --format latex --output table.tex --plot figure.pdf

formats: terminal, markdown, latex, html, csv
costs: leader_updates, follower_responses, observed_steps, follower_steps, seconds, processor_seconds"""


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    compare = add_command(commands, "compare", "compare the leaders of a benchmark", act, EPILOG)
    compare.add_argument("folder", metavar="FOLDER", help="where 'stackelberg sweep' has put its records")
    compare.add_argument("--suite", metavar="NAME", help="one of the folder's sweeps (default: all records)")
    compare.add_argument("--leader", action="append", metavar="NAME", help="a leader to compare; may be repeated")
    compare.add_argument("--task", action="append", metavar="NAME", help="a task to compare on; may be repeated")
    compare.add_argument(
        "--against", metavar="LEADER", help="whom the others are compared with, and whom the paired tests ask for"
    )
    compare.add_argument("--by-task", action="store_true", help="a table for each task, too")
    compare.add_argument(
        "--cost", default="observed_steps", metavar="NAME", help="what shares of the way cost (default: %(default)s)"
    )
    compare.add_argument("--format", default="terminal", metavar="NAME", help="of the tables (default: %(default)s)")
    compare.add_argument("--output", metavar="FILE", help="write the tables there instead of printing them")
    compare.add_argument("--plot", metavar="FILE", help="draw the curves; .pdf, .png or .svg")
    compare.add_argument("--profiles", metavar="FILE", help="draw performance profiles and every run")


def act(options: argparse.Namespace, console: Console) -> int:
    """Print or write the tables, draw the figures."""
    from stackelberg_envs.validation import checked_path

    from ..benchmark.comparison import compare
    from ..pictures.figures import require_matplotlib
    from ..runs.files import write_atomically
    from ..runs.records import prepare_folder

    if options.plot or options.profiles:
        require_matplotlib()
    output = None if options.output is None else checked_path(options.output, "--output")
    found = compare(options.folder, options.suite, leaders=options.leader, tasks=options.task)
    text = found.table(options.format, against=options.against, by_task=options.by_task, cost=options.cost)
    pictures = [("curves", options.plot), ("profiles", options.profiles)]
    drawn = [found.plot(path, what, cost=options.cost) for what, path in pictures if path is not None]
    if output is None:
        console.print(text.rstrip(), soft_wrap=True)
    else:
        prepare_folder(output.parent)
        write_atomically(output, text.rstrip().encode() + b"\n")
        console.print(f"Table: {output}", soft_wrap=True)
    for picture in drawn:
        console.print(f"Picture: {picture}", soft_wrap=True)
    return 0
