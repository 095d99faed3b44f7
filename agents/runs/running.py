"""Running an experiment from outside: what ends it, what it leaves in its folder, how it goes on."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from stackelberg_envs.arrays import require_progress
from stackelberg_envs.errors import ArgumentError, OutputError, StackelbergError, UnknownNameError
from stackelberg_envs.faces.ids import warn_if_earlier
from stackelberg_envs.faces.registration import spec
from stackelberg_envs.games.environments import EnvironmentGame
from stackelberg_envs.games.markov import MarkovGame
from stackelberg_envs.games.tabular import TabularGame
from stackelberg_envs.games.vector import AnyGame, VectorGame
from stackelberg_envs.validation import checked, checked_path, shown

from ..followers import follower_class
from ..options import Count, make_config
from .callbacks import Callback, Callbacks, callbacks_of
from .checkpoints import read_checkpoint
from .experiment import Experiment, ExperimentConfig, Progress
from .files import (
    CHECKPOINT_NAME,
    CURVE_NAME,
    RECORD_NAME,
    FolderLock,
    named,
    prepare_folder,
    remove_leftovers,
    restore_names,
    set_aside,
)
from .fingerprints import fingerprint
from .lineup import line_up
from .records import RunRecord, load_record, note_stop, remove_superseded
from .signals import Signals
from .threads import keep_memory, one_blas_thread

__all__ = ["load_checkpoint", "run", "stored_config"]

#: Seconds between two saves of an unfinished record.
SAVE_INTERVAL = 5.0
#: Seconds that an interrupted run may take to write a checkpoint, and to value its commitment.
SAVING_TIME, CLOSING_TIME = 5.0, 0.7
#: Numbers of a curve up to which the record of an unfinished run holds it too; writing more takes too long.
FOLDED = 200_000


def run(
    game: AnyGame | str | None = None,
    *,
    output: str | Path | None = None,
    progress: Callable[[Progress], None] | None = None,
    callbacks: str | Callback | Sequence[str | Callback] = (),
    checkpoint_every: int | None = None,
    resume: str | Path | None = None,
    trust: bool = False,
    **options: Any,
) -> RunRecord:
    """Run one leader against one follower.

    Parameters
    ----------
    game
        A game, or the id of a registered one, with the module that registers it before it: ``module:id``.
    output
        Folder for ``record.json``; written every few seconds and at the end, whatever ends the run. Until the run
        is finished ``checkpoint.npz`` and ``curve.jsonl`` are beside it. One run at a time has a folder; files of an
        earlier one get a number, unless this run does all that they say again.
    progress
        Called with a :class:`Progress` after each leader update.
    callbacks
        Objects with the methods of :class:`Callback`, or names: "tensorboard", "wandb", "mlflow". What one raises at
        the start ends the run; what it raises later is a warning, and the run goes on without it.
    checkpoint_every
        Leader updates between two checkpoints; default one every few seconds. A run that goes on keeps its own.
    resume
        Folder of a run that was stopped, even by force: it goes on from its last checkpoint, in the same folder, and
        ends with the same numbers as if it had not been stopped. Only a game that has no id is passed again, and one
        whose id is registered by a module of its own, as ``module:id``: no file makes this import anything.
    trust
        Whether code in the checkpoint may run: that of a follower of stable-baselines3 holds pickles.
    options
        The other fields of :class:`ExperimentConfig`: leader, follower, steps, updates, steps_per_update,
        preset, seed, game_arguments, leader_options, follower_options, parametrisation, evaluate_every, leader_process,
        timeout, best_known.

    Returns
    -------
    RunRecord
        With ``commitment``, ``leader_value``, ``observed_steps`` and ``curve``. A run stopped by Ctrl-C, SIGTERM or
        SIGHUP, in the main thread, returns what it had within two seconds, with status "interrupted".

    Raises
    ------
    UnknownNameError, ArgumentError, InformationError, OutputError, MissingExtraError
        Before any work is done, with what was expected and what came.
    OutputError
        Also later, when a file can no longer be written; its ``record`` is what the run had.
    LeaderProcessError
        A leader in a process of its own failed, died or gave no answer in time.
    ConvergenceError
        The follower diverged; the record has status "failed" and the last commitment it responded soundly to.

    Examples
    --------
    >>> import agents
    >>> record = agents.run("stackelberg/DiscreteToy-v1", leader="exact", updates=30)
    >>> round(record.leader_value, 4)
    34.9926
    """
    where, checkpoint_every = _checked_arguments(output, resume, progress, checkpoint_every)
    trust = checked(trust, bool, "run: trust")
    folder: Path | None
    told = callbacks_of(callbacks, None if resume is None and output is None else where)
    keep_memory()
    with Signals.current() as signals, one_blas_thread(), ExitStack() as stack:
        if resume is not None:
            folder = where
            _refuse_options({**options, **({} if output is None else {"output": output})})
            if _is_finished(where):
                return _finished(where, game)
            stack.enter_context(FolderLock(where))
            content = load_checkpoint(where)
            experiment = _resumed(where, content, game, trust=trust)
            checkpoint_every = content["checkpoint_every"] if checkpoint_every is None else checkpoint_every
        else:
            if checkpoint_every is not None and output is None:
                raise ArgumentError("checkpoint_every: expected a folder for the checkpoints, got output=None")
            config = make_config(ExperimentConfig, {"game": game, **options}, "run")
            if isinstance(config.game, str):
                warn_if_earlier(config.game)
            folder = None
            try:
                # Before anything is written: what is refused leaves no folder.
                lineup = line_up(config)
                folder = None if output is None else _taken(where, stack)
                experiment = Experiment(config, lineup)
            except KeyboardInterrupt:
                folder = folder if folder is not None or output is None else _taken(where, stack)
                return _never_begun(config, folder)
            except MemoryError as exc:
                raise ArgumentError(f"run: expected options whose arrays fit into memory, got {exc}") from exc
        stack.callback(experiment.shut)
        saver = _Saver(experiment, folder, checkpoint_every, is_new=resume is None)
        return _watched(experiment, saver, progress, told, signals)


def _taken(folder: Path, stack: ExitStack) -> Path:
    """Return a folder that can be written and is this run's own."""
    prepare_folder(folder)
    stack.enter_context(FolderLock(folder))
    return folder


