"""The command line ``stackelberg``: list, show, run, plot, gradients, demo.

Exit codes: 0 done, 1 failed for want of memory or of somewhere to print, 2 refused (one line on standard error says
why), 128 + n stopped by signal n: 130 by Ctrl-C,
143 by SIGTERM, 129 by SIGHUP.
"""

from __future__ import annotations

import argparse
import inspect
import math
import os
import re
import shlex
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import MISSING, fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as ProgressBar
from rich.table import Table
from rich.text import Text

from agents.cli.demo import DEMO, INTRODUCTION, command_of, words_of
from agents.cli.parser import REFUSED, command_parser, on_one_line
from agents.cli.values import count, read_pairs
from agents.runs.signals import Interrupts, Signals
from stackelberg_envs.docstrings import docstring_of
from stackelberg_envs.errors import ArgumentError, OutputError, StackelbergError

if TYPE_CHECKING:
    from agents.observing.brief import Information
    from agents.runs.experiment import Progress
    from agents.runs.gradients import Comparison
    from agents.runs.records import RunRecord
    from stackelberg_envs.arrays import Array
    from stackelberg_envs.faces.registration import EnvSpec
    from stackelberg_envs.games.batched import AnyGame

__all__ = ["main"]

FAILED, SIGNALLED = 1, 128
#: Seconds that an update may take to end after Ctrl-C.
GRACE = 0.5
PICTURE, CHECKPOINT = "run.png", "checkpoint.npz"

#: Sections of an environment's page that `show` leaves out, or shows as a table.
NOT_SHOWN = ("Arguments", "Version history")

#: What the levels of information mean, for people.
LEVELS = {
    "ACTIONS_ONLY": "states, actions and its own reward",
    "REWARDS_OBSERVED": "states, actions, its own reward and the follower's",
    "RESPONSE": "play, both rewards, and the follower's policy",
    "CONTROLS_TRAINING": "all play and may stop or restart the follower's training",
    "MODEL": "the game itself",
}


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
        if options.command is None:
            parser.print_help()
            return 0
        if options.command not in ("run", "demo"):
            interrupts.release()
        _import_modules(options)
        return ACTIONS[options.command](options, Console(highlight=False, markup=False, emoji=False))
    except SystemExit as exc:
        return int(exc.code or 0)
    except StackelbergError as exc:
        _complain(f"error: {exc}")
        return REFUSED
    except KeyboardInterrupt:
        _complain("stopped")
        return _exit_code(interrupts)
    except (MemoryError, OSError) as exc:
        return _failed(exc)


def _failed(exc: BaseException) -> int:
    """Say what the machine has no room for; a reader that went away hears nothing."""
    if isinstance(exc, BrokenPipeError):
        with suppress(OSError, ValueError):
            # Else the interpreter complains when it empties the stream at its end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    _complain(f"error: {'not enough memory' if isinstance(exc, MemoryError) else 'input or output'} ({exc})")
    return FAILED


def _import_modules(options: argparse.Namespace) -> None:
    """Import what the user names, from where the command was started too; it registers games and players."""
    names = getattr(options, "modules", [])
    if names or ":" in (getattr(options, "id", None) or ""):
        from stackelberg_envs.faces.registration import import_module

        here = str(Path.cwd())
        if not {"", here} & set(sys.path):
            sys.path.append(here)
        for name in names:
            import_module(name)


# list


def _list(options: argparse.Namespace, console: Console) -> int:
    del options
    from stackelberg_envs.faces.registration import registered_ids, spec

    specs = [spec(name) for name in registered_ids()]
    games = [entry.make() for entry in specs]
    table = _table("Environments", "id", "what happens", "S", "A", "B", "K", "commitment")
    for entry, game in zip(specs, games, strict=True):
        sizes = [*sizes_of(game), str(game.num_contexts)]
        table.add_row(entry.id, entry.summary, *sizes, "x".join(map(str, game.commitment.shape)))
    console.print(table)
    console.print(
        "S states, A leader actions, B follower actions, K contexts; sizes at default arguments. R2 is a vector of "
        "two numbers.\n"
    )
    _list_agents(console, games)
    console.print("\nNext: stackelberg show ID, stackelberg run ID --leader NAME --follower NAME", soft_wrap=True)
    return 0


