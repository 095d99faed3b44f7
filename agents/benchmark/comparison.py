"""``agents.compare``: the records of a folder as tables, tests and figures."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from stackelberg_envs.errors import ArgumentError, unknown_name

from ..observing.brief import Information
from .entries import Entry, Selection, select
from .groups import SHARES, Group, PairedTest
from .records import COSTS
from .scores import ROUNDING, NewBest, TaskScale, new_best
from .statistics import (
    AVERAGES,
    Estimate,
    Reach,
    aggregates,
    chance_above,
    reach,
)
from .store import Store
from .tables import MARK, Column, Entrant, Improvement, PValue, Runs, Table, render

__all__ = ["Comparison", "Score", "compare"]

#: What the mark of a leader says.
INCOMPLETE = (
    "some runs are missing, did not finish, or are of another level of information; the numbers are of the others."
)
#: Notes of one kind that are written out.
MOST_NOTES = 5


class Score(NamedTuple):
    """One job of a comparison.

    Attributes
    ----------
    information, setting
        Group that it is compared in.
    entrant, task, seed
        Whose it is.
    status
        "finished", or what ended it.
    score
        NaN unless it finished.
    leader_value
        In reward units; NaN unless it finished.
    address
        Of its record.
    """

    information: str
    setting: str
    entrant: str
    task: str
    seed: int
    status: str
    score: float
    leader_value: float
    address: str


class Comparison:
    """What the records of a benchmark say of its leaders.

    It shows itself as a table, in a terminal and in a notebook.

    Parameters
    ----------
    selection
        What is compared.
    new_best
        Commitments that are worth more than any known before.

    Attributes
    ----------
    groups
        Runs that may be compared, by level of information.
    scales
        Task -> what counts as 0 and as 1.
    new_best
        As above.
    notes
        Sentences on what is missing, relative or new.
    """

    def __init__(self, selection: Selection, new_best: list[NewBest]) -> None:
        self.scales: dict[str, TaskScale] = selection.scales
        self.new_best = new_best
        self._selection = selection
        members: dict[tuple[str, str], list[Entry]] = {}
        for entry in selection.entries:
            members.setdefault((entry.information, entry.setting), []).append(entry)
        levels = {level.name: int(level) for level in Information}
        order = sorted(members, key=lambda key: (levels.get(key[0], len(levels)), key))
        self.groups = [Group(*key, members[key], selection) for key in order]
        self.notes = _notes(selection, new_best)

    def __repr__(self) -> str:
        """Return the table for a terminal."""
        return self.table()

    def _repr_html_(self) -> str:
        return self.table("html")

    @property
    def scores(self) -> list[Score]:
        """Each job, finished or not: for arrays and data frames of one's own."""
        return [
            Score(
                entry.information,
                entry.setting,
                entry.entrant,
                entry.job.task,
                entry.job.seed,
                entry.status,
                entry.score,
                entry.value,
                entry.address,
            )
            for entry in self._selection.entries
        ]

    def table(
        self,
        format: str = "terminal",  # noqa: A002 - the word that people look for
        *,
        against: str | None = None,
        by_task: bool = False,
        cost: str = "observed_steps",
    ) -> str:
        """Return the comparison as text: a table for each level of information, best leader first.

        Parameters
        ----------
        format
            "terminal", "markdown", "latex", "html", or "csv" with all digits.
        against
            Leader that the probability of improvement is over, and that the paired tests ask for. By default the
            probability is over the first leader of each table, and there are no tests.
        by_task
            A table for each task, too.
        cost
            What it took to come halfway and further is told in: one of :data:`agents.benchmark.records.COSTS`.

        Raises
        ------
        UnknownNameError
            A format, leader or cost that there is not.
        """
        return render(self.tables(against=against, by_task=by_task, cost=cost), self.notes, format)

    def tables(self, *, against: str | None = None, by_task: bool = False, cost: str = "observed_steps") -> list[Table]:
        """Return what :meth:`table` writes, before it is text."""
        if cost not in COSTS:
            raise unknown_name("cost", cost, COSTS)
        tests = [] if against is None else self.paired_test(against)
        found = []
        for group in self.groups:
            parts = [[task] for task in group.tasks] if by_task and len(group.tasks) > 1 else []
            found += [_table(group, tasks, against, cost) for tasks in (group.tasks, *parts)]
            asked = [test for test in tests if (test.information, test.setting) == (group.information, group.setting)]
            found += [_test_table(asked, group)] if asked else []
        return found

    def paired_test(self, entrant: str) -> list[PairedTest]:
        """Return whether a leader is better than each other one at its level of information.

        A permutation test over runs that share task and seed, every task with the same weight, one-sided, with Holm's
        correction for the number of others.

        Raises
        ------
        UnknownNameError
            A leader that is not compared.
        """
        known = [name for group in self.groups for name in group.entrants]
        if entrant not in known:
            raise unknown_name("leader", entrant, set(known))
        return [test for group in self.groups if entrant in group.entrants for test in group.paired_tests(entrant)]

    def plot(self, path: str | Path, what: str = "curves", *, cost: str = "observed_steps") -> Path:
        """Draw a figure of at most 14 leaders.

        Parameters
        ----------
        path
            Image file; its suffix chooses the format (.pdf, .png, .svg).
        what
            "curves": a panel per task, J against the cost; "profiles": shares of runs above each score, and every run.
        cost
            Of the curves' horizontal axis: one of :data:`agents.benchmark.records.COSTS`.

        Returns
        -------
        Path
            The file written.

        Raises
        ------
        ArgumentError
            Nothing to draw, more leaders than can be told apart, or a format that matplotlib does not know.
        UnknownNameError
            Another figure or cost.
        OutputError
            The file cannot be written.
        MissingExtraError
            matplotlib is not installed.
        """
        from .figure import draw

        if cost not in COSTS:
            raise unknown_name("cost", cost, COSTS)
        return draw(self.groups, self.scales, path, what, cost)


