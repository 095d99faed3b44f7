"""Pictures of runs: learning curves, and what the leader learned."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import ArgumentError, StackelbergError
from stackelberg_envs.games.vector import AnyGame

from ..runs.records import RunRecord
from .commitments import draw_commitment
from .figures import BEST, FINAL, LEARNED, MUTED, PALETTE, SEEN, new_figure, save
from .labels import groups_of, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_learning_curve", "plot_run"]

LINES = ("-", "--", "-.", ":")
#: Entries of a legend, lines of one for which a picture has room, and the height of a further one, inches.
MOST_ENTRIES, FREE_LINES, LINE_HEIGHT = 40, 4, 0.21
#: Characters of a line of a legend below a picture of its own, and of an entry of which two stand side by side.
WHOLE_WIDTH, HALF_WIDTH = 88, 44
RETURN_LABEL = "leader return (discounted sum of rewards)"
STEPS_LABEL = "follower steps the leader has observed"


class _Curve(NamedTuple):
    """Leader return of each commitment against the steps observed before it was chosen."""

    steps: Array
    values: Array
    #: Whether these are observed returns.
    observed: bool = False

    def followed_by(self, steps: float, value: float) -> _Curve:
        return _Curve(np.append(self.steps, steps), np.append(self.values, value), self.observed)


def plot_learning_curve(records: RunRecord | Iterable[RunRecord], path: str | Path) -> Path:
    """Draw learning curves: a thin line per run, a bold line for the median of each group.

    Runs belong to one group when they differ in their seeds only; the legend names the options that differ between
    groups. The values are those of the announced commitments under the follower's policy, and last that of the
    commitment the run ends with. Horizontal lines show the best known return where a record has one.

    Parameters
    ----------
    records
        One run or several.
    path
        Image file; its suffix chooses the format (.png, .pdf, .svg).

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    ArgumentError
        No record, a record without a single leader update, or a format matplotlib does not know.
    OutputError
        The file cannot be written.
    MissingExtraError
        matplotlib is not installed.
    """
    runs = [records] if isinstance(records, RunRecord) else list(records)
    if not runs:
        raise ArgumentError("records: expected at least one, got none")
    curves = [_curve(record) for record in runs]
    figure = new_figure((8.0, 5.2))
    axes = figure.add_subplot()
    for style, (label, members) in zip(_styles(), groups_of(runs).items(), strict=False):
        _draw_group(axes, [curves[i] for i in members], label, style)
    _draw_best_known(axes, runs)
    games = sorted({record.game for record in runs})
    axes.set_title("Learning on " + ", ".join(games) if len(games) < 3 else "Learning curves", loc="left")
    _finish_curve(axes)
    return save(figure, path)


def plot_run(record: RunRecord, path: str | Path, game: AnyGame | None = None) -> Path:
    """Draw one run: its learning curve, and the commitment it ended with.

    Parameters
    ----------
    record
        The run.
    path
        Image file; its suffix chooses the format.
    game
        The game, if it is not one the record's id and arguments can make again. A game whose facts have
        "cells" is drawn as a map.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    ArgumentError
        A record without a single leader update or without a commitment.
    OutputError
        The file cannot be written.
    MissingExtraError
        matplotlib is not installed.
    """
    curve = _curve(record)
    if record.commitment is None:
        raise ArgumentError("record: expected a final commitment, got none")
    game = _remake(record) if game is None else game
    figure = new_figure((12.0, 5.8))
    left, right = figure.subplots(1, 2, width_ratios=(1.15, 1.0))
    name = record.game if game is None else game.name
    figure.suptitle(f"{name}: {record.leader} against {record.follower}, seed {record.seed}", fontsize=13)
    _draw_run_curve(left, record, curve)
    draw_commitment(right, np.asarray(record.commitment), game, record.names)
    return save(figure, path)


def _curve(record: RunRecord) -> _Curve:
    """Return the values of the announced commitments where they were computed, else the observed returns.

    The values end with that of the commitment which the run ends with, under the same follower, where it is known.
    """
    steps = np.asarray(record.curve.get("observed_steps", ()), dtype=np.float64)
    if not steps.size:
        raise ArgumentError("record: expected at least one leader update in its curve, got none")
    before = np.concatenate([[0.0], steps[:-1]])
    for name in ("leader_value", "observed_return"):
        values = np.asarray(record.curve.get(name, ()), dtype=np.float64)
        if values.shape == steps.shape and np.isfinite(values).any():
            known = np.isfinite(values)
            curve = _Curve(before[known], values[known], name == "observed_return")
            ends = name == "leader_value" and record.ends_with == "recommended" and record.actual_value is not None
            return curve.followed_by(steps[-1], float(record.actual_value or 0.0)) if ends else curve
    raise ArgumentError("record: expected a curve of leader_value or observed_return, got neither")


def _styles() -> Iterable[dict[str, Any]]:
    """Return colours, and where those are used up, other kinds of line."""
    for line in cycle(LINES):
        for colour in PALETTE:
            yield {"color": colour, "linestyle": line}


def _draw_group(axes: Axes, members: list[_Curve], label: str, style: dict[str, Any]) -> None:
    count = len(members)
    if any(member.observed for member in members):
        label += " (as observed)"
    if count == 1:
        axes.plot(members[0].steps, members[0].values, linewidth=2.2, label=wrapped(label, WHOLE_WIDTH), **style)
        return
    for member in members:
        axes.plot(member.steps, member.values, linewidth=0.8, alpha=0.45, **style)
    median = _median(members)
    axes.plot(
        median.steps,
        median.values,
        linewidth=2.6,
        label=wrapped(f"{label}: median of {count} runs", WHOLE_WIDTH),
        **style,
    )


def _median(members: list[_Curve]) -> _Curve:
    """Return the median over runs, on the steps that all of them reached."""
    first = max(member.steps[0] for member in members)
    last = min(member.steps[-1] for member in members)
    steps = np.unique(np.concatenate([member.steps for member in members]))
    steps = steps[(steps >= first) & (steps <= last)]
    return _Curve(steps, np.median([np.interp(steps, member.steps, member.values) for member in members], axis=0))


def _draw_best_known(axes: Axes, runs: list[RunRecord]) -> None:
    known = sorted({(record.best_known, record.game) for record in runs if record.best_known is not None})
    many = len({game for _, game in known}) > 1
    for i, (value, game) in enumerate(known):
        label = f"best known{f' on {game}' if many else ''}: {value:.4g}"
        style: dict[str, Any] = {"color": BEST if len(runs) == 1 else MUTED, "linestyle": (0, (6, 3 + 3 * (i % 4)))}
        axes.axhline(value, label=wrapped(label, WHOLE_WIDTH), **style)


def _draw_run_curve(axes: Axes, record: RunRecord, curve: _Curve) -> None:
    total = np.asarray(record.curve["observed_steps"], dtype=np.float64)
    seen = np.asarray(record.curve.get("observed_return", ()), dtype=np.float64)
    if seen.shape == total.shape:
        before = np.concatenate([[0.0], total[:-1]])
        cut = "" if record.horizon is None else f", episodes cut at {record.horizon} steps"
        axes.plot(before, seen, color=SEEN, linewidth=0.9, alpha=0.55, label=wrapped(f"announced, as observed{cut}"))
    if not curve.observed:
        told = record.meanings.get("curve.leader_value", "exact, against the follower as it played")
        label = "announced: " + told.partition(": ")[2] if ": " in told else f"announced: {told}"
        axes.plot(curve.steps, curve.values, color=LEARNED, linewidth=2.4, label=wrapped(label))
    _draw_recommended(axes, record, total)
    lines = [("start", record.start_value, ":"), ("neutral commitment", record.neutral_value, "-.")]
    for name, value, line in lines:
        if value is not None and not (line == "-." and value == record.start_value):
            axes.axhline(value, color=MUTED, linestyle=line, linewidth=1.6, label=f"{name}: {value:.4g}")
    _draw_best_known(axes, [record])
    if record.leader_value is not None:
        _draw_final(axes, total[-1], record)
    axes.set_title("How the leader learned", loc="left")
    _finish_curve(axes)


def _draw_recommended(axes: Axes, record: RunRecord, steps: Array) -> None:
    """Draw what the leader would have recommended after each update; it ends in the final value."""
    values = np.asarray(record.curve.get("recommended_value", ()), dtype=np.float64)
    known = np.isfinite(values)
    if values.shape == steps.shape and known.sum() > 1:
        style: dict[str, Any] = {"color": FINAL, "linewidth": 1.3, "linestyle": "--"}
        axes.plot(steps[known], values[known], label="recommended: exact best response, no end", **style)


def _draw_final(axes: Axes, steps: float, record: RunRecord) -> None:
    whose = "last one played" if record.ends_with == "announced" else "final"
    how = record.meanings.get("leader_value", "exact, play without end, against the best response")
    exact = "exact best response" if "exact" in how else "estimated"
    axes.plot(
        [steps],
        [np.nan if record.leader_value is None else record.leader_value],
        color=FINAL,
        linestyle="none",
        marker="o",
        markersize=8,
        markeredgecolor="white",
        zorder=5,
        label=f"{whose}, {exact}: {record.leader_value:.4g}",
    )


def _finish_curve(axes: Axes) -> None:
    from matplotlib.ticker import EngFormatter

    axes.set_xlabel(STEPS_LABEL)
    axes.set_ylabel(RETURN_LABEL)
    axes.xaxis.set_major_formatter(EngFormatter(sep=" "))
    axes.set_xlim(left=0.0)
    axes.margins(y=0.08)
    axes.grid(color="#E4E4E4", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    _legend_below(axes)


def _legend_below(axes: Axes) -> None:
    """Put the legend below: inside, it would hide a line sooner or later. The picture grows with it."""
    from matplotlib.transforms import offset_copy

    handles, labels = axes.get_legend_handles_labels()
    if len(labels) > MOST_ENTRIES:
        left = len(labels) - MOST_ENTRIES + 1
        handles, labels = handles[: MOST_ENTRIES - 1], [*labels[: MOST_ENTRIES - 1]]
        handles.append(axes.plot([], [], color="none")[0])
        labels.append(f"and {left} more")
    longest = max((len(line) for label in labels for line in label.split("\n")), default=0)
    figure = axes.figure.figure
    columns = 2 if len(figure.axes) == 1 and longest <= HALF_WIDTH else 1
    rows = [labels[i : i + columns] for i in range(0, len(labels), columns)]
    lines = sum(max(label.count("\n") + 1 for label in row) for row in rows)
    if lines > FREE_LINES:
        width, height = figure.get_size_inches()
        figure.set_size_inches(width, height + LINE_HEIGHT * (lines - FREE_LINES))
    # In points: a share of the height would change while the layout is found.
    below = offset_copy(axes.transAxes, fig=figure, x=-24.0, y=-36.0, units="points")
    place: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (0.0, 0.0), "bbox_transform": below}
    axes.legend(handles, labels, ncols=columns, frameon=False, fontsize=9, **place)


def _remake(record: RunRecord) -> AnyGame | None:
    """Return the record's game, or None where it was no registered one."""
    from stackelberg_envs.faces.registration import stored_spec

    try:
        return stored_spec(record.game).make(**record.game_arguments)
    except (StackelbergError, TypeError):
        return None