def sizes_of(game: AnyGame) -> tuple[str, str, str]:
    """Return S, A and B as text: numbers of states and actions, or R and the size of a vector."""
    from agents.runs.briefing import kind_of
    from stackelberg_envs.games.samples import ActionSpec

    if kind_of(game) == "tabular":
        S, A, B = game.shape  # type: ignore[union-attr]
        return str(S), str(A), str(B)
    leader: Any = game.leader_action_space  # type: ignore[union-attr]
    actions = ActionSpec.of(game.follower_action_space)  # type: ignore[union-attr]
    B = "x".join(map(str, actions.counts)) if actions.counts else f"R{actions.size}"
    return f"R{game.state_space.shape[0]}", "0" if leader is None else f"R{leader.shape[0]}", B  # type: ignore[union-attr]


def _list_agents(console: Console, games: Sequence[AnyGame]) -> None:
    from agents.followers import follower_class, follower_names
    from agents.leaders import leader_class, leader_names

    table = _table("Leaders", "name", "what it does", "level of information", "options")
    used = set()
    for name in leader_names():
        kind = leader_class(name)
        levels = sorted({kind.information, *(kind.needs(game.commitment) for game in games)})
        used.update(levels)
        table.add_row(name, _summary(kind), " to ".join(level.name for level in levels), _defaults(kind.Config))
    console.print(table)
    for level in sorted(used):
        console.print(f"  {level.name}: the leader sees {LEVELS[level.name]}", soft_wrap=True)
    console.print("  At every level it knows what its commitment sets of rewards and dynamics.", soft_wrap=True)
    console.print()
    table = _table("Followers", "name", "what it does", "options")
    for name in follower_names():
        table.add_row(name, _summary(follower_class(name)), _defaults(follower_class(name).Config))
    console.print(table)


def _summary(kind: type[Any]) -> str:
    return docstring_of(kind).partition("\n\n")[0].replace("\n", " ")


def _defaults(config: type[Any]) -> str:
    return ", ".join(
        item.name if item.default is MISSING else f"{item.name}={_plain(item.default)}" for item in fields(config)
    )


def _plain(value: Any) -> str:
    return "none" if value is None else str(value)


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        whole = column in ("id", "name") or len(column) == 1
        table.add_column(column, no_wrap=whole, overflow="fold", header_style="dim", justify="left")
    return table


# show


def _show(options: argparse.Namespace, console: Console) -> int:
    from stackelberg_envs.faces.registration import spec

    entry = spec(options.id)
    given = read_pairs(options.game_pairs, "--set")
    game = entry.make(**given)
    doc = docstring_of(sys.modules[entry.module]) or docstring_of(entry.make_game)
    console.print(Text(entry.summary, style="bold"))
    console.print()
    console.print(_facts_table(doc))
    for heading, text in _sections(doc):
        console.print(heading, style="bold")
        console.print(Padding(Text(text.replace("`", "")), (0, 0, 0, 2)))
    console.print()
    console.print(_arguments_table(entry, given))
    console.print()
    console.print(_numbers_table(game))
    picture = _picture(entry, game)
    if picture:
        console.print(Text("\nUnder the commitment nearest to zero", style="bold"))
        console.print(picture, soft_wrap=True)
    words = ["stackelberg", "run", entry.id, *(word for pair in options.game_pairs for word in ("--set", pair))]
    console.print(f"\nTry it: {shlex.join(words)}", soft_wrap=True)
    return 0


