"""``stackelberg certify``: prove of a small environment that no commitment is worth more than a bound."""

from __future__ import annotations

import argparse
import math
from typing import TYPE_CHECKING

from .output import FAILED
from .parser import add_command, add_id
from .values import typed

if TYPE_CHECKING:
    from rich.console import Console

    from .parser import Commands

__all__ = ["act", "add"]

EPILOG = """\
examples:
  stackelberg certify stackelberg/DiscreteToy-v1 --gap 0.001
  stackelberg certify stackelberg/RandomTabular-v1 --set D=2 --processes 2
  stackelberg certify stackelberg/DiscreteToy-v1 --temperature 0

Exit code 0: the bound is as near to the value as was asked for; 1: it is not, and what is proven is printed."""


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    certify = add_command(commands, "certify", "prove what no commitment of a small game exceeds", act, EPILOG)
    add_id(certify)
    certify.add_argument(
        "--gap",
        type=typed("NonNegative"),
        default=0.01,
        metavar="SHARE",
        help="how far the bound may lie above the value, as a share of its size (default: 0.01)",
    )
    certify.add_argument(
        "--time-limit", type=typed("NonNegative"), default=600.0, metavar="SECONDS", help="default: 600"
    )
    certify.add_argument(
        "--temperature",
        type=typed("NonNegative"),
        metavar="0",
        help="0: the follower takes its best action",
    )
    certify.add_argument(
        "--method", metavar="NAME", help="boxes, or mixed_integer: for low temperatures (default: boxes, at 0 programs)"
    )
    certify.add_argument("--processes", type=typed("Count"), default=1, metavar="N", help="default: 1")


def act(options: argparse.Namespace, console: Console) -> int:
    """Print what is proven."""
    import stackelberg_envs as se

    def told(proven: object) -> None:
        console.print(f"  {proven}", soft_wrap=True)

    game = se.make_game(options.id, **dict(options.set))
    proven = se.certify(
        game,
        temperature=options.temperature,
        method=options.method,
        gap=options.gap,
        time_limit=options.time_limit,
        processes=options.processes,
        progress=told,
    )
    lines = [
        f"Best commitment found: J = {proven.value:.8g}",
        f"No commitment is worth more than {proven.upper_bound:.8g}: a gap of {100 * proven.gap:.3g} %"
        if math.isfinite(proven.upper_bound)
        else "Nothing is proven yet of what others are worth",
        f"{proven.boxes:,} boxes in {proven.seconds:.1f} s; stopped because: {proven.stopped_because}",
    ]
    for line in lines:
        console.print(line, soft_wrap=True)
    return 0 if proven.stopped_because == "gap reached" else FAILED
