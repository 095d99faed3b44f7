"""``stackelberg run``: let a leader learn against a follower."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from .parser import add_command, add_id, add_pairs
from .values import typed

if TYPE_CHECKING:
    from rich.console import Console

    from .parser import Commands

__all__ = ["act", "add"]

EPILOG = """\
examples:
  stackelberg run stackelberg/DiscreteToy-v1
      BC-HG against a follower that responds exactly; prints a table
  stackelberg run stackelberg/DiscreteToy-v1 --set reward=2 --leader naive --seed 3 --output runs/naive-3
      another game argument, leader and seed; record.json and run.png are written to runs/naive-3
  stackelberg run --import mine mine/Game-v0 --leader my_leader
      what the module mine.py registers; alone, a game of it may be written mine:mine/Game-v0
  stackelberg run --resume runs/naive-3
      a run that was stopped, even by force, goes on and ends with the same numbers
  stackelberg run stackelberg/FourRooms-v0 --follower soft_q_learning --follower-option steps=100000 \\
      --leader-option learning_rate=0.1 --updates 300 --steps-per-update 5000 --output runs/rooms
      a follower that learns from its own play

Values are numbers, words, true, false, none, or lists as in JSON: --set 'goals=[[1, 9], [11, 11]]'.
Ctrl-C ends a run early and keeps what was learned, as SIGTERM and SIGHUP do."""


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    run = add_command(commands, "run", "let a leader learn against a follower, with a table at the end", act, EPILOG)
    add_id(run, nargs="?")
    run.add_argument("--leader", default="bchg", metavar="NAME", help="leader algorithm (default: %(default)s)")
    run.add_argument(
        "--follower",
        metavar="NAME",
        help="follower algorithm (default: the one that responds exactly, where the game has one)",
    )
    budget = {
        "--steps": "follower steps the leader watches in all (default: 100,000)",
        "--updates": "how often the leader revises its commitment (default: as often as the steps allow)",
        "--steps-per-update": "follower steps it watches before each revision (default: what this leader likes best)",
    }
    for name, meaning in budget.items():
        run.add_argument(name, type=typed("Count"), metavar="N", help=meaning)
    numbers: dict[str, tuple[str, float, str, str]] = {
        "--seed": ("Seed", 0, "N", "of everything random; equal seeds give equal runs"),
        "--timeout": ("Positive", 600.0, "SECONDS", "that a leader in a process of its own may take for one answer"),
    }
    for name, (hint, default, metavar, meaning) in numbers.items():
        text = f"{meaning} (default: {default:g})"
        run.add_argument(name, type=typed(hint), default=default, metavar=metavar, help=text)
    run.add_argument(
        "--preset",
        metavar="NAME",
        help="settings of the leader: published, tuned, the path of a file, or none for its defaults "
        "(default: tuned, where this package has some for the task)",
    )
    add_pairs(run, "--leader-option", "a hyperparameter of the leader; 'stackelberg show leader:NAME' lists them")
    add_pairs(run, "--follower-option", "one of the follower; 'stackelberg show follower:NAME' lists them")
    run.add_argument("--parametrisation", metavar="NAME", help="how the leader's parameters make a commitment")
    run.add_argument(
        "--output", metavar="FOLDER", help="write record.json and run.png here (an earlier record gets a number)"
    )
    run.add_argument(
        "--checkpoint-every", type=typed("Count"), metavar="N", help="updates (default: every few seconds)"
    )
    run.add_argument(
        "--log",
        action="append",
        default=[],
        metavar="NAME",
        help="write the curve to tensorboard, wandb or mlflow too, where installed; may be repeated",
    )
    run.add_argument("--leader-process", action="store_true", help="the leader in a process of its own")
    run.add_argument(
        "--resume", metavar="FOLDER", help="go on with the run that was stopped there; alone or with --quiet"
    )
    run.add_argument("--trust", action="store_true", help="with --resume: code in the checkpoint may run")
    run.add_argument("--quiet", action="store_true", help="only the table: no progress bar, no explanations")
    run.set_defaults(defaults=run.get_default)


def act(options: argparse.Namespace, console: Console) -> int:
    """Run; see :func:`agents.cli.run_game.run_game`."""
    from .run_game import run_game

    return run_game(options, console)