def _never_begun(config: ExperimentConfig, folder: Path | None) -> RunRecord:
    # How many updates it would have been was not worked out yet.
    told = {name: getattr(config, name) or 0 for name in ("updates", "steps_per_update")}
    told |= {"leader": config.leader, "seed": config.seed}
    game = config.game.rpartition(":")[2] if isinstance(config.game, str) else config.game.name
    return note_stop(folder, game=game, follower=config.follower or "", **told)


def _checked_arguments(output: Any, resume: Any, progress: Any, checkpoint_every: Any) -> tuple[Path, int | None]:
    """Return the folder of a run, the present one where there is none, and the updates between checkpoints."""
    where = Path()
    for name, given in (("output", output), ("resume", resume)):
        if given is not None:
            where = checked_path(given, f"run: {name}")
    require_progress(progress, "run: progress")
    return where, checked(checkpoint_every, Count | None, "run: checkpoint_every")


def _watched(
    experiment: Experiment,
    saver: _Saver,
    progress: Callable[[Progress], None] | None,
    told: Callbacks,
    signals: Signals,
) -> RunRecord:
    """Do what is left of a run; whatever ends it, its record is written with a final status."""
    signals.hold()
    saver.begin()
    ending: BaseException | None = None
    try:
        # Two layers: what is raised between them, by one more signal, is caught by the outer one.
        try:
            signals.release()
            told.start(experiment.config)
            _learn(experiment, saver, progress, told, signals)
            experiment.close("finished")
        finally:
            signals.hold()
    except BaseException as exc:
        signals.hold()
        ending = exc
        _close(experiment, saver, exc, signals)
    try:
        saver.end()
    except OutputError as exc:
        exc.record = experiment.record
        if ending is None or isinstance(ending, KeyboardInterrupt):
            raise
        ending.add_note(f"The run's record could not be written: {exc}")
    finally:
        told.end(experiment.record)
    if isinstance(ending, OutputError):
        ending.record = experiment.record
    if ending is None or isinstance(ending, KeyboardInterrupt):
        return experiment.record
    raise ending


