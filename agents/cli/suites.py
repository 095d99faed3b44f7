"""``stackelberg suites``: the suites that come with the package, and what one of them comes to."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from .output import table
from .parser import add_command, add_import

if TYPE_CHECKING:
    from rich.console import Console

    from ..benchmark.plans import Plan
    from ..benchmark.suites import Suite
    from .parser import Commands

__all__ = ["act", "add"]

#: Characters that a table may take: a line is never broken, however narrow the terminal.
WIDE = 200

EPILOG = """\
examples:
  stackelberg suites
  stackelberg suites tabular-v1
  stackelberg suites mine.toml --import my_module"""


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    suites = add_command(commands, "suites", "list suites of tasks and leaders, or show one", act, EPILOG)
    suites.add_argument("suite", nargs="?", metavar="SUITE", help="its name, or the path of a .toml file")
    add_import(suites)


def act(options: argparse.Namespace, console: Console) -> int:
    """Print one line for each suite, or one suite: its tasks, its leaders, and who plays what."""
    from ..benchmark.plans import plan
    from ..benchmark.suite_files import load_suite, suite_description, suite_names

    if options.suite is None:
        for name in suite_names():
            console.print(f"{name}: {suite_description(name)}", soft_wrap=True)
        console.print("\nNext: stackelberg suites NAME; stackelberg sweep NAME --output FOLDER")
        return 0
    suite = load_suite(options.suite, options.modules)
    _show(console, suite, plan(suite))
    return 0


def _show(console: Console, suite: Suite, planned: Plan) -> None:
    console.width = max(console.width, WIDE)
    console.print(f"{suite.name}: {suite.description}\n", soft_wrap=True)
    jobs = [payload.job for payload in planned.payloads]
    tasks = table("Tasks", "name", "id", "steps", "per update", "start", "best known")
    for facts in planned.sweep.tasks:
        job = next((job for job in jobs if job.task == facts.name), None)
        if job is not None:
            known = (f"{value:.5g}" if value is not None else "" for value in (facts.start, facts.best_known))
            tasks.add_row(facts.name, job.game, f"{job.steps:,}", f"{job.steps_per_update:,}", *known)
    console.print(tasks)
    leaders = table("\nLeaders", "name", "what", "tasks")
    for entrant in planned.sweep.entrants:
        played = {job.task for job in jobs if job.entrant == entrant.name}
        leaders.add_row(entrant.name, entrant.summary or entrant.leader, f"{len(played)} of {len(planned.sweep.tasks)}")
    console.print(leaders)
    for item in planned.left_out:
        console.print(f"left out: {item.leader} on {item.task}: {item.reason}", soft_wrap=True)
    console.print(f"\n{len(jobs):,} jobs: seeds {_seeds(suite.seeds)}", soft_wrap=True)


def _seeds(seeds: tuple[int, ...]) -> str:
    if len(seeds) > 1 and seeds == tuple(range(seeds[0], seeds[0] + len(seeds))):
        return f"{seeds[0]} to {seeds[-1]}"
    return ", ".join(map(str, seeds))
