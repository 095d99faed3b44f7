"""Scores: where a leader's value lies between a task's start, 0, and its best known value, 1."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from .records import JobRecord
from .store import Sweep, TaskFacts

__all__ = ["NewBest", "TaskScale", "new_best", "score", "score_of", "task_scales"]

#: Best known values are told with some digits only: what exceeds one by less, as a score, is rounding.
ROUNDING = 1e-4
#: Of each record, what scales are made of.
VALUES = ("neutral_value", "start_value", "best_known", "leader_value")


class TaskScale(NamedTuple):
    """What counts as 0 and as 1 on a task, in reward units; None where that is not known.

    Attributes
    ----------
    task
        Its name.
    start
        As the sweep says; else the median over the records of J of the neutral commitment, else of the first one.
    best
        As the sweep says; else the largest best known value of the records; else the best value among them.
    is_relative
        Whether `best` is no more than the best of these records: then 1 says nothing about the optimum.
    """

    task: str
    start: float | None
    best: float | None
    is_relative: bool

    @property
    def is_usable(self) -> bool:
        """Whether scores exist: both ends are known, and there is a way from the one to the other."""
        return self.start is not None and self.best is not None and self.best > self.start

    @property
    def span(self) -> tuple[float, float]:
        """The value that counts as 0 and how far it is from there to 1; NaN where scores do not exist."""
        if self.start is None or self.best is None or not self.is_usable:
            return math.nan, math.nan
        return self.start, self.best - self.start


class NewBest(NamedTuple):
    """A commitment worth more than any known before.

    Attributes
    ----------
    task, entrant, seed, address
        Of its job.
    value, best_known
        J of it and of what was known, in reward units.
    score
        Above 1.
    is_exact
        Whether the value is no estimate.
    commitment
        Nested lists, in the shape of the game's commitment.
    """

    task: str
    entrant: str
    seed: int
    address: str
    value: float
    best_known: float
    score: float
    is_exact: bool
    commitment: list[Any]


def task_scales(records: Iterable[JobRecord], sweep: Sweep | None = None) -> dict[str, TaskScale]:
    """Return the scale of each task that occurs in finished records.

    Parameters
    ----------
    records
        Of one comparison; what did not finish is passed over.
    sweep
        Whose facts come before what the records say.
    """
    told: dict[str, dict[str, list[float]]] = {}
    for record in records:
        if record.result is not None:
            of_task = told.setdefault(record.job.task, {name: [] for name in VALUES})
            for name, values in of_task.items():
                if (value := getattr(record.result, name)) is not None:
                    values.append(value)
    facts = {} if sweep is None else {task.name: task for task in sweep.tasks}
    return {task: _scale(facts.get(task, TaskFacts(name=task)), values) for task, values in told.items()}


def score(value: float | None, scale: TaskScale) -> float:
    """Return (value - start) / (best - start), without units and never clipped; NaN where there is none."""
    start, width = scale.span
    return math.nan if value is None else (value - start) / width


def score_of(record: JobRecord, scales: dict[str, TaskScale]) -> float:
    """Return the score of what a job recommended at its end; NaN unless it finished."""
    return math.nan if record.result is None else score(record.result.leader_value, scales[record.job.task])


def new_best(records: Iterable[JobRecord], scales: dict[str, TaskScale]) -> list[NewBest]:
    """Return for each task the best commitment that exceeds its best known value by more than rounding."""
    found: dict[str, NewBest] = {}
    for record in records:
        result, scale = record.result, scales.get(record.job.task)
        if result is None or result.leader_value is None or scale is None or scale.is_relative or scale.best is None:
            continue
        share = score_of(record, scales)
        if share > max(1.0 + ROUNDING, found[scale.task].score if scale.task in found else 0.0):
            found[scale.task] = NewBest(
                task=scale.task,
                entrant=record.job.entrant,
                seed=record.job.seed,
                address=record.address,
                value=result.leader_value,
                best_known=scale.best,
                score=share,
                is_exact=result.is_exact,
                commitment=result.commitment,
            )
    return list(found.values())


def _scale(facts: TaskFacts, told: dict[str, list[float]]) -> TaskScale:
    start, best = facts.start, facts.best_known
    for name in ("neutral_value", "start_value"):
        if start is None and told[name]:
            start = float(np.median(told[name]))
    if best is None:
        best = max(told["best_known"], default=None)
    is_relative = best is None
    if is_relative:
        best = max(told["leader_value"], default=None)
    return TaskScale(facts.name, start, best, is_relative)
