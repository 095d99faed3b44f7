"""Curves: a row of numbers per leader update, appended to a file while a run goes on.

The file is text: a JSON list of column names, then a JSON list of numbers per update. Where columns come in later, a
new list of names is written. ``null`` is a number that is not known, "inf" and "-inf" are what they say. What was
written is never written again, so that saving costs what happened since the last time, not all that ever did.
"""

from __future__ import annotations

import hashlib
import json
import math
import numbers
import os
from array import array
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import ArgumentError, OutputError

from .files import CURVE_NAME, named, require_file

__all__ = ["COLUMNS", "Curve", "CurveMark", "checked_diagnostics", "read_columns"]

#: Columns of the curve that are the run's own, so that no diagnostic of a leader may be called so.
COLUMNS = (
    *("observed_steps", "leader_value", "recommended_value", "observed_return", "whole_episodes", "halvings"),
    *("follower_drift", "follower_drift_error"),
)
#: Rows that are read at once.
BLOCK = 10_000
#: Longest line, bytes; a damaged file may have one that never ends.
LONGEST_LINE = 1_000_000


@dataclass(frozen=True)
class CurveMark:
    """How much of a curve's file belongs to a checkpoint.

    Attributes
    ----------
    rows, size
        Rows, and bytes from the start of the file.
    digest
        SHA-256 of those bytes, in hexadecimal digits.
    """

    rows: int
    size: int
    digest: str


@dataclass(frozen=True, eq=False)
class _Written:
    """What a file has of a curve; replaced as a whole, so that a stop in between leaves no half of it."""

    path: Path
    rows: int = 0
    size: int = 0
    names: tuple[str, ...] = ()
    hashed: Any = field(default_factory=hashlib.sha256)
    #: Whether nothing follows in the file.
    is_whole: bool = False

    @property
    def mark(self) -> CurveMark:
        return CurveMark(self.rows, self.size, self.hashed.hexdigest())


class Curve:
    """Columns of equal length, one number in each per row; NaN where a row has none.

    Attributes
    ----------
    rows
        How many there are.
    """

    def __init__(self) -> None:
        self.rows = 0
        self._columns: dict[str, array[float]] = {}
        self._written: _Written | None = None

    def add(self, row: Mapping[str, float]) -> None:
        """Append one row."""
        for name in row:
            if name not in self._columns:
                self._columns[name] = array("d", [math.nan]) * self.rows
        for name, column in self._columns.items():
            del column[self.rows :]  # of a row that was broken off
            column.append(row.get(name, math.nan))
        self.rows += 1

    def columns(self) -> dict[str, Array]:
        """Return a copy of the columns, each of shape (rows,)."""
        return {name: np.array(column[: self.rows], dtype=np.float64) for name, column in self._columns.items()}

    def last(self) -> dict[str, float]:
        """Return the last row, by the names of the columns."""
        return {name: float(column[self.rows - 1]) for name, column in self._columns.items()}

    def write(self, folder: Path) -> CurveMark:
        """Append to the file in `folder` what it does not have yet; return how much that is in all.

        Raises
        ------
        OutputError
            It cannot be written, or has been changed by somebody else.
        """
        path = folder / CURVE_NAME
        before = self._written
        if before is None or before.path != path:
            before = _Written(path)
        if before.is_whole and before.rows == self.rows:
            return before.mark
        data = "".join(self._lines(before)).encode()
        with named(f"{path}: expected a file that can be written"):
            _append(path, data, before.size)
        hashed = before.hashed.copy()
        hashed.update(data)
        self._written = _Written(path, self.rows, before.size + len(data), tuple(self._columns), hashed, is_whole=True)
        return self._written.mark

    @classmethod
    def read(cls, folder: Path, mark: CurveMark) -> Curve:
        """Return the curve of a checkpoint from the file in `folder`; what came after it is cut off by :meth:`write`.

        Raises
        ------
        OutputError
            The file is missing, damaged or of another run.
        """
        path = folder / CURVE_NAME
        curve = cls()
        with named(f"{path}: expected the curve of the run in this folder"):
            data = b""
            if 0 <= mark.size <= require_file(path).stat().st_size:
                with path.open("rb") as file:
                    data = file.read(mark.size)
        hashed = hashlib.sha256(data)
        if hashed.hexdigest() != mark.digest or len(data) != mark.size:
            raise OutputError(f"{path}: expected the {mark.rows} rows that the checkpoint was written with, got others")
        _fill(curve, data, str(path))
        if curve.rows != mark.rows:
            raise OutputError(f"{path}: expected {mark.rows} rows, as the checkpoint says, got {curve.rows}")
        curve._written = _Written(path, curve.rows, mark.size, tuple(curve._columns), hashed)
        return curve

    def _lines(self, before: _Written) -> Iterator[str]:
        if before.names != tuple(self._columns):
            yield json.dumps(list(self._columns)) + "\n"
        fresh = [column[before.rows : self.rows] for column in self._columns.values()]
        for row in zip(*fresh, strict=True):
            yield json.dumps([_word(value) for value in row]) + "\n"


