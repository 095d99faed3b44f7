"""``stackelberg tune``: settings of a leader for a task, on seeds that are never reported."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from .parser import add_command, add_import, add_pairs
from .values import typed

if TYPE_CHECKING:
    from rich.console import Console

    from .parser import Commands

__all__ = ["act", "add"]

EPILOG = """\
examples:
  stackelberg tune stackelberg/DiscreteToy-v1 --leader hpgd --trials 30
  stackelberg tune FourRooms --suite tabular-v1 --leader bchg --leader-option optimizer=sgd
      options that are given are not searched

The same command goes on where it was stopped; several at once share the work."""


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    tune = add_command(commands, "tune", "search settings of a leader for a task", act, EPILOG)
    tune.add_argument("task", metavar="TASK", help="an id from 'stackelberg list', or the name of a task of --suite")
    add_import(tune)
    add_pairs(tune, "--set", "an argument of the environment")
    tune.add_argument("--suite", metavar="SUITE", help="a suite, whose task, budget and follower are taken")
    tune.add_argument("--leader", required=True, metavar="NAME", help="whose settings, or MODULE:CLASS")
    add_pairs(tune, "--leader-option", "a setting that is not searched")
    tune.add_argument("--follower", metavar="NAME", help="default: the game's own")
    add_pairs(tune, "--follower-option", "a setting of the follower")
    tune.add_argument("--trials", type=typed("Count"), default=30, metavar="N", help="in all (default: %(default)s)")
    tune.add_argument("--seeds", type=typed("Count"), default=3, metavar="N", help="per trial (default: %(default)s)")
    tune.add_argument("--steps", type=typed("Count"), metavar="N", help="that the leader observes in each run")
    tune.add_argument("--steps-per-update", type=typed("Count"), metavar="N", help="that it sees per commitment")
    tune.add_argument(
        "--output", default="presets", metavar="FOLDER", help="for NAME.toml and the journal (default: %(default)s)"
    )
    tune.add_argument("--force", action="store_true", help="replace a preset of the same task")


def act(options: argparse.Namespace, console: Console) -> int:
    """Search, say how far it is, and what was found."""
    from ..benchmark.tuning import tune

    task = _task(options)

    def told(trials: int, best: float) -> None:
        console.print(f"trial {trials} of {options.trials}: best J so far {best:.6g}", soft_wrap=True)

    found = tune(
        task,
        (options.leader, dict(options.leader_option)),
        output=options.output,
        trials=options.trials,
        seeds=options.seeds,
        follower=None if options.follower is None else (options.follower, dict(options.follower_option)),
        steps=options.steps,
        steps_per_update=options.steps_per_update,
        force=options.force,
        progress=told,
    )
    preset = found.preset
    told_default = "unknown" if preset.default_value is None else f"{preset.default_value:.6g}"
    console.print(f"best J {preset.value:.6g}, with the defaults {told_default}", soft_wrap=True)
    console.print(f"settings: {preset.options}", soft_wrap=True)
    console.print(
        f"trials: {preset.trials}, of which {found.given_up} were given up and {found.failed} failed", soft_wrap=True
    )
    if found.path is None:
        console.print("No preset was written: on other seeds these settings are worth no more than the defaults.")
    else:
        console.print(f"Preset: {found.path}", soft_wrap=True)
    console.print(f"Journal: {found.journal}", soft_wrap=True)
    return 0


def _task(options: argparse.Namespace) -> Any:
    """Return the task that is meant: one of a suite, with its budget, or an id with arguments."""
    from stackelberg_envs.errors import ArgumentError

    from ..benchmark.suite_files import load_suite
    from ..benchmark.suites import Task, task_of

    if options.suite is None:
        return Task(options.task, arguments=dict(options.set))
    if options.set:
        raise ArgumentError("--set: expected none beside --suite, whose task has its arguments")
    return task_of(load_suite(options.suite, options.modules), options.task)
