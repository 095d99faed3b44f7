"""What can be written after ``stackelberg``: commands, options, and their help."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from typing import NoReturn

from agents.cli.values import count

__all__ = ["REFUSED", "command_parser", "on_one_line"]

#: Exit code of what is refused.
REFUSED = 2

DESCRIPTION = """\
Stackelberg Markov games: a leader announces a commitment (incentives, a policy, tolls ...),
followers learn their best response to it, and the leader improves the commitment."""

EPILOG = """\
first steps:
  stackelberg demo                             a leader learns in Four-Rooms, in well under a minute
  stackelberg list                             what there is: environments, leaders, followers
  stackelberg show stackelberg/FourRooms-v0    one environment, with a picture
  stackelberg run stackelberg/DiscreteToy-v0 --updates 150 --output runs/toy
  stackelberg plot runs/toy --output curve.png

'stackelberg COMMAND --help' explains each command."""

RUN_EPILOG = """\
examples:
  stackelberg run stackelberg/DiscreteToy-v0
      BC-HG against a follower that responds exactly; prints a table
  stackelberg run stackelberg/DiscreteToy-v0 --set reward=2 --leader naive --seed 3 --output runs/naive-3
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

PLOT_EPILOG = """\
examples:
  stackelberg plot runs/toy --output curve.png
  stackelberg plot runs/bchg-* runs/naive-* --output comparison.png
      one thin line per run, one bold median per leader"""

GRADIENTS_EPILOG = """\
examples:
  stackelberg gradients stackelberg/DiscreteToy-v0
  stackelberg gradients stackelberg/FourRooms-v0 --leaders bchg,naive,hpgd --sizes 1000,10000,100000 --output runs/grad
      gradients.json and gradients.png are written to runs/grad

Each leader estimates dJ/dtheta at one random point from one batch of observed play; the truth is the oracle's."""

SHOW_EPILOG = """\
examples:
  stackelberg show stackelberg/FourRooms-v0
  stackelberg show stackelberg/FourRooms-v0 --set 'goals=[[1, 9], [11, 11]]' --set penalty=1"""


