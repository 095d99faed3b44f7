"""The sections of a report, as HTML: leaderboard, profiles, a section per task, failures, provenance."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

import numpy as np

from stackelberg_envs.arrays import Array

from ..entries import Entry
from ..statistics import Estimate, aggregates, profile
from ..store import Store
from .charts import (
    COLOURS,
    SYMBOLS,
    Chart,
    Line,
    averages_chart,
    column_chart,
    curves_chart,
    profiles_chart,
    style_of,
)
from .contents import Block, Contents, Curve, curve_of, grid_of, spread
from .drawings import Drawings
from .markup import (
    Cell,
    data_table,
    details,
    escaped,
    figure,
    fixed,
    late_details,
    link,
    picture,
    shown,
    sortable_table,
)

__all__ = ["Sections"]

#: Bounds of the whole page, shared evenly by its leaders and tasks: lines of single runs, links to records, pictures.
MOST_LINES, MOST_LINKS, MOST_PICTURES = 3_000, 3_000, 60
#: The same for one leader on one task.
LINES_EACH, LINKS_EACH, PICTURES_EACH = 30, 100, 6
#: Share of the way from the start to the best known value that no chart shows.
ROUNDING = 1e-9
#: Failures whose tracebacks are on the page.
MOST_TRACEBACKS = 200
THRESHOLDS = np.linspace(0.0, 1.05, 22)
COSTS_SHOWN = {
    "observed_steps": "observed steps",
    "leader_updates": "leader updates",
    "follower_responses": "best responses",
    "seconds": "seconds",
}
#: Costs that curves are told over, the first that was spent, and what stands at the axis.
COST_LABELS = {
    "observed_steps": "follower steps observed",
    "leader_updates": "leader updates",
    "seconds": "seconds",
}
AVERAGES_HEADS = ("IQM", "median", "worst seed", "optimality gap", "runs", "failures")


class Sections:
    """Writes what a report shows.

    Parameters
    ----------
    contents
        What there is.
    store
        Where its records are.
    address
        Address of a job -> the address of its file as the page links to it.
    """

    def __init__(self, contents: Contents, store: Store, address: Callable[[str], str]) -> None:
        self._contents, self._store, self._address = contents, store, address
        self._styles = {name: style_of(i) for i, name in enumerate(contents.selection.entrants)}
        self._drawings = Drawings()
        series = sum(len(block.finished) for block in contents.blocks) or 1
        self._lines_each = min(LINES_EACH, MOST_LINES // series)
        self._links_each = max(1, min(LINKS_EACH, MOST_LINKS // series))
        self._pictures_each = max(1, min(PICTURES_EACH, MOST_PICTURES // (len(contents.blocks) or 1)))
        self._pictures_left = MOST_PICTURES

    @cached_property
    def _averages(self) -> list[dict[str, dict[str, Estimate]]]:
        """Entrant -> averages of its scores, for each board."""
        return [_averages_of(board) for board in self._contents.boards]

    def leaderboard(self) -> str:
        """Return the table of all leaders, which can be sorted and filtered."""
        heads = ["leader", *AVERAGES_HEADS, *(f"{name} per run" for name in COSTS_SHOWN.values())]
        bodies = [
            (_title(board), _attributes(board), self._rows(board, found))
            for board, found in zip(self._contents.boards, self._averages, strict=True)
        ]
        return sortable_table("Leaderboard", heads, bodies)

    def filters(self) -> str:
        """Return native controls, one for each thing that tells runs apart."""
        boards = self._contents.boards
        choices = {
            "suite": [suite for board in boards for suite in board.suites],
            "information": [board.group.information for board in boards],
            "follower": [name for board in boards for name in board.followers],
            "budget": [f"{budget:,}" for budget in sorted({b for board in boards for b in board.budgets})],
        }
        controls = []
        for name, values in choices.items():
            options = "".join(f"<option>{escaped(value)}</option>" for value in dict.fromkeys(values))
            controls.append(
                f'<label for="filter-{name}">{name.capitalize()}</label><select id="filter-{name}" '
                f'data-filter="{name}"><option value="">all</option>{options}</select>'
            )
        return "".join(f'<div class="control">{control}</div>' for control in controls)

    def averages(self) -> str:
        """Return a chart of interquartile means for each board."""
        parts = []
        for i, (board, found) in enumerate(zip(self._contents.boards, self._averages, strict=True)):
            rows = {name: averages["interquartile_mean"] for name, averages in found.items()}
            if rows:
                told = f"Interquartile means of {len(rows)} leaders with their 95 % intervals, as in the leaderboard."
                table = [[escaped(name), _interval(estimate)] for name, estimate in rows.items()]
                data = data_table("Interquartile means", ["leader", "IQM [95 %]"], table)
                chart = averages_chart(rows, self._styles)
                parts.append(_block_of(board, figure(f"averages-{i}", _title(board), told, chart, data)))
        return "".join(parts)

    def profiles(self) -> str:
        """Return performance profiles for each board."""
        parts = []
        for i, board in enumerate(self._contents.boards):
            scores = {name: board.group.scores(name, board.group.tasks) for name in board.group.entrants}
            rows = {name: profile(found, THRESHOLDS) for name, found in scores.items() if found}
            if rows:
                told = f"Shares of runs of {len(rows)} leaders that score above each threshold; higher is better."
                table = _profile_table(rows)
                chart = profiles_chart(THRESHOLDS, rows, self._styles)
                parts.append(_block_of(board, figure(f"profiles-{i}", _title(board), told, chart, table)))
        return "".join(parts)

    def tasks(self) -> str:
        """Return a section for each task."""
        by_task: dict[str, list[str]] = {}
        for i, block in enumerate(self._contents.blocks):
            by_task.setdefault(block.name, []).append(_block_of(block, self._block(f"task-{i}", block)))
        return "".join(
            f'<section class="task" id="{task_id(i)}"><h2>{escaped(task)}</h2>'
            + self._facts(task)
            + "".join(parts)
            + "</section>"
            for i, (task, parts) in enumerate(by_task.items())
        )

    def task_links(self) -> str:
        """Return links to the sections of :meth:`tasks`."""
        tasks = dict.fromkeys(block.name for block in self._contents.blocks)
        return "".join(f"<li>{link('#' + task_id(i), task)}</li>" for i, task in enumerate(tasks))

    def failures(self) -> str:
        """Return what did not finish, with tracebacks."""
        failed = len(self._contents.failures)
        found = self._contents.failures[:MOST_TRACEBACKS]
        if not failed:
            return "<p>Every job that was tried has finished.</p>"
        rows = [
            [
                escaped(entry.job.entrant),
                escaped(entry.job.task),
                str(entry.job.seed),
                escaped(entry.status),
                escaped(entry.error or ""),
                details("Traceback", f"<pre>{escaped(entry.traceback or 'none')}</pre>"),
                link(self._address(entry.address), "record"),
            ]
            for entry in found
        ]
        heads = ["leader", "task", "seed", "ended by", "error", "traceback", "record"]
        cut = f"<p>The first {len(found):,} of {failed:,} are shown.</p>" if failed > len(found) else ""
        return cut + data_table(f"{failed:,} jobs that did not finish", heads, rows)

    def provenance(self) -> str:
        """Return where the numbers come from."""
        origin = self._contents.origin
        rows = [
            [escaped(name), escaped(value), f"{count:,}"]
            for name, values in origin.counts.items()
            for value, count in values.most_common(20)
        ]
        told = (
            f"Done from {origin.first} to {origin.last}, in {shown(origin.seconds)} seconds of jobs and "
            f"{shown(origin.processor_seconds)} of processors; the largest job had "
            f"{origin.peak_memory / 2**20:,.0f} MiB."
        )
        table = data_table("What the records were made with", ["what", "which", "records"], rows)
        return f"<p>{escaped(told)}</p>{table}"

    def _rows(self, board: Block, found: Mapping[str, Mapping[str, Estimate]]) -> list[list[Cell]]:
        names = sorted(board.group.entrants, key=lambda name: -_value(found, name))
        return [self._row(board, name, found.get(name, {})) for name in names]

    def _row(self, block: Block, name: str, found: Mapping[str, Estimate]) -> list[Cell]:
        group = block.group
        none = Estimate(math.nan)
        middle, median, gap = (found.get(key, none) for key in ("interquartile_mean", "median", "optimality_gap"))
        scores = group.scores(name, group.tasks)
        worst = min((float(task.min()) for task in scores), default=math.nan)
        finished, asked = len(block.finished[name]), sum(len(group.seeds[task]) for task in group.tasks)
        counted = f"{finished}" if finished == asked else f"{finished} of {asked}, incomplete"
        return [
            Cell(f"{_mark(*self._styles[name])} {escaped(name)}", name),
            Cell(_interval(middle), middle.value),
            Cell(fixed(median.value), median.value),
            Cell(fixed(worst), worst),
            Cell(fixed(gap.value), gap.value),
            Cell(counted, finished),
            Cell(str(block.failed[name]), block.failed[name]),
            *_costs(block.finished[name]),
        ]

    def _facts(self, task: str) -> str:
        scale = self._contents.selection.scales.get(task)
        if scale is None:
            return "<p>No job on this task has finished.</p>"
        best = "Best of these records, for no best known value was told" if scale.is_relative else "Best known value"
        return f"<p>Start: J = {shown(scale.start, 6)}. {best}: J = {shown(scale.best, 6)} (reward units).</p>"

    def _block(self, name: str, block: Block) -> str:
        found = _averages_of(block)
        heads = ["leader", *AVERAGES_HEADS, *(f"{cost} per run" for cost in COSTS_SHOWN.values())]
        table = sortable_table(f"{block.name}: scores", heads, [("", "", self._rows(block, found))])
        order = sorted(found, key=lambda entrant: -_value(found, entrant))
        parts = [f"<h3>{escaped(_title(block))}</h3>", table, self._curves(name, block)]
        further = "".join(self._column(name, block, column) for column in ("response_gap", "gradient_cosine"))
        parts.append(f'<div class="charts">{further}</div>')
        return "".join([*parts, self._pictures(block, order), self._records(block)])

    def _curves(self, name: str, block: Block) -> str:
        grid, cost = _grid(block), _cost(block)
        lines = {}
        for entrant, entries in block.finished.items():
            recommended = curve_of([_column_of(entry, "recommended_value", cost) for entry in entries], grid)
            announced = curve_of([_column_of(entry, "announced_value", cost) for entry in entries], grid)
            if recommended.costs.size:
                lines[entrant] = Line(recommended, announced, self._seeds(entries, grid, cost))
        if not lines:
            return "<p>No curve is known.</p>"
        scale = self._contents.selection.scales[block.name]
        levels = {"best of these records" if scale.is_relative else "best known": scale.best, "start": scale.start}
        told = (
            f"J of the recommended commitments of {len(lines)} leaders on {block.name} over the {COST_LABELS[cost]}, "
            f"as solid lines with 95 % bands, of the announced ones dashed; "
            f"the best known value is {shown(scale.best, 6)}."
        )
        table = _curve_table({entrant: line.recommended for entrant, line in lines.items()}, COST_LABELS[cost])
        note = "Solid: recommended; dashed: announced; bands: 95 %. " + self._told_of_runs(block)
        chart = curves_chart(lines, self._styles, levels, COST_LABELS[cost])
        title = f"{block.name}: value over the {COST_LABELS[cost]}"
        return figure(f"{name}-curves", title, told, chart, table) + f'<p class="note">{escaped(note)}</p>'

    def _told_of_runs(self, block: Block) -> str:
        most = max(map(len, block.finished.values()))
        if most <= self._lines_each:
            return "Every run can be shown."
        return (
            f"Of each leader, {self._lines_each} of up to {most:,} runs can be shown, its worst and best among them: "
            "the page has room for no more."
        )

    def _seeds(self, entries: Sequence[Entry], grid: Array, cost: str) -> dict[int, tuple[Array, Array]]:
        found = {}
        for entry in spread(entries, self._lines_each):
            curve = curve_of([_column_of(entry, "recommended_value", cost)], grid)
            found[entry.job.seed] = curve.costs, curve.middle
        return found

    def _column(self, name: str, block: Block, column: str) -> str:
        """Return a chart of a column of the records, nothing where no leader has it."""
        grid, cost, curves, title = _grid(block), _cost(block), {}, column.replace("_", " ")
        for entrant, entries in block.finished.items():
            curve = curve_of([_column_of(entry, column, cost) for entry in entries], grid)
            if curve.costs.size:
                curves[entrant] = curve
        if not curves:
            return ""
        scale = self._contents.selection.scales[block.name]
        if scale.is_usable and all(np.abs(curve.middle).max() < ROUNDING * scale.span[1] for curve in curves.values()):
            return f"<p>The {title} is zero, but for rounding, for every leader at every checkpoint.</p>"
        told = f"The {title} of {len(curves)} leaders on {block.name} over the {COST_LABELS[cost]}, with 95 % bands."
        chart: Chart = column_chart(curves, self._styles, title, COST_LABELS[cost])
        return figure(
            f"{name}-{column}", f"{block.name}: {title}", told, chart, _curve_table(curves, COST_LABELS[cost])
        )

    def _pictures(self, block: Block, order: Sequence[str]) -> str:
        """Return the commitment of the best run of each of the best leaders."""
        names = order[: min(self._pictures_each, self._pictures_left)]
        parts = [drawn for entrant in names if (drawn := self._picture(block, entrant, is_first=entrant == order[0]))]
        self._pictures_left -= len(parts)
        if not parts:
            return ""
        shown_of = f"The best run of {len(parts)} of {len(order)} leaders." if len(parts) < len(order) else ""
        told = f"<h4>What was learned</h4><p>The best run of each leader. {shown_of}</p>"
        return f'{told}<div class="pictures">{"".join(parts)}</div>'

    def _picture(self, block: Block, entrant: str, *, is_first: bool) -> str:
        """Return the commitment of a leader's best run; of the first leader also what the environment makes of it."""
        best = max(block.group.scored(entrant, block.name), key=lambda entry: entry.score)
        result = self._store.load(best.address).result
        drawn = "" if result is None else self._drawings.draw(best.job, result)
        if result is None or not drawn:
            return ""
        told = f"Commitment that {entrant} recommends on {block.name}, seed {best.job.seed}"
        record = link(self._address(best.address), "record")
        text = f"{entrant}, seed {best.job.seed}: score {fixed(best.score)}, J = {shown(best.value, 6)}"
        made = picture(drawn, told, f"{_mark(*self._styles[entrant])} {escaped(text)} ({record})")
        environment = self._drawings.environment(best.job, result) if is_first else ""
        told = f"{block.name} under this commitment, as the environment draws itself"
        return made + (picture(environment, told, escaped(told)) if environment else "")

    def _records(self, block: Block) -> str:
        rows, total = [], 0
        for entrant, entries in block.finished.items():
            total += len(entries)
            for entry in spread(entries, self._links_each):
                files = link(self._address(entry.address), entry.address[:8])
                rows.append([escaped(entrant), str(entry.job.seed), fixed(entry.score), shown(entry.value, 6), files])
        heads = ["leader", "seed", "score", "J", "record"]
        cut = f"{len(rows):,} of {total:,}" if len(rows) < total else f"{total:,}"
        return late_details(f"Records: {cut} runs", data_table(f"{block.name}: runs", heads, rows))


