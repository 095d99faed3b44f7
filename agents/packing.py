"""What a leader is made of as bytes, for a process of its own: one npz archive, without pickle and without eval.

Only what this process writes is read so, never a file: classes and functions go by name. What it stores: None, bools,
numbers, strings, bytes, NumPy arrays and generators, enums, lists, tuples, dicts, sets and deques of those, and objects
whose attributes are such. What it leaves out: ``cached_property`` values, which follow from the rest. Functions and
classes of the allowed packages are stored by name; whatever is reachable from the `given` objects (the game, the
brief, the configuration: things that are made anew, not loaded) is stored as the way to it.

Reading restores attributes *in place on a twin*, a freshly constructed object of the same kind. Objects that only
came to be later are made without their constructor, but only where their class is of an allowed package. One array
in two places stays one array; a view becomes an array of its own.
"""

from __future__ import annotations

import enum
import functools
import importlib
import io
import json
import math
import types
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.errors import ArgumentError, OutputError

__all__ = ["PACKAGES", "pack", "unpack"]

#: Classes and functions of these packages may be looked up by name.
PACKAGES = frozenset({"agents", "stackelberg_envs"})

#: Flag of classes that were made while Python runs.
HEAP_TYPE = 1 << 9
SEQUENCES: dict[type[Any], str] = {list: "list", tuple: "tuple", set: "set", frozenset: "frozenset", deque: "deque"}


def pack(value: Any, *, given: dict[str, Any] | None = None, packages: frozenset[str] = PACKAGES) -> bytes:
    """Return `value` as the bytes of an npz archive.

    Parameters
    ----------
    value
        What to store.
    given
        Name -> object that the reader will have too; what is reachable from them is stored by name.
    packages
        Packages whose classes and functions may be stored by name.

    Raises
    ------
    ArgumentError
        Something in `value` cannot be stored; the message has the way to it and its type.
    """
    encoder = _Encoder(given or {}, packages)
    tree = json.dumps(encoder.encode(value, ""), separators=(",", ":"))
    buffer = io.BytesIO()
    # numpy's stub takes the names of members for its own keywords.
    members: Any = encoder.members()
    np.savez(buffer, tree=np.frombuffer(tree.encode(), dtype=np.uint8), **members)
    return buffer.getvalue()


def unpack(
    data: bytes,
    twin: Any = None,
    *,
    given: dict[str, Any] | None = None,
    packages: frozenset[str] = PACKAGES,
    where: str = "checkpoint",
) -> Any:
    """Return what :func:`pack` stored, restored in place on `twin` where that is an object.

    Parameters
    ----------
    data
        The bytes.
    twin
        A freshly constructed value of the same kind.
    given, packages
        As when it was stored.
    where
        For the message: whence the bytes come.

    Raises
    ------
    OutputError
        Bytes that are damaged, or were stored for other objects.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            members = {name: archive[name] for name in archive.files}
        tree = json.loads(members.pop("tree").tobytes())
        return _Decoder(members, given or {}, packages).decode(tree, twin, "")
    except OutputError as exc:
        raise OutputError(f"{where}: {exc}") from exc
    except Exception as exc:  # a damaged archive can fail in any way
        problem = f"{type(exc).__name__}: {exc}"
        raise OutputError(f"{where}: expected what this library wrote, got damaged data ({problem})") from exc


# Walking.


def attributes(value: Any) -> dict[str, Any]:
    """Return the attributes of an object by name, those in slots too, without cached properties."""
    kind = type(value)
    found = dict(getattr(value, "__dict__", {}))
    for base in kind.__mro__:
        slots = base.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name not in ("__dict__", "__weakref__") and hasattr(value, name):
                found[name] = getattr(value, name)
    return {name: item for name, item in found.items() if not _is_cached(kind, name)}


def _is_cached(kind: type[Any], name: str) -> bool:
    return isinstance(getattr(kind, name, None), functools.cached_property)


def _is_plain(kind: type[Any]) -> bool:
    """Whether all there is to an object of this class are its attributes: no base of it is written in C."""
    return all(base is object or base.__module__ == "typing" or _is_written_in_python(base) for base in kind.__mro__)


def _is_written_in_python(kind: type[Any]) -> bool:
    """Whether a class has what a class statement gives it; static and heap types of C lack one or the other."""
    parents = (base for base in kind.__mro__ if base is not object)
    has_place = any("__dict__" in vars(base) or "__slots__" in vars(base) for base in parents)
    makes_itself = isinstance(vars(kind).get("__new__"), types.BuiltinMethodType)
    return bool(kind.__flags__ & HEAP_TYPE) and has_place and not makes_itself


def _reachable(given: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield whatever has an identity and can be reached from the given objects, with the way to it."""
    queue: deque[tuple[str, Any]] = deque(given.items())
    seen = set()
    while queue:
        path, value = queue.popleft()
        if isinstance(value, type(None) | bool | int | float | str | type | types.ModuleType) or id(value) in seen:
            continue
        seen.add(id(value))
        yield path, value
        if isinstance(value, list | tuple):
            queue.extend((f"{path}[{i}]", item) for i, item in enumerate(value))
        elif isinstance(value, dict):
            queue.extend((f"{path}[{key!r}]", item) for key, item in value.items())
        elif not isinstance(value, np.ndarray) and _is_plain(type(value)):
            queue.extend((f"{path}.{name}", item) for name, item in attributes(value).items())