def _facts_table(doc: str) -> Table:
    table = _table("", "", "")
    table.show_header = False
    table.title = None
    for line in doc.splitlines():
        cells = [cell.strip().strip("`") for cell in line.strip().strip("|").split("|")]
        if line.startswith("|") and len(cells) >= 2 and cells[0].strip("-"):
            table.add_row(cells[0], " | ".join(cells[1:]).replace("`", ""))
    return table


def _sections(doc: str) -> list[tuple[str, str]]:
    """Return the sections of an environment's page that tell what happens: heading, text."""
    sections: list[tuple[str, list[str]]] = []
    for line in doc.partition("\n\n")[2].splitlines():
        if not line.strip() or line.startswith("|"):
            continue
        if line.startswith(" ") and sections:
            sections[-1][1].append(line.strip())
        else:
            sections.append((line.strip(), []))
    return [(head, " ".join(text)) for head, text in sections if head not in NOT_SHOWN and text]


def _arguments_table(entry: EnvSpec, given: dict[str, Any]) -> Table:
    table = _table("Arguments (--set NAME=VALUE)", "name", "default", "now", "meaning")
    meanings = _parameter_texts(docstring_of(entry.make_game))
    for name, parameter in inspect.signature(entry.make_game).parameters.items():
        default = "required" if parameter.default is parameter.empty else _plain(parameter.default)
        now = _plain(given[name]) if name in given else ""
        table.add_row(name, default, now, meanings.get(name, ""))
    return table


def _parameter_texts(doc: str) -> dict[str, str]:
    """Return name -> text from the Parameters section of a NumPy docstring."""
    section = re.search(r"^Parameters\n-+\n(.*?)(?=^\S[^\n]*\n-{3,}$|\Z)", doc, re.DOTALL | re.MULTILINE)
    out: dict[str, str] = {}
    for block in re.split(r"\n(?=\S)", section[1] if section else ""):
        names, _, text = block.partition("\n")
        for name in names.partition(":")[0].split(","):
            out[name.strip()] = " ".join(text.split())
    return out


def _numbers_table(game: AnyGame) -> Table:
    table = _table("Numbers, with these arguments", "", "")
    table.show_header = False
    S, A, B = sizes_of(game)
    space = game.commitment
    known = game.facts.get("best_known")
    rows = {
        "states, actions": f"S = {S}, A = {A} (leader), B = {B} (follower), K = {game.num_contexts} contexts",
        "discounts": f"leader {game.leader_discount:g}, follower {game.follower_discount:g}, per step",
        "temperature": f"{game.temperature:g} reward units (weight of the follower's entropy)",
        "horizon": f"{game.horizon} steps",
        "commitment": f"shape {space.shape}, entries in [{space.low.min():g}, {space.high.max():g}]",
        "it changes": ", ".join(sorted(name.replace("_", " ") for name in space.changes)),
        "parametrisation": space.parametrisation,
        "best known return": "not recorded" if known is None else f"{known:.6g}",
    }
    for name, value in rows.items():
        table.add_row(name, value)
    return table


def _picture(entry: EnvSpec, game: AnyGame) -> str:
    """Return the game as text under the commitment nearest to zero, or "" for a renderer without text."""
    import numpy as np

    from stackelberg_envs.pictures.canvas import draw
    from stackelberg_envs.play.session import Session

    session = Session(game)
    session.reset(seed=0)
    session.commit(game.commitment.project(np.zeros(game.commitment.shape)))
    text = draw(session, entry.renderer, "ansi")
    return text if isinstance(text, str) else ""


# run and demo


def _demo(options: argparse.Namespace, console: Console) -> int:
    console.print(INTRODUCTION + "\n", markup=True)
    code = _run(command_parser().parse_args(words_of(DEMO, options.output)), console)
    console.print("The same run, to change as you like:")
    console.print("  " + command_of(DEMO, options.output), soft_wrap=True)
    return code