def _learn(
    experiment: Experiment,
    saver: _Saver,
    progress: Callable[[Progress], None] | None,
    told: Callbacks,
    signals: Signals,
) -> None:
    while experiment.updates_done < experiment.budget.updates:
        state = experiment.step()
        if progress is not None:
            progress(state)
        told.update(state, experiment.curve.last)
        saver.after_update()
        if experiment.updates_done < experiment.budget.updates:
            signals.point()


def _close(experiment: Experiment, saver: _Saver, ending: BaseException, signals: Signals) -> None:
    """Complete the record of a run that did not come to its end, in little time if somebody waits for it."""
    failed, asked = isinstance(ending, Exception), isinstance(ending, KeyboardInterrupt)
    record = experiment.update_record()
    # The status is there even if what belongs to it cannot be found.
    record.status = "failed" if failed else "interrupted"
    record.error = None if asked else f"{type(ending).__name__}: {ending}"
    steps: list[tuple[float | None, Callable[[], Any]]] = [
        (None if failed else CLOSING_TIME, lambda: experiment.close(record.status, record.error))
    ]
    if not failed:
        steps.insert(0, (SAVING_TIME, saver.checkpoint))
    for seconds, do in steps:
        try:
            signals.within(seconds, do)
        except Exception as exc:  # one failure is not to hide another, nor to leave a run without a record
            if record.error is None:
                record.error = f"at the end of the run: {type(exc).__name__}: {exc}"
            ending.add_note(f"At the end of the run: {type(exc).__name__}: {exc}")


class _Saver:
    """Writes record, curve and checkpoints of a run; without a folder it does nothing."""

    def __init__(self, experiment: Experiment, folder: Path | None, every: int | None, *, is_new: bool) -> None:
        self._experiment, self._folder, self._is_new = experiment, folder, is_new
        self._every = every
        self._saved = time.perf_counter()
        self._storable = folder is not None

    def begin(self) -> None:
        """Write the first record and checkpoint: what cannot be written is said before any work is done.

        The files of an earlier run in the same folder get names with a number.
        """
        if self._folder is None:
            return
        remove_leftovers(self._folder)
        earlier = set_aside(self._folder) if self._is_new else []
        try:
            self._save()
            self.checkpoint()
        except BaseException:
            if self._is_new:
                self._remove(RECORD_NAME, CHECKPOINT_NAME, CURVE_NAME)
            restore_names(earlier)
            raise

    def after_update(self) -> None:
        """Write what is due."""
        due = self._folder is not None and time.perf_counter() - self._saved > SAVE_INTERVAL
        if due:
            self._save()
        if due if self._every is None else self._experiment.updates_done % self._every == 0:
            self.checkpoint()

    def _save(self) -> None:
        """Write the record without its curve, and to the file of the curve what is new in it."""
        if self._folder is not None:
            self._experiment.curve.write(self._folder)
            record = self._experiment.update_record(with_curve=False)
            replace(record, curve={}).save(self._folder)
            self._saved = time.perf_counter()

    def checkpoint(self) -> None:
        """Write a checkpoint, unless an update is under way; players that cannot be stored go on without."""
        if self._folder is None or not self._storable or not self._experiment.resumable:
            return
        try:
            self._experiment.save(self._folder, checkpoint_every=self._every)
        except ArgumentError as exc:
            self._storable = False
            self._remove(CHECKPOINT_NAME)
            if self._every is not None:
                raise
            warnings.warn(f"this run cannot be resumed: {exc}", stacklevel=5)

    def end(self) -> None:
        """Write the record; a finished run needs no checkpoint any more, and holds its curve itself."""
        if self._folder is None:
            return
        record = self._experiment.record
        if record.status != "finished":
            self._experiment.curve.write(self._folder)
        if record.status == "finished" or sum(column.size for column in record.curve.values()) <= FOLDED:
            record.save(self._folder)
        else:
            replace(record, curve={}).save(self._folder)
        if record.status == "finished":
            self._remove(CHECKPOINT_NAME, CURVE_NAME)
            remove_superseded(self._folder, record)

    def _remove(self, *names: str) -> None:
        for name in names:
            if self._folder is not None:
                (self._folder / name).unlink(missing_ok=True)


