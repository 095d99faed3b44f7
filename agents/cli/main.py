"""The command line ``stackelberg``: words in, exit code out.

Exit codes: 0 done, 1 failed (for want of memory or of somewhere to print, or some jobs of a sweep), 2 refused (one
line on standard error says why), 128 + n stopped by signal n: 130 by Ctrl-C, 143 by SIGTERM, 129 by SIGHUP.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ..runs.signals import Interrupts, Signals
from . import (
    certify,
    compare,
    demo,
    export,
    gradients,
    listing,
    plot,
    query,
    render,
    report,
    run,
    show,
    submit,
    submit_check,
    suites,
    sweep,
    tune,
    verify,
)
from .output import FAILED, REFUSED, complain, stopped
from .parser import CommandParser

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["command_parser", "main"]

DESCRIPTION = """\
Stackelberg Markov games: a leader announces a commitment (incentives, a policy, tolls ...),
followers learn their best response to it, and the leader improves the commitment."""

EPILOG = """\
first steps:
  stackelberg demo                             a leader learns in Four-Rooms, in well under a minute
  stackelberg list                             what there is: environments, leaders, followers
  stackelberg show stackelberg/FourRooms-v0    one environment, with a picture
  stackelberg show leader:bchg                 one leader, with its options
  stackelberg render stackelberg/FourRooms-v0 --output rooms.gif
  stackelberg run stackelberg/DiscreteToy-v1 --updates 150 --output runs/toy
  stackelberg plot runs/toy --output curve.png

'stackelberg COMMAND --help' explains each command."""


def command_parser() -> CommandParser:
    """Return what reads the words; what a command does is its attribute `act`, None where there is no command."""
    parser = CommandParser("stackelberg", description=DESCRIPTION, epilog=EPILOG)
    parser.add_argument("--version", action="store_true", help="print the version and nothing else")
    parser.set_defaults(act=None, modules=[], id=None)
    commands = parser.add_subparsers(metavar="COMMAND", title="commands")
    runs, benchmarks = (
        (listing, show, run, render, plot, gradients, demo, verify, certify),
        (suites, sweep, tune, compare, report, query, export),
    )
    for command in (*runs, *benchmarks, submit, submit_check):
        command.add(commands)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments
        The words after ``stackelberg``; default those the process was started with.

    Returns
    -------
    int
        Exit code: 0 done, 1 failed for want of memory or of somewhere to print, 2 refused,
        128 + n stopped by signal n (130 by Ctrl-C).
    """
    with Interrupts.current() as interrupts:
        return _answer(arguments, interrupts)


def _answer(arguments: Sequence[str] | None, interrupts: Signals) -> int:
    for stream in (sys.stdout, sys.stderr):
        # Names of files may hold what the terminal's encoding does not.
        with suppress(AttributeError, ValueError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    parser = command_parser()
    try:
        options = parser.parse_args(arguments)
        if options.version or options.act is not None:
            return _act(options, interrupts)
        parser.print_help()
        return 0
    except SystemExit as exc:
        return int(exc.code or 0)
    except KeyboardInterrupt:
        complain("stopped")
        return stopped(interrupts)
    except (MemoryError, OSError) as exc:
        return _failed(exc)


def _act(options: argparse.Namespace, interrupts: Signals) -> int:
    # Help, which is asked for before anything else, needs neither.
    from rich.console import Console

    from stackelberg_envs.errors import StackelbergError

    act = _version if options.version else options.act
    if act not in (run.act, demo.act):
        interrupts.release()
    try:
        _import_modules(options)
        code: int = act(options, Console(highlight=False, markup=False, emoji=False))
    except StackelbergError as exc:
        complain(f"error: {exc}")
        return REFUSED
    return code


def _version(options: argparse.Namespace, console: Console) -> int:
    from stackelberg_envs import __version__

    del options
    console.print(f"stackelberg-envs {__version__}")
    return 0


def _failed(exc: BaseException) -> int:
    """Say what the machine has no room for; a reader that went away hears nothing."""
    if isinstance(exc, BrokenPipeError):
        with suppress(OSError, ValueError):
            # Else the interpreter complains when it empties the stream at its end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    complain(f"error: {'not enough memory' if isinstance(exc, MemoryError) else 'input or output'} ({exc})")
    return FAILED


def _import_modules(options: argparse.Namespace) -> None:
    """Import what the user names, from where the command was started too; it registers games and players."""
    if options.modules or ":" in (options.id or ""):
        from stackelberg_envs.faces.registration import import_module

        here = str(Path.cwd())
        if not {"", here} & set(sys.path):
            sys.path.append(here)
        for name in options.modules:
            import_module(name)
