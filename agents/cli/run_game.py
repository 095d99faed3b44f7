"""A run as the command line does it: checked, watched, told of, and left where it can be gone on with."""

from __future__ import annotations

import argparse
import math
import shlex
import signal
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as ProgressBar
from rich.table import Table
from rich.text import Text

from stackelberg_envs.errors import ArgumentError, StackelbergError
from stackelberg_envs.faces.registration import spec
from stackelberg_envs.games.vector import AnyGame

from ..observing.brief import Information
from ..options import make_config
from ..runs.config import ExperimentConfig
from ..runs.experiment import Progress
from ..runs.files import FolderLock, prepare_folder
from ..runs.lineup import line_up
from ..runs.presets import has_tuned
from ..runs.records import RunRecord, note_stop
from ..runs.running import run, stored_config
from ..runs.signals import Signals
from ..runs.summary import in_words, rows
from ..runs.verification import entry_in_words, entry_of
from .output import LEVELS, complain, stopped, table

__all__ = ["run_game"]

#: Seconds that an update may take to end after Ctrl-C.
GRACE = 0.5
PICTURE, CHECKPOINT = "run.png", "checkpoint.npz"
#: Options of the command line that are arguments of :func:`agents.run` by the same name.
SAME = (
    *("leader", "preset", "follower", "steps", "updates", "steps_per_update"),
    *("seed", "parametrisation", "leader_process", "timeout"),
)


def run_game(options: argparse.Namespace, console: Console) -> int:
    """Run, print the table, say where record and picture are, and return the exit code."""
    interrupts = Signals.current()
    try:
        interrupts.release()  # from here on there is a folder where a stop can be noted
        game, level, arguments = _checked_run(options) if options.resume is None else _checked_resume(options)
        if not options.quiet:
            console.print(
                f"{game.name}: leader {options.leader}{_with_preset(options)}, which sees {LEVELS[level.name]}, "
                f"against follower {options.follower}. Ctrl-C stops early.\n"
            )
        with _bar(console, options.quiet) as bar:
            record = _run_or_say(options, arguments, _Watch(bar, options.updates, interrupts))
    except KeyboardInterrupt:
        with suppress(StackelbergError):
            _note_stop(options)
        raise
    console.print(_result_table(record))
    if not options.quiet:
        console.print("\n" + in_words(record))
    better = entry_of(record, game)
    if better is not None:
        console.print(f"New best known value: J = {better.value:.10g}. {entry_in_words(better)}", soft_wrap=True)
    # A batch system that asks a process to end does not wait for long.
    in_time = interrupts.received in (None, signal.SIGINT)
    _say_where(console, options, record, _draw(record, options.output, game) if in_time else None)
    return stopped(interrupts) if record.status == "interrupted" else 0


def _with_preset(options: argparse.Namespace) -> str:
    if options.preset is None:
        return ""
    rest = " (--preset none takes its defaults)" if options.preset == "tuned" else ""
    return f" with the preset {options.preset!r}{rest}"


def _note_stop(options: argparse.Namespace) -> None:
    """Leave a record where the run was to write, if it was stopped before it began."""
    if options.output is None or options.id is None or options.resume is not None:
        return
    folder = prepare_folder(options.output)
    with FolderLock(folder):
        told = {name: getattr(options, name) or 0 for name in ("updates", "steps_per_update")}
        told |= {"leader": options.leader, "seed": options.seed}
        note_stop(folder, game=options.id, follower=options.follower or "", **told)


def _checked_run(options: argparse.Namespace) -> tuple[AnyGame, Information, dict[str, Any]]:
    """Return the game, the leader's level and the arguments of :func:`agents.run`.

    Whatever can be refused is refused here, before any work.
    """
    if options.id is None:
        raise ArgumentError("run: the following arguments are required: ID, or --resume FOLDER")
    if options.checkpoint_every is not None and options.output is None:
        raise ArgumentError("--checkpoint-every: expected --output FOLDER too, for the checkpoints")
    options.id = spec(options.id).id
    options.preset = _preset(options)
    arguments = {
        "game": options.id,
        **{name: getattr(options, name) for name in SAME},
        "game_arguments": dict(options.set),
        "leader_options": dict(options.leader_option),
        "follower_options": dict(options.follower_option),
    }
    lineup = line_up(make_config(ExperimentConfig, arguments, "run"))
    arguments["follower"] = options.follower = lineup.follower_name
    options.updates, options.steps_per_update = lineup.budget
    if options.output is not None:
        prepare_folder(options.output)
    return (
        lineup.game,
        lineup.level,
        {**arguments, "output": options.output, "checkpoint_every": options.checkpoint_every, "callbacks": options.log},
    )


