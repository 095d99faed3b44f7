"""What a report shows: the runs of a benchmark, put together so that the page stays small however many there are."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from stackelberg_envs.arrays import Array

from ..entries import Entry, Selection, select
from ..groups import Group
from ..statistics import band, values_at
from ..store import Store

__all__ = [
    "ALL_RECORDS",
    "MOST_POINTS",
    "NO_SUITE",
    "Block",
    "Contents",
    "Curve",
    "Origin",
    "curve_of",
    "gather",
    "grid_of",
    "spread",
    "steady_band",
]

#: Name of the suite where a store knows of no sweep.
ALL_RECORDS = "all records"
#: Name of the suite of the jobs that no sweep knows of, where others do.
NO_SUITE = "of no suite"
#: Points of a curve; where checkpoints are more, a logarithmic grid takes their place.
MOST_POINTS = 24
#: Runs up to which a band is bootstrapped; of more, the closed form says the same and takes no time.
MOST_RESAMPLED = 50


class Curve(NamedTuple):
    """Interquartile mean over runs at each cost, with its 95 % interval; NaN where a run says nothing."""

    costs: Array
    middle: Array
    low: Array
    high: Array


@dataclass
class Origin:
    """Where numbers come from: how many records have each version, commit, machine and engine, and what they cost."""

    counts: dict[str, Counter[str]] = field(default_factory=dict)
    seconds: float = 0.0
    processor_seconds: float = 0.0
    peak_memory: int = 0
    first: str = ""
    last: str = ""

    def add(self, entry: Entry) -> None:
        """Count a record."""
        told = entry.provenance
        for name, version in told.versions.items():
            self._count(f"version of {name}", version)
        self._count("commit", told.commit or "none")
        machine = ", ".join(f"{name} {value}" for name, value in told.machine.items())
        self._count("machine", machine)
        self._count("engine", told.engine)
        self.seconds += told.seconds
        self.processor_seconds += told.processor_seconds
        self.peak_memory = max(self.peak_memory, told.peak_memory)
        self.first = min(self.first or told.started, told.started)
        self.last = max(self.last, told.started)

    def _count(self, name: str, value: str) -> None:
        self.counts.setdefault(name, Counter())[value] += 1


@dataclass(frozen=True)
class Block:
    """Runs that may be compared: of a suite, or of a task.

    Attributes
    ----------
    name, suites
        The suite, or the task with the suites that it occurs in.
    group
        What has their scores.
    followers, budgets
        By which it is found: those that its runs have; of a leaderboard none where they differ. Budgets in follower
        steps.
    parts_by
        What it is a part by, of "follower" and "budget": where runs differ in these, each part has a leaderboard, too.
    finished
        Entrant -> its runs that finished, by their seeds.
    failed
        Entrant -> number of its jobs that did not finish.
    """

    name: str
    suites: list[str]
    group: Group
    followers: list[str]
    budgets: list[int]
    parts_by: list[str]
    finished: dict[str, list[Entry]]
    failed: Counter[str]


@dataclass(frozen=True)
class Contents:
    """All of a report but its words.

    Attributes
    ----------
    selection
        What was read.
    suites
        Those that occur.
    boards, blocks
        What may be compared, by suite and by task.
    failures
        Jobs that did not finish.
    origin
        Where it was computed.
    """

    selection: Selection
    suites: list[str]
    boards: list[Block]
    blocks: list[Block]
    failures: list[Entry]
    origin: Origin


def gather(store: Store) -> Contents:
    """Return what a report of a store shows.

    Raises
    ------
    OutputError
        A record is damaged.
    """
    selection, origin = select(store), Origin()
    for entry in selection.entries:
        origin.add(entry)
    members = _members(store, selection)
    boards = [board for suite, entries in members.items() for board in _boards(suite, entries, selection)]
    failures = [entry for entry in selection.entries if entry.status != "finished"]
    return Contents(selection, list(members), boards, list(_blocks(members, selection)), failures, origin)


def spread(entries: Sequence[Entry], most: int) -> list[Entry]:
    """Return at most so many runs, by their seeds; of more, evenly by their rank, the worst and the best among them."""
    if len(entries) <= most:
        return list(entries)
    ranked = sorted(entries, key=lambda entry: -math.inf if math.isnan(entry.value) else entry.value)
    places = np.unique(np.round(np.linspace(0, len(ranked) - 1, most)).astype(int))
    return sorted((ranked[place] for place in places), key=lambda entry: entry.job.seed)


def steady_band(curves: Array) -> tuple[Array, Array, Array]:
    """Return the interquartile mean of curves (runs, points) at each point, and the ends of its 95 % interval.

    Up to :data:`MOST_RESAMPLED` runs it is bootstrapped. Of more it is that of a trimmed mean of many runs, from their
    winsorised variance (Tukey and McLaughlin 1963).
    """
    count = len(curves)
    if count <= MOST_RESAMPLED:
        return band(curves)
    cut = count // 4
    ordered = np.sort(curves, axis=0)
    middle = ordered[cut : count - cut].mean(axis=0)
    winsorised = np.clip(ordered, ordered[cut], ordered[count - cut - 1]).std(axis=0, ddof=1)
    width = 1.96 * winsorised / ((1.0 - 2.0 * cut / count) * math.sqrt(count))
    return middle, middle - width, middle + width


def curve_of(runs: Iterable[tuple[Array, Array]], grid: Array) -> Curve:
    """Return the interquartile mean of runs, each (costs, values), where every one of them says something.

    A run that costs nothing has been where it is from the start, and ends nowhere.
    """
    curves = [
        np.where((grid <= costs[-1]) | (costs[-1] == 0.0), values_at(costs, values, grid), np.nan)
        for costs, values in map(_known, runs)
        if costs.size
    ]
    known = np.isfinite(curves).all(axis=0) & bool(curves)
    if not known.any():
        return Curve(*np.zeros((4, 0)))
    return Curve(grid[known], *steady_band(np.stack(curves)[:, known]))


def _known(run: tuple[Array, Array]) -> tuple[Array, Array]:
    known = np.isfinite(run[0]) & np.isfinite(run[1])
    return run[0][known], run[1][known]


def grid_of(costs: Iterable[Array]) -> Array:
    """Return the costs at which curves are told: those of the checkpoints above zero, or a grid if they are many."""
    found = np.unique(np.concatenate([np.zeros(0), *costs]))
    found = found[found > 0.0]
    if found.size <= MOST_POINTS:
        return found
    grid = np.geomspace(found[0], found[-1], MOST_POINTS)
    grid[0], grid[-1] = found[0], found[-1]
    return grid


def _members(store: Store, selection: Selection) -> dict[str, list[Entry]]:
    """Return suite -> its entries; a job may belong to several."""
    of_suite: dict[str, set[str]] = {}
    for sweep in store.sweeps():
        of_suite.setdefault(sweep.name, set()).update(sweep.jobs)
    found = {suite: [entry for entry in selection.entries if entry.address in jobs] for suite, jobs in of_suite.items()}
    claimed = set().union(*of_suite.values()) if of_suite else set()
    rest = [entry for entry in selection.entries if entry.address not in claimed]
    found |= {ALL_RECORDS if not of_suite else NO_SUITE: rest} if rest else {}
    return {suite: entries for suite, entries in found.items() if entries}


def _groups(entries: list[Entry], selection: Selection) -> Iterator[tuple[Group, list[Entry]]]:
    members: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        members.setdefault((entry.information, entry.setting), []).append(entry)
    for key in sorted(members):
        yield Group(*key, members[key], selection), members[key]


def _boards(suite: str, entries: list[Entry], selection: Selection) -> Iterator[Block]:
    """Yield the leaderboard of each group, then those of its parts, by follower and by budget, where it has several."""
    for group, members in _groups(entries, selection):
        whole = _block(suite, [suite], group, members)
        followers, budgets = whole.followers, whole.budgets
        for follower, budget in itertools.product(_each(followers), _each(budgets)):
            part = [e for e in members if follower in (None, e.job.follower) and budget in (None, e.job.steps)]
            if part:
                yield dataclasses.replace(
                    _block(suite, [suite], Group(group.information, group.setting, part, selection), part),
                    followers=followers if len(followers) == 1 else [follower] * (follower is not None),
                    budgets=budgets if len(budgets) == 1 else [budget] * (budget is not None),
                    parts_by=["follower"] * (follower is not None) + ["budget"] * (budget is not None),
                )


def _each(values: Sequence[Any]) -> list[Any]:
    """Return None, for all of them, and each of several."""
    return [None, *values] if len(values) > 1 else [None]


def _blocks(members: dict[str, list[Entry]], selection: Selection) -> Iterator[Block]:
    suites: dict[str, list[str]] = {}
    for suite, entries in members.items():
        for entry in entries:
            suites.setdefault(entry.address, []).append(suite)
    by_task: dict[str, list[Entry]] = {task: [] for task in selection.tasks}
    for entry in selection.entries:
        by_task.setdefault(entry.job.task, []).append(entry)
    for task, entries in by_task.items():
        for group, found in _groups(entries, selection):
            names = sorted({suite for entry in found for suite in suites.get(entry.address, [])})
            yield _block(task, names, group, found)


def _block(name: str, suites: list[str], group: Group, entries: list[Entry]) -> Block:
    finished: dict[str, list[Entry]] = {entrant: [] for entrant in group.entrants}
    for entry in sorted(entries, key=lambda entry: (entry.job.seed, entry.job.task)):
        if entry.status == "finished":
            finished[entry.entrant].append(entry)
    return Block(
        name=name,
        suites=suites,
        group=group,
        followers=sorted({entry.job.follower for entry in entries}),
        budgets=sorted({entry.job.steps for entry in entries}),
        parts_by=[],
        finished=finished,
        failed=Counter(entry.entrant for entry in entries if entry.status != "finished"),
    )
