"""A run's folder: files that appear whole or not at all, one run at a time, and no litter of runs that were killed."""

from __future__ import annotations

import json
import os
import re
import secrets
import socket
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from stackelberg_envs.errors import OutputError
from stackelberg_envs.validation import checked_path

try:
    import fcntl
except ImportError:  # Windows has no such locks
    fcntl = None  # type: ignore[assignment]

__all__ = [
    "CHECKPOINT_NAME",
    "CURVE_NAME",
    "LOCK_NAME",
    "RECORD_NAME",
    "FolderLock",
    "named",
    "numbered_files",
    "prepare_folder",
    "remove_leftovers",
    "require_file",
    "restore_names",
    "set_aside",
    "write_atomically",
]

RECORD_NAME, CHECKPOINT_NAME, CURVE_NAME, LOCK_NAME = "record.json", "checkpoint.npz", "curve.jsonl", ".lock"
#: Names of the temporary files: what is written, the process that writes it, and something random.
TEMPORARY = re.compile(r"\.(?:record\.json|checkpoint\.npz|curve\.jsonl)\.(\d+)(?:\.\w+)?")


def prepare_folder(folder: str | Path) -> Path:
    """Create a folder and prove that a run can write its files there, before any work is done for it.

    Raises
    ------
    OutputError
        It cannot.
    """
    path = checked_path(folder, "output folder", OutputError)
    with named(f"output folder {path}: expected a folder that can be written"):
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
        for name in (RECORD_NAME, CHECKPOINT_NAME, CURVE_NAME, LOCK_NAME):
            if (path / name).exists() and not (path / name).is_file():
                raise OutputError(f"{path / name}: expected a file or nothing, got something else of that name")
    return path


def require_file(path: Path) -> Path:
    """Return a path that is to be read, unless what is there is no file: a device or a pipe may never end.

    Raises
    ------
    OutputError
        There is something else of that name.
    """
    if path.exists() and not path.is_file():
        raise OutputError(f"{path}: expected a file, got something else of that name")
    return path


def write_atomically(path: Path, data: bytes) -> Path:
    """Write a file so that a reader sees the old content or the new, even if the machine stops meanwhile.

    Raises
    ------
    OutputError
        It cannot be written; what was there before still is.
    """
    with named(f"{path}: expected a file that can be written"):
        temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        try:
            try:
                _claim(handle)
                _write_all(handle, data)
                os.fsync(handle)
            finally:
                os.close(handle)
            temporary.replace(path)
        except BaseException:
            # A signal may arrive anywhere; whatever it was, nothing half-written stays.
            with suppress(OSError):
                temporary.unlink()
            raise
    _sync_folder(path.parent)
    return path


def remove_leftovers(folder: Path) -> list[Path]:
    """Remove the temporary files of processes that were killed while they wrote; return which.

    A file that is being written is locked by its writer, and one that bears the number of another living process is
    left alone.
    """
    removed = []
    with named(f"{folder}: expected a folder that can be read"):
        found = [(path, TEMPORARY.fullmatch(path.name)) for path in folder.iterdir()]
    for path, match in found:
        if match is not None and not _is_alive(int(match[1])) and _is_unclaimed(path):
            with suppress(OSError):
                path.unlink()
                removed.append(path)
    return removed