def _is_finished(folder: Path) -> bool:
    with named(f"{folder}: expected the folder of a run"):
        has_checkpoint, has_record = ((folder / name).exists() for name in (CHECKPOINT_NAME, RECORD_NAME))
    return not has_checkpoint and has_record and load_record(folder).status == "finished"


def _finished(folder: Path, game: AnyGame | str | None) -> RunRecord:
    """Return the record of a finished run, if it is one of the given game."""
    record = load_record(folder)
    if isinstance(game, str):
        same = spec(game).id == record.game
    else:
        same = game is None or fingerprint(game) == record.game_digest
    if not same:
        raise ArgumentError(f"game: expected nothing or {record.game!r}, the game of the run, got {shown(game)}")
    return record


def load_checkpoint(folder: str | Path) -> dict[str, Any]:
    """Return the content of a folder's checkpoint: "config", "versions", "game_digest", "state" and what it needs.

    Raises
    ------
    OutputError
        There is none, or it is damaged.
    """
    where = checked_path(folder, "checkpoint", OutputError)
    content = read_checkpoint(where)
    game = content["config"].get("game", "")
    if not (game is None or (isinstance(game, str) and game and ":" not in game)):
        # What stands before a colon would be imported.
        raise OutputError(f"{where / CHECKPOINT_NAME}: expected the id of a game, got {shown(game)}")
    return content


def _refuse_options(options: dict[str, Any]) -> None:
    """Raise if a run that goes on is given options, which it has already."""
    if options:
        raise ArgumentError(
            f"resume: expected no other options, since the checkpoint has them; got {', '.join(options)}"
        )


def _resumed(folder: Path, content: dict[str, Any], game: AnyGame | str | None, *, trust: bool) -> Experiment:
    """Return the experiment as it was at its last checkpoint."""
    stored = content["config"]["game"]
    if stored is None and not isinstance(game, TabularGame | VectorGame | EnvironmentGame | MarkovGame):
        raise ArgumentError("game: expected the game itself that the run was started with; only ids are remembered")
    where = str(folder / CHECKPOINT_NAME)
    if stored is not None and game is not None and not (isinstance(game, str) and spec(game).id == stored):
        raise ArgumentError(f"game: expected nothing or {stored!r}, the game of the run, got {shown(game)}")
    config = _config_of(content["config"], game if stored is None else stored, where)
    try:
        if config.follower is not None:
            follower_class(config.follower)
    except UnknownNameError as exc:
        raise OutputError(f"{where}: expected a follower that is registered, got none: {exc}") from exc
    try:
        lineup = line_up(config)
        # Before any of its state or of the options that name code is looked at.
        if lineup.follower.needs_trust and not trust:
            raise OutputError(
                f"{where}: the state of a follower {lineup.follower_name!r} may run any code; expected trust=True "
                "(on the command line --trust) if you know who wrote it"
            )
        experiment = Experiment(config, lineup)
    except OutputError:
        raise
    except StackelbergError as exc:
        raise OutputError(f"{where}: expected the configuration of a run, got one that fails: {exc}") from exc
    try:
        experiment.restore(content, where)
    except BaseException:
        experiment.shut()
        raise
    return experiment


def stored_config(folder: str | Path) -> ExperimentConfig | None:
    """Return the configuration of the run that was stopped in a folder; None if its game has no id.

    Raises
    ------
    OutputError
        There is no checkpoint, or it is damaged.
    """
    options = load_checkpoint(folder)["config"]
    where = str(Path(folder) / CHECKPOINT_NAME)
    return None if options["game"] is None else _config_of(options, options["game"], where)


def _config_of(options: dict[str, Any], game: AnyGame | str | None, where: str) -> ExperimentConfig:
    names = [item.name for item in fields(ExperimentConfig)]
    if sorted(options) != sorted(names):
        raise OutputError(f"{where}: expected the configuration of a run, {', '.join(names)}; got {', '.join(options)}")
    try:
        return ExperimentConfig(**{**options, "game": game})
    except (TypeError, ArgumentError) as exc:
        raise OutputError(f"{where}: expected the configuration of a run, got {exc}") from exc
