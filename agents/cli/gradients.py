"""``stackelberg gradients``: estimated gradients beside the exact one."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from .output import table
from .parser import add_command, add_id
from .values import list_of, typed

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from stackelberg_envs.arrays import Array

    from ..runs.gradients import Comparison
    from .parser import Commands

__all__ = ["act", "add"]

PICTURE = "gradients.png"

EPILOG = """\
examples:
  stackelberg gradients stackelberg/DiscreteToy-v1
  stackelberg gradients stackelberg/FourRooms-v0 --leaders bchg,naive,hpgd --sizes 1000,10000,100000 --output runs/grad
      gradients.json and gradients.png are written to runs/grad

Each leader estimates dJ/dtheta at one random point from one batch of observed play; the truth is the oracle's."""


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    gradients = add_command(commands, "gradients", "compare estimated gradients with the exact one", act, EPILOG)
    add_id(gradients)
    options = {
        "--leaders": (list_of(str), "bchg,naive", "NAMES", "gradient leaders"),
        "--sizes": (list_of(typed("Count")), "1000,10000", "NUMBERS", "observed follower steps"),
        "--seeds": (typed("Several"), 10, "N", "estimates of each"),
        "--seed": (typed("Natural"), 0, "N", "of the point"),
    }
    for name, (kind, default, metavar, meaning) in options.items():
        text = f"{meaning} (default: {default})"
        gradients.add_argument(name, type=kind, default=default, metavar=metavar, help=text)
    gradients.add_argument("--output", metavar="FOLDER", help="write gradients.json and gradients.png here")


def act(options: argparse.Namespace, console: Console) -> int:
    """Estimate, print the table, and write numbers and picture where they are wanted."""
    from stackelberg_envs.faces.registration import spec

    from ..pictures.gradients import plot_comparison
    from ..runs.gradients import compare
    from ..runs.records import prepare_folder

    game = spec(options.id).make(**dict(options.set))
    if options.output is not None:
        prepare_folder(options.output)
    found = compare(game, options.leaders, options.sizes, seeds=options.seeds, point_seed=options.seed)
    console.print(_table(found))
    console.print(
        "Cosine and relative error: median over seeds, and interquartile range. Bias and spread: relative to the norm "
        f"of the exact gradient; their squares add up to the mean squared error. {found.meaning}",
        soft_wrap=True,
    )
    if options.output is not None:
        console.print(f"Numbers: {found.save(options.output)}", soft_wrap=True)
        console.print(f"Picture: {plot_comparison(found, Path(options.output) / PICTURE)}", soft_wrap=True)
    return 0


def _table(found: Comparison) -> Table:
    title = f"Estimates of dJ/dtheta in {found.game}"
    made = table(title, "leader", "level of information", "steps", "cosine", "relative error", "bias", "spread")
    for row in found.rows:
        measured = [_quartiles(row.cosine), _quartiles(row.relative_error), f"{row.bias:.3f}", f"{row.spread:.3f}"]
        made.add_row(row.leader, row.information, f"{row.size:,}", *measured)
    return made


def _quartiles(values: Array) -> str:
    import numpy as np

    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75]) + 0.0
    return f"{middle:.3f} ({low:.3f} to {high:.3f})"
