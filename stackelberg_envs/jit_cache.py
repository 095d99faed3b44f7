"""A cache of compiled loops on disk that is checked when it is read.

Numba trusts what it finds in its cache: a file that was cut off ends every later run in an error of the pickle module,
and one with a changed byte may do anything. Here each file carries a hash of its content; what does not match is
removed and compiled again, with a warning.

Nor does Numba notice a change in a function of another file that a loop calls: it goes on with the old one. Here what
was compiled is used only where the function, all compiled functions that it calls wherever they are, and the constants
and the fields of named tuples that they read are still the same.
"""

from __future__ import annotations

import hashlib
import pickle
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from numba import njit
from numba.core.caching import FunctionCache, IndexDataCacheFile

__all__ = ["dispatcher_of"]

DIGEST_BYTES = hashlib.sha256().digest_size


def dispatcher_of(function: Callable[..., Any]) -> Any:
    """Return what compiles a function for the types of its arguments, and looks on disk before it does."""
    dispatcher: Any = njit(function, nogil=True)
    with suppress(RuntimeError):  # neither beside the source nor in the user's own cache can anything be written
        dispatcher._cache = _CheckedCache(function)
    return dispatcher


class _CheckedFile(IndexDataCacheFile):
    """The files of one function: an index of its signatures, and the code of each."""

    def __init__(self, function: Callable[..., Any], folder: str, base: str) -> None:
        super().__init__(folder, base, source_stamp=None)
        self._function = function

    @cached_property
    def _stamp(self) -> str:
        """What changes when the function does; found when it is first called, for it may call what is defined later."""
        return hashlib.sha256("\n".join(_described(self._function, set())).encode()).hexdigest()

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
            # Signatures name types by their modules, which may be gone where the stamp is another.
            file.write(self._dump((self._stamp, super()._dump(overloads))))

    def _load_index(self) -> dict[Any, str]:
        try:
            found = self._read(self._index_path)
        except FileNotFoundError:
            return {}
        stamp, overloads = (None, b"") if found is None else found
        return pickle.loads(overloads) if stamp == self._stamp else {}  # noqa: S301 (checked by `_read`)

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
        # Not the name that Numba would give it: the content differs, and does not hang on the line it stands in.
        line = function.__code__.co_firstlineno
        base = self._impl.filename_base.replace(f"-{line}.py", "-stamped.py")
        self._cache_file: Any = _CheckedFile(function, self._cache_path, base)

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


def _described(function: Any, seen: set[Any]) -> Iterator[str]:
    """Yield what decides on the machine code of a function: its own code, and whatever of the program's it names."""
    if function in seen:
        return
    seen.add(function)
    text, named = _described_code(function.__code__)
    # Machine code on disk names the modules of what it calls.
    yield f"{function.__module__}.{function.__qualname__} {text}"
    # Types of arguments are named in annotations only; strict types require those of every function.
    named |= set(re.findall(r"\w+", " ".join(map(str, function.__annotations__.values()))))
    for name in sorted(named & set(function.__globals__)):
        value = function.__globals__[name]
        members: list[Any] = (
            [vars(value).get(member) for member in sorted(named)] if isinstance(value, ModuleType) else [value]
        )
        for member in members:
            called = getattr(member, "py_func", None)
            if called is not None:
                yield from _described(called, seen)
            elif isinstance(member, int | float):
                yield f"{name}={member!r}"
            elif isinstance(member, type) and hasattr(member, "_fields"):
                yield f"{name}={member.__module__} {member._fields}"


def _described_code(code: CodeType) -> tuple[str, set[str]]:
    """Return bytecode, names and constants as text, without places in files, and the names alone."""
    inner = [_described_code(one) for one in code.co_consts if isinstance(one, CodeType)]
    # Strings are left out: the loops have none but their docstrings.
    constants = [one for one in code.co_consts if not isinstance(one, CodeType | str)]
    text = f"{code.co_code.hex()} {code.co_names} {constants} {[one for one, _ in inner]}"
    return text, set(code.co_names).union(*(names for _, names in inner))
