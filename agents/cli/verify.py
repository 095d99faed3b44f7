"""``stackelberg verify``: compute the best known value of an environment again."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from .output import FAILED
from .parser import add_command, add_id
from .values import typed

if TYPE_CHECKING:
    from rich.console import Console

    from ..runs.verification import Verification
    from .parser import Commands

__all__ = ["act", "add"]

EPILOG = """\
examples:
  stackelberg verify stackelberg/DiscreteToy-v1
  stackelberg verify stackelberg/FourRooms-v0 --set slip=0.44 --set temperature=0.001

The commitment is solved exactly and played; then the yardstick searches without knowing it.
Exit code 0: everything agrees; 1: something does not, or a better commitment was found, which is printed."""


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    verify = add_command(
        commands, "verify", "compute a best known value again, and search for a better one", act, EPILOG
    )
    add_id(verify)
    verify.add_argument("--seed", type=typed("Seed"), default=0, metavar="N", help="of play and search (default: 0)")
    verify.add_argument(
        "--evaluations", type=typed("Count"), metavar="N", help="how often the search may solve the game, about"
    )


def act(options: argparse.Namespace, console: Console) -> int:
    """Print what is known, what was computed again, and whether that agrees."""
    from ..runs.verification import EPISODES, FALSE_ALARM, entry_in_words, verify

    def told(found: object) -> None:
        console.print(f"  {found}", soft_wrap=True)

    limit = {} if options.evaluations is None else {"evaluations": options.evaluations}
    made = verify(options.id, seed=options.seed, progress=told, **limit, **dict(options.set))
    known, found = made.known, made.found
    lines = [
        *_told_reference(made),
        f"Known: J = {known.value:.8g}, by {known.found_by}, {known.date}; {known.status}",
        f"Exact: {made.exact:.8g}",
        f"By play: {made.played:.6g} in {EPISODES:,} episodes, where {made.episode:.6g} is exact; "
        f"up to {made.room:.2g} is chance, at {FALSE_ALARM:g} false alarms",
        f"Yardstick: {found.value:.8g}, the end of {found.hits} of {found.starts} starts",
        *(f"Disagrees: {fault}" for fault in made.disagreements),
        *([] if made.better is None else [entry_in_words(made.better)]),
        *([] if made.disagreements else ["Everything agrees."]),
    ]
    for line in lines:
        console.print(line, soft_wrap=True)
    return FAILED if made.disagreements else 0


def _told_reference(made: Verification) -> list[str]:
    if made.reference is None:
        return []
    told = made.reference
    return [
        f"Reference: {told['value']:.8g} ({told['meaning']}), {told['status']}: {told['source']}",
        f"By another way: {made.again:.8g}",
    ]
