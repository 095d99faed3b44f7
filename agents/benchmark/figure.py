"""A paper's figure: a panel per task with every leader's curve, and performance profiles with every run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import ArgumentError, unknown_name
from stackelberg_envs.validation import checked_path

from ..pictures.figures import MUTED, PALETTE, new_figure, save
from ..pictures.labels import wrapped
from ..runs.records import prepare_folder
from .entries import Entry
from .groups import Group
from .scores import TaskScale
from .statistics import aggregates, band, interquartile_mean, profile, values_at

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["COLOURS", "draw"]

#: A colour and a marker for each leader. The first six are Okabe and Ito's; the others are as far as can be from all
#: before them, from black and from white, for people with any kind of colour vision. A test holds the distances.
COLOURS = (*PALETTE[:6], "#5A1E1E", "#000078", "#8700FF", "#962D69", "#1E2DB4", "#9678FF", "#694B00", "#3C1E4B")
MARKERS = "osD^vP*XphH<>d"
#: What the horizontal axis says of each cost.
AXES = {
    "leader_updates": "leader updates",
    "follower_responses": "best responses of the follower",
    "observed_steps": "follower steps the leader has observed",
    "follower_steps": "follower steps, observed or not",
    "seconds": "time (seconds)",
    "processor_seconds": "processor time (seconds)",
}
#: Inches: a panel, what stands beside all of them, a row of the legend, a character of it and the line before it.
PANEL, BESIDE, ROW, CHARACTER, HANDLE = (3.5, 2.6), (0.5, 0.7), 0.21, 0.075, 0.75
#: Ratio of costs below which an axis has more numbers than powers of ten.
NARROW = 100.0
#: Narrowest figure, inches, and the factor by which a horizontal axis goes beyond its ends.
LEAST_WIDTH, EDGE = 5.5, 1.06
#: Most panels of a row, markers on a curve, thresholds of a profile, characters of a label.
MOST_COLUMNS, MOST_MARKERS, THRESHOLDS, WIDTH = 3, 5, 101, 40
BEST_STYLE: dict[str, Any] = {"color": "black", "linestyle": (0, (1, 1.6)), "linewidth": 1.4}


class _Leader(NamedTuple):
    """One entry of the legend."""

    group: Group
    entrant: str
    label: str
    style: dict[str, Any]


def draw(groups: Sequence[Group], scales: dict[str, TaskScale], path: str | Path, what: str, cost: str) -> Path:
    """Draw one of the figures of :meth:`agents.benchmark.comparison.Comparison.plot`, and return where it is."""
    if what not in _FIGURES:
        raise unknown_name("figure", what, _FIGURES)
    path = checked_path(path, "picture")
    figure = _FIGURES[what](_leaders(groups), scales, cost)
    prepare_folder(path.parent)
    return save(figure, path)


def _leaders(groups: Sequence[Group]) -> list[_Leader]:
    """Return those that have scores, each with a style of its own."""
    found = [(g, name) for g in groups for name in g.entrants if g.tasks_of(name, g.tasks)]
    if not 1 <= len(found) <= len(COLOURS):
        raise ArgumentError(
            f"figure: expected 1 to {len(COLOURS)} leaders with scores, which can be told apart, got {len(found)}; "
            "choose them by their names (leaders)"
        )
    levels, settings = ({getattr(group, what) for group, _ in found} for what in ("information", "setting"))
    return [
        _Leader(
            group,
            name,
            _label(group, name, len(levels) > 1, len(settings) > 1),
            {"color": colour, "marker": marker, "markersize": 5},
        )
        for (group, name), colour, marker in zip(found, COLOURS, MARKERS, strict=False)
    ]


def _label(group: Group, name: str, with_level: bool, with_setting: bool) -> str:
    """Return a leader's name with its level of information and its setting, where the figure has several."""
    parts = [group.information] * with_level + [group.setting] * (with_setting and bool(group.setting))
    return wrapped(f"{name} ({'; '.join(parts)})" if parts else name, WIDTH)


