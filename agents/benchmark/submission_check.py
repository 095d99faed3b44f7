"""Whether an archive's commitments are worth what it says: its jobs are those of the suite, and are played again."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from stackelberg_envs.errors import MissingExtraError, StackelbergError
from stackelberg_envs.faces.registration import import_module, stored_spec
from stackelberg_envs.validation import checked

from ..followers.base import FOLLOWERS
from ..followers.several import make_follower
from ..options import Count
from ..runs.evaluation import Evaluation, evaluation_of
from .jobs import Job
from .measuring import LONG_TRAINING
from .plans import plan
from .records import JobRecord, Result
from .scores import TaskScale, task_scales
from .store import Sweep, TaskFacts
from .submission import Manifest, read_submission
from .suite_files import load_suite, suite_names

__all__ = ["Check", "check_submission"]

#: Largest difference of an exact value, as a score: processors differ in the last digits only.
TOLERANCE = 1e-6
#: Difference of an estimate, as a score, that nobody asks about: what followers learn has longer tails than Gauss's.
ROUGH = 0.01
#: Chance that an honest archive is refused for values that are estimates, all of its records together; and fresh
#: followers that learn under each commitment.
FALSE_ALARMS, FOLLOWERS_PLAYED = 0.01, 8
#: What of a job the suite decides, whoever the leader is.
SETTING = (
    "game",
    "game_arguments",
    "game_digest",
    "follower",
    "follower_options",
    "follower_code",
    "steps",
    "steps_per_update",
    "checkpoints_per_decade",
)


@dataclass(frozen=True)
class Check:
    """What a check found.

    Attributes
    ----------
    manifest
        What the archive says of itself.
    records
        How many it holds that can be read.
    exact, by_play
        How many were held to exact values, and to play.
    disagreements
        Sentences, one for each thing that is not as the archive says. Empty: it may take part.
    notes
        Sentences on what could not be checked.
    """

    manifest: Manifest
    records: int
    exact: int = 0
    by_play: int = 0
    disagreements: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def check_submission(archive: str | Path, modules: Iterable[str] = (), *, sample: int | None = None) -> Check:
    """Return what disagrees in an archive: hashes, jobs, and values of commitments that are played again.

    Values of games with exact answers are held to their stored ones within :data:`TOLERANCE` of the way from the task's
    start to its best known value. Of the others the best run of each leader on each task is played: fresh followers
    learn under its commitment, and the stored value has to lie where one more of them would (by Student's t),
    or within :data:`ROUGH` of that. An honest archive is refused for one of these with a probability of at most
    :data:`FALSE_ALARMS`, if its followers had learned for as long and their values are about normal.

    Parameters
    ----------
    archive
        Made by :func:`agents.benchmark.submission.submit`.
    modules
        Modules to import first, which register games and followers. Nothing else is imported.
    sample
        How many commitments are played, every so many; by default all.

    Raises
    ------
    OutputError
        A file that is no such archive.
    """
    sample = checked(sample, Count | None, "check: sample")
    for module in modules:
        import_module(module)
    held = read_submission(archive)
    faults = [*held.faults, *_job_faults(held.sweeps, held.records)]
    notes: list[str] = []
    facts: dict[str, TaskFacts] = {}
    for sweep in held.sweeps:
        facts |= {task.name: task for task in sweep.tasks}
        if sweep.name in suite_names():
            faults += _suite_faults(sweep, held.records, notes)
        else:
            notes.append(f"sweep {sweep.name!r}: no suite of this package, so its jobs are held to nothing")
    merged = Sweep(name="", tasks=list(facts.values()), entrants=[], jobs=[])
    scales = task_scales(held.records, merged)
    player = _Player(scales, notes)
    exact = by_play = 0
    estimated: list[tuple[JobRecord, Evaluation, Any]] = []
    for record in held.records if sample is None else held.records[:: max(1, len(held.records) // sample)]:
        found = player.exact(record)
        if isinstance(found, str):
            faults.append(f"{_name(record.job)}: {found}")
        elif found is None:
            exact += 1
        else:
            estimated.append((record, *found))
    for record, evaluation, game in _best(estimated):
        fault = player.by_play(record, evaluation, game, FALSE_ALARMS / len(estimated))
        by_play += fault is not None
        if fault:
            faults.append(f"{_name(record.job)}: {fault}")
    return Check(held.manifest, len(held.records), exact, by_play, faults, notes)


def _name(job: Job) -> str:
    return f"{job.entrant} on {job.task}, seed {job.seed}"


def _job_faults(sweeps: list[Sweep], records: list[JobRecord]) -> list[str]:
    asked, there = {address for sweep in sweeps for address in sweep.jobs}, {record.address for record in records}
    faults = [f"job {address}: expected its record, got none" for address in sorted(asked - there)]
    return faults + [f"record {address}: expected a job of a sweep" for address in sorted(there - asked)]


def _suite_faults(sweep: Sweep, records: list[JobRecord], notes: list[str]) -> list[str]:
    """Return what differs between a sweep and the suite of its name: tasks, budgets, followers, seeds, facts."""
    suite = load_suite(sweep.name)
    planned = plan(suite)
    # Where a suite does not say how steps are cut into updates, every leader cuts them as it likes.
    said = suite.steps_per_update is not None or any(task.steps_per_update is not None for task in suite.tasks)
    names = [name for name in SETTING if said or name != "steps_per_update"]

    def setting_of(job: Job) -> bytes:
        return msgspec.json.encode({name: getattr(job, name) for name in names}, order="deterministic")

    seeds: dict[tuple[str, bytes], set[int]] = {}
    for payload in planned.payloads:
        seeds.setdefault((payload.job.task, setting_of(payload.job)), set()).add(payload.job.seed)
    known = {task.name: task for task in planned.sweep.tasks}
    faults = [
        f"task {task.name!r}: expected what {sweep.name} says of it, {_ends(known[task.name])}, got {_ends(task)}"
        for task in sweep.tasks
        if task.name in known and _ends(known[task.name]) != _ends(task)
    ]
    asked = set(sweep.jobs)
    found: dict[str, dict[tuple[str, bytes], set[int]]] = {}
    for record in records:
        if record.address in asked:
            job = record.job
            found.setdefault(job.entrant, {}).setdefault((job.task, setting_of(job)), set()).add(job.seed)
    for entrant, settings in found.items():
        for (task, setting), there in settings.items():
            wanted = seeds.get((task, setting))
            if wanted is None:
                faults.append(
                    f"{entrant} on {task}: expected a task of {sweep.name} with its game, follower and budget"
                )
            elif wanted != there:
                faults.append(
                    f"{entrant} on {task}: expected the seeds {_some(wanted)} of {sweep.name}, got {_some(there)}"
                )
        absent = sorted({task for task, _ in seeds} - {task for task, _ in settings})
        if absent:
            notes.append(f"{entrant}: nothing on {', '.join(absent)}")
    return faults


def _ends(task: TaskFacts) -> tuple[float | None, float | None]:
    return task.start, task.best_known


def _some(seeds: set[int]) -> str:
    told = sorted(seeds)
    return ", ".join(map(str, told[:12])) + (" ..." if len(told) > 12 else "")


def _best(
    estimated: list[tuple[JobRecord, Evaluation, Any]],
) -> list[tuple[JobRecord, Evaluation, Any]]:
    """Return the best run of each leader on each task."""
    best: dict[tuple[str, str], tuple[JobRecord, Evaluation, Any]] = {}
    for each in estimated:
        key = each[0].job.task, each[0].job.entrant
        if key not in best or _value(each[0]) > _value(best[key][0]):
            best[key] = each
    return list(best.values())


def _value(record: JobRecord) -> float:
    value = None if record.result is None else record.result.leader_value
    return -math.inf if value is None else value


class _Player:
    """Plays commitments again, in games that are made once."""

    def __init__(self, scales: dict[str, TaskScale], notes: list[str]) -> None:
        self._scales, self._notes = scales, notes
        self._games: dict[bytes, tuple[Any, Evaluation] | str] = {}

    def exact(self, record: JobRecord) -> str | tuple[Evaluation, Any] | None:
        """Return None if the exact value is the stored one, what disagrees, or the game if it has no exact values."""
        result = record.result
        assert result is not None  # noqa: S101 - of a finished job
        made = self._game(record.job)
        if isinstance(made, str):
            return made
        game, evaluation = made
        if result.is_exact != evaluation.is_exact:
            return f"expected is_exact to be {evaluation.is_exact}, got {result.is_exact}"
        committed = _committed(game, result)
        if isinstance(committed, str):
            return committed
        if not evaluation.is_exact:
            return evaluation, game
        value = self._asked(lambda: evaluation.exact(committed))
        if isinstance(value, str):
            return value
        return self._difference(record, value)

    def by_play(self, record: JobRecord, evaluation: Evaluation, game: Any, level: float) -> str | None:
        """Return "" if the stored value is as fresh followers make it, what disagrees, or None if nobody can say."""
        from scipy.stats import t

        result, job = record.result, record.job
        assert result is not None  # noqa: S101 - of a finished job
        if result.leader_value is None:
            return None
        try:
            kind = FOLLOWERS.serving(job.follower, game)
            config = FOLLOWERS.configure(job.follower, kind, job.follower_options)
            committed = game.under(np.array(result.commitment, dtype=np.float64))
            values = []
            for seed in range(FOLLOWERS_PLAYED):
                follower = make_follower(kind, config, np.random.default_rng(seed), game)
                for _ in range(follower.delay + 2 * LONG_TRAINING):
                    follower.learn(committed)
                values.append(evaluation.value(committed, follower))
        except MissingExtraError as exc:
            self._notes.append(f"{_name(job)}: not played again, {exc}")
            return None
        except (StackelbergError, ArithmeticError, ValueError) as exc:
            return f"expected a game that can be played under the commitment, got {type(exc).__name__}: {exc}"
        mean, spread = float(np.mean(values)), float(np.std(values, ddof=1))
        quantile = float(t.ppf(1.0 - level / 2.0, FOLLOWERS_PLAYED - 1))
        room = quantile * spread * math.sqrt(1.0 + 1.0 / FOLLOWERS_PLAYED) + ROUGH * self._width(job.task, mean)
        if abs(result.leader_value - mean) <= room:
            return ""
        told = f"{mean:.6g} ± {room:.2g} by play of {FOLLOWERS_PLAYED} followers"
        return f"expected J = {told}, got {result.leader_value:.6g}"

    def _game(self, job: Job) -> tuple[Any, Evaluation] | str:
        key = msgspec.json.encode([job.game, job.game_arguments], order="deterministic")
        if key not in self._games:
            self._games[key] = self._made(job)
        return self._games[key]

    def _made(self, job: Job) -> tuple[Any, Evaluation] | str:
        if ":" in job.game:
            return f"expected the id of a game, got {job.game!r}, which would import a module"
        made = self._asked(lambda: stored_spec(job.game).make(**job.game_arguments))
        return made if isinstance(made, str) else (made, evaluation_of(made))

    def _difference(self, record: JobRecord, value: float | None) -> str | None:
        result = record.result
        assert result is not None  # noqa: S101 - of a finished job
        told = result.leader_value
        if value is None or told is None:
            return None if value == told else f"expected J = {value}, got {told}"
        room = TOLERANCE * self._width(record.job.task, value)
        return None if abs(value - told) <= room else f"expected J = {value:.10g}, got {told:.10g}"

    def _width(self, task: str, value: float) -> float:
        """Return how far it is from the start to the best known value, but at most the size of the value.

        The ends are the archive's own words, where it is of no suite.
        """
        width, size = self._scales[task].span[1], max(1.0, abs(value))
        return size if math.isnan(width) else min(width, size)

    @staticmethod
    def _asked(do: Callable[[], Any]) -> Any:
        """Return what a game of this package says, or why it says nothing: what it is asked comes from others."""
        try:
            return do()
        except (StackelbergError, ArithmeticError, ValueError, TypeError, MemoryError) as exc:
            return f"expected a game and a commitment that fit, got {type(exc).__name__}: {exc}"


def _committed(game: Any, result: Result) -> Any:
    try:
        return game.under(np.array(result.commitment, dtype=np.float64))
    except (StackelbergError, ValueError, TypeError, OverflowError) as exc:
        return f"expected a commitment that the game admits, got {exc}"