def _run(options: argparse.Namespace, console: Console) -> int:
    from agents.runs.summary import in_words

    interrupts = Signals.current()
    try:
        interrupts.release()  # from here on there is a folder where a stop can be noted
        game, level, arguments = _checked_run(options) if options.resume is None else _checked_resume(options)
        if not options.quiet:
            console.print(
                f"{game.name}: leader {options.leader}, which sees {LEVELS[level.name]}, "
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
    # A batch system that asks a process to end does not wait for long.
    in_time = interrupts.received in (None, signal.SIGINT)
    _say_where(console, options, record, _draw(record, options.output, game) if in_time else None)
    return _exit_code(interrupts) if record.status == "interrupted" else 0


def _note_stop(options: argparse.Namespace) -> None:
    """Leave a record where the run was to write, if it was stopped before it began."""
    from agents.runs.files import FolderLock, prepare_folder
    from agents.runs.records import note_stop

    if options.output is None or options.id is None or options.resume is not None:
        return
    folder = prepare_folder(options.output)
    names = ("leader", "updates", "steps_per_update", "seed")
    with FolderLock(folder):
        told = {name: getattr(options, name) for name in names}
        note_stop(folder, game=options.id, follower=options.follower or "", **told)


def _checked_run(options: argparse.Namespace) -> tuple[AnyGame, Information, dict[str, Any]]:
    """Return the game, the leader's level and the arguments of :func:`agents.run`.

    Whatever can be refused is refused here, before any work.
    """
    from agents.options import make_config
    from agents.runs.experiment import ExperimentConfig
    from agents.runs.files import prepare_folder
    from agents.runs.lineup import line_up
    from stackelberg_envs.faces.registration import spec

    if options.id is None:
        raise ArgumentError("run: the following arguments are required: ID, or --resume FOLDER")
    if options.checkpoint_every is not None and options.output is None:
        raise ArgumentError("--checkpoint-every: expected --output FOLDER too, for the checkpoints")
    options.id = spec(options.id).id
    names = (
        "leader",
        "follower",
        "updates",
        "steps_per_update",
        "seed",
        "parametrisation",
        "leader_process",
        "timeout",
    )
    arguments = {
        "game": options.id,
        **{name: getattr(options, name) for name in names},
        "game_arguments": read_pairs(options.game_pairs, "--set"),
        "leader_options": read_pairs(options.leader_pairs, "--leader-option"),
        "follower_options": read_pairs(options.follower_pairs, "--follower-option"),
    }
    lineup = line_up(make_config(ExperimentConfig, arguments, "run"))
    arguments["follower"] = options.follower = lineup.follower_name
    if options.output is not None:
        prepare_folder(options.output)
    return (
        lineup.game,
        lineup.level,
        {**arguments, "output": options.output, "checkpoint_every": options.checkpoint_every},
    )


def _checked_resume(options: argparse.Namespace) -> tuple[AnyGame, Information, dict[str, Any]]:
    """Return the same for a run that was stopped; `options` are completed with what that run was told."""
    from agents.runs.lineup import line_up
    from agents.runs.running import stored_config

    allowed = {"command", "defaults", "resume", "quiet", "checkpoint_every", "modules", "trust"}
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
    options.output, options.updates = options.resume, config.updates
    options.leader, options.follower = config.leader, lineup.follower_name
    more = {"resume": options.resume, "checkpoint_every": options.checkpoint_every, "trust": options.trust}
    return lineup.game, lineup.level, more


def _run_or_say(options: argparse.Namespace, arguments: dict[str, Any], watch: _Watch) -> RunRecord:
    """Run; if that fails, say where the record of what there was lies."""
    import agents

    try:
        return agents.run(progress=watch, **arguments)
    except BaseException:
        watch.hide()
        if options.output is not None and watch.started:
            _complain(f"the run failed; what it had is in {Path(options.output) / 'record.json'}")
        raise


def _exit_code(interrupts: Signals) -> int:
    return SIGNALLED + (signal.SIGINT if interrupts.received is None else interrupts.received)


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
    from agents.pictures.plotting import plot_run

    try:
        return plot_run(record, Path(output) / PICTURE, game)
    except StackelbergError as exc:
        _complain(f"no picture: {exc}")
        return None


def _result_table(record: RunRecord) -> Table:
    from agents.runs.summary import rows

    table = _table("Result", "", "", "")
    table.show_header = False
    table.columns[1].justify = "right"
    for name, value, meaning in rows(record):
        table.add_row(name, value, Text(meaning, style="dim"))
    return table


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


# plot


def _plot(options: argparse.Namespace, console: Console) -> int:
    from agents.pictures.plotting import plot_learning_curve, require_matplotlib
    from agents.runs.records import prepare_folder
    from stackelberg_envs.validation import checked_path

    require_matplotlib()
    records = [_load(path) for path in options.records]
    path = checked_path(options.output, "--output")
    prepare_folder(path.parent)
    console.print(f"Picture: {plot_learning_curve(records, path)}", soft_wrap=True)
    return 0


def _load(path: str) -> RunRecord:
    from agents.runs.records import load_record

    try:
        record = load_record(path)
    except OutputError as exc:
        raise OutputError(str(exc) if path in str(exc) else f"{path}: {exc}") from exc
    if not len(record.curve.get("observed_steps", ())):
        raise OutputError(f"{path}: expected at least one leader update, but this run ({record.status}) had none")
    return record


# gradients


def _gradients(options: argparse.Namespace, console: Console) -> int:
    from agents.runs.gradients import PICTURE as FIGURE
    from agents.runs.gradients import compare, plot_comparison
    from agents.runs.records import prepare_folder
    from stackelberg_envs.faces.registration import spec

    entry = spec(options.id)
    game = entry.make(**read_pairs(options.game_pairs, "--set"))
    leaders = [name.strip() for name in options.leaders.split(",") if name.strip()]
    if options.output is not None:
        prepare_folder(options.output)
    found = compare(game, leaders, _sizes(options.sizes), seeds=options.seeds, point_seed=options.seed)
    console.print(_gradient_table(found))
    console.print(
        "Cosine and relative error: median over seeds, and interquartile range. Bias and spread: relative to the norm "
        f"of the exact gradient; their squares add up to the mean squared error. {found.meaning}",
        soft_wrap=True,
    )
    if options.output is not None:
        console.print(f"Numbers: {found.save(options.output)}", soft_wrap=True)
        console.print(f"Picture: {plot_comparison(found, Path(options.output) / FIGURE)}", soft_wrap=True)
    return 0


def _sizes(text: str) -> list[int]:
    try:
        return [count(part.strip()) for part in text.split(",")]
    except argparse.ArgumentTypeError as exc:
        raise ArgumentError(f"--sizes: {exc}") from None


def _gradient_table(found: Comparison) -> Table:
    title = f"Estimates of dJ/dtheta in {found.game}"
    table = _table(title, "leader", "level of information", "steps", "cosine", "relative error", "bias", "spread")
    for row in found.rows:
        measured = [_quartiles(row.cosine), _quartiles(row.relative_error), f"{row.bias:.3f}", f"{row.spread:.3f}"]
        table.add_row(row.leader, row.information, f"{row.size:,}", *measured)
    return table


def _quartiles(values: Array) -> str:
    import numpy as np

    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75]) + 0.0
    return f"{middle:.3f} ({low:.3f} to {high:.3f})"


def _complain(message: str) -> None:
    console = Console(stderr=True, highlight=False, markup=False, emoji=False)
    with suppress(OSError):  # nobody listens
        console.print(f"stackelberg: {on_one_line(message)}", soft_wrap=True)


#: Command -> what does it and returns the exit code.
ACTIONS: dict[str, Callable[[argparse.Namespace, Console], int]] = {
    "list": _list,
    "show": _show,
    "run": _run,
    "plot": _plot,
    "gradients": _gradients,
    "demo": _demo,
}


if __name__ == "__main__":
    sys.exit(main())
