"""What is told of a run while it goes on: callbacks of one's own, and those that write to TensorBoard and the like.

The libraries are imported when a callback is made. None of them is a dependency of this package.
"""

from __future__ import annotations

import importlib
import math
import time
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from stackelberg_envs.errors import ArgumentError, MissingExtraError, unknown_name
from stackelberg_envs.validation import shown

from .config import ExperimentConfig

if TYPE_CHECKING:
    from .experiment import Progress
    from .records import RunRecord

__all__ = ["CALLBACKS", "Callback", "Callbacks", "MLflow", "TensorBoard", "WandB", "callbacks_of"]

Row: TypeAlias = Mapping[str, float]
#: Where runs are put together by services that have such a place.
PROJECT = "stackelberg"
#: Name of a folder of TensorBoard's, of which each start of a run has one: else charts of several would be one.
STARTED = "%Y-%m-%d_%H-%M-%S"
#: What a callback has.
METHODS = ("on_start", "on_update", "on_end")
#: Characters of a setting that every version of MLflow takes.
LONGEST_PARAM = 500
#: What of a record is told at its end.
ENDS = ("leader_value", "actual_value", "episode_value", "response_gap", "best_known", "seconds")


class Callback:
    """Told of a run. Derive from it and override what you need; any object with these methods will do.

    What it raises at the start ends the run, before any work. What it raises later is a warning, and it is told no
    more: the run goes on, and its record is written in any case.
    """

    def on_start(self, config: ExperimentConfig) -> None:
        """Note what is run; called once, before the first update, and again when a stopped run goes on."""

    def on_update(self, progress: Progress, row: Row) -> None:
        """Note an update: how far the run is, and its row of the curve, numbers by the names of the columns."""

    def on_end(self, record: RunRecord) -> None:
        """Note the end, whatever it is; the record has been written by then."""


class Callbacks:
    """Several callbacks, of which none can do the run harm."""

    def __init__(self, callbacks: Iterable[Callback]) -> None:
        self._callbacks = list(callbacks)
        self._started: list[Callback] = []

    def start(self, config: ExperimentConfig) -> None:
        """Tell all of the start; what one raises is raised."""
        for callback in self._callbacks:
            callback.on_start(config)
            self._started.append(callback)

    def update(self, progress: Progress, row: Callable[[], Row]) -> None:
        """Tell all of an update."""
        if self._started:
            told = row()
            self._tell(lambda callback: callback.on_update(progress, told))

    def end(self, record: RunRecord) -> None:
        """Tell all of the end."""
        self._tell(lambda callback: callback.on_end(record))

    def _tell(self, tell: Callable[[Callback], None]) -> None:
        for callback in list(self._started):
            try:
                tell(callback)
            except Exception as exc:
                self._started.remove(callback)
                name = type(callback).__name__
                warnings.warn(f"callback {name} is told no more: {type(exc).__name__}: {exc}", stacklevel=4)


class TensorBoard(Callback):
    """Writes the curve for TensorBoard, by tensorboardX: the steps of its charts are leader updates.

    Parameters
    ----------
    folder
        For the files; default a new one of this run in ``runs``.
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        self._library = _imported("tensorboardX", "tensorboardX")
        self._folder = None if folder is None else str(folder)
        self._writer: Any = None

    def on_start(self, config: ExperimentConfig) -> None:  # noqa: D102
        self._writer = self._library.SummaryWriter(self._folder)
        told = "\n".join(f"    {name}: {value}" for name, value in _settings(config).items())
        self._writer.add_text("settings", told)

    def on_update(self, progress: Progress, row: Row) -> None:  # noqa: D102
        for name, value in _known(row).items():
            self._writer.add_scalar(name, value, progress.update)

    def on_end(self, record: RunRecord) -> None:  # noqa: D102
        for name, value in _ends(record).items():
            self._writer.add_scalar(f"end/{name}", value, record.updates)
        self._writer.close()


class WandB(Callback):
    """Writes the curve to Weights & Biases, as a run of the project "stackelberg": its steps are leader updates.

    Parameters
    ----------
    folder
        For its files; default where that library puts them.
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        self._library = _imported("wandb", "wandb")
        self._folder = None if folder is None else str(folder)
        self._run: Any = None

    def on_start(self, config: ExperimentConfig) -> None:  # noqa: D102
        if self._folder is not None:
            Path(self._folder).mkdir(parents=True, exist_ok=True)
        self._run = self._library.init(project=PROJECT, config=_settings(config), dir=self._folder, reinit="create_new")

    def on_update(self, progress: Progress, row: Row) -> None:  # noqa: D102
        self._run.log(_known(row), step=progress.update)

    def on_end(self, record: RunRecord) -> None:  # noqa: D102
        self._run.summary.update({**_ends(record), "status": record.status})
        self._run.finish(exit_code=int(record.status == "failed"))


