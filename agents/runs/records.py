"""Records: what a run leaves behind, one JSON file per run, readable by people and by any language."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

import msgspec
import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import OutputError
from stackelberg_envs.validation import checked_path

from .curves import read_columns
from .files import (
    CHECKPOINT_NAME,
    CURVE_NAME,
    RECORD_NAME,
    named,
    numbered_files,
    prepare_folder,
    require_file,
    write_atomically,
)

__all__ = ["RunRecord", "load_record", "note_stop", "prepare_folder", "remove_superseded"]

FORMAT = 1
FILE_NAME = RECORD_NAME
STATUSES = ("running", "finished", "interrupted", "failed")
#: Bytes; about seven times a run of a million updates.
LARGEST_FILE = 2**30
#: Axes of a commitment, more than any has.
MOST_AXES = 16
#: Fields that a run is told, or that follow from what it is told.
ASKED = (
    *("game", "game_arguments", "leader", "leader_options", "follower", "follower_options", "parametrisation"),
    *("updates", "steps_per_update", "seed", "best_known", "versions"),
)
LEAVES = {int, float, NoneType}
NUMBERS = {int: "a whole number of at least 0", float: "a number", str: "a string"}


@dataclass(repr=False)
class RunRecord:
    """One run of a leader against a follower.

    Attributes
    ----------
    game, game_arguments
        Id (or name) of the game and the arguments it was made with.
    leader, follower, leader_options, follower_options
        Names and hyperparameters, defaults included.
    preset
        Name of the preset that the leader's options were made of; "" without one.
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
        The final commitment and the parameters it comes from (None where it comes from none).
    names
        Of the entries of the commitment, in the order of ``commitment.ravel()``; none where the game gives none.
    ends_with
        Which commitment that is: "recommended", what the leader recommended in the end, or "announced", the last one
        that was played, in a run that was stopped before the recommended one was played, or that failed.
    leader_value
        Exact J of the final commitment under the follower's soft best response, of play without end, reward units. In
        games without a solver it is `actual_value`.
    actual_value
        J of the final commitment under the response of this run's follower to it, after it was told of it; how it is
        found stands in `meanings`. None in a run that was stopped before the follower could respond.
    episode_value, horizon
        Exact J of the final commitment in an episode as it is played, which is cut after `horizon` steps; None in games
        without a solver. The follower's response is the same: it plans as if play had no end.
    start_value, neutral_value
        `leader_value` of the first commitment announced, and of the neutral one, the admissible commitment nearest to
        zero (no incentive, no tax, a uniform policy).
    best_known
        Best known J of this game, or None.
    response_gap
        What the follower loses by its response to the final commitment against its best response, reward units; of
        several the most. None where that is unknown, or the follower did not respond to it.
    observed_steps, follower_steps
        Steps the leader saw, and steps the follower trained for; its response to what is recommended in the end, which
        the leader never sees, is not counted.
    seconds
        Wall-clock time.
    curve
        Arrays over leader updates: "observed_steps", "leader_value" (of the commitment announced in it, under the
        follower's actual policy), "recommended_value" (exact, of the commitment recommended after it, under the best
        response; the last one is `leader_value`),
        "observed_return" (mean over the whole episodes the leader saw in it, as :meth:`Trajectories.mean_return`
        has it), "whole_episodes" (their number; where it is 0, "observed_return" is that of the steps seen and of
        nothing beyond them), "follower_drift" for leaders that take play for a response (by how much the follower's
        play changed since the commitment was announced the last time, with the standard error that this has where it
        did not), and the leader's diagnostics. NaN where there is no value.
    game_digest
        Hash of the content of the game.
    meanings
        What each value is, in words: by field, and by column as "curve.leader_value".
    versions
        Of this package and of what it computes with.
    """

    game: str
    leader: str
    follower: str
    updates: int
    steps_per_update: int
    seed: int
    preset: str = ""
    game_arguments: dict[str, Any] = field(default_factory=dict)
    leader_options: dict[str, Any] = field(default_factory=dict)
    follower_options: dict[str, Any] = field(default_factory=dict)
    information: str = ""
    parametrisation: str = ""
    status: str = "running"
    error: str | None = None
    commitment: Array | None = None
    theta: Array | None = None
    names: list[str] = field(default_factory=list)
    ends_with: str = ""
    leader_value: float | None = None
    actual_value: float | None = None
    episode_value: float | None = None
    horizon: int | None = None
    game_digest: str = ""
    start_value: float | None = None
    neutral_value: float | None = None
    best_known: float | None = None
    response_gap: float | None = None
    observed_steps: int = 0
    follower_steps: int = 0
    seconds: float = 0.0
    curve: dict[str, Array] = field(default_factory=dict)
    meanings: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        """Return a short table, with shapes in place of arrays."""
        from .summary import as_text

        return as_text(self)

    def _repr_html_(self) -> str:
        """Return the same table for a notebook."""
        from .summary import as_html

        return as_html(self)

    def to_json(self) -> str:
        """Return the record as JSON text; numbers round-trip exactly, NaN becomes null."""
        told = {item.name: getattr(self, item.name) for item in fields(self) if item.name != "curve"}
        head = json.dumps({"format": FORMAT, **_plain(told)}, indent=1, allow_nan=False).removesuffix("\n}")
        # A long curve has millions of numbers: each column is one line, written by what writes them fast.
        columns = (f"\n  {json.dumps(name)}: {_line(column)}" for name, column in self.curve.items())
        return f'{head},\n "curve": {{{",".join(columns)}\n }}\n}}'

    @classmethod
    def from_json(cls, text: str) -> RunRecord:
        """Read what :meth:`to_json` wrote.

        Raises
        ------
        OutputError
            Text that is no such record, or one of a newer format; the message names the field.
        """
        expected = "record: expected the JSON of a run"
        if len(text) > LARGEST_FILE:
            raise OutputError(f"{expected} of at most {LARGEST_FILE} characters, got {len(text)}")
        try:
            values = json.loads(text)
            version = values.pop("format")
            if version != FORMAT or isinstance(version, bool):
                raise OutputError(f"record: expected format {FORMAT}, got {version!r}")
            return cls(**_checked(values))
        except (KeyError, TypeError, AttributeError, ValueError, ArithmeticError, RecursionError) as exc:
            raise OutputError(f"{expected}, got {type(exc).__name__}: {exc}") from exc

    def save(self, folder: str | Path) -> Path:
        """Write ``record.json`` into `folder`, atomically: a reader sees the old file or the new one.

        Raises
        ------
        OutputError
            The folder cannot be written; what was there before still is.
        """
        return write_atomically(prepare_folder(folder) / FILE_NAME, self.to_json().encode())


def note_stop(folder: Path | None, **told: Any) -> RunRecord:
    """Return, and write, the record of a run that was stopped before it began; files of an earlier run stay.

    Parameters
    ----------
    folder
        Where no other run goes on, or None.
    told
        What the run was told: fields of the record.
    """
    record = RunRecord(**told, status="interrupted")
    if folder is not None and not any((folder / name).exists() for name in (RECORD_NAME, CHECKPOINT_NAME)):
        record.save(folder)
    return record


def load_record(path: str | Path) -> RunRecord:
    """Read a record from a file, or from a folder that holds ``record.json``.

    The curve of a run that goes on, or was stopped, is read from ``curve.jsonl`` beside it.

    Raises
    ------
    OutputError
        No such file, or no such record in it.
    """
    path = checked_path(path, "record", OutputError)
    with named(f"{path}: expected a run's {FILE_NAME}"):
        path = require_file(path / FILE_NAME if path.is_dir() else path)
        if path.stat().st_size > LARGEST_FILE:
            raise OutputError(f"{path}: expected a run's {FILE_NAME} of at most {LARGEST_FILE} bytes, got more")
        text = path.read_text(encoding="utf-8")
    try:
        record = RunRecord.from_json(text)
    except OutputError as exc:
        raise OutputError(f"{path}: {exc}") from exc
    beside = path.with_name(path.name.replace("record", "curve", 1)).with_suffix(Path(CURVE_NAME).suffix)
    if not record.curve and record.status != "finished" and beside != path and beside.is_file():
        record.curve = read_columns(beside)
    return record


def remove_superseded(folder: Path, record: RunRecord) -> None:
    """Remove the files of earlier runs in a folder that did nothing which the run of `record` did not do too."""
    for path, others in numbered_files(folder):
        try:
            superseded = _is_beginning(load_record(path), record)
        except OutputError:
            continue
        for other in (path, *others) if superseded else ():
            other.unlink(missing_ok=True)


def _is_beginning(one: RunRecord, other: RunRecord) -> bool:
    """Whether two runs were asked for the same, and the curve of one is that of the other as far as it goes."""
    differs = any(_plain(getattr(one, name)) != _plain(getattr(other, name)) for name in ASKED)
    if differs or one.status == "failed":
        return False
    if one.status == "finished" and _plain(one.commitment) != _plain(other.commitment):
        return False
    columns = {name: column[: _length(one)] for name, column in other.curve.items()}
    return not one.curve or (
        one.curve.keys() == columns.keys() and all(_same(one.curve[name], columns[name]) for name in columns)
    )


def _length(record: RunRecord) -> int:
    return max((len(column) for column in record.curve.values()), default=0)


def _same(one: Array, other: Array) -> bool:
    """Whether two columns say the same in a file, where numbers that JSON has no word for are one."""
    first, second = (np.where(np.isfinite(column), column, np.nan) for column in (one, other))
    return np.array_equal(first, second, equal_nan=True)


def _line(column: Array) -> str:
    """Return numbers as JSON; what it has no word for becomes null."""
    return msgspec.json.encode(np.asarray(column, dtype=np.float64).tolist()).decode()


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


def _checked(values: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a record from JSON, each of its type; anything else raises."""
    kinds = get_type_hints(RunRecord)
    for name in values:
        if name not in kinds:
            raise OutputError(f"record: expected fields of a run's record, got {name!r}")
    found = {name: _field(value, kinds[name], name) for name, value in values.items()}
    lengths = {len(column) for column in found.get("curve", {}).values()}
    if len(lengths) > 1:
        raise OutputError(f"record: expected columns of one length in curve, got {sorted(lengths)}")
    return found