def task_id(index: int) -> str:
    """Return what links to the section of a task go to."""
    return f"section-{index}"


def _averages_of(block: Block) -> dict[str, dict[str, Estimate]]:
    scores = {name: block.group.scores(name, block.group.tasks) for name in block.group.entrants}
    return {name: aggregates(found) for name, found in scores.items() if found}


def _value(found: Mapping[str, Mapping[str, Estimate]], name: str) -> float:
    return found[name]["interquartile_mean"].value if name in found else -math.inf


def _title(block: Block) -> str:
    """Return what the runs of a block have in common."""
    setting = f"; {block.group.setting}" if block.group.setting else ""
    told = {"follower": ", ".join(block.followers), "budget": ", ".join(f"{each:,} steps" for each in block.budgets)}
    parts = "".join(f"; {name} {told[name]}" for name in block.parts_by)
    return f"{', '.join(block.suites)}: {block.group.information}{setting}{parts}"


def _attributes(block: Block) -> str:
    """Return what filters look at, as attributes of an element; each is a list, since a block may have several."""
    values = {
        "suite": block.suites,
        "information": [block.group.information],
        "follower": block.followers,
        "budget": [f"{budget:,}" for budget in block.budgets],
    }
    values["by"] = block.parts_by
    return "data-filtered " + " ".join(f'data-{name}="{escaped(json.dumps(found))}"' for name, found in values.items())


