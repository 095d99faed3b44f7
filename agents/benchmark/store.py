"""The folder of a benchmark: one immutable file per job that was done, found by the hash of what was asked.

::

    store.json                  says that this is a store, and of which format
    records/ab/abcd….json       finished jobs; never written twice, never changed
    failures/ab/abcd…-1.json    what did not finish, one file per time it was tried
    sweeps/….json               which jobs belonged to a sweep, and what is known of its tasks
    logs/abcd….txt              what a job printed and warned of

Every file appears whole or not at all. Readers need no lock. Runners take turns, since two of them would do the same
jobs twice; were a lock to fail, on some network file system, no file could be damaged by that.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any

import msgspec

from stackelberg_envs.errors import OutputError
from stackelberg_envs.validation import checked_path

from ..runs.files import FolderLock, named, require_file, write_atomically
from .jobs import ADDRESS_DIGITS
from .records import JobRecord

__all__ = ["Entrant", "Store", "Sweep", "TaskFacts"]

FORMAT = 1
MARK, RECORDS, FAILURES, SWEEPS, LOGS = "store.json", "records", "failures", "sweeps", "logs"
ADDRESS = re.compile(rf"[0-9a-f]{{{ADDRESS_DIGITS}}}")
#: Seconds between two looks at a lock that another runner has.
LOOK_AGAIN = 1.0


class TaskFacts(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is known of a task and decides no number of a run.

    Attributes
    ----------
    name
        As in its jobs.
    start, best_known
        J, in reward units, that count as 0 and as 1 in scores; None where nobody has said it.
    note
        One line for tables.
    """

    name: str
    start: float | None = None
    best_known: float | None = None
    note: str = ""


