"""What a comparison keeps of each job: arrays of what is compared, and under which names it stands in tables."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import unknown_name

from .jobs import Job
from .records import COSTS, JobRecord, Provenance
from .scores import TaskScale, score, task_scales
from .store import Store, Sweep, TaskFacts

__all__ = ["UNKNOWN_LEVEL", "Entry", "Selection", "merged_facts", "select"]

#: Of a leader of which nothing finished.
UNKNOWN_LEVEL = "UNKNOWN"
#: Columns of a curve that comparisons read.
COLUMNS = (*COSTS, "announced_value", "recommended_value", "response_gap", "gradient_cosine")
#: What of a job is the leader's own and may differ from task to task; settings of the task, which all leaders share.
OF_LEADER = ("leader", "leader_options", "parametrisation", "steps_per_update", "checkpoints_per_decade")
OF_TASK = ("game", "game_arguments", "follower", "follower_options", "steps")
#: Name of somebody's own code, and its hash: of several versions the newest counts.
VERSIONS = (("leader", "leader_code"), ("follower", "follower_code"), ("game", "game_digest"))


@dataclass(slots=True, kw_only=True, eq=False)
class Entry:
    """One job.

    Attributes
    ----------
    job, address, status, error, traceback, provenance
        As in its record.
    entrant, setting
        Names in tables: the leader's, with options only where leaders of one name differ in them; and what differs
        between records of one task, as its follower or its budget, "" where nothing does.
    information
        Level; of a job that did not finish, that of the leader's other jobs.
    value, score
        Of the recommended commitment at the end; NaN where there is none.
    is_exact
        Whether values are no estimates.
    curve
        Columns of :data:`COLUMNS`, NaN where unknown; empty unless the job finished.
    """

    job: Job
    address: str
    status: str
    error: str | None
    traceback: str | None
    provenance: Provenance
    entrant: str
    information: str
    value: float
    is_exact: bool
    curve: dict[str, Array]
    setting: str = ""
    score: float = math.nan

    def known(self, column: str, cost: str) -> tuple[Array, Array]:
        """Return costs and values of a column of the curve, at the checkpoints where it is known."""
        values = self.curve[column]
        known = np.isfinite(values) & np.isfinite(self.curve[cost])
        return self.curve[cost][known], values[known]

    def recommended(self, cost: str) -> tuple[Array, Array]:
        """Return costs and J of what was recommended, at the checkpoints where it is known."""
        return self.known("recommended_value", cost)


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What is compared.

    Attributes
    ----------
    name
        Of the suite, or "".
    entries
        Finished and failed jobs.
    scales
        Of each task with a finished job.
    tasks, entrants
        In the order of tables.
    missing
        Number of jobs of the sweeps that have neither finished nor failed.
    outdated
        Name of somebody's own code -> number of records of older versions of it, which are left out.
    """

    name: str
    entries: list[Entry]
    scales: dict[str, TaskScale]
    tasks: list[str]
    entrants: list[str]
    missing: int
    outdated: dict[str, int]


def select(
    store: Store, suite: str | None = None, leaders: Sequence[str] | None = None, tasks: Sequence[str] | None = None
) -> Selection:
    """Read the records of a store that are to be compared.

    Parameters
    ----------
    store
        Where.
    suite
        Name of sweeps; all records of the store by default.
    leaders, tasks
        Names of those to compare; all by default.

    Raises
    ------
    UnknownNameError
        A suite, leader or task of which the store has nothing.
    OutputError
        A record that is damaged.
    """
    sweeps = _sweeps(store, suite)
    asked = {address for sweep in sweeps for address in sweep.jobs}
    merged = Sweep(name=suite or "", tasks=merged_facts(sweeps), entrants=[], jobs=[])
    entries: list[Entry] = []
    scales = task_scales(_reading(store, None if suite is None else asked, entries), merged)
    entries += [_entry(record) for record in store.failures() if suite is None or record.address in asked]
    missing = len(asked - {entry.address for entry in entries})
    entries, outdated = _newest(entries)
    _name(entries)
    _tell_levels(entries)
    for entry in entries:
        if not math.isnan(entry.value):
            entry.score = score(entry.value, scales[entry.job.task])
    entrants = _in_order((who.name for sweep in sweeps for who in sweep.entrants), (e.entrant for e in entries))
    chosen_leaders = _chosen("leader", entrants, leaders)
    known = _in_order((task.name for task in merged.tasks), (entry.job.task for entry in entries))
    chosen_tasks = _chosen("task", known, tasks)
    return Selection(
        name=suite or "",
        entries=[e for e in entries if e.entrant in chosen_leaders and e.job.task in chosen_tasks],
        scales={task: scales[task] for task in chosen_tasks if task in scales},
        tasks=chosen_tasks,
        entrants=chosen_leaders,
        missing=missing,
        outdated=outdated,
    )


def _sweeps(store: Store, suite: str | None) -> list[Sweep]:
    sweeps = store.sweeps()
    found = [sweep for sweep in sweeps if suite in (None, sweep.name)]
    if suite is not None and not found:
        raise unknown_name("suite", suite, {sweep.name for sweep in sweeps})
    return found