def on_one_line(text: str) -> str:
    """Return text without line ends and characters that command a terminal."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in " ".join(text.split()))


class CommandParser(argparse.ArgumentParser):
    """Says in one line what is wrong, and where help is."""

    def error(self, message: str) -> NoReturn:
        self.exit(REFUSED, f"stackelberg: error: {on_one_line(message)} (see '{self.prog} --help')\n")


def command_parser() -> argparse.ArgumentParser:
    """Return what reads the words; the command is its attribute `command`, None where there is none."""
    import stackelberg_envs

    raw = argparse.RawDescriptionHelpFormatter
    parser = CommandParser(
        "stackelberg", description=DESCRIPTION, epilog=EPILOG, formatter_class=raw, allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"stackelberg-envs {stackelberg_envs.__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    add = partial(commands.add_parser, formatter_class=raw, allow_abbrev=False)
    _add_list(add)
    _add_show(add)
    _add_run(add)
    _add_plot(add)
    _add_gradients(add)
    _add_demo(add)
    return parser


def _add_list(add: Callable[..., argparse.ArgumentParser]) -> None:
    text = "list environments, leaders and followers"
    found = add("list", help=text, description=text.capitalize() + ".")
    _add_import(found)


def _add_show(add: Callable[..., argparse.ArgumentParser]) -> None:
    text = "show one environment: story, arguments, numbers, picture"
    show = add("show", help=text, description=text.capitalize() + ".", epilog=SHOW_EPILOG)
    show.add_argument("id", metavar="ID", help="an id from 'stackelberg list', or MODULE:ID")
    _add_import(show)
    _add_pairs(show, "--set", "game", "an argument of the environment")


def _add_run(add: Callable[..., argparse.ArgumentParser]) -> None:
    text = "let a leader learn against a follower"
    run = add("run", help=text, description=text.capitalize() + ", with a table at the end.", epilog=RUN_EPILOG)
    run.add_argument("id", metavar="ID", nargs="?", help="an id from 'stackelberg list', or MODULE:ID")
    _add_import(run)
    run.add_argument("--leader", default="bchg", metavar="NAME", help="leader algorithm (default: %(default)s)")
    run.add_argument(
        "--follower",
        metavar="NAME",
        help="follower algorithm (default: the one that responds exactly, where the game has one)",
    )
    counts = {
        "--updates": (500, "how often the leader revises its commitment"),
        "--steps-per-update": (1_000, "follower steps the leader watches before each revision"),
        "--seed": (0, "of everything random; equal seeds give equal runs"),
    }
    for name, (default, meaning) in counts.items():
        kind = partial(count, minimum=0) if name == "--seed" else count
        run.add_argument(name, type=kind, default=default, metavar="N", help=f"{meaning} (default: {default})")
    _add_pairs(run, "--set", "game", "an argument of the environment; 'stackelberg show ID' lists them")
    _add_pairs(run, "--leader-option", "leader", "a hyperparameter of the leader; 'stackelberg list' shows them")
    _add_pairs(run, "--follower-option", "follower", "a hyperparameter of the follower")
    run.add_argument("--parametrisation", metavar="NAME", help="how the leader's parameters make a commitment")
    run.add_argument(
        "--output", metavar="FOLDER", help="write record.json and run.png here (an earlier record gets a number)"
    )
    run.add_argument("--checkpoint-every", type=count, metavar="N", help="updates (default: every few seconds)")
    run.add_argument("--leader-process", action="store_true", help="the leader in a process of its own")
    run.add_argument(
        "--timeout",
        type=float,
        default=600.0,
        metavar="SECONDS",
        help="that such a leader may take for one answer (default: %(default)g)",
    )
    run.add_argument(
        "--resume", metavar="FOLDER", help="go on with the run that was stopped there; alone or with --quiet"
    )
    run.add_argument("--trust", action="store_true", help="with --resume: code in the checkpoint may run")
    run.add_argument("--quiet", action="store_true", help="only the table: no progress bar, no explanations")
    run.set_defaults(defaults=run.get_default)


def _add_plot(add: Callable[..., argparse.ArgumentParser]) -> None:
    text = "draw learning curves of one run or several"
    plot = add("plot", help=text, description=text.capitalize() + ".", epilog=PLOT_EPILOG)
    plot.add_argument("records", nargs="+", metavar="RECORD", help="a run's folder, or its record.json")
    plot.add_argument("--output", default="curve.png", metavar="FILE", help=".png, .pdf or .svg (default: %(default)s)")


def _add_gradients(add: Callable[..., argparse.ArgumentParser]) -> None:
    text = "compare estimated gradients with the exact one"
    gradients = add("gradients", help=text, description=text.capitalize() + ".", epilog=GRADIENTS_EPILOG)
    gradients.add_argument("id", metavar="ID", help="an id from 'stackelberg list', or MODULE:ID")
    _add_import(gradients)
    _add_pairs(gradients, "--set", "game", "an argument of the environment")
    gradients.add_argument(
        "--leaders", default="bchg,naive", metavar="NAMES", help="gradient leaders (default: %(default)s)"
    )
    gradients.add_argument(
        "--sizes", default="1000,10000", metavar="NUMBERS", help="observed follower steps (default: %(default)s)"
    )
    gradients.add_argument(
        "--seeds", type=partial(count, minimum=2), default=10, metavar="N", help="estimates of each (default: 10)"
    )
    gradients.add_argument("--seed", type=partial(count, minimum=0), default=0, metavar="N", help="of the point")
    gradients.add_argument("--output", metavar="FOLDER", help="write gradients.json and gradients.png here")


def _add_demo(add: Callable[..., argparse.ArgumentParser]) -> None:
    text = "watch a leader learn incentives in Four-Rooms, in well under a minute"
    demo = add("demo", help=text, description=text.capitalize() + ".")
    demo.add_argument(
        "--output", default="runs/demo", metavar="FOLDER", help="for record.json and run.png (default: %(default)s)"
    )


def _add_import(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--import",
        dest="modules",
        action="append",
        default=[],
        metavar="MODULE",
        help="a module of yours that registers environments, leaders or followers; may be repeated",
    )


def _add_pairs(parser: argparse.ArgumentParser, flag: str, name: str, meaning: str) -> None:
    parser.add_argument(
        flag,
        dest=f"{name}_pairs",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help=f"{meaning}; may be repeated",
    )