def read_columns(path: Path) -> dict[str, Array]:
    """Return the columns of a curve's file, as far as it is whole; a last line that was cut off is left out.

    Raises
    ------
    OutputError
        The file cannot be read, or is no curve.
    """
    curve = Curve()
    with named(f"{path}: expected the curve of a run"):
        data = require_file(path).read_bytes()
    _fill(curve, data[: data.rfind(b"\n") + 1], str(path))
    return curve.columns()


def _fill(curve: Curve, data: bytes, where: str) -> None:
    """Add the rows that are written in `data` to an empty curve."""
    lines = data.split(b"\n")[:-1]
    try:
        for first in range(0, len(lines), BLOCK):
            block = lines[first : first + BLOCK]
            if max(map(len, block)) > LONGEST_LINE:
                raise OutputError(f"{where}: expected lines of at most {LONGEST_LINE} bytes, got a longer one")
            for item in json.loads(b"[" + b",".join(block) + b"]"):
                _take(curve, item)
    except (ValueError, TypeError, RecursionError) as exc:
        raise OutputError(f"{where}: expected lists of names and of numbers, got {exc}") from exc


def _take(curve: Curve, item: Any) -> None:
    if not isinstance(item, list):
        raise TypeError(f"{type(item).__name__} for a line")
    if item and all(isinstance(name, str) for name in item) and not all(name in WORDS for name in item):
        if len({*item}) != len(item) or item[: len(curve._columns)] != list(curve._columns):
            raise ValueError("other columns than before")
        for name in item[len(curve._columns) :]:
            curve._columns[name] = array("d", [math.nan]) * curve.rows
        return
    if len(item) != len(curve._columns):
        raise ValueError(f"{len(item)} numbers for {len(curve._columns)} columns")
    numbers = [_number(value) for value in item]
    for column, number in zip(curve._columns.values(), numbers, strict=True):
        column.append(number)
    curve.rows += 1


#: What JSON has no word for.
WORDS = {"inf": math.inf, "-inf": -math.inf}


def _word(value: float) -> float | str | None:
    if math.isfinite(value):
        return value
    return None if math.isnan(value) else "inf" if value > 0 else "-inf"


def _number(value: Any) -> float:
    if value is None:
        return math.nan
    if isinstance(value, str):
        return WORDS[value] if value in WORDS else float("no number")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{type(value).__name__} for a number")
    return float(value)


def _append(path: Path, data: bytes, size: int) -> None:
    """Write at the end of a file that has to be of `size` bytes; what was written in part is taken back."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        if size and os.fstat(handle).st_size < size:
            raise OutputError(f"{path}: expected {size} bytes that this run wrote, got {os.fstat(handle).st_size}")
        os.ftruncate(handle, size)
        os.lseek(handle, size, os.SEEK_SET)
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(handle, view) :]
            os.fsync(handle)
        except BaseException:
            with suppress(OSError):
                os.ftruncate(handle, size)
            raise
    finally:
        os.close(handle)


def checked_diagnostics(given: Any, leader: str) -> dict[str, float]:
    """Return what an update of a leader returned, if it can stand beside the run's own columns.

    Parameters
    ----------
    given
        Name -> number.
    leader
        The leader's name, for the message.

    Raises
    ------
    ArgumentError
        Something else, a name that is no string or one of the run's own columns, or a value that is no real number.
    """
    owner = f"leader {leader!r}: update"
    if not isinstance(given, dict):
        raise ArgumentError(f"{owner}: expected a dict of diagnostics, name to number, got {type(given).__name__}")
    for name, value in given.items():
        if not isinstance(name, str) or name in COLUMNS:
            raise ArgumentError(
                f"{owner}: expected diagnostics with names other than those of the run's own columns "
                f"({', '.join(COLUMNS)}), got {name!r}"
            )
        if np.ndim(value) or not isinstance(value, numbers.Real | np.number | np.bool_ | np.ndarray):
            raise ArgumentError(f"{owner}: diagnostic {name!r}: expected a real number, got {value!r:.200}")
    return given