def _curves(leaders: Sequence[_Leader], scales: dict[str, TaskScale], cost: str) -> Figure:
    tasks = [task for task in scales if any(each.group.scored(each.entrant, task) for each in leaders)]
    columns = min(MOST_COLUMNS, int(np.ceil(np.sqrt(len(tasks)))))
    rows = -(-len(tasks) // columns)
    width = max(columns * PANEL[0], LEAST_WIDTH)
    figure = new_figure((width + BESIDE[0], rows * PANEL[1] + BESIDE[1]))
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for i, (axes, task) in enumerate(zip(panels, tasks, strict=False)):
        _panel(axes, leaders, task, scales[task], cost)
        axes.set_xlabel(AXES[cost] if i + columns >= len(tasks) else "", fontsize=9)
        axes.set_ylabel("leader's return J (reward units)" if i % columns == 0 else "", fontsize=9)
    for axes in panels[len(tasks) :]:
        axes.set_axis_off()
    explained = [
        ("recommended commitment, 95 % band", {"color": MUTED, "linewidth": 1.8}),
        ("announced commitment", {"color": MUTED, "linewidth": 1.0, "linestyle": "--"}),
        ("best known value", BEST_STYLE),
    ]
    _legend(figure, leaders, explained)
    return figure


def _panel(axes: Axes, leaders: Sequence[_Leader], task: str, scale: TaskScale, cost: str) -> None:
    low, high = _range(leaders, task, cost)
    for i, leader in enumerate(leaders):
        runs = leader.group.scored(leader.entrant, task)
        if runs:
            _draw_leader(axes, leader, runs, cost, (low, high), i)
    if scale.best is not None and not scale.is_relative:
        axes.axhline(scale.best, zorder=1, **BEST_STYLE)
    axes.set_xscale("log")
    _label_costs(axes, low, high)
    axes.set_xlim(low / EDGE, high * EDGE)  # markers at the ends stay whole
    axes.margins(y=0.06)
    axes.set_title(wrapped(task, WIDTH), fontsize=10)
    _finish(axes)


def _label_costs(axes: Axes, low: float, high: float) -> None:
    """Write 1k, 10k ..., and where that would be few, 2k and 5k, too."""
    from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter

    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if high < NARROW * low else (1.0,)))
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _range(leaders: Sequence[_Leader], task: str, cost: str) -> tuple[float, float]:
    """Return the ends of a panel's axis: of leaders that cost nothing, any will do."""
    found = [leader.group.range(task, cost) for leader in leaders if task in leader.group.tasks]
    known = np.array([ends for ends in found if np.isfinite(ends).all()])
    if not known.size:
        return 1.0, 10.0
    low, high = float(known[:, 0].min()), float(known[:, 1].max())
    return (low, high) if low < high else (low / 2.0, high * 2.0)


