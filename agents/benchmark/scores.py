"""Scores: where a leader's value lies between a task's start, 0, and its best known value, 1."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from agents.benchmark.records import JobRecord, Result
from agents.benchmark.store import Sweep

__all__ = ["NewBest", "TaskScale", "new_best", "score", "score_of", "task_scales"]

#: Best known values are told with some digits only: what exceeds one by less, as a score, is rounding.
ROUNDING = 1e-4


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
    results: dict[str, list[Result]] = {}
    for record in records:
        if record.result is not None:
            results.setdefault(record.job.task, []).append(record.result)
    facts = {} if sweep is None else {task.name: task for task in sweep.tasks}
    return {
        task: _scale(task, found, *((facts[task].start, facts[task].best_known) if task in facts else (None, None)))
        for task, found in results.items()
    }


def score(value: float | None, scale: TaskScale) -> float:
    """Return (value - start) / (best - start), without units and never clipped; NaN where there is none."""
    if value is None or not scale.is_usable or scale.start is None or scale.best is None:
        return math.nan
    return (value - scale.start) / (scale.best - scale.start)


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
        share = score(result.leader_value, scale)
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


def _scale(task: str, results: list[Result], start: float | None, best: float | None) -> TaskScale:
    for name in ("neutral_value", "start_value"):
        told = _known(results, name)
        if start is None and told:
            start = float(np.median(told))
    if best is None:
        best = max(_known(results, "best_known"), default=None)
    is_relative = best is None
    if is_relative:
        best = max(_known(results, "leader_value"), default=None)
    return TaskScale(task, start, best, is_relative)


def _known(results: list[Result], name: str) -> list[float]:
    return [value for result in results if (value := getattr(result, name)) is not None]