def merged_facts(sweeps: list[Sweep]) -> list[TaskFacts]:
    """Return what sweeps say of their tasks, where several do the newest."""
    merged: dict[str, TaskFacts] = {}
    for task in (task for sweep in sweeps for task in sweep.tasks):
        old = merged.get(task.name, task)
        start = old.start if task.start is None else task.start
        best = old.best_known if task.best_known is None else task.best_known
        merged[task.name] = TaskFacts(name=task.name, start=start, best_known=best, note=task.note or old.note)
    return list(merged.values())


def _reading(store: Store, asked: set[str] | None, entries: list[Entry]) -> Iterator[JobRecord]:
    """Yield finished records one after the other, of which only the entries stay."""
    if asked is None:
        records = store.records()
    else:
        records = (store.load(address) for address in sorted(asked) if store.has(address))
    for record in records:
        entries.append(_entry(record))
        yield record


def _entry(record: JobRecord) -> Entry:
    result = record.result
    value = None if result is None else result.leader_value
    return Entry(
        job=record.job,
        address=record.address,
        status=record.status,
        error=record.error,
        traceback=record.traceback,
        provenance=record.provenance,
        entrant=record.job.entrant,
        information=UNKNOWN_LEVEL if result is None else result.information,
        value=math.nan if value is None else value,
        is_exact=result is not None and result.is_exact,
        curve={} if result is None else {name: np.array(result.curve[name], dtype=np.float64) for name in COLUMNS},
    )


def _newest(entries: list[Entry]) -> tuple[list[Entry], dict[str, int]]:
    """Leave out what was done with older versions of somebody's own leaders, followers and games."""
    outdated: Counter[str] = Counter()
    for name, version in VERSIONS:
        newest: dict[str, tuple[str, str]] = {}
        for entry in entries:
            key = getattr(entry.job, name)
            newest[key] = max(newest.get(key, ("", "")), (entry.provenance.started, getattr(entry.job, version)))
        is_new = [getattr(entry.job, version) == newest[getattr(entry.job, name)][1] for entry in entries]
        outdated.update(getattr(entry.job, name) for entry, new in zip(entries, is_new, strict=True) if not new)
        entries = [entry for entry, new in zip(entries, is_new, strict=True) if new]
    return entries, dict(outdated)


def _name(entries: list[Entry]) -> None:
    """Give entries settings and names that tell them apart, as far as their seeds do not."""
    for entry, text in zip(entries, _labels(entries, lambda entry: ("", entry.job.task), OF_TASK), strict=True):
        entry.setting = text
    options = _labels(entries, lambda entry: (entry.entrant, (entry.job.task, entry.setting)), OF_LEADER)
    for entry, text in zip(entries, options, strict=True):
        entry.entrant += f" ({text})" if text else ""


def _labels(entries: list[Entry], place: Callable[[Entry], tuple[str, Hashable]], names: Sequence[str]) -> list[str]:
    """Return "option=value, ..." for each entry: of the options that differ between entries of one place.

    A place has an owner, whose options are told in all of its places if they differ in one.
    """
    values: dict[tuple[str, Hashable], dict[str, set[str]]] = {}
    given = [_flat(entry.job, names) for entry in entries]
    for entry, flat in zip(entries, given, strict=True):
        found = values.setdefault(place(entry), {})
        for key in {*found, *flat}:
            found.setdefault(key, set()).add(flat.get(key, ""))
    differing: dict[str, set[str]] = {}
    for (owner, _), found in values.items():
        differing.setdefault(owner, set()).update(key for key, kinds in found.items() if len(kinds) > 1)
    told = [sorted(differing[place(entry)[0]] & set(flat)) for entry, flat in zip(entries, given, strict=True)]
    return [", ".join(f"{key}={flat[key]}" for key in keys) for keys, flat in zip(told, given, strict=True)]


def _flat(job: Job, names: Sequence[str]) -> dict[str, str]:
    """Return fields of a job as text, those that are dicts entry by entry."""
    flat: dict[str, str] = {}
    for name in names:
        value = getattr(job, name)
        for key, item in value.items() if isinstance(value, dict) else [(name, value)]:
            flat[key] = item if isinstance(item, str) else msgspec.json.encode(item, order="deterministic").decode()
    return flat


def _tell_levels(entries: list[Entry]) -> None:
    """Give what did not finish the level of information of the leader's other jobs, those of the task first."""
    levels: dict[Hashable, str] = {}
    for entry in entries:
        if entry.information != UNKNOWN_LEVEL:
            levels[entry.entrant, entry.job.task] = levels[entry.entrant] = entry.information
    for entry in entries:
        if entry.information == UNKNOWN_LEVEL:
            of_leader = levels.get(entry.entrant, UNKNOWN_LEVEL)
            entry.information = levels.get((entry.entrant, entry.job.task), of_leader)


def _in_order(told: Iterable[str], names: Iterable[str]) -> list[str]:
    """Return the names that occur: those that sweeps told in their order, then others by the alphabet."""
    there = set(names)
    return list(dict.fromkeys([*(each for each in told if each in there), *sorted(there)]))


def _chosen(kind: str, known: list[str], asked: Sequence[str] | None) -> list[str]:
    for name in asked or ():
        if name not in known:
            raise unknown_name(kind, name, known)
    return known if asked is None else list(dict.fromkeys(asked))
