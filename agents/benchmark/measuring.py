"""One run with its measurements: what the commitments are worth at logarithmically spaced numbers of observed steps.

Measuring changes nothing of the run, draws none of its random numbers, and its time is not counted as the leader's.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import ArgumentError, ConvergenceError, InstabilityError
from stackelberg_envs.games.committed import Committed
from stackelberg_envs.solvers.solving import solve

from ..leaders import GradientLeader
from ..runs.ending import responding
from ..runs.experiment import Experiment
from .records import COSTS, CURVE_COLUMNS, Result

__all__ = ["LONG_TRAINING", "checkpoints", "cosine", "measure"]

#: Times that the follower of a game without exact answers learns under the final commitment before that is judged.
LONG_TRAINING = 5


def checkpoints(steps: int, first: int, per_decade: int) -> list[int]:
    """Return the numbers of observed steps at which a run is measured: `per_decade` per factor of ten, ascending.

    They lie on a grid that does not depend on the budget, so that curves of several budgets have points in common;
    the smallest is at least `first`, the steps of one update, and the last is the budget itself.
    """
    low, high = math.log10(min(first, steps)), math.log10(steps)
    grid = np.arange(math.ceil(low * per_decade - 1e-9), math.floor(high * per_decade + 1e-9) + 1) / per_decade
    return sorted({min(first, steps), *np.round(10.0**grid).astype(int).tolist(), steps})


def measure(experiment: Experiment, steps: int, per_decade: int, watch: Callable[[], None]) -> Result:
    """Run until the leader has observed its steps, and return what was measured.

    Parameters
    ----------
    experiment
        Fresh.
    steps
        Budget of observed steps; less than an update of it may be left.
    per_decade
        Measurements per factor of ten of the observed steps.
    watch
        Called after every update; ends the run by raising.

    Raises
    ------
    ConvergenceError, CommitmentError, ...
        Whatever ends a run.
    """
    gradient = _GradientNote(experiment)
    clock = _Clock()
    rows: list[dict[str, float]] = []
    steps = min(steps, math.prod(experiment.budget))
    due = checkpoints(steps, experiment.budget.steps_per_update, per_decade)
    while experiment.record.observed_steps < steps:
        before = experiment.record.observed_steps
        with clock:
            experiment.step()
        watch()
        if experiment.record.observed_steps == before:
            raise ArgumentError(f"leader {experiment.config.leader!r}: expected an update to observe steps, got none")
        if not rows:
            rows.append(_start(experiment))
        if experiment.record.observed_steps >= due[0]:
            costs = _costs(experiment, clock)
            rows.append({**costs, **experiment.values(), "gradient_cosine": gradient.cosine()})
            due = [step for step in due if step > experiment.record.observed_steps]
            watch()
    return _result(experiment, rows)


class _Clock:
    """Adds up the time that is spent within it."""

    def __init__(self) -> None:
        self.seconds = self.processor_seconds = 0.0

    def __enter__(self) -> None:
        self._began = time.perf_counter(), time.process_time()

    def __exit__(self, *raised: object) -> None:
        self.seconds += time.perf_counter() - self._began[0]
        self.processor_seconds += time.process_time() - self._began[1]


class _GradientNote:
    """Keeps the last estimate of dJ/dx of a leader that has one, to hold it to the truth."""

    def __init__(self, experiment: Experiment) -> None:
        self._experiment = experiment
        self._last: Array | None = None
        leader = experiment.leader
        if isinstance(leader, GradientLeader) and experiment.evaluation.is_exact:
            estimate = leader.gradient

            def noted(trajectories: Any) -> tuple[Array, dict[str, float]]:
                self._last, diagnostics = estimate(trajectories)
                return self._last, diagnostics

            vars(leader)["gradient"] = noted

    def cosine(self) -> float:
        """Return the cosine between estimate and truth in theta; NaN where one of them is unknown or zero."""
        x, theta = self._experiment.announced
        if self._last is None or theta is None:
            return math.nan
        try:
            truth = solve(self._experiment.game, x).gradient
        except (ConvergenceError, InstabilityError):
            return math.nan
        vjp = self._experiment.leader.brief.parametrisation.vjp
        return cosine(vjp(theta, self._last), vjp(theta, truth))


def cosine(one: Array, other: Array) -> float:
    """Return the cosine of the angle between two arrays of one shape; NaN if one of them is zero."""
    one, other = one.ravel(), other.ravel()
    # Each by its own largest entry, so that squares neither overflow nor vanish.
    largest = np.abs(one).max(initial=0.0), np.abs(other).max(initial=0.0)
    if not (all(np.isfinite(largest)) and all(largest)):
        return math.nan
    one, other = one / largest[0], other / largest[1]
    return float(one @ other / math.sqrt((one @ one) * (other @ other)))


def _start(experiment: Experiment) -> dict[str, float]:
    """Return the row before any play: what the first commitment is worth, which is all that could be recommended."""
    values = experiment.values()
    start = dict.fromkeys(COSTS, 0.0) | {"announced_value": values["announced_value"], "gradient_cosine": math.nan}
    return start | {
        "recommended_value": values["announced_value"],
        "actual_value": values["actual_value"],
        "response_gap": values["response_gap"],
    }


def _costs(experiment: Experiment, clock: _Clock) -> dict[str, float]:
    record = experiment.record
    # A step to where the follower has no finite response is halved, and it responds again.
    halvings = experiment.curve.columns().get("halvings", np.zeros(1))
    return {
        "leader_updates": float(experiment.updates_done),
        "follower_responses": float(experiment.updates_done + halvings.sum()),
        "observed_steps": float(record.observed_steps),
        "follower_steps": float(record.follower_steps),
        "seconds": clock.seconds,
        "processor_seconds": clock.processor_seconds,
    }


def _result(experiment: Experiment, rows: list[dict[str, float]]) -> Result:
    record = experiment.close("finished")
    assert record.commitment is not None  # noqa: S101 - a finished run has one
    meanings, leader_value, actual_value = dict(record.meanings), record.leader_value, record.actual_value
    start_value = record.start_value
    if not experiment.evaluation.is_exact:
        start_value = rows[0]["actual_value"]
        found = _long_trained(experiment, experiment.game.under(record.commitment))
        if found is not None:
            leader_value = found
            meanings["leader_value"] += f", which learned {LONG_TRAINING} times under it"
    return Result(
        information=record.information,
        commitment=record.commitment.tolist(),
        leader_value=leader_value,
        actual_value=actual_value,
        episode_value=record.episode_value,
        response_gap=record.response_gap,
        start_value=start_value,
        neutral_value=record.neutral_value,
        best_known=record.best_known,
        is_exact=experiment.evaluation.is_exact,
        curve={name: [_known(row[name]) for row in rows] for name in CURVE_COLUMNS},
        totals={name: rows[-1][name] for name in COSTS},
        meanings=meanings,
    )


def _known(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _long_trained(experiment: Experiment, view: Committed) -> float | None:
    """Return J against a copy of the follower that learns for long under the final commitment; None if it cannot."""
    twin = responding(experiment.follower, view)
    if twin is None:
        return None
    for _ in range(LONG_TRAINING - 1):
        twin.learn(view)
    return experiment.evaluation.value(view, twin)
