"""Tuning: settings of a leader for a task, searched by Optuna on seeds that no result is ever reported of.

All runs of a trial go from checkpoint to checkpoint together; a trial that lies below the median of those before it is
given up there. What was tried is in a journal, so that a tuning which was stopped goes on, and several processes may
work on one.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from stackelberg_envs import __version__
from stackelberg_envs.errors import ArgumentError, MissingExtraError, OutputError, StackelbergError
from stackelberg_envs.validation import checked, checked_path, shown

from ..leaders.base import LEADERS
from ..options import Count
from ..runs.experiment import Experiment
from ..runs.files import named
from ..runs.presets import TUNING_SEEDS, Preset, Presets, read_presets
from ..runs.threads import one_blas_thread
from .measuring import checkpoints
from .plans import plan
from .search_space import Space, search_space
from .suites import Task, make_suite
from .worker import Payload, experiment_of

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial, Trial

__all__ = ["Tuned", "tune"]

TRIALS, SEEDS = 30, 3
#: Seeds that choose nothing, but say whether what was chosen is better than the defaults.
HELD_OUT, HELD_OUT_FROM = 5, 2 * TUNING_SEEDS
#: Looks at each trial per factor of ten of the observed steps.
PER_DECADE = 3
#: What may go wrong in a trial without ending the others.
WRONG = (StackelbergError, ArithmeticError, np.linalg.LinAlgError)
#: Trials that are never given up: the defaults, and the first ones after them.
FIRST_TRIALS = 5


@dataclass(frozen=True)
class Tuned:
    """What a tuning found.

    Attributes
    ----------
    preset
        The best settings.
    path
        The file that they are in; None where they do no better than the defaults on other seeds, and so are not kept.
    journal
        What was tried.
    given_up, failed
        How many of the trials were given up at a checkpoint, and how many went wrong.
    """

    preset: Preset
    path: Path | None
    journal: Path
    given_up: int
    failed: int


def tune(
    task: Any,
    leader: Any,
    *,
    output: str | Path,
    trials: int = TRIALS,
    seeds: int = SEEDS,
    follower: Any = None,
    steps: int | None = None,
    steps_per_update: int | None = None,
    force: bool = False,
    progress: Callable[[int, float], Any] | None = None,
) -> Tuned:
    """Search settings of a leader for a task, and write them as a preset if they beat the defaults on other seeds.

    Parameters
    ----------
    task
        Id of an environment, or a :class:`agents.Task` with one.
    leader
        A name, ``module:Class``, a class, or a pair of one of these and options, which are not searched.
    output
        Folder for the preset, ``<leader>.toml``, and for the journal of what was tried.
    trials
        Settings to try in all, those of an earlier call included; the first ones are the defaults.
    seeds
        Runs of each trial, with the seeds from 1,000,000 on. Those that decide whether the best settings beat the
        defaults are others, from 2,000,000 on.
    follower
        The same as `leader`; default the game's own.
    steps, steps_per_update
        Budget of each run; default that of the task, else 100,000 steps, cut as the leader likes best.
    force
        Whether a preset of the same task is replaced.
    progress
        Told after each trial how many there are, and the best value.

    Raises
    ------
    ArgumentError, UnknownNameError, InformationError
        What is wrong with names and options, before any work; no trial that came to an end.
    OutputError
        A preset that is there already; a folder that cannot be written.
    MissingExtraError
        Optuna is not installed.
    """
    _require_optuna()
    trials, seeds = checked(trials, Count, "tune: trials"), checked(seeds, Count, "tune: seeds")
    budget = {"steps": steps, "steps_per_update": steps_per_update}
    question = _Question.of(task, leader, follower, {key: value for key, value in budget.items() if value}, seeds)
    folder = checked_path(output, "tune: output")
    path = folder / f"{question.leader.rpartition(':')[2]}.toml"
    _before(path, question, checked(force, bool, "tune: force"))
    study, journal = _study(question, folder)

    with one_blas_thread():
        while len(_ended(study)) < trials:
            _try_next(study, question)
            done = _ended(study)
            if progress is not None:
                progress(len(done), max((each.value for each in done if each.value is not None), default=np.nan))
    done = _ended(study)
    with one_blas_thread():
        preset = question.held_out(question.preset(done))
    if preset.beats_default:
        # Another tuning may have added its preset meanwhile.
        _before(path, question, force=True).with_preset(preset).write(path)
    states = [each.state.name for each in done]
    kept = path if preset.beats_default else None
    return Tuned(preset, kept, journal, states.count("PRUNED"), states.count("FAIL"))


@dataclass(frozen=True)
class _Question:
    """Whose settings are searched, for what, and on which seeds."""

    payload: Payload
    follower: str
    defaults: Mapping[str, Any]
    space: Mapping[str, Space]
    seeds: tuple[int, ...]

    @classmethod
    def of(cls, task: Any, leader: Any, follower: Any, budget: dict[str, int], seeds: int) -> _Question:
        task = task if isinstance(task, Task) else Task(task)
        if not isinstance(task.game, str):
            raise ArgumentError(f"tune: expected the id of an environment, which presets name, got {shown(task.game)}")
        own = budget | {"leaders": None} | ({} if follower is None else {"followers": None})
        suite = make_suite(Task(**{**vars(task), **own}), leader, [0], followers=follower, name="tune")
        payloads = plan(suite).payloads
        if len(payloads) != 1:
            raise ArgumentError(f"tune: expected one leader and one follower, got {len(payloads)} pairs of them")
        job = payloads[0].job
        game = experiment_of(payloads[0]).game
        kind = LEADERS.serving(job.leader, game)
        config = LEADERS.configure(job.leader, kind, job.leader_options)
        space = search_space(kind, game.commitment, job.leader_options)
        return cls(
            payload=payloads[0],
            follower="" if job.follower == game.suggested_follower else job.follower,
            defaults={name: getattr(config, name) for name in space},
            space=space,
            seeds=tuple(range(TUNING_SEEDS, TUNING_SEEDS + seeds)),
        )

    @property
    def leader(self) -> str:
        """The leader's name."""
        return self.payload.job.leader

    @property
    def key(self) -> str:
        """What decides the answer, as a hash."""
        parts = [self.payload.job.address, len(self.seeds), {name: vars(each) for name, each in self.space.items()}]
        return hashlib.sha256(msgspec.json.encode(parts, order="deterministic")).hexdigest()[:12]

    def objective(self, trial: Trial) -> float:
        """Return what settings are worth: the mean over the seeds of J of what is recommended at the end."""
        from optuna import TrialPruned

        options = {name: each.suggest(trial, name) for name, each in self.space.items()}
        job, value = self.payload.job, np.nan
        with ExitStack() as stack:
            runs = [self._run(options, seed) for seed in self.seeds]
            for run in runs:
                stack.callback(run.shut)
            most = math.prod(runs[0].budget)
            for steps in checkpoints(most, job.steps_per_update, PER_DECADE):
                value = float(np.mean([_value_after(run, steps) for run in runs]))
                trial.report(value, steps)
                if trial.should_prune():
                    raise TrialPruned
        return value

    def held_out(self, preset: Preset) -> Preset:
        """Return a preset with what it and the defaults are worth on seeds that chose nothing."""
        job = self.payload.job
        if preset.options == job.leader_options:
            return preset
        values = [
            np.mean([self._value(options, HELD_OUT_FROM + seed) for seed in range(HELD_OUT)])
            for options in (preset.options, {})
        ]
        return replace(preset, held_out_value=float(values[0]), held_out_default=float(values[1]))

    def _value(self, options: Mapping[str, Any], seed: int) -> float:
        """Return J of what a run recommends at its end."""
        run = self._run(options, seed)
        try:
            return _value_after(run, math.prod(run.budget))
        finally:
            run.shut()

    def _run(self, options: Mapping[str, Any], seed: int) -> Experiment:
        job = self.payload.job
        job = msgspec.structs.replace(job, leader_options={**job.leader_options, **options}, seed=seed)
        return experiment_of(replace(self.payload, job=job))

    def preset(self, done: list[FrozenTrial]) -> Preset:
        """Return the best settings among trials, with how they were found.

        Raises
        ------
        ArgumentError
            No trial came to an end.
        """
        ended = [trial for trial in done if trial.state.name == "COMPLETE"]
        complete = [(trial.value, trial.params) for trial in ended if trial.value is not None]
        if not complete:
            raise ArgumentError(f"tune: expected a trial of {self.leader!r} that ends, got none in {len(done)}")
        value, params = max(complete, key=lambda each: each[0])
        defaults = [each for each, tried in complete if tried == self.defaults]
        changed = {name: chosen for name, chosen in params.items() if chosen != self.defaults[name]}
        job = self.payload.job
        return Preset(
            game=job.game,
            arguments=job.game_arguments,
            follower=self.follower,
            options={**job.leader_options, **changed},
            steps=job.steps,
            steps_per_update=job.steps_per_update,
            trials=len(done),
            seeds=self.seeds,
            value=value,
            default_value=defaults[0] if defaults else None,
            version=__version__,
        )