class FolderLock:
    """The right to write into a run's folder, which one run has at a time.

    The kernel takes it from a process that ends, however it ends.

    Parameters
    ----------
    folder
        Of the run; it has to exist.

    Raises
    ------
    OutputError
        Another run has the folder; the message says which. Or the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / LOCK_NAME
        self._pid = os.getpid()
        with named(f"{folder}: expected a folder that can be written"):
            self._handle: int | None = self._acquire()
            _HELD.add(self._handle)
            try:
                owner = {"pid": self._pid, "host": socket.gethostname(), "started": time.strftime("%Y-%m-%d %H:%M:%S")}
                os.ftruncate(self._handle, 0)
                os.pwrite(self._handle, json.dumps(owner).encode(), 0)
            except BaseException:
                self.release()
                raise

    def __enter__(self) -> FolderLock:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self.release()

    def release(self) -> None:
        """Give the folder back; a second call does nothing, nor does one in a process that was forked meanwhile."""
        handle, self._handle = self._handle, None
        if handle is None or os.getpid() != self._pid:
            return
        _HELD.discard(handle)
        # The name goes first: a file without a name can be locked by nobody who comes later.
        with suppress(OSError):
            self.path.unlink()
        with suppress(OSError):
            os.close(handle)

    def _acquire(self) -> int:
        while True:
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                if not _lock(handle):
                    raise OutputError(f"{self.path.parent}: {_refusal(handle)}")
                # Between opening and locking, the run that had it may have ended and removed the name.
                with suppress(FileNotFoundError):
                    if os.path.samestat(os.fstat(handle), self.path.stat()):
                        return handle
            except BaseException:
                os.close(handle)
                raise
            os.close(handle)


#: Descriptors of the locks this process has.
_HELD: set[int] = set()


def _forget_locks() -> None:
    """Close the locks of the parent in a process that was forked: it may live longer than the run."""
    while _HELD:
        with suppress(OSError):
            os.close(_HELD.pop())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_locks)


def _lock(handle: int) -> bool:
    """Lock an open file; return whether that could be done."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as exc:
        warnings.warn(f"this file system has no locks ({exc}): two runs in one folder are not noticed", stacklevel=5)
    return True


def _refusal(handle: int) -> str:
    expected = "expected a folder in which no other run is going on"
    try:
        owner = json.loads(os.pread(handle, 4096, 0))
        return f"{expected}, got that of process {owner['pid']} on {owner['host']}, started at {owner['started']}"
    except (OSError, ValueError, KeyError, TypeError):
        return f"{expected}, got one that another process has just taken"


def set_aside(folder: Path) -> list[tuple[Path, Path]]:
    """Give the files of an earlier run names with a number, so that nothing of it is lost; return (old, new) names."""
    files = [folder / name for name in (RECORD_NAME, CHECKPOINT_NAME, CURVE_NAME)]
    there = [path for path in files if path.exists()]
    number = 1
    while any(_numbered(path, number).exists() for path in files):
        number += 1
    moved: list[tuple[Path, Path]] = []
    with named(f"{folder}: expected a folder in which files can be renamed"):
        try:
            for path in there:
                path.rename(_numbered(path, number))
                moved.append((path, _numbered(path, number)))
        except BaseException:
            restore_names(moved)
            raise
    return moved


def restore_names(moved: list[tuple[Path, Path]]) -> None:
    """Undo :func:`set_aside`."""
    for old, new in moved:
        with suppress(OSError):
            new.replace(old)


def numbered_files(folder: Path) -> list[tuple[Path, list[Path]]]:
    """Return the record of each run that was set aside in a folder, with the names of its other files."""
    found = []
    for record in sorted(folder.glob(f"{Path(RECORD_NAME).stem}-*{Path(RECORD_NAME).suffix}")):
        number = record.stem.partition("-")[2]
        if number.isdecimal():
            others = [_numbered(folder / name, int(number)) for name in (CHECKPOINT_NAME, CURVE_NAME)]
            found.append((record, others))
    return found


def _numbered(path: Path, number: int) -> Path:
    return path.with_name(f"{path.stem}-{number}{path.suffix}")


@contextmanager
def named(expected: str) -> Iterator[None]:
    """Turn what the operating system says into an OutputError that says where."""
    try:
        yield
    except OutputError:
        raise
    except (OSError, ValueError) as exc:  # a ValueError is a name with a zero in it
        raise OutputError(f"{expected}, got {exc}") from exc


def _claim(handle: int) -> None:
    """Lock a temporary file for as long as it is written; where there are no locks, its name has to do."""
    if fcntl is not None:
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _is_unclaimed(path: Path) -> bool:
    if fcntl is None:
        return True
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(handle)
    return True


def _is_alive(pid: int) -> bool:
    """Whether another process of this number lives; what bears our own number and is unclaimed is of an earlier one."""
    if pid == os.getpid():
        return False
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return True


def _write_all(handle: int, data: Any) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]


def _sync_folder(folder: Path) -> None:
    """Make a renaming last; not every file system can."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