def compare(
    folder: str | Path,
    suite: str | None = None,
    *,
    leaders: Sequence[str] | None = None,
    tasks: Sequence[str] | None = None,
) -> Comparison:
    """Return what the records of a benchmark say of its leaders.

    Parameters
    ----------
    folder
        Where :func:`agents.sweep` has put them.
    suite
        Name of a sweep, where the folder has several that are not to be put together.
    leaders, tasks
        Names of those to compare, in the order of tables; all by default.

    Raises
    ------
    OutputError
        No benchmark, or a record that is damaged.
    UnknownNameError
        A suite, leader or task that is not there.
    ArgumentError
        A folder in which nothing has been run.
    """
    store = Store(folder)
    selection = select(store, suite, leaders, tasks)
    if not selection.entries:
        raise ArgumentError(f"{store.folder}: expected at least one job that was run, got none")
    above = [entry.address for entry in selection.entries if entry.score > 1.0 + ROUNDING]
    return Comparison(selection, new_best(map(store.load, above), selection.scales))


def _notes(selection: Selection, found: list[NewBest]) -> list[str]:
    """Return what a reader of the tables has to know."""
    notes = ["Scores: 0 is the start, 1 the best known value. Intervals: 95 %, over seeds."]
    for item in found[:MOST_NOTES]:
        told = "" if item.is_exact else ", as estimated"
        notes.append(
            f"New best known value on {item.task}{told}: {item.value:.6g} in place of {item.best_known:.6g}, by "
            f"{item.entrant}, seed {item.seed}, record {item.address}."
        )
    notes += [f"... and on {len(found) - MOST_NOTES} more tasks."] if len(found) > MOST_NOTES else []
    for scale in selection.scales.values():
        if scale.is_relative and scale.is_usable:
            notes.append(f"{scale.task}: no best known value; 1 is the best of these records, {scale.best:.6g}.")
        if not scale.is_usable:
            notes.append(f"{scale.task}: no scores, from {scale.start} at the start to {scale.best} at best.")
    estimated = sorted({e.job.task for e in selection.entries if e.status == "finished" and not e.is_exact})
    notes += [f"{', '.join(estimated)}: values are estimates."] if estimated else []
    failed = [entry for entry in selection.entries if entry.status != "finished"]
    for entry in failed[:MOST_NOTES]:
        why = f"{entry.status} ({entry.error})" if entry.error else f"{entry.status}."
        notes.append(f"{entry.entrant}, {entry.job.task}, seed {entry.job.seed}: {why}")
    notes += [f"... and {len(failed) - MOST_NOTES} more jobs that did not finish."] if len(failed) > MOST_NOTES else []
    notes += [f"{selection.missing} jobs have not been run."] if selection.missing else []
    for name, count in selection.outdated.items():
        notes.append(f"{count} records of older versions of {name} are left out.")
    return notes + _sources(selection)