class Entrant(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A leader with its settings.

    Attributes
    ----------
    name
        As in its jobs.
    leader
        Name of its class.
    summary
        One line for tables.
    """

    name: str
    leader: str
    summary: str = ""


class Sweep(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which jobs belong to one sweep.

    Attributes
    ----------
    name
        Of the suite, as "tabular-v1"; or what its caller called it.
    description
        One line for tables.
    tasks, entrants
        What it compares, in the order of tables.
    jobs
        Addresses of all its jobs, done or not.
    """

    name: str
    tasks: list[TaskFacts]
    entrants: list[Entrant]
    jobs: list[str]
    description: str = ""
    format: int = FORMAT


class Store:
    """The records of a benchmark in a folder.

    Parameters
    ----------
    folder
        Where.
    create
        Whether to make it, if there is none.

    Raises
    ------
    OutputError
        No store, one of another format, or a folder that cannot be read.
    """

    def __init__(self, folder: str | Path, *, create: bool = False) -> None:
        self.folder = checked_path(folder, "store", OutputError)
        mark = self.folder / MARK
        with named(f"{self.folder}: expected the folder of a benchmark"):
            if create and not mark.exists():
                self._create()
            if not mark.is_file():
                raise OutputError(f"{self.folder}: expected the folder of a benchmark, got one without {MARK}")
            found = _decoded(mark, _Mark).format
        if found != FORMAT:
            raise OutputError(f"{mark}: expected a store of format {FORMAT}, got one of {found}")

    def _create(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        strangers = sorted(path.name for path in self.folder.iterdir() if not path.name.startswith("."))
        if strangers:
            raise OutputError(f"{self.folder}: expected an empty folder or a store, got one with {strangers[0]!r}")
        write_atomically(self.folder / MARK, msgspec.json.encode(_Mark(format=FORMAT)))

    def lock(self, waiting: Callable[[str], None] | None = None) -> AbstractContextManager[Any]:
        """Return the right to add records, which one runner has at a time.

        Parameters
        ----------
        waiting
            Told once, in one line, for whom it waits; without it an OutputError says so at once.

        Raises
        ------
        OutputError
            The folder cannot be written, or another runner has it.
        """
        told = False
        while True:
            try:
                return FolderLock(self.folder)
            except OutputError as exc:
                if waiting is None or "no other run" not in str(exc):
                    raise
                if not told:
                    waiting(str(exc))
                told = True
                time.sleep(LOOK_AGAIN)

    def path(self, address: str) -> Path:
        """Return where the record of a finished job is, or would be."""
        return self.folder / RECORDS / address[:2] / f"{address}.json"

    def log_path(self, address: str) -> Path:
        """Return where what a job printed is, or would be."""
        return self.folder / LOGS / f"{address}.txt"

    def has(self, address: str) -> bool:
        """Whether a job is finished."""
        return self.path(address).exists()

    def addresses(self) -> set[str]:
        """Return the addresses of all finished jobs."""
        return {path.stem for path in self._files(RECORDS) if ADDRESS.fullmatch(path.stem)}

    def add(self, record: JobRecord) -> Path:
        """Write a record. That of a finished job that is there already stays as it is.

        Raises
        ------
        OutputError
            It cannot be written; what was there before still is.
        """
        data = record.to_json()
        if record.status == "finished":
            return _write_once(self.path(record.address), data)
        folder = self.folder / FAILURES / record.address[:2]
        number = 1
        while (folder / f"{record.address}-{number}.json").exists():
            number += 1
        return _write_once(folder / f"{record.address}-{number}.json", data)

    def load(self, address: str) -> JobRecord:
        """Return the record of a finished job.

        Raises
        ------
        OutputError
            There is none, or it is damaged.
        """
        return _read_record(self.path(address), address)

    def records(self) -> Iterator[JobRecord]:
        """Return the records of all finished jobs, in the order of their addresses, read one after the other.

        Raises
        ------
        OutputError
            One of them is damaged, of another format, or under another name than its own.
        """
        for path in self._files(RECORDS):
            yield _read_record(path, path.stem)

    def failures(self) -> Iterator[JobRecord]:
        """Return what did not finish and has not finished since: the last attempt of each such job."""
        last: dict[str, tuple[int, Path]] = {}
        for path in self._files(FAILURES):
            address, _, number = path.stem.partition("-")
            if not self.has(address) and number.isdecimal() and int(number) > last.get(address, (0,))[0]:
                last[address] = int(number), path
        for address, (_, path) in sorted(last.items()):
            yield _read_record(path, address)

    def add_sweep(self, sweep: Sweep) -> Path:
        """Note which jobs belong together; the same sweep again changes nothing."""
        data = msgspec.json.format(msgspec.json.encode(sweep, order="deterministic"), indent=1)
        name = hashlib.sha256(data).hexdigest()[:ADDRESS_DIGITS]
        return _write_once(self.folder / SWEEPS / f"{name}.json", data)

    def sweeps(self) -> list[Sweep]:
        """Return all sweeps of this store, the oldest first."""
        paths = sorted(self._files(SWEEPS), key=lambda path: (path.stat().st_mtime_ns, path.name))
        return [_decoded(path, Sweep) for path in paths]

    def _files(self, kind: str) -> list[Path]:
        with named(f"{self.folder}: expected a folder that can be read"):
            return sorted((self.folder / kind).rglob("[!.]*.json"), key=lambda path: path.name)


class _Mark(msgspec.Struct, forbid_unknown_fields=True):
    format: int


def _read_record(path: Path, address: str) -> JobRecord:
    with named(f"{path}: expected the record of a job"):
        record = JobRecord.from_json(require_file(path).read_bytes(), str(path))
    if record.address != address:
        raise OutputError(f"{path}: expected the record of the job {address}, got that of {record.address}")
    return record


def _decoded(path: Path, kind: type[Any]) -> Any:
    with named(f"{path}: expected a file of a store"):
        try:
            return msgspec.json.decode(require_file(path).read_bytes(), type=kind)
        except (msgspec.DecodeError, RecursionError) as exc:
            raise OutputError(f"{path}: expected a file of a store, got {exc}") from exc


def _write_once(path: Path, data: bytes) -> Path:
    """Write a file that is not there yet; one that is there stays, even if another process is quicker."""
    with named(f"{path}: expected a file that can be written"):
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            return path
        draft = write_atomically(path.with_name(f".{path.stem}.{os.getpid()}.draft"), data)
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        except OSError:  # a file system without links
            draft.replace(path)
        finally:
            with suppress(OSError):
                draft.unlink()
    return path
