"""``stackelberg plot``: learning curves of one run or several."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from .parser import add_command

if TYPE_CHECKING:
    from rich.console import Console

    from ..runs.records import RunRecord
    from .parser import Commands

__all__ = ["act", "add"]

EPILOG = """\
examples:
  stackelberg plot runs/toy --output curve.png
  stackelberg plot runs/bchg-* runs/naive-* --output comparison.png
      one thin line per run, one bold median per leader"""


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    plot = add_command(commands, "plot", "draw learning curves of one run or several", act, EPILOG)
    plot.add_argument("records", nargs="+", metavar="RECORD", help="a run's folder, or its record.json")
    plot.add_argument("--output", default="curve.png", metavar="FILE", help=".png, .pdf or .svg (default: %(default)s)")


def act(options: argparse.Namespace, console: Console) -> int:
    """Draw what the records hold, and say where the picture is."""
    from stackelberg_envs.validation import checked_path

    from ..pictures.figures import require_matplotlib
    from ..pictures.plotting import plot_learning_curve
    from ..runs.records import prepare_folder

    require_matplotlib()
    records = [_load(path) for path in options.records]
    path = checked_path(options.output, "--output")
    prepare_folder(path.parent)
    console.print(f"Picture: {plot_learning_curve(records, path)}", soft_wrap=True)
    return 0


def _load(path: str) -> RunRecord:
    from stackelberg_envs.errors import OutputError

    from ..runs.records import load_record

    try:
        record = load_record(path)
    except OutputError as exc:
        raise OutputError(str(exc) if path in str(exc) else f"{path}: {exc}") from exc
    if not len(record.curve.get("observed_steps", ())):
        raise OutputError(f"{path}: expected at least one leader update, but this run ({record.status}) had none")
    return record
