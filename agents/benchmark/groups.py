"""Runs that may be compared: of one level of information, and of one setting where tasks have several."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from stackelberg_envs.arrays import Array

from .entries import Entry, Selection
from .statistics import (
    Estimate,
    area_on_log_axis,
    difference,
    first_reaching,
    holm,
    improvement,
    paired_p_value,
)

__all__ = ["SHARES", "Group", "PairedTest"]

#: Shares of the way from the start to the best known value whose costs are told.
SHARES = (0.5, 0.9, 0.95)


class PairedTest(NamedTuple):
    """Whether one leader is better than another, over runs of the same task and seed.

    Attributes
    ----------
    information, setting
        Group in which both are.
    entrant, other
        The question is whether the first is better.
    difference
        Of scores, averaged over tasks, with its interval.
    improvement
        Probability that a run of the first scores above one of the second, whatever their seeds, with its interval.
    p_value, adjusted
        One-sided; the second after Holm's correction over all others of the group. NaN without pairs.
    pairs, tasks
        How many there were.
    """

    information: str
    setting: str
    entrant: str
    other: str
    difference: Estimate
    improvement: Estimate
    p_value: float
    adjusted: float
    pairs: int
    tasks: int


class Group:
    """Runs that may be compared: of one level of information, and of one setting where tasks have several.

    Attributes
    ----------
    information, setting
        What they have in common.
    tasks, entrants
        Those that occur, in the order of tables.
    seeds
        Task -> the seeds that any leader was asked to run.
    """

    def __init__(self, information: str, setting: str, entries: Sequence[Entry], selection: Selection) -> None:
        self.information, self.setting = information, setting
        self._entries: dict[tuple[str, str], list[Entry]] = {}
        for entry in sorted(entries, key=lambda entry: entry.job.seed):
            self._entries.setdefault((entry.entrant, entry.job.task), []).append(entry)
        self.tasks = [task for task in selection.tasks if any(key[1] == task for key in self._entries)]
        self.entrants = [name for name in selection.entrants if any(key[0] == name for key in self._entries)]
        self._scales = selection.scales
        self._along: dict[tuple[str, str, str], list[tuple[Array, Array]]] = {}
        self._ranges: dict[tuple[str, str], tuple[float, float]] = {}
        self.seeds: dict[str, set[int]] = {task: set() for task in self.tasks}
        for entry in entries:
            self.seeds[entry.job.task].add(entry.job.seed)

    @property
    def labels(self) -> dict[str, str]:
        """What the group's tables have in common."""
        return {"information": self.information, "setting": self.setting}

    def scored(self, entrant: str, task: str) -> list[Entry]:
        """Return a leader's runs that have a score, by their seeds."""
        return [entry for entry in self._entries.get((entrant, task), []) if not math.isnan(entry.score)]

    def scores(self, entrant: str, tasks: Iterable[str]) -> list[Array]:
        """Return the scores of a leader's runs, by their seeds, on those tasks on which it has some."""
        return [
            np.array([entry.score for entry in self.scored(entrant, task)]) for task in self.tasks_of(entrant, tasks)
        ]

    def tasks_of(self, entrant: str, tasks: Iterable[str]) -> list[str]:
        """Return those tasks on which a leader has a score."""
        return [task for task in tasks if self.scored(entrant, task)]

    def pairs(self, entrant: str, other: str) -> list[Array]:
        """Return the differences of scores between two leaders' runs of the same task and seed, by task."""
        found = []
        for task in self.tasks:
            mine, theirs = ({e.job.seed: e.score for e in self.scored(name, task)} for name in (entrant, other))
            found.append(np.array([mine[seed] - theirs[seed] for seed in sorted(set(mine) & set(theirs))]))
        return [differences for differences in found if differences.size]

    def reached(self, entrant: str, task: str, cost: str) -> tuple[Array, Array]:
        """Return what each run had cost when it had made each of :data:`SHARES`, (runs, shares), and in all."""
        start, width = self._scales[task].span
        targets = [start + share * width for share in SHARES]
        runs = self._curves(entrant, task, cost)
        hits = [[first_reaching(*curve, target) for target in targets] for curve in runs]
        return np.array(hits), np.array([costs[-1] if costs.size else math.nan for costs, _ in runs])

    def area(self, entrant: str, task: str, cost: str) -> float:
        """Return the mean area under a leader's curves of scores over the logarithm of a cost."""
        low, high = self.range(task, cost)
        start, width = self._scales[task].span
        areas = [area_on_log_axis(*curve, low, high) for curve in self._curves(entrant, task, cost)]
        return (float(np.mean(areas)) - start) / width

    def range(self, task: str, cost: str) -> tuple[float, float]:
        """Return the least cost above zero and the largest, over all checkpoints of a task; NaN where there is none."""
        if (task, cost) not in self._ranges:
            found = [costs for name in self.entrants for costs, _ in self._curves(name, task, cost)]
            costs = np.concatenate([np.zeros(0), *found])
            costs = costs[costs > 0.0]
            ends = (float(costs.min()), float(costs.max())) if costs.size else (math.nan, math.nan)
            self._ranges[task, cost] = ends
        return self._ranges[task, cost]

    def _curves(self, entrant: str, task: str, cost: str) -> list[tuple[Array, Array]]:
        """Return what each run cost and recommended along the way."""
        key = entrant, task, cost
        if key not in self._along:
            self._along[key] = [run.recommended(cost) for run in self.scored(entrant, task)]
        return self._along[key]

    def paired_tests(self, entrant: str) -> list[PairedTest]:
        """Return whether a leader is better than each other one."""
        others = {name: self.pairs(entrant, name) for name in self.entrants if name != entrant}
        p_values = {name: paired_p_value(pairs) for name, pairs in others.items() if pairs}
        adjusted = dict(zip(p_values, holm(list(p_values.values())), strict=True))
        return [
            PairedTest(
                self.information,
                self.setting,
                entrant,
                other,
                difference(pairs) if pairs else Estimate(math.nan),
                self._improvement(entrant, other),
                p_values.get(other, math.nan),
                adjusted.get(other, math.nan),
                sum(map(len, pairs)),
                len(pairs),
            )
            for other, pairs in others.items()
        ]

    def _improvement(self, entrant: str, other: str) -> Estimate:
        tasks = self.tasks_of(entrant, self.tasks_of(other, self.tasks))
        if not tasks:
            return Estimate(math.nan)
        return improvement(self.scores(entrant, tasks), self.scores(other, tasks))
