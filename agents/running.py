"""Running an experiment from outside: what ends it, what it leaves in its folder, how it goes on."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agents.checkpoints import unpack
from agents.experiment import (
    CHECKPOINT_FORMAT,
    CHECKPOINT_NAME,
    Experiment,
    ExperimentConfig,
    Progress,
)
from agents.options import Count, make_config
from agents.results import FILE_NAME, RunRecord, load_record, prepare_folder
from stackelberg_envs.batched import AnyGame, BatchedGame
from stackelberg_envs.errors import ArgumentError, OutputError
from stackelberg_envs.games import TabularGame
from stackelberg_envs.registration import spec
from stackelberg_envs.validation import checked, checked_path, shown

__all__ = ["load_checkpoint", "run"]

#: Seconds between two saves of an unfinished record.
SAVE_INTERVAL = 5.0


def run(
    game: AnyGame | str | None = None,
    *,
    output: str | Path | None = None,
    progress: Callable[[Progress], None] | None = None,
    checkpoint_every: int | None = None,
    resume: str | Path | None = None,
    **options: Any,
) -> RunRecord:
    """Run one leader against one follower.

    Parameters
    ----------
    game
        A game, or the id of a registered one, with the module that registers it before it: ``module:id``.
    output
        Folder for ``record.json``; written every few seconds and at the end, whatever ends the run. Until the run
        is finished ``checkpoint.npz`` is beside it.
    progress
        Called with a :class:`Progress` after each leader update.
    checkpoint_every
        Leader updates between two checkpoints; default one every few seconds.
    resume
        Folder of a run that was stopped, even by force: it goes on from its last checkpoint, in the same folder, and
        ends with the same numbers as if it had not been stopped. Only a game that has no id is passed again, and one
        whose id is registered by a module of its own, as ``module:id``: no file makes this import anything.
    options
        The other fields of :class:`ExperimentConfig`: leader, follower, updates, steps_per_update, seed,
        game_arguments, leader_options, follower_options, parametrisation, evaluate_every, leader_process, best_known.

    Returns
    -------
    RunRecord
        With ``commitment``, ``leader_value``, ``observed_steps`` and ``curve``. A run stopped by Ctrl-C
        returns what it had, with status "interrupted".

    Raises
    ------
    UnknownNameError, ArgumentError, InformationError, OutputError
        Before any work is done, with what was expected and what came.
    ConvergenceError
        The follower diverged; the record has status "failed" and the last commitment it responded soundly to.

    Examples
    --------
    >>> import agents
    >>> record = agents.run("stackelberg/DiscreteToy-v0", leader="exact", updates=30)
    >>> round(record.leader_value, 4)
    34.9926
    """
    where, checkpoint_every = _checked_arguments(output, resume, progress, checkpoint_every)
    folder: Path | None
    if resume is not None:
        folder = where
        if _is_finished(where):
            return load_record(where)
        experiment = _resumed(where, game, {**options, **({} if output is None else {"output": output})})
    else:
        if checkpoint_every is not None and output is None:
            raise ArgumentError("checkpoint_every: expected a folder for the checkpoints, got output=None")
        config = make_config(ExperimentConfig, {"game": game, **options}, "run")
        folder = None if output is None else prepare_folder(where)
        experiment = Experiment(config)
    try:
        return _watched(experiment, _Saver(experiment, folder, checkpoint_every), progress)
    finally:
        experiment.shut()


def _checked_arguments(output: Any, resume: Any, progress: Any, checkpoint_every: Any) -> tuple[Path, int | None]:
    """Return the folder of a run, the present one where there is none, and the updates between checkpoints."""
    where = Path()
    for name, given in (("output", output), ("resume", resume)):
        if given is not None:
            where = checked_path(given, f"run: {name}")
    if not (progress is None or callable(progress)):
        raise ArgumentError(f"run: progress: expected a function of one argument, got {shown(progress)}")
    return where, checked(checkpoint_every, Count | None, "run: checkpoint_every")


def _watched(experiment: Experiment, saver: _Saver, progress: Callable[[Progress], None] | None) -> RunRecord:
    """Do what is left of a run; whatever ends it, its record is written."""
    saver.checkpoint()
    try:
        while experiment.updates_done < experiment.config.updates:
            state = experiment.step()
            if progress is not None:
                progress(state)
            saver.after_update()
        return experiment.close("finished")
    except KeyboardInterrupt:
        saver.checkpoint()
        return experiment.close("interrupted")
    except Exception as exc:
        experiment.close("failed", f"{type(exc).__name__}: {exc}")
        raise
    finally:
        saver.end()


class _Saver:
    """Writes record and checkpoints of a run; without a folder it does nothing."""

    def __init__(self, experiment: Experiment, folder: Path | None, every: int | None) -> None:
        self._experiment, self._folder = experiment, folder
        self._every = every
        self._saved = time.perf_counter()
        self._storable = folder is not None

    def after_update(self) -> None:
        """Write what is due."""
        due = self._folder is not None and time.perf_counter() - self._saved > SAVE_INTERVAL
        if due and self._folder is not None:
            self._experiment.update_record().save(self._folder)
            self._saved = time.perf_counter()
        if due if self._every is None else self._experiment.updates_done % self._every == 0:
            self.checkpoint()

    def checkpoint(self) -> None:
        """Write a checkpoint, unless an update is under way; players that cannot be stored go on without."""
        if self._folder is None or not self._storable or not self._experiment.resumable:
            return
        try:
            self._experiment.save(self._folder)
        except ArgumentError as exc:
            self._storable = False
            self._remove()
            if self._every is not None:
                raise
            warnings.warn(f"this run cannot be resumed: {exc}", stacklevel=4)

    def end(self) -> None:
        """Write the record; a finished run needs no checkpoint any more."""
        if self._folder is None:
            return
        self._experiment.record.save(self._folder)
        if self._experiment.record.status == "finished":
            self._remove()

    def _remove(self) -> None:
        if self._folder is not None:
            (self._folder / CHECKPOINT_NAME).unlink(missing_ok=True)


def _is_finished(folder: Path) -> bool:
    has_checkpoint = (folder / CHECKPOINT_NAME).exists()
    return not has_checkpoint and (folder / FILE_NAME).exists() and load_record(folder).status == "finished"


def load_checkpoint(folder: str | Path) -> dict[str, Any]:
    """Return the content of a folder's checkpoint: "config", "versions", "game_digest", and "state" as bytes.

    Raises
    ------
    OutputError
        There is none, or it is damaged.
    """
    path = Path(folder) / CHECKPOINT_NAME
    try:
        data = path.read_bytes()
    except OSError as exc:
        raise OutputError(f"{path}: expected the checkpoint of a run that was stopped, got {exc}") from exc
    content = unpack(data, where=str(path))
    if not (isinstance(content, dict) and {"format", "config", "game_digest", "versions", "state"} <= content.keys()):
        raise OutputError(f"{path}: expected the checkpoint of a run, got something else")
    if content["format"] != CHECKPOINT_FORMAT:
        raise OutputError(f"{path}: expected format {CHECKPOINT_FORMAT}, got {content['format']!r}")
    return content


def _resumed(folder: Path, game: AnyGame | str | None, options: dict[str, Any]) -> Experiment:
    """Return the experiment as it was at its last checkpoint."""
    if options:
        raise ArgumentError(
            f"resume: expected no other options, since the checkpoint has them; got {', '.join(options)}"
        )
    content = load_checkpoint(folder)
    stored = content["config"]["game"]
    if stored is None and not isinstance(game, TabularGame | BatchedGame):
        raise ArgumentError("game: expected the game itself that the run was started with; only ids are remembered")
    where = str(folder / CHECKPOINT_NAME)
    if stored is not None and not (isinstance(stored, str) and ":" not in stored):
        # What stands before a colon would be imported.
        raise OutputError(f"{where}: expected the id of a game, got {shown(stored)}")
    if stored is not None and game is not None and not (isinstance(game, str) and spec(game).id == stored):
        raise ArgumentError(f"game: expected nothing or {stored!r}, the game of the run, got {shown(game)}")
    experiment = Experiment(_config_of(content["config"], game if stored is None else stored, where))
    try:
        experiment.restore(content, where)
    except BaseException:
        experiment.shut()
        raise
    return experiment


def _config_of(options: dict[str, Any], game: AnyGame | str | None, where: str) -> ExperimentConfig:
    try:
        return ExperimentConfig(**{**options, "game": game})
    except (TypeError, ArgumentError) as exc:
        raise OutputError(f"{where}: expected the configuration of a run, got {exc}") from exc