def _way(path: str) -> str:
    return path.strip(".") or "value"


def _name(kind: Any) -> str:
    return f"{kind.__module__}:{kind.__qualname__}"


class _Encoder:
    """Turns values into JSON and pools of array content, one pool per dtype."""

    def __init__(self, given: dict[str, Any], packages: frozenset[str]) -> None:
        self.packages = packages
        # Values are held on to, because an id is only good for as long as the object lives.
        self._given = {id(value): (path, value) for path, value in _reachable(given)}
        self._known: dict[int, tuple[int, Any]] = {}
        self._pools: dict[str, tuple[str, list[NDArray[Any]]]] = {}
        self._lengths: dict[str, int] = {}
        self._by_type: dict[type[Any], Callable[[Any, str], Any]] = {
            float: self._float,
            bytes: self._bytes,
            dict: self._dict,
            np.ndarray: self._array,
            np.random.Generator: self._generator,
            np.random.RandomState: self._random_state,
            **dict.fromkeys(SEQUENCES, self._sequence),
        }

    def members(self) -> dict[str, NDArray[Any]]:
        """Return the pools."""
        return {member: np.concatenate(arrays) for member, arrays in self._pools.values()}

    def encode(self, value: Any, path: str) -> Any:
        """Return `value` as JSON; `path` is the way to it, for messages."""
        kind = type(value)
        if value is None or kind in (bool, int, str):
            return value
        if id(value) in self._given:
            return {"kind": "given", "path": self._given[id(value)][0]}
        if id(value) in self._known:
            return {"kind": "same", "n": self._known[id(value)][0]}
        if kind in self._by_type:
            return self._by_type[kind](value, path)
        if isinstance(value, np.generic):
            return {"kind": "scalar", "array": self._array(np.asarray(value), path)}
        if isinstance(value, enum.Enum):
            return {"kind": "enum", "class": self._global(kind, path), "name": value.name}
        if isinstance(value, types.MethodType):
            owner = self.encode(value.__self__, f"{path}.__self__")
            return {"kind": "method", "owner": owner, "name": value.__name__}
        if isinstance(value, types.FunctionType | type):
            return {"kind": "global", "name": self._global(value, path)}
        return self._object(value, path)

    def _number(self, value: Any) -> int:
        self._known[id(value)] = (len(self._known), value)
        return len(self._known) - 1

    def _float(self, value: float, path: str) -> Any:
        del path
        return value if math.isfinite(value) else {"kind": "float", "value": repr(value)}

    def _bytes(self, value: bytes, path: str) -> Any:
        return {"kind": "bytes", "array": self._array(np.frombuffer(value, dtype=np.uint8), path)}

    def _array(self, value: NDArray[Any], path: str) -> Any:
        if value.dtype.hasobject or value.dtype.fields is not None:
            return self._refuse(path, f"an array of {value.dtype}")
        order: Literal["F", "C"] = "F" if value.flags.f_contiguous and not value.flags.c_contiguous else "C"
        dtype = value.dtype.str
        member, arrays = self._pools.setdefault(dtype, (f"pool{len(self._pools)}", []))
        first = self._lengths.get(dtype, 0)
        arrays.append(value.ravel(order=order))
        self._lengths[dtype] = first + value.size
        place = [member, first, list(value.shape), order, bool(value.flags.writeable)]
        return {"kind": "array", "n": self._number(value), "place": place}

    def _sequence(self, value: Any, path: str) -> Any:
        items = sorted(value, key=repr) if isinstance(value, set | frozenset) else list(value)
        node: dict[str, Any] = {"kind": SEQUENCES[type(value)], "n": self._number(value)}
        if type(value) is list and items and all(type(item) is float for item in items):
            return {**node, "kind": "floats", "array": self._array(np.array(items), path)}
        node["items"] = [self.encode(item, f"{path}[{i}]") for i, item in enumerate(items)]
        return {**node, "maxlen": value.maxlen} if isinstance(value, deque) else node

    def _dict(self, value: dict[Any, Any], path: str) -> Any:
        number = self._number(value)
        items = [
            [self.encode(key, f"{path}: key {key!r}"), self.encode(item, f"{path}[{key!r}]")]
            for key, item in value.items()
        ]
        return {"kind": "dict", "n": number, "items": items}

    def _generator(self, value: np.random.Generator, path: str) -> Any:
        number, bits = self._number(value), value.bit_generator
        state = self.encode(dict(bits.state), path)
        return {"kind": "generator", "n": number, "bits": type(bits).__name__, "state": state}

    def _random_state(self, value: np.random.RandomState, path: str) -> Any:
        number = self._number(value)
        return {"kind": "random_state", "n": number, "state": self.encode(value.get_state(legacy=False), path)}

    def _global(self, value: Any, path: str) -> str:
        name = _name(value)
        if value.__module__.partition(".")[0] not in self.packages or "<" in name:
            self._refuse(path, f"{value!r}, which no other process could look up")
        return name

    def _object(self, value: Any, path: str) -> Any:
        kind = type(value)
        node: dict[str, Any] = {"class": _name(kind), "n": self._number(value)}
        if not _is_plain(kind):
            return self._refuse(path, f"an object of {_name(kind)}")
        items = {name: self.encode(item, f"{path}.{name}") for name, item in attributes(value).items()}
        return {**node, "kind": "object", "attributes": items}

    def _refuse(self, path: str, what: str) -> Any:
        raise ArgumentError(
            f"checkpoint: {_way(path)}: expected numbers, strings, arrays, generators, or lists, dicts and "
            f"objects of those, got {what}"
        )


