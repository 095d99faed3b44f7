"""What a report shows: the runs of a benchmark, put together so that the page stays small however many there are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import NamedTuple

import numpy as np

from agents.benchmark.entries import Entry, Selection, select
from agents.benchmark.groups import Group
from agents.benchmark.records import JobRecord
from agents.benchmark.statistics import band, values_at
from agents.benchmark.store import Store
from stackelberg_envs.arrays import Array

__all__ = ["ALL_RECORDS", "MOST_POINTS", "Block", "Contents", "Curve", "Origin", "curve_of", "gather", "grid_of"]

#: Name of the suite where a store knows of no sweep.
ALL_RECORDS = "all records"
#: Points of a curve; where checkpoints are more, a logarithmic grid takes their place.
MOST_POINTS = 24
#: Failures whose tracebacks are on the page.
MOST_TRACEBACKS = 200


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

    def add(self, record: JobRecord) -> None:
        """Count a record."""
        told = record.provenance
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
        Those that occur; budgets in follower steps.
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
    details
        Address of a finished job -> its columns "response_gap" and "gradient_cosine".
    failures, failed
        Jobs that did not finish, some of them where they are many; and how many there are.
    origin
        Where it was computed.
    """

    selection: Selection
    suites: list[str]
    boards: list[Block]
    blocks: list[Block]
    details: dict[str, tuple[Array, Array]]
    failures: list[JobRecord]
    failed: int
    origin: Origin


def gather(store: Store) -> Contents:
    """Return what a report of a store shows.

    Raises
    ------
    OutputError
        A record is damaged.
    """
    selection = select(store)
    kept = {entry.address for entry in selection.entries}
    origin, failed = Origin(), 0
    details: dict[str, tuple[Array, Array]] = {}
    failures: list[JobRecord] = []
    for record in chain(store.records(), store.failures()):
        if record.address not in kept:
            continue
        origin.add(record)
        if record.result is None:
            failed += 1
            failures += [record] if len(failures) < MOST_TRACEBACKS else []
        else:
            curve = record.result.curve
            details[record.address] = _column(curve["response_gap"]), _column(curve["gradient_cosine"])
    members = _members(store, selection)
    boards = [board for suite, entries in members.items() for board in _boards(suite, entries, selection)]
    return Contents(
        selection, list(members), boards, list(_blocks(members, selection)), details, failures, failed, origin
    )


def _column(values: list[float | None]) -> Array:
    return np.array(values, dtype=np.float64)


def curve_of(runs: Iterable[tuple[Array, Array]], grid: Array) -> Curve:
    """Return the interquartile mean of runs, each (costs, values), where every one of them says something."""
    curves = [
        np.where(grid <= costs[-1], values_at(costs, values, grid), np.nan)
        for costs, values in map(_known, runs)
        if costs.size
    ]
    known = np.isfinite(curves).all(axis=0) & bool(curves)
    if not known.any():
        return Curve(*np.zeros((4, 0)))
    return Curve(grid[known], *band(np.stack(curves)[:, known]))


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
    found |= {ALL_RECORDS if not of_suite else "of no suite": rest} if rest else {}
    return {suite: entries for suite, entries in found.items() if entries}


def _groups(entries: list[Entry], selection: Selection) -> Iterator[tuple[Group, list[Entry]]]:
    members: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        members.setdefault((entry.information, entry.setting), []).append(entry)
    for key in sorted(members):
        yield Group(*key, members[key], selection), members[key]


def _boards(suite: str, entries: list[Entry], selection: Selection) -> Iterator[Block]:
    for group, members in _groups(entries, selection):
        yield _block(suite, [suite], group, members)


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
        finished=finished,
        failed=Counter(entry.entrant for entry in entries if entry.status != "finished"),
    )
