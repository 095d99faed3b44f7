"""``stackelberg sweep``: every leader on every game with every seed, into a folder that is compared afterwards."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .output import FAILED, stopped, table
from .parser import add_command, add_import
from .values import typed

if TYPE_CHECKING:
    from rich.console import Console

    from ..benchmark.sweep import SweepResult
    from .parser import Commands

__all__ = ["act", "add"]

EPILOG = """\
examples:
  stackelberg sweep tabular-v1 --output runs/tabular
      a suite of this package; 'stackelberg suites' lists them
  stackelberg sweep stackelberg/DiscreteToy-v1 stackelberg/FourRooms-v0 --leaders bchg,naive --output runs/two
      games, leaders and seeds of one's own choice
  stackelberg sweep mine.toml --import mine --output runs/mine
      a suite in a file, with leaders or environments of the module mine.py
  stackelberg sweep stackelberg/DiscreteToy-v1 --leaders mine:Leader,bchg --output runs/mine
      a leader of one's own against one of this package
  stackelberg sweep tabular-v1 --engine ray --address auto --output runs/tabular
      on a cluster

The same command goes on where an earlier one was stopped, even by force: what is in the folder is not run again.
'stackelberg compare FOLDER' and 'stackelberg report FOLDER' show what came out."""

#: Failures that are shown; all of them are in the folder.
SHOWN = 5


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    sweep = add_command(commands, "sweep", "run many leaders on many games with many seeds", act, EPILOG)
    sweep.add_argument(
        "what", nargs="+", metavar="SUITE|ID", help="a suite, a file of one, or ids from 'stackelberg list'"
    )
    add_import(sweep)
    words = _words
    sweep.add_argument(
        "--leaders", type=words, metavar="NAMES", help="leaders between commas (default: those of the suite)"
    )
    sweep.add_argument("--followers", type=words, metavar="NAMES", help="followers (default: each game's own)")
    sweep.add_argument(
        "--seeds", type=_seeds, metavar="N", help="how many, from 0 on, or which, between commas (default: 5)"
    )
    sweep.add_argument(
        "--steps", type=typed("Count"), metavar="N", help="follower steps a leader may watch (default: 100000)"
    )
    sweep.add_argument(
        "--steps-per-update", type=typed("Count"), metavar="N", help="of them after each commitment (default: 1000)"
    )
    sweep.add_argument("--output", required=True, metavar="FOLDER", help="where the records are kept")
    sweep.add_argument("--engine", default="loky", metavar="NAME", help="loky, sequential, ray or dask (default: loky)")
    sweep.add_argument("--workers", type=typed("Count"), metavar="N", help="jobs at a time (default: one per core)")
    sweep.add_argument(
        "--address", metavar="ADDRESS", help="of the cluster of Ray or Dask (default: one is started here)"
    )
    sweep.add_argument("--time-limit", type=typed("Positive"), metavar="SECONDS", help="that a job may take")
    sweep.add_argument("--memory-limit", type=typed("Positive"), metavar="MIB", help="that a job may ask for")
    sweep.add_argument("--retry-failed", action="store_true", help="try jobs again that failed before")
    sweep.add_argument("--quiet", action="store_true", help="no progress")


def act(options: argparse.Namespace, console: Console) -> int:
    """Run what is missing, and say what there is."""
    from ..benchmark.sweep import sweep
    from ..runs.signals import Signals

    _look_here(options)
    more: dict[str, Any] = {"steps": options.steps, "steps_per_update": options.steps_per_update}
    more = {name: value for name, value in more.items() if value is not None}
    if options.seeds is not None:
        more["seeds"] = options.seeds
    signals = Signals.current()
    with signals:
        result = sweep(
            options.what if len(options.what) > 1 else options.what[0],
            options.leaders,
            followers=options.followers,
            output=options.output,
            engine=options.engine,
            workers=options.workers,
            address=options.address,
            time_limit=options.time_limit,
            memory_limit=options.memory_limit,
            retry_failed=options.retry_failed,
            progress=not options.quiet,
            modules=tuple(options.modules),
            **more,
        )
    _say(console, result)
    if result.interrupted:
        return stopped(signals)
    return FAILED if result.finished < result.jobs else 0


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _seeds(text: str) -> int | list[int]:
    try:
        numbers = [int(word) for word in _words(text)]
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected numbers, got {text[:100]!r}") from None
    return numbers if "," in text else numbers[0]


def _look_here(options: argparse.Namespace) -> None:
    """Find modules beside which the command was started."""
    named = [word for word in [*options.what, *(options.leaders or ()), *(options.followers or ())] if ":" in word]
    here = str(Path.cwd())
    if named and not {"", here} & set(sys.path):
        sys.path.append(here)


def _say(console: Console, result: SweepResult) -> None:
    for item in result.left_out:
        console.print(f"Left out: {item.leader} on {item.task}: {item.reason}", soft_wrap=True)
    failures = result.failures()
    if failures:
        made = table("Failed", "task", "leader", "seed", "status", "why")
        for record in failures[:SHOWN]:
            job = record.job
            made.add_row(job.task, job.entrant, str(job.seed), record.status, (record.error or "")[:200])
        console.print(made)
        if len(failures) > SHOWN:
            console.print(f"... and {len(failures) - SHOWN:,} more")
    console.print(f"{result.finished:,} of {result.jobs:,} jobs are finished, in {result.folder}", soft_wrap=True)
    folder = shlex.quote(str(result.folder))
    if result.finished:
        console.print(f"Compare: stackelberg compare {folder}", soft_wrap=True)
        console.print(f"Look: stackelberg report {folder} --output {folder}.html", soft_wrap=True)
    if result.interrupted:
        console.print("Stopped; the same command goes on.")