def _preset(options: argparse.Namespace) -> str | None:
    """Return the preset that is meant: without a word the tuned one, where there is one for the task."""
    if options.preset == "none":
        return None
    given: str | None = options.preset
    if given is not None or options.follower_option:
        return given
    own = spec(options.id).make(**dict(options.set)).suggested_follower
    follower = "" if options.follower in (None, own) else options.follower
    return "tuned" if has_tuned(options.leader, options.id, dict(options.set), follower) else None


def _checked_resume(options: argparse.Namespace) -> tuple[AnyGame, Information, dict[str, Any]]:
    """Return the same for a run that was stopped; `options` are completed with what that run was told."""
    allowed = {"version", "defaults", "resume", "quiet", "checkpoint_every", "modules", "trust", "log"}
    given = [name for name, value in vars(options).items() if name not in allowed and value != options.defaults(name)]
    if given:
        names = ", ".join(name.removesuffix("_pairs") for name in given)
        raise ArgumentError(f"--resume: expected no other options, since the run has its own; got {names}")
    config = stored_config(options.resume)
    if config is None:
        raise ArgumentError(
            f"--resume: expected a run of a game with an id, got {options.resume}; use agents.run(resume=)"
        )
    lineup = line_up(config)
    options.output, options.updates = options.resume, lineup.budget.updates
    options.leader, options.follower = config.leader, lineup.follower_name
    more = {"resume": options.resume, "checkpoint_every": options.checkpoint_every, "trust": options.trust}
    more["callbacks"] = options.log
    return lineup.game, lineup.level, more


def _run_or_say(options: argparse.Namespace, arguments: dict[str, Any], watch: _Watch) -> RunRecord:
    """Run; if that fails, say where the record of what there was lies."""
    try:
        return run(progress=watch, **arguments)
    except BaseException:
        watch.hide()
        if options.output is not None and watch.started:
            complain(f"the run failed; what it had is in {Path(options.output) / 'record.json'}")
        raise


class _Watch:
    """Called after each update: moves the bar, and from then on lets an update end that Ctrl-C comes into."""

    def __init__(self, bar: ProgressBar | None, updates: int, interrupts: Signals) -> None:
        self.interrupts, self.started = interrupts, False
        self._bar = bar
        self._task = None if bar is None else bar.add_task("preparing", total=updates, value="...")

    def hide(self) -> None:
        """Take the bar away if the run ended before its first update."""
        if self._bar is not None and self._task is not None and not self.started:
            self._bar.remove_task(self._task)

    def __call__(self, progress: Progress) -> None:
        self.started = True
        self.interrupts.grace = GRACE
        if self._bar is not None and self._task is not None:
            value = "..." if math.isnan(progress.leader_value) else f"{progress.leader_value:.3f}"
            self._bar.update(self._task, completed=progress.update, description="learning", value=value)


def _bar(console: Console, quiet: bool) -> AbstractContextManager[ProgressBar | None]:
    if quiet:
        return nullcontext()
    return ProgressBar(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("leader return now {task.fields[value]}"),
        TimeRemainingColumn(elapsed_when_finished=True),
        console=console,
    )


def _draw(record: RunRecord, output: str | None, game: AnyGame) -> Path | None:
    """Draw the picture beside the record; a run is never lost for want of one."""
    if output is None or not record.curve:
        return None
    from ..pictures.plotting import plot_run

    try:
        return plot_run(record, Path(output) / PICTURE, game)
    except StackelbergError as exc:
        complain(f"no picture: {exc}")
        return None


def _result_table(record: RunRecord) -> Table:
    made = table("Result", "", "", "")
    made.columns[1].justify = "right"
    for name, value, meaning in rows(record):
        made.add_row(name, value, Text(meaning, style="dim"))
    return made


def _say_where(console: Console, options: argparse.Namespace, record: RunRecord, picture: Path | None) -> None:
    say = partial(console.print, soft_wrap=True)
    if record.status == "interrupted":
        done = len(record.curve.get("observed_steps", ()))
        kept = "what was learned is kept" if options.output else "nothing was written: --output FOLDER keeps it"
        say(f"Stopped after update {done:,} of {record.updates:,}; {kept}.")
    if options.output is None:
        return
    folder = Path(options.output)
    say(f"Record: {folder / 'record.json'}")
    if picture is not None:
        say(f"Picture: {picture}")
    if record.status == "interrupted" and (folder / CHECKPOINT).exists():
        say(f"Go on with: {shlex.join(['stackelberg', 'run', '--resume', str(folder)])}")
    if record.status == "interrupted" and record.curve:
        command = shlex.join(["stackelberg", "plot", str(folder), "--output", str(folder / "curve.png")])
        say(f"Look at it again with: {command}")
