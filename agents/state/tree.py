"""Trees of plain values as bytes: the one format of checkpoints and of the messages between two processes.

A tree is None, a bool, an int, a float, a string, bytes, a NumPy array of plain numbers, a NumPy number, a random
generator of NumPy, or a list, tuple or dict of trees; keys are strings, integers or tuples of these. There is no way
to write a class, a function or the name of an attribute: whoever reads a tree gets values and decides what they mean.

The bytes are an uncompressed npz archive: the member ``tree`` is JSON, and each other one holds the content of all
arrays of one dtype, in the order in which the JSON mentions them. A reader lists and sizes the members before it reads
any of them, and needs at most about the size of the file.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import zipfile
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.errors import ArgumentError, OutputError

from .generators import GENERATORS, restored_generator, restored_random_state

__all__ = ["Tree", "check_like", "digest", "from_bytes", "from_file", "read_tree", "to_bytes"]

Tree = Any
#: Dtypes that arrays may have, by the name of the member that holds their content; all little-endian.
DTYPES = {
    name: np.dtype(name).newbyteorder("<")
    for name in (
        *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
        *("float16", "float32", "float64", "complex64", "complex128"),
    )
}
TREE = "tree"
#: Levels of a tree, and bytes of its JSON: what is longer is no state of a player.
MAX_DEPTH, MAX_TEXT = 64, 1 << 26
#: Bytes of an archive that are read when no other limit is given.
MAX_BYTES = 1 << 32
#: Bytes of an array's header in an archive.
MAX_HEADER = 1_000


def to_bytes(tree: Tree) -> bytes:
    """Return a tree as bytes.

    Raises
    ------
    ArgumentError
        Something in it is no part of a tree; the message has the way to it and its type.
    """
    buffer = io.BytesIO()
    text, members = _encoded(tree)
    # numpy's stub takes the names of members for its own keywords.
    arrays: Any = {TREE: np.frombuffer(text, dtype=np.uint8)}
    arrays.update({name: np.concatenate(parts) for name, parts in members.items()})
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def from_bytes(data: bytes, *, limit: int = MAX_BYTES, where: str = "checkpoint") -> Tree:
    """Return the tree that :func:`to_bytes` wrote.

    Parameters
    ----------
    data
        The bytes.
    limit
        More bytes than this are refused before they are looked at.
    where
        For the message: whence they come.

    Raises
    ------
    OutputError
        Bytes that :func:`to_bytes` does not write, or more than `limit`.
    """
    return from_file(io.BytesIO(data), limit=limit, where=where)


def read_tree(path: Path) -> Tree:
    """Return the tree that a file holds; what the archive lists is checked before anything of it is read.

    Raises
    ------
    OutputError
        A file that cannot be read, or holds no such tree.
    """
    try:
        with path.open("rb") as file:
            return from_file(file, where=str(path))
    except OutputError:
        raise
    except OSError as exc:
        raise OutputError(f"{path}: expected a file that can be read, got {exc}") from exc


def from_file(file: IO[bytes], *, limit: int = MAX_BYTES, where: str = "checkpoint") -> Tree:
    """Return the tree that an open file holds; see :func:`from_bytes`."""
    try:
        size = file.seek(0, io.SEEK_END)
        if size > limit:
            raise OutputError(f"expected at most {limit:,} bytes, got {size:,}")
        with zipfile.ZipFile(file) as archive:
            text, pools = _members(archive, size)
        nodes = json.loads(text, object_pairs_hook=_pairs)
        decoder = _Decoder(pools)
        tree = decoder.decode(nodes, 0)
        decoder.end()
    except OutputError as exc:
        raise OutputError(f"{where}: {exc}") from exc
    except Exception as exc:  # a damaged archive can fail in any way
        problem = f"{type(exc).__name__}: {exc}"
        raise OutputError(f"{where}: expected what this library wrote, got damaged data ({problem[:300]})") from exc
    return tree


def digest(tree: Tree) -> str:
    """Return a SHA-256 hash of a tree: equal for trees of equal content, whatever the machine.

    Raises
    ------
    ArgumentError
        Something in it is no part of a tree.
    """
    text, members = _encoded(tree)
    hashed = hashlib.sha256(text)
    for parts in members.values():
        for part in parts:
            hashed.update(part.view(np.uint8).data)
    return hashed.hexdigest()


# Writing.


def _encoded(tree: Tree) -> tuple[bytes, dict[str, list[NDArray[Any]]]]:
    encoder = _Encoder()
    nodes = encoder.encode(tree, "", 0)
    text = json.dumps(nodes, separators=(",", ":")).encode()
    if len(text) > MAX_TEXT:
        raise ArgumentError(
            f"state: expected a tree of at most {MAX_TEXT:,} bytes beside its arrays, got {len(text):,}"
        )
    return text, encoder.pools


class _Encoder:
    """Turns values into JSON and pools of array content; each pool in the order in which the JSON mentions it."""

    def __init__(self) -> None:
        self.pools: dict[str, list[NDArray[Any]]] = {}
        self._by_type: dict[type[Any], Callable[[Any, str, int], Any]] = {
            float: lambda value, path, depth: value,
            bytes: self._bytes,
            list: self._list,
            deque: self._list,
            tuple: self._tuple,
            dict: self._dict,
            np.ndarray: lambda value, path, depth: {"array": self._array(value, path)},
            np.random.Generator: self._generator,
            np.random.RandomState: self._random_state,
        }

    def encode(self, value: Any, path: str, depth: int) -> Any:
        kind = type(value)
        if value is None or kind in (bool, int, str):
            return value
        if depth > MAX_DEPTH:
            raise ArgumentError(f"state: {path[:200]}: expected at most {MAX_DEPTH} levels")
        if kind in self._by_type:
            return self._by_type[kind](value, path, depth)
        if isinstance(value, np.generic):
            return {"number": self._array(np.asarray(value), path)[0]}
        return self._refuse(value, path)

    def _bytes(self, value: bytes, path: str, depth: int) -> Any:
        return {"bytes": self._array(np.frombuffer(value, dtype=np.uint8), path)[2][0]}

    def _array(self, value: NDArray[Any], path: str) -> tuple[str, str, list[int]]:
        name = value.dtype.name
        if name not in DTYPES or value.dtype.newbyteorder("<") != DTYPES[name]:
            self._refuse(value, path, f"an array of {value.dtype}")
        order: Literal["F", "C"] = "F" if value.flags.f_contiguous and not value.flags.c_contiguous else "C"
        self.pools.setdefault(name, []).append(value.ravel(order=order).astype(DTYPES[name], copy=False))
        return name, order, list(value.shape)

    def _list(self, value: Any, path: str, depth: int) -> Any:
        items = list(value)
        # A list of numbers takes eight bytes for each, not twenty.
        if items and all(type(item) is float for item in items):
            return {"floats": self._array(np.array(items), path)[2][0]}
        return [self.encode(item, f"{path}[{i}]", depth + 1) for i, item in enumerate(items)]

    def _tuple(self, value: Any, path: str, depth: int) -> Any:
        return {"tuple": [self.encode(item, f"{path}[{i}]", depth + 1) for i, item in enumerate(value)]}

    def _dict(self, value: dict[Any, Any], path: str, depth: int) -> Any:
        items = [
            [self._key(key, path, depth), self.encode(item, f"{path}[{key!r}]", depth + 1)]
            for key, item in value.items()
        ]
        return {"dict": items}

    def _key(self, key: Any, path: str, depth: int) -> Any:
        parts = key if type(key) is tuple else (key,)
        if not all(type(part) in (str, int) for part in parts):
            self._refuse(key, path, f"the key {key!r}")
        return self.encode(key, path, depth + 1)

    def _generator(self, value: np.random.Generator, path: str, depth: int) -> Any:
        bits = value.bit_generator
        if type(bits).__name__ not in GENERATORS:
            self._refuse(value, path, f"a generator with {type(bits).__name__}")
        return {"generator": self.encode(dict(bits.state), path, depth + 1)}

    def _random_state(self, value: np.random.RandomState, path: str, depth: int) -> Any:
        return {"random_state": self.encode(value.get_state(legacy=False), path, depth + 1)}

    def _refuse(self, value: Any, path: str, what: str = "") -> Any:
        kind = type(value)
        raise ArgumentError(
            f"state: {path or 'value'}: expected numbers, strings, arrays of numbers, generators, or lists and dicts "
            f"of those, got {what or f'an object of {kind.__module__}:{kind.__qualname__}'}"
        )


# Reading.


def _members(archive: zipfile.ZipFile, size: int) -> tuple[bytes, dict[str, NDArray[Any]]]:
    """Return the JSON and the pools of an archive whose members are all known and together no larger than the file."""
    found = archive.infolist()
    for item in found:
        if item.filename not in {f"{name}.npy" for name in (TREE, *DTYPES)}:
            raise OutputError(f"expected members that hold a tree and its numbers, got {item.filename[:100]!r}")
        if item.compress_type != zipfile.ZIP_STORED or item.compress_size != item.file_size:
            raise OutputError(f"expected members without compression, got {item.filename!r} compressed")
    if len({item.filename for item in found}) < len(found):
        raise OutputError("expected each member once, got one several times")
    total = sum(item.file_size for item in found)
    if total > size:
        raise OutputError(f"expected members of together at most {size:,} bytes, the file's, got {total:,}")
    text, pools = b"", {}
    for item in found:
        name = item.filename.removesuffix(".npy")
        pool = _flat(archive.read(item), np.dtype(np.uint8) if name == TREE else DTYPES[name])
        if name == TREE:
            text = pool.tobytes()
        else:
            pools[name] = pool
    if len(text) > MAX_TEXT:
        raise OutputError(f"expected a tree of at most {MAX_TEXT:,} bytes beside its arrays, got {len(text):,}")
    return text, pools


def _flat(data: bytes, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return the one-dimensional array of a known dtype that a member holds, and nothing but it."""
    stream = io.BytesIO(data)
    if np.lib.format.read_magic(stream) != (1, 0) or int.from_bytes(data[8:10], "little") > MAX_HEADER:
        raise OutputError("expected the short header of an array of numbers, got another")
    shape, _, given = np.lib.format.read_array_header_1_0(stream)
    rest = len(data) - stream.tell()
    if given != dtype or len(shape) != 1 or shape[0] * dtype.itemsize != rest:
        raise OutputError(f"expected a flat array of {dtype} of {rest} bytes, got {given} of shape {shape}")
    found = np.frombuffer(data, dtype=dtype, offset=stream.tell())
    if dtype == np.bool_ and (found.view(np.uint8) > 1).any():
        raise OutputError("expected truth values of 0 and 1, got others")
    return found


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A node of the JSON that is no list: it has one entry, which says what it is."""
    if len(pairs) != 1:
        raise OutputError(f"expected nodes of one entry, got one of {len(pairs)}")
    return dict(pairs)


class _Decoder:
    """The reverse; whatever a node says of sizes is held to what the pools have left."""

    def __init__(self, pools: dict[str, NDArray[Any]]) -> None:
        self._pools = pools
        self._used = dict.fromkeys(pools, 0)
        self._by_kind: dict[str, Callable[[Any, int], Any]] = {
            "bytes": lambda node, depth: self._take("uint8", [node]).tobytes(),
            "floats": lambda node, depth: self._take("float64", [node]).tolist(),
            "number": lambda node, depth: self._take(node, [])[()],
            "array": self._array,
            "tuple": lambda node, depth: tuple(self.decode(_listed(node), depth + 1)),
            "dict": self._dict,
            "generator": lambda node, depth: restored_generator(self.decode(node, depth + 1)),
            "random_state": lambda node, depth: restored_random_state(self.decode(node, depth + 1)),
        }

    def decode(self, node: Any, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise OutputError(f"expected at most {MAX_DEPTH} levels, got more")
        if isinstance(node, list):
            return [self.decode(item, depth + 1) for item in node]
        if not isinstance(node, dict):
            return node
        ((kind, value),) = node.items()
        if kind not in self._by_kind:
            raise OutputError(f"expected one of {', '.join(self._by_kind)}, got {kind[:100]!r}")
        return self._by_kind[kind](value, depth)

    def end(self) -> None:
        """Refuse content that no node has asked for."""
        for name, pool in self._pools.items():
            if self._used[name] != len(pool):
                raise OutputError(f"expected {self._used[name]} numbers of {name}, got {len(pool)}")

    def _array(self, node: Any, depth: int) -> NDArray[Any]:
        name, order, shape = _listed(node, 3)
        if order not in ("C", "F"):
            raise OutputError(f"expected the order C or F of an array, got {order!r}")
        flat = self._take(name, _listed(shape))
        if len(shape) > 32:
            raise OutputError(f"expected an array of at most 32 axes, got {len(shape)}")
        return flat.reshape(shape, order=order)

    def _take(self, name: Any, shape: list[Any]) -> NDArray[Any]:
        """Return the next numbers of a pool as an array of its own."""
        if not isinstance(name, str) or name not in DTYPES:
            raise OutputError(f"expected the name of a dtype, got {name!r:.100}")
        if not all(type(n) is int and n >= 0 for n in shape):
            raise OutputError(f"expected a shape, got {shape!r:.100}")
        pool, first, count = self._pools.get(name, np.zeros(0, DTYPES[name])), self._used.get(name, 0), math.prod(shape)
        if first + count > len(pool):
            raise OutputError(f"expected {count} more numbers of {name}, got {len(pool) - first}")
        self._used[name] = first + count
        flat = pool[first : first + count].astype(DTYPES[name].newbyteorder("="), copy=True)
        return flat if shape else flat.reshape(())

    def _dict(self, node: Any, depth: int) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        for pair in _listed(node):
            key_node, value_node = _listed(pair, 2)
            key = self.decode(key_node, depth + 1)
            parts = key if type(key) is tuple else (key,)
            if not all(type(part) in (str, int) for part in parts) or key in found:
                raise OutputError(f"expected each key once, a string or integers, got {key!r:.100}")
            found[key] = self.decode(value_node, depth + 1)
        return found


def _listed(node: Any, length: int | None = None) -> list[Any]:
    if not isinstance(node, list) or (length is not None and len(node) != length):
        raise OutputError(f"expected a list{'' if length is None else f' of {length}'}, got {node!r:.100}")
    return node


# Holding what was read against what is there.


def check_like(own: Tree, given: Tree, where: str) -> None:
    """Raise unless a tree is laid out as another one: equal types, keys and lengths, arrays of equal dtype and shape.

    Parameters
    ----------
    own
        The tree of the object that is to take over the other.
    given
        The tree that came.
    where
        The way to it, for the message.

    Raises
    ------
    OutputError
        With the first difference: what was expected, what came, and where.
    """
    if type(given) is not type(own) or _layout(given) != _layout(own):
        raise OutputError(f"{where}: expected {_layout(own)}, got {_layout(given)}")
    if isinstance(own, dict):
        for key, value in own.items():
            check_like(value, given[key], f"{where}.{key}")
    elif isinstance(own, list | tuple):
        for i, (value, other) in enumerate(zip(own, given, strict=True)):
            check_like(value, other, f"{where}[{i}]")


def _layout(value: Any) -> str:
    """Return in words what two values of one layout have in common, parts aside."""
    kind = type(value).__name__
    if isinstance(value, np.ndarray):
        return f"{value.dtype} of shape {value.shape}"
    if isinstance(value, np.random.Generator):
        return f"a generator with {type(value.bit_generator).__name__}"
    if isinstance(value, dict):
        return f"{kind} of {', '.join(map(repr, value)) or 'nothing'}"
    return f"{kind} of {len(value)} entries" if isinstance(value, list | tuple) else kind