class _Decoder:
    """The reverse; every way to an object that is followed was laid by the encoder."""

    def __init__(self, members: dict[str, NDArray[Any]], given: dict[str, Any], packages: frozenset[str]) -> None:
        self.members, self.packages = members, packages
        self._given = dict(_reachable(given))
        self._known: dict[int, Any] = {}
        self._taken = {id(value) for value in self._given.values()}

    def decode(self, node: Any, twin: Any, path: str) -> Any:
        """Return the value of one node."""
        if not isinstance(node, dict):
            return node
        method: Callable[[Any, Any, str], Any] = getattr(self, f"_read_{node['kind']}")
        return method(node, twin, path)

    def _keep(self, node: Any, value: Any) -> Any:
        self._known[node["n"]] = value
        return value

    def _read_given(self, node: Any, twin: Any, path: str) -> Any:
        if node["path"] not in self._given:
            raise OutputError(f"{_way(path)}: expected {node['path']}, which this run does not have")
        return self._given[node["path"]]

    def _read_same(self, node: Any, twin: Any, path: str) -> Any:
        return self._known[node["n"]]

    def _read_float(self, node: Any, twin: Any, path: str) -> float:
        return float(node["value"])

    def _read_bytes(self, node: Any, twin: Any, path: str) -> bytes:
        return bytes(self._read_array(node["array"], None, path).tobytes())

    def _read_scalar(self, node: Any, twin: Any, path: str) -> Any:
        return self._read_array(node["array"], None, path)[()]

    def _read_array(self, node: Any, twin: Any, path: str) -> NDArray[Any]:
        member, first, shape, order, writeable = node["place"]
        flat = self.members[member][first : first + math.prod(shape)]
        array: NDArray[Any] = flat.reshape(shape, order=order).copy(order=order)
        array.flags.writeable = writeable
        return np.asarray(self._keep(node, array))

    def _read_floats(self, node: Any, twin: Any, path: str) -> list[float]:
        values: list[float] = self._read_array(node["array"], None, path).tolist()
        self._keep(node, values)
        return values

    def _read_list(self, node: Any, twin: Any, path: str) -> Any:
        out = self._keep(node, deque(maxlen=node["maxlen"]) if node["kind"] == "deque" else [])
        out.extend(self._items(node, twin, path))
        return out

    _read_deque = _read_list

    def _read_tuple(self, node: Any, twin: Any, path: str) -> Any:
        made = {"tuple": tuple, "set": set, "frozenset": frozenset}[node["kind"]]
        return self._keep(node, made(self._items(node, twin, path)))

    _read_set = _read_frozenset = _read_tuple

    def _items(self, node: Any, twin: Any, path: str) -> Iterator[Any]:
        twins = list(twin) if isinstance(twin, list | tuple | deque) else []
        twins += [None] * (len(node["items"]) - len(twins))
        for i, (item, other) in enumerate(zip(node["items"], twins, strict=False)):
            yield self.decode(item, other, f"{path}[{i}]")

    def _read_dict(self, node: Any, twin: Any, path: str) -> dict[Any, Any]:
        out: dict[Any, Any] = self._keep(node, {})
        for key_node, item in node["items"]:
            key = self.decode(key_node, None, path)
            other = twin.get(key) if isinstance(twin, dict) else None
            out[key] = self.decode(item, other, f"{path}[{key!r}]")
        return out

    def _read_generator(self, node: Any, twin: Any, path: str) -> np.random.Generator:
        if not self._is_free(twin, np.random.Generator) or type(twin.bit_generator).__name__ != node["bits"]:
            twin = np.random.Generator(_bit_generator(node["bits"]))
        twin.bit_generator.state = self.decode(node["state"], None, path)
        return self._take(node, twin)  # type: ignore[no-any-return]

    def _read_random_state(self, node: Any, twin: Any, path: str) -> Any:
        value = twin if self._is_free(twin, np.random.RandomState) else np.random.RandomState()
        value.set_state(self.decode(node["state"], None, path))
        return self._take(node, value)

    def _read_enum(self, node: Any, twin: Any, path: str) -> Any:
        return self._look_up(node["class"], path)[node["name"]]

    def _read_global(self, node: Any, twin: Any, path: str) -> Any:
        return self._look_up(node["name"], path)

    def _read_method(self, node: Any, twin: Any, path: str) -> Any:
        owner = self.decode(node["owner"], getattr(twin, "__self__", None), path)
        return getattr(owner, node["name"])

    def _read_object(self, node: Any, twin: Any, path: str) -> Any:
        if not self._is_free(twin, object) or _name(type(twin)) != node["class"]:
            twin = self._blank(node["class"], path)
        self._take(node, twin)
        before, after = attributes(twin), node["attributes"]
        for name in [*vars(twin)] if hasattr(twin, "__dict__") else []:
            if name not in after:
                object.__delattr__(twin, name)
        for name, item in after.items():
            object.__setattr__(twin, name, self.decode(item, before.get(name), f"{path}.{name}"))
        return twin

    def _blank(self, name: str, path: str) -> Any:
        kind = self._look_up(name, path)
        if not (isinstance(kind, type) and _is_plain(kind)):
            raise OutputError(f"{_way(path)}: expected a class of plain objects, got {name}")
        return object.__new__(kind)

    def _is_free(self, twin: Any, kind: type[Any]) -> bool:
        """Whether a twin may be written to: it is no given object and stands for no other one yet."""
        return isinstance(twin, kind) and id(twin) not in self._taken

    def _take(self, node: Any, twin: Any) -> Any:
        self._taken.add(id(twin))
        return self._keep(node, twin)

    def _look_up(self, name: str, path: str) -> Any:
        module, _, qualname = name.partition(":")
        if module.partition(".")[0] not in self.packages:
            raise OutputError(f"{_way(path)}: expected a name from {', '.join(sorted(self.packages))}, got {name}")
        value = functools.reduce(getattr, qualname.split("."), importlib.import_module(module))
        if _name(value) != name:
            raise OutputError(f"{_way(path)}: expected a function or class of {module}, got {name}")
        return value


def _bit_generator(name: str) -> Any:
    kind = getattr(np.random, name)
    if not (isinstance(kind, type) and issubclass(kind, np.random.BitGenerator)):
        raise OutputError(f"expected the name of a bit generator, got {name!r}")
    return kind()