def _sources(selection: Selection) -> list[str]:
    """Return a note if the runs were made with several states of this package, whose leaders may differ."""
    finished = [entry.provenance for entry in selection.entries if entry.status == "finished"]
    states = Counter((told.versions.get("stackelberg-envs", "?"), told.commit[:12]) for told in finished)
    if len(states) < 2:
        return []
    most = states.most_common(MOST_NOTES)
    told = ", ".join(f"{version} {commit}".strip() + f" ({count})" for (version, commit), count in most)
    return [f"The runs were made with {len(states)} states of this package, whose leaders may differ: {told}."]


def _table(group: Group, tasks: Sequence[str], against: str | None, cost: str) -> Table:
    """Return the rows of a group's leaders over some tasks, best first; those that are not complete come last."""
    rows = {name: aggregates(found) for name in group.entrants if (found := group.scores(name, tasks))}
    order = sorted(
        rows, key=lambda name: (not _is_complete(group, name, tasks), -rows[name]["interquartile_mean"].value)
    )
    reference = against if against in rows else next(iter(order), "")
    words = cost.replace("_", " ")
    columns = [
        Column("leader", "leader"),
        Column("interquartile_mean", "IQM [95 %]"),
        Column("median", "median"),
        Column("mean", "mean"),
        Column("worst", "worst"),
        Column("optimality_gap", "gap"),
        Column("area", "area"),
        Column("improvement", f"P(> {reference})"),
        *(Column(f"{cost}_to_{100 * share:g}", f"{words if i == 0 else ''} to {100 * share:g} %".strip())
          for i, share in enumerate(SHARES)),
        Column("runs", "runs"),
    ]  # fmt: skip
    cells = [_row(group, name, rows[name], tasks, reference, cost) for name in order]
    absent = [name for name in group.entrants if name not in rows]
    cells += [(Entrant(name, False), *[""] * (len(columns) - 2), _runs(group, name, tasks)) for name in absent]
    is_complete = all(row[0].is_complete for row in cells)
    notes = [] if is_complete else [f"{MARK} {INCOMPLETE}"]
    return Table(group.labels | {"tasks": _tasks_in_words(tasks)}, columns, cells, notes)


def _tasks_in_words(tasks: Sequence[str]) -> str:
    return ", ".join(tasks) if len(tasks) < MOST_NOTES else f"{len(tasks)} tasks"


def _is_complete(group: Group, entrant: str, tasks: Sequence[str]) -> bool:
    return all(len(group.scored(entrant, task)) == len(group.seeds[task]) for task in tasks)


def _row(
    group: Group, entrant: str, found: dict[str, Estimate], tasks: Sequence[str], reference: str, cost: str
) -> tuple[Any, ...]:
    own = group.tasks_of(entrant, tasks)
    averages = {name: found[name] for name in AVERAGES}
    return (
        Entrant(entrant, _is_complete(group, entrant, tasks)),
        averages["interquartile_mean"],
        averages["median"].value,
        averages["mean"].value,
        float(min(task.min() for task in group.scores(entrant, own))),
        averages["optimality_gap"].value,
        float(np.mean([group.area(entrant, task, cost) for task in own])),
        _improvement(group, entrant, reference, own),
        *_reaches(group, entrant, own, cost),
        _runs(group, entrant, tasks),
    )


def _improvement(group: Group, entrant: str, reference: str, tasks: Sequence[str]) -> Improvement:
    common = group.tasks_of(reference, tasks)
    if entrant == reference or not common:
        return Improvement(math.nan, reference)
    return Improvement(float(chance_above(group.scores(entrant, common), group.scores(reference, common))), reference)


def _reaches(group: Group, entrant: str, tasks: Sequence[str], cost: str) -> list[Reach]:
    found = [group.reached(entrant, task, cost) for task in tasks]
    hits, spent = (np.concatenate([pair[i] for pair in found]) for i in (0, 1))
    return [reach(hits[:, i], spent) for i in range(len(SHARES))]


def _runs(group: Group, entrant: str, tasks: Sequence[str]) -> Runs:
    return Runs(sum(len(group.scored(entrant, task)) for task in tasks), sum(len(group.seeds[task]) for task in tasks))


def _test_table(tests: Sequence[PairedTest], group: Group) -> Table:
    columns = (
        Column("other", f"is {tests[0].entrant} better than"),
        Column("difference", "difference of scores [95 %]"),
        Column("improvement", "P(better) [95 %]"),
        Column("p_value", "p"),
        Column("adjusted", "p, Holm"),
        Column("pairs", "pairs"),
        Column("pair_tasks", "tasks"),
    )
    rows = [
        (t.other, t.difference, t.improvement, PValue(t.p_value), PValue(t.adjusted), t.pairs, t.tasks) for t in tests
    ]
    return Table(group.labels | {"test of": tests[0].entrant}, columns, rows)
