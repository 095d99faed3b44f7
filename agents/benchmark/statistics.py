"""What scores say: averages with intervals, chances, hitting times, areas and tests, as functions of arrays.

`tasks` is a sequence of arrays everywhere, the scores of one leader's seeds on each task; their numbers may differ.
Why each number, and by which formula: ``docs/explanation/benchmark-statistics.md``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from stackelberg_envs.arrays import Array

__all__ = [
    "AVERAGES",
    "Estimate",
    "Reach",
    "aggregates",
    "area_on_log_axis",
    "band",
    "chance_above",
    "difference",
    "first_reaching",
    "holm",
    "improvement",
    "interquartile_mean",
    "paired_p_value",
    "profile",
    "reach",
    "values_at",
]

#: Resamples of a bootstrap, permutations of a test, the share that an interval covers, and the seed of both.
RESAMPLES, PERMUTATIONS, CONFIDENCE, SEED = 2_000, 9_999, 0.95, 0
#: Permutations at a time: memory.
BATCH = 1_000
#: Share of the scores that an interquartile mean leaves out at each end.
CUT = 0.25

Tasks: TypeAlias = Sequence[Array]


class Estimate(NamedTuple):
    """A number and the ends of its 95 % interval; those are NaN where a task has a single seed."""

    value: float
    low: float = math.nan
    high: float = math.nan


class Reach(NamedTuple):
    """How much it took to reach a target.

    Attributes
    ----------
    median
        Over all runs, those that never reached it counted as infinite.
    expected
        What all runs together spent until each reached the target or ended, over the number of those that
        reached it: the cost to expect if one starts again until it is reached. Infinite if none did.
    reached, runs
        How many did, of how many.
    """

    median: float
    expected: float
    reached: int
    runs: int


# Averages over runs and tasks. The last axis of each array counts seeds; bootstraps put others before it.


def interquartile_mean(tasks: Tasks) -> Any:
    """Return the mean of the middle half of all scores, the seeds of all tasks together."""
    pooled = np.sort(np.concatenate(tasks, axis=-1), axis=-1)
    cut = int(CUT * pooled.shape[-1])
    return pooled[..., cut : pooled.shape[-1] - cut].mean(axis=-1)


def _median(tasks: Tasks) -> Any:
    """Return the median over tasks of the mean over seeds."""
    return np.median([task.mean(axis=-1) for task in tasks], axis=0)


def _mean(tasks: Tasks) -> Any:
    """Return the mean over tasks of the mean over seeds."""
    return np.mean([task.mean(axis=-1) for task in tasks], axis=0)


def _optimality_gap(tasks: Tasks) -> Any:
    """Return how far the scores, cut at 1, fall short of 1; every task counts alike."""
    return 1.0 - _mean([np.minimum(task, 1.0) for task in tasks])


#: Name -> average of the scores of one leader.
AVERAGES: dict[str, Callable[[Tasks], Any]] = {
    "interquartile_mean": interquartile_mean,
    "median": _median,
    "mean": _mean,
    "optimality_gap": _optimality_gap,
}


def aggregates(tasks: Tasks) -> dict[str, Estimate]:
    """Return each of :data:`AVERAGES` with its interval, all from the same resamples."""
    values = _bootstrapped(lambda *drawn: np.stack([average(drawn) for average in AVERAGES.values()]), tasks)
    return dict(zip(AVERAGES, values, strict=True))


def chance_above(mine: Tasks, other: Tasks) -> Any:
    """Return the chance that a run of mine scores above one of the other's, ties by half, averaged over tasks.

    Parameters
    ----------
    mine, other
        Of the same tasks in the same order.
    """
    return np.mean([_above(*pair) for pair in zip(mine, other, strict=True)], axis=0)


def improvement(mine: Tasks, other: Tasks) -> Estimate:
    """Return :func:`chance_above` with its interval."""
    count = len(mine)
    return _bootstrapped(lambda *drawn: np.stack([chance_above(drawn[:count], drawn[count:])]), [*mine, *other])[0]


def difference(pairs: Tasks) -> Estimate:
    """Return the mean over tasks of the mean difference between pairs, with its interval."""
    return _bootstrapped(lambda *drawn: np.stack([_mean(drawn)]), pairs)[0]


def profile(tasks: Tasks, thresholds: Array) -> tuple[Array, Array, Array]:
    """Return the share of runs that score above each threshold, every task alike, and the ends of its intervals."""

    def shares(*drawn: Array) -> Array:
        return np.stack([_mean([task > threshold for task in drawn]) for threshold in thresholds])

    return _columns(_bootstrapped(shares, tasks))


def band(curves: Array) -> tuple[Array, Array, Array]:
    """Return the interquartile mean of curves (runs, points) over runs at each point, and the ends of its intervals."""

    def middle(drawn: Array) -> Array:
        return np.moveaxis(interquartile_mean([np.moveaxis(curves[drawn], -2, -1)]), -1, 0)

    return _columns(_bootstrapped(middle, [np.arange(len(curves))]))


def _above(mine: Array, other: Array) -> Any:
    left, right = mine[..., :, None], other[..., None, :]
    return ((left > right) + 0.5 * (left == right)).mean(axis=(-2, -1))


def _columns(estimates: list[Estimate]) -> tuple[Array, Array, Array]:
    value, low, high = np.array(estimates, dtype=np.float64).T
    return value, low, high


def _bootstrapped(statistic: Callable[..., Array], samples: Sequence[Any]) -> list[Estimate]:
    """Return each component of a statistic with its interval by a percentile bootstrap, stratified by sample.

    Seeds are drawn again within each sample on its own, as often as it has. The sample itself has no interval where
    one of them is a single seed, which says nothing of what another would do.
    """
    from scipy.stats import bootstrap

    def along_the_last_axis(*drawn: Array, axis: int) -> Array:
        del axis
        return statistic(*drawn)

    values = statistic(*samples)
    if min(len(sample) for sample in samples) < 2:
        return [Estimate(float(value)) for value in values]
    found = bootstrap(
        samples,
        along_the_last_axis,
        vectorized=True,
        n_resamples=RESAMPLES,
        method="percentile",
        confidence_level=CONFIDENCE,
        random_state=np.random.default_rng(SEED),  # its name in every SciPy that we admit
    ).confidence_interval
    return [Estimate(*row) for row in np.stack([values, found.low, found.high], axis=1).tolist()]


# Anytime curves: at each checkpoint the cost so far and the score of what would be recommended there.


def values_at(costs: Array, scores: Array, grid: Array) -> Array:
    """Return the score of the last checkpoint at or before each cost of a grid; NaN before the first."""
    before = np.searchsorted(costs, grid, side="right") - 1
    if not costs.size:
        return np.full(grid.shape, np.nan)
    return np.where(before >= 0, scores[np.maximum(before, 0)], np.nan)


def first_reaching(costs: Array, scores: Array, target: float) -> float:
    """Return the cost of the first checkpoint whose score is at least a target; infinite if none is."""
    hits = np.flatnonzero(scores >= target)
    return float(costs[hits[0]]) if hits.size else math.inf


def reach(hits: Array, spent: Array) -> Reach:
    """Return what it took to reach a target.

    Parameters
    ----------
    hits
        Cost at which each run reached it, (runs,); infinite where it never did.
    spent
        What each run cost in all, (runs,).
    """
    hits, spent = np.asarray(hits, dtype=np.float64), np.asarray(spent, dtype=np.float64)
    reached = np.isfinite(hits)
    total = float(np.where(reached, hits, spent).sum())
    count = int(reached.sum())
    # Of an even number the upper one: halfway between a number and infinity there is none.
    median = float(np.sort(hits)[hits.size // 2]) if hits.size else math.inf
    return Reach(median, total / count if count else math.inf, count, hits.size)


def area_on_log_axis(costs: Array, scores: Array, low: float, high: float) -> float:
    """Return the average of a curve over the logarithm of the cost, from `low` to `high`.

    Between checkpoints a run is worth what it was at the last one; NaN where there is none yet at `low`, or no way.
    """
    if not 0.0 < low < high:
        return math.nan
    edges = np.clip(np.concatenate([[low], costs, [high]]), low, high)
    return float(values_at(costs, scores, edges[:-1]) @ np.diff(np.log(edges)) / math.log(high / low))


# Tests.


def paired_p_value(pairs: Tasks) -> float:
    """Return the p-value of "the mean difference is no more than zero" against "it is more".

    A permutation test: if nothing distinguished the two leaders, each pair could as well have come the other way round,
    so signs are drawn anew, independently; the statistic is the mean over tasks of the mean over seeds. All signs are
    tried where there are no more than :data:`PERMUTATIONS`; else some are drawn, and the observed ones count among
    them, so that the test keeps its level in both cases.

    Parameters
    ----------
    pairs
        Mine less the other's, by task; pairs share the seed.
    """
    weighted = np.concatenate([task / len(task) for task in pairs])
    weighted = weighted[weighted != 0.0]
    # Sums in another order differ in their last digits.
    least = weighted.sum() - 1e-12 * np.abs(weighted).sum()
    if 2**weighted.size <= PERMUTATIONS:
        signs = 1 - 2 * (np.arange(2**weighted.size)[:, None] >> np.arange(weighted.size) & 1)
        return float((signs @ weighted >= least).mean())
    rng, hits = np.random.default_rng(SEED), 1
    for start in range(0, PERMUTATIONS, BATCH):
        count = min(BATCH, PERMUTATIONS - start)
        signs = 1 - 2 * rng.integers(0, 2, (count, weighted.size), dtype=np.int8)
        hits += int((signs @ weighted >= least).sum())
    return hits / (PERMUTATIONS + 1)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values that keep their level over all of these tests together, by Holm's step-down procedure."""
    order = np.argsort(p_values, kind="stable")
    scaled = np.asarray(p_values, dtype=np.float64)[order] * np.arange(len(p_values), 0, -1)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return [float(value) for value in adjusted]