def _block_of(block: Block, markup: str) -> str:
    return f'<div class="block" {_attributes(block)}>{markup}</div>'


def _interval(estimate: Estimate, told: Callable[[float], str] = fixed) -> str:
    if not math.isfinite(estimate.low):
        return told(estimate.value)
    ends = f"{told(estimate.low)}, {told(estimate.high)}"
    return f'{told(estimate.value)} <span class="interval">[{ends}]</span>'


def _costs(entries: Sequence[Entry]) -> list[Cell]:
    found = []
    for name in COSTS_SHOWN:
        ends = [entry.curve[name][-1] for entry in entries if entry.curve[name].size]
        mean = float(np.mean(ends)) if ends else math.nan
        found.append(Cell(shown(mean), mean))
    return found


def _mark(colour: str, symbol: str) -> str:
    """Return the symbol of a leader in charts, as text."""
    style = f"color: light-dark({colour}, {COLOURS[colour]})"
    return f'<span class="mark" aria-hidden="true" style="{style}">{SYMBOLS[symbol]}</span>'


def _column_of(entry: Entry, name: str, cost: str) -> tuple[Array, Array]:
    return entry.curve[cost], entry.curve[name]


def _cost(block: Block) -> str:
    """Return the cost over which curves are told: leaders that know the game observe nothing."""
    entries = [entry for found in block.finished.values() for entry in found]
    return next((cost for cost in COST_LABELS if any((e.curve[cost] > 0.0).any() for e in entries)), "observed_steps")


def _grid(block: Block) -> Array:
    cost = _cost(block)
    return grid_of([entry.curve[cost] for entries in block.finished.values() for entry in entries])


def _curve_table(curves: Mapping[str, Curve], cost: str) -> str:
    """Return a row per cost and a column per leader."""
    costs = np.unique(np.concatenate([curve.costs for curve in curves.values()]))
    cells = {
        name: dict(zip(curve.costs.tolist(), zip(curve.middle, curve.low, curve.high, strict=True), strict=True))
        for name, curve in curves.items()
    }
    missing = (math.nan, math.nan, math.nan)
    rows = [
        [shown(spent), *(_interval(Estimate(*found.get(spent, missing)), shown) for found in cells.values())]
        for spent in costs.tolist()
    ]
    return data_table("Interquartile means [95 %]", [cost, *curves], rows)


def _profile_table(rows: Mapping[str, tuple[Array, Array, Array]]) -> str:
    told = [
        [f"{threshold:.2f}", *(_interval(Estimate(*(column[i] for column in found))) for found in rows.values())]
        for i, threshold in enumerate(THRESHOLDS.tolist())
    ]
    return data_table("Shares of runs above a score", ["score", *rows], told)
