"""Compiling loops by Numba, with a cache on disk that is checked when it is read.

Numba trusts what it finds in its cache: a file that was cut off ends every later run in an error of the pickle module,
and one with a changed byte may do anything. Here each file carries a hash of its content; what does not match is
removed and compiled again, with a warning.
"""

from __future__ import annotations

import hashlib
import pickle
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

from numba import njit
from numba.core.caching import FunctionCache, IndexDataCacheFile

__all__ = ["compiled"]

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
DIGEST_BYTES = hashlib.sha256().digest_size


def compiled(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Return a function as machine code, compiled when it is first called and kept on disk.

    Where there is no folder for the cache, it is compiled in each process.
    """
    dispatcher: Any = njit(function)
    with suppress(RuntimeError):  # neither beside the source nor in the user's own cache can anything be written
        dispatcher._cache = _CheckedCache(function)
    return cast("Callable[Arguments, Result]", dispatcher)


class _CheckedFile(IndexDataCacheFile):
    """The files of one function: an index of its signatures, and the code of each."""

    def remove(self) -> None:
        """Remove them all, as far as that is possible."""
        folder, base = Path(self._cache_path), self._index_name.removesuffix(".nbi")
        for path in [Path(self._index_path), *folder.glob(f"{base}.*.nbc")]:
            with suppress(OSError):
                path.unlink()

    def _dump(self, value: Any) -> Any:
        content = self._version.encode() + b"\n" + super()._dump(value)
        return hashlib.sha256(content).digest() + content

    def _save_index(self, overloads: dict[Any, str]) -> None:
        with self._open_for_write(self._index_path) as file:
            file.write(self._dump((self._source_stamp, overloads)))

    def _load_index(self) -> dict[Any, str]:
        try:
            found = self._read(self._index_path)
        except FileNotFoundError:
            return {}
        stamp, overloads = (None, {}) if found is None else found
        return overloads if stamp == self._source_stamp else {}

    def _load_data(self, name: str) -> Any:
        return self._read(self._data_path(name))

    def _read(self, path: str) -> Any:
        """Return what a file holds, or None if another version of Numba wrote it."""
        data = Path(path).read_bytes()
        content = data[DIGEST_BYTES:]
        if hashlib.sha256(content).digest() != data[:DIGEST_BYTES]:
            raise ValueError(f"{path}: expected what was written there, got damaged data")
        version, _, rest = content.partition(b"\n")
        return pickle.loads(rest) if version == self._version.encode() else None  # noqa: S301 (as Numba itself does)


class _CheckedCache(FunctionCache):
    """Where a function's code is looked up before it is compiled."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        self._cache_file: Any = _CheckedFile(
            cache_path=self._cache_path,
            # Not the name that Numba would give it: the content differs.
            filename_base=f"{self._impl.filename_base}-checked",
            source_stamp=(self._impl.locator.get_source_stamp(), _stamp(Path(__file__).with_name("kernels.py"))),
        )

    def load_overload(self, signature: Any, target_context: Any) -> Any:
        """Return what was compiled for a signature, or None."""
        try:
            return super().load_overload(signature, target_context)
        except Exception as exc:  # damaged data can fail in any way
            self._cache_file.remove()
            warnings.warn(f"Numba's cache is damaged; compiling again ({type(exc).__name__}: {exc})", stacklevel=2)
            return None

    def save_overload(self, signature: Any, result: Any) -> None:
        """Keep what was compiled; a run does not end because there is no room for it."""
        try:
            super().save_overload(signature, result)
        except Exception as exc:
            self._cache_file.remove()
            warnings.warn(f"compiled code could not be kept ({type(exc).__name__}: {exc})", stacklevel=2)


def _stamp(path: Path) -> tuple[int, int]:
    """Return what changes when a file does; loops elsewhere call those in it."""
    status = path.stat()
    return status.st_mtime_ns, status.st_size