class MLflow(Callback):
    """Writes the curve to MLflow, as a run of the experiment "stackelberg": its steps are leader updates.

    Where that is, MLflow knows: ``MLFLOW_TRACKING_URI``.

    Parameters
    ----------
    folder
        Of the run's record, for a tag; None without one.
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        self._library = _imported("mlflow", "mlflow")
        self._folder = "" if folder is None else str(folder)
        self._client: Any = None
        self._run = ""

    def on_start(self, config: ExperimentConfig) -> None:  # noqa: D102
        # A client of its own: the run that a program has open in MLflow stays the one that it is.
        self._client = self._library.MlflowClient()
        there = self._client.get_experiment_by_name(PROJECT)
        place = self._client.create_experiment(PROJECT) if there is None else there.experiment_id
        self._run = self._client.create_run(place, tags={"folder": self._folder}).info.run_id
        for name, value in _settings(config).items():
            self._client.log_param(self._run, name, str(value)[:LONGEST_PARAM])

    def on_update(self, progress: Progress, row: Row) -> None:  # noqa: D102
        for name, value in _known(row).items():
            self._client.log_metric(self._run, name, value, step=progress.update)

    def on_end(self, record: RunRecord) -> None:  # noqa: D102
        for name, value in _ends(record).items():
            self._client.log_metric(self._run, f"end.{name}", value)
        status = {"finished": "FINISHED", "interrupted": "KILLED"}.get(record.status, "FAILED")
        self._client.set_terminated(self._run, status)


#: Name, in Python and on the command line -> what is made of the folder of a run's record.
CALLBACKS: dict[str, Callable[[Path | None], Callback]] = {
    "tensorboard": lambda folder: TensorBoard(folder and folder / "tensorboard" / time.strftime(STARTED)),
    "wandb": WandB,
    "mlflow": MLflow,
}


def callbacks_of(given: Any, folder: Path | None) -> Callbacks:
    """Return callbacks from names and objects.

    Parameters
    ----------
    given
        One, or several.
    folder
        Of the run's record; None without one.

    Raises
    ------
    UnknownNameError, ArgumentError
        None of that name; no callback.
    MissingExtraError
        The library of one is not installed.
    """
    several = given if isinstance(given, list | tuple) else [given]
    return Callbacks([_callback(each, folder) for each in several])


def _callback(given: Any, folder: Path | None) -> Callback:
    if isinstance(given, str):
        if given not in CALLBACKS:
            raise unknown_name("callback", given, CALLBACKS)
        return CALLBACKS[given](folder)
    if isinstance(given, type) or not all(callable(getattr(given, name, None)) for name in METHODS):
        raise ArgumentError(
            f"callbacks: expected names or objects with on_start, on_update and on_end, got {shown(given)}"
        )
    made: Callback = given
    return made


def _imported(module: str, package: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as exc:
        raise MissingExtraError(
            f"callbacks: expected the package {package}, which is not installed: pip install {package}"
        ) from exc


def _settings(config: ExperimentConfig) -> dict[str, Any]:
    """Return what is run, flat: options of players as "leader_options.learning_rate"."""
    game = config.game if isinstance(config.game, str) else config.game.name
    found: dict[str, Any] = {}
    for name, value in {**asdict(replace(config, game="")), "game": game}.items():
        if isinstance(value, dict):
            found |= {f"{name}.{key}": str(item) for key, item in value.items()}
        else:
            found[name] = value
    return found


def _known(row: Row) -> dict[str, float]:
    """Return the numbers of a row that are known."""
    return {name: value for name, value in row.items() if not math.isnan(value)}


def _ends(record: RunRecord) -> dict[str, float]:
    told = {name: getattr(record, name) for name in ENDS}
    return {name: float(value) for name, value in told.items() if value is not None}
