"""``stackelberg export``: records of a benchmark for other tools."""

from __future__ import annotations

import argparse
import warnings
from typing import TYPE_CHECKING

from .output import complain
from .parser import add_command

if TYPE_CHECKING:
    from rich.console import Console

    from .parser import Commands

__all__ = ["act", "add"]

EPILOG = """\
examples:
  stackelberg export runs/mine --output runs.parquet
  stackelberg export runs/mine --format csv --view curves --output curves.csv
  stackelberg export runs/mine --format marl-eval --output marl-eval.json

Views are what 'stackelberg query' can ask: runs, curves, failures, tasks, sweeps."""


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    export = add_command(commands, "export", "write records of a benchmark as a file for other tools", act, EPILOG)
    export.add_argument("folder", metavar="FOLDER", help="where 'stackelberg sweep' has put the records")
    export.add_argument("--format", default="parquet", help="parquet, csv or marl-eval (default: %(default)s)")
    export.add_argument("--view", default="runs", help="what parquet and csv have rows of (default: %(default)s)")
    export.add_argument("--output", required=True, metavar="FILE", help="to write; one that is there is replaced")


def act(options: argparse.Namespace, console: Console) -> int:
    """Write the file, say where it is and what is missing in it."""
    from ..benchmark.exporting import export

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        path = export(options.folder, options.output, options.format, options.view)
    for warning in caught:
        complain(str(warning.message))
    console.print(f"Exported: {path}", soft_wrap=True)
    return 0