def _field(value: Any, kind: Any, name: str) -> Any:
    """Return one field as what its annotation says: a string, a number, a dict, an array, or None."""
    kinds = get_args(kind) if isinstance(kind, UnionType) else (kind,)
    if value is None and NoneType in kinds:
        return None
    kind = next(item for item in kinds if item is not NoneType)
    if get_origin(kind) is dict:
        if not isinstance(value, dict):
            raise OutputError(f"record: expected a dict for {name}, got {_short(value)}")
        inner = get_args(kind)[1]
        return {key: value[key] if inner is Any else _field(value[key], inner, f"{name}[{key!r}]") for key in value}
    if get_origin(kind) is np.ndarray:
        return _array(value, name)
    if get_origin(kind) is list:
        if not isinstance(value, list):
            raise OutputError(f"record: expected a list for {name}, got {_short(value)}")
        return [_field(item, get_args(kind)[0], f"{name}[{i}]") for i, item in enumerate(value)]
    fits = isinstance(value, int | float if kind is float else kind) and (kind is bool or not isinstance(value, bool))
    if fits and kind in (int, float):
        fits = value >= 0 if kind is int else math.isfinite(value)
    if not fits or (name == "status" and value not in STATUSES):
        wanted = f"one of {', '.join(STATUSES)}" if name == "status" else NUMBERS.get(kind, f"a {kind.__name__}")
        raise OutputError(f"record: expected {wanted} for {name}, got {_short(value)}")
    return float(value) if kind is float else value


def _short(value: Any) -> str:
    text = repr(value) if isinstance(value, str | int | float | None) else type(value).__name__
    return text if len(text) < 60 else text[:57] + "..."


def _array(value: Any, name: str) -> Array:
    """Return nested lists of numbers, None among them, as an array."""
    if isinstance(value, list) and {*map(type, value)} <= LEAVES:
        return np.array(value, dtype=np.float64)
    numbers = np.array(value, dtype=object)
    deep = isinstance(value, list) and 1 <= numbers.ndim <= MOST_AXES and not name.startswith("curve[")
    if not deep or not {*map(type, numbers.flat)} <= LEAVES:
        raise OutputError(f"record: expected numbers in {name}, as many in each row, got something else")
    return numbers.astype(np.float64)