def _value_after(run: Experiment, steps: int) -> float:
    """Return J of what a run recommends after so many observed steps; as played, where nothing exact is known."""
    while run.record.observed_steps < steps:
        run.step()
    values = run.values()
    return values["recommended_value"] if np.isfinite(values["recommended_value"]) else values["actual_value"]


def _before(path: Path, question: _Question, force: bool) -> Presets:
    """Return the presets that a file has; refuse it where it has one for this question already."""
    if not path.exists():
        return Presets(question.leader)
    found, job = read_presets(path), question.payload.job
    if found.leader != question.leader:
        raise OutputError(f"{path}: expected presets of {question.leader!r}, got those of {found.leader!r}")
    if found.find(job.game, job.game_arguments, question.follower) is not None and not force:
        raise OutputError(f"{path}: expected no preset for {job.task!r} yet; force=True, or --force, replaces it")
    return found


def _study(question: _Question, folder: Path) -> tuple[Study, Path]:
    """Return the study of a question, which goes on where there is a journal of it, and the journal's path."""
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    journal = folder / f"{question.leader.rpartition(':')[2]}-{question.key}.journal"
    with named(f"{journal}: expected a journal that can be written"):
        folder.mkdir(parents=True, exist_ok=True)
        storage = JournalStorage(JournalFileBackend(str(journal)))
    study = optuna.create_study(study_name=question.key, storage=storage, direction="maximize", load_if_exists=True)
    study.pruner = optuna.pruners.MedianPruner(n_startup_trials=FIRST_TRIALS)
    waiting = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.WAITING,))
    if not waiting and all(trial.params != question.defaults for trial in _ended(study)):
        study.enqueue_trial(dict(question.defaults))
    return study, journal


def _try_next(study: Study, question: _Question) -> None:
    """Do one trial, which draws by the number of trials there are, whichever process does it."""
    from optuna.samplers import TPESampler

    study.sampler = TPESampler(seed=len(study.get_trials(deepcopy=False)))
    study.optimize(question.objective, n_trials=1, catch=WRONG)


def _ended(study: Study) -> list[FrozenTrial]:
    return [trial for trial in study.get_trials(deepcopy=False) if trial.state.is_finished()]


def _require_optuna() -> None:
    try:
        import optuna  # noqa: F401
    except ImportError as exc:
        raise MissingExtraError(f'tune: expected Optuna, got {exc}: pip install "stackelberg-envs[benchmark]"') from exc