def _draw_leader(
    axes: Axes, leader: _Leader, runs: Sequence[Entry], cost: str, ends: tuple[float, float], place: int
) -> None:
    """Draw the interquartile mean over seeds with its band, and that of the announced commitments without."""
    grid, curves = _on_grid(runs, "recommended_value", cost, ends)
    if grid.size:
        middle, low, high = band(curves)
        every = max(len(grid) // MOST_MARKERS, 1)
        # Markers of different leaders stand at different places, so that curves that coincide are seen.
        axes.plot(grid, middle, linewidth=1.8, markevery=(place % every, every), zorder=3, **leader.style)
        axes.fill_between(grid, low, high, color=leader.style["color"], alpha=0.16, linewidth=0, zorder=2)
    grid, curves = _on_grid(runs, "announced_value", cost, ends)
    if grid.size:
        announced = interquartile_mean([curves.T])
        axes.plot(grid, announced, color=leader.style["color"], linewidth=1.0, linestyle="--", alpha=0.85, zorder=2)


def _on_grid(runs: Sequence[Entry], column: str, cost: str, ends: tuple[float, float]) -> tuple[Array, Array]:
    """Return costs (points,) and J of each run there, (runs, points): what it was at the run's last checkpoint.

    Runs of which nothing is known are left out, and so are costs at which something is not known of the others.
    """
    known = [curve for run in runs if (curve := run.known(column, cost))[0].size]
    costs = np.concatenate([np.zeros(0), *(costs for costs, _ in known)])
    inside = costs[(costs > ends[0]) & (costs <= ends[1])]
    grid = np.unique([ends[0], *inside]) if inside.size else np.array(ends)
    curves = np.array([values_at(*curve, grid) for curve in known]).reshape(len(known), len(grid))
    there = np.isfinite(curves).all(axis=0) & bool(known)
    return grid[there], curves[:, there]


def _profiles(leaders: Sequence[_Leader], scales: dict[str, TaskScale], cost: str) -> Figure:
    del cost
    scored = [leader.group.scores(leader.entrant, scales) for leader in leaders]
    every = np.concatenate([task for tasks in scored for task in tasks])
    thresholds = np.linspace(min(every.min(), 0.0), max(every.max(), 1.0), THRESHOLDS)
    figure = new_figure((2 * PANEL[0] + 2.0 + BESIDE[0], PANEL[1] + max(0.9, 0.16 * len(leaders)) + BESIDE[1]))
    left, right = figure.subplots(1, 2)
    for i, (leader, tasks) in enumerate(zip(leaders, scored, strict=True)):
        shares, low, high = profile(tasks, thresholds)
        step = THRESHOLDS // MOST_MARKERS
        left.plot(thresholds, shares, linewidth=1.8, markevery=(i % step, step), **leader.style)
        left.fill_between(thresholds, low, high, color=leader.style["color"], alpha=0.16, linewidth=0)
        _draw_runs(right, leader, tasks, i)
    left.set_xlabel("score: 0 start, 1 best known value", fontsize=9)
    left.set_ylabel("share of runs with a higher score", fontsize=9)
    left.set_ylim(-0.03, 1.03)
    right.set_xlabel("score of each run; interquartile mean, 95 % interval", fontsize=9)
    right.set_ylim(len(leaders) - 0.4, -0.6)
    right.set_yticks(range(len(leaders)), [wrapped(leader.entrant, WIDTH // 2) for leader in leaders], fontsize=8)
    for axes in (left, right):
        axes.axvline(1.0, zorder=1, **BEST_STYLE)
        _finish(axes)
    _legend(figure, leaders, [("best known value", BEST_STYLE)])
    return figure


def _draw_runs(axes: Axes, leader: _Leader, tasks: Sequence[Array], place: int) -> None:
    scores = np.concatenate(tasks)
    # Beside each other, in the order in which they come: chance would move them from picture to picture.
    heights = place + 0.24 * np.linspace(-1.0, 1.0, len(scores)) if len(scores) > 1 else [place]
    style: dict[str, Any] = {"color": leader.style["color"], "zorder": 2}
    axes.scatter(scores, heights, s=12, alpha=0.55, linewidths=0, **style)
    found = aggregates(tasks)["interquartile_mean"]
    axes.plot([found.low, found.high], [place, place], linewidth=3.0, solid_capstyle="butt", **style)
    axes.plot([found.value], [place], marker="|", markersize=14, markeredgewidth=2.0, **style)


def _finish(axes: Axes) -> None:
    axes.grid(color="#E4E4E4", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)


def _legend(figure: Figure, leaders: Sequence[_Leader], explained: Sequence[tuple[str, dict[str, Any]]]) -> None:
    """Put the legend below all panels; the figure grows by its rows."""
    from matplotlib.lines import Line2D

    entries = [(leader.label, {"linewidth": 1.8, **leader.style}) for leader in leaders] + list(explained)
    longest = max(len(line) for label, _ in entries for line in label.split("\n"))
    width, height = figure.get_size_inches()
    columns = int(np.clip(width // (HANDLE + CHARACTER * longest), 1, len(entries)))
    lines = sum(
        max(label.count("\n") + 1 for label, _ in entries[i : i + columns]) for i in range(0, len(entries), columns)
    )
    figure.set_size_inches(width, height + ROW * lines)
    handles = [Line2D([], [], **style) for _, style in entries]
    labels = [label for label, _ in entries]
    figure.legend(handles, labels, loc="outside lower center", ncols=columns, frameon=False, fontsize=9)


_FIGURES: dict[str, Callable[[Sequence[_Leader], dict[str, TaskScale], str], Figure]] = {
    "curves": _curves,
    "profiles": _profiles,
}
