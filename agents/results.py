"""Records: what a run leaves behind, one JSON file per run, readable by people and by any language."""

from __future__ import annotations

import json
import math
import os
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import OutputError

__all__ = ["RunRecord", "load_record", "prepare_folder"]

FORMAT = 1
FILE_NAME = "record.json"


@dataclass
class RunRecord:
    """One run of a leader against a follower.

    Attributes
    ----------
    game, game_arguments
        Id (or name) of the game and the arguments it was made with.
    leader, follower, leader_options, follower_options
        Names and hyperparameters, defaults included.
    information
        The leader's declared level for this game.
    parametrisation
        Name of the map from theta to commitments.
    updates, steps_per_update, seed
        As asked for.
    status
        "running", "finished", "interrupted" or "failed".
    error
        What ended a failed run.
    commitment, theta
        The final commitment and the parameters it comes from (None where the leader has none).
    leader_value
        Exact J of the final commitment under the follower's soft best response, reward units.
    start_value
        The same for the first commitment.
    best_known
        Best known J of this game, or None.
    response_gap
        What the follower loses by its final policy against its best response, reward units; of several the most.
    observed_steps, follower_steps
        Steps the leader saw, and steps the follower trained for.
    seconds
        Wall-clock time.
    curve
        Arrays over leader updates: "observed_steps", "leader_value" (exact, under the follower's actual policy),
        "observed_return" (mean over the whole episodes the leader saw in it, as :meth:`Trajectories.mean_return`
        has it), "whole_episodes" (their number; where it is 0, "observed_return" is that of the steps seen and of
        nothing beyond them), and the leader's diagnostics. NaN where there is no value.
    versions
        Of this package and of what it computes with.
    """

    game: str
    leader: str
    follower: str
    updates: int
    steps_per_update: int
    seed: int
    game_arguments: dict[str, Any] = field(default_factory=dict)
    leader_options: dict[str, Any] = field(default_factory=dict)
    follower_options: dict[str, Any] = field(default_factory=dict)
    information: str = ""
    parametrisation: str = ""
    status: str = "running"
    error: str | None = None
    commitment: Array | None = None
    theta: Array | None = None
    leader_value: float | None = None
    start_value: float | None = None
    best_known: float | None = None
    response_gap: float | None = None
    observed_steps: int = 0
    follower_steps: int = 0
    seconds: float = 0.0
    curve: dict[str, Array] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return the record as JSON text; numbers round-trip exactly, NaN becomes null."""
        return json.dumps({"format": FORMAT, **_plain(asdict(self))}, indent=1, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> RunRecord:
        """Read what :meth:`to_json` wrote.

        Raises
        ------
        OutputError
            Text that is no such record, or one of a newer format.
        """
        try:
            values = json.loads(text)
            version = values.pop("format")
            if version != FORMAT:
                raise OutputError(f"record: expected format {FORMAT}, got {version!r}")
            record = cls(**values)
            record.curve = {name: _array(column) for name, column in record.curve.items()}
            record.commitment, record.theta = (
                None if value is None else _array(value) for value in (record.commitment, record.theta)
            )
        except (json.JSONDecodeError, KeyError, TypeError, AttributeError, ValueError) as exc:
            raise OutputError(f"record: expected the JSON of a run, got {type(exc).__name__}: {exc}") from exc
        return record

    def save(self, folder: str | Path) -> Path:
        """Write ``record.json`` into `folder`, atomically: a reader sees the old file or the new one.

        Raises
        ------
        OutputError
            The folder cannot be written.
        """
        path = prepare_folder(folder) / FILE_NAME
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        temporary.write_text(self.to_json(), encoding="utf-8")
        return temporary.replace(path)


def load_record(path: str | Path) -> RunRecord:
    """Read a record from a file, or from a folder that holds ``record.json``.

    Raises
    ------
    OutputError
        No such file, or no such record in it.
    """
    path = Path(path)
    path = path / FILE_NAME if path.is_dir() else path
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise OutputError(f"{path}: expected a run's record.json, got {exc}") from exc
    return RunRecord.from_json(text)


def prepare_folder(folder: str | Path) -> Path:
    """Create a folder and prove that it can be written, before any work is done for it.

    Raises
    ------
    OutputError
        It cannot.
    """
    path = Path(folder)
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            return path
    except OSError as exc:
        raise OutputError(f"output folder {path}: expected a folder that can be written, got {exc}") from exc


def _plain(value: Any) -> Any:
    """Return `value` with arrays as lists and numbers JSON has no word for as None."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return str(value)


def _array(value: Any) -> Array:
    return np.array(value, dtype=np.float64)
