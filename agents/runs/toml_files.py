"""Files of data in TOML that anybody may exchange: read, checked at the door, and written."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from stackelberg_envs.errors import ArgumentError, OutputError, unknown_name
from stackelberg_envs.validation import shown

from .files import named, require_file

__all__ = ["read_toml", "refuse_code", "require_known", "tables_of", "toml_of"]


def read_toml(path: Path, what: str) -> dict[str, Any]:
    """Return what a file holds.

    Raises
    ------
    OutputError
        It cannot be read, or is no TOML.
    """
    with named(f"{path}: expected {what}"):
        data = require_file(path).read_bytes()
    try:
        return tomllib.loads(data.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise OutputError(f"{path}: expected {what} in TOML, got {exc}") from exc


def require_known(given: Mapping[str, Any], known: Iterable[str], place: str) -> None:
    """Raise UnknownNameError at the first key that is none of the known ones, with the nearest of them."""
    names = list(known)
    for key in given:
        if key not in names:
            raise unknown_name(f"key of {place}", key, names)


def tables_of(data: Mapping[str, Any], key: str, place: str) -> list[tuple[dict[str, Any], str]]:
    """Return the tables of ``[[key]]``, each with its place.

    Raises
    ------
    ArgumentError
        Something else under that key.
    """
    rows = data.get(key, [])
    if not isinstance(rows, list):
        raise ArgumentError(f"{place}: {key}: expected a list of tables, [[{key}]], got {shown(rows)}")
    for index, row in enumerate(rows):
        if not isinstance(row, dict):
            raise ArgumentError(f"{place}: {key}[{index}]: expected a table, got {shown(row)}")
    return [(row, f"{place}: {key}[{index}]") for index, row in enumerate(rows)]


def refuse_code(value: Any, allowed: tuple[str, ...], place: str) -> None:
    """Raise ArgumentError at a text, anywhere in a value, that could make the program import a module not allowed.

    That is whatever has a colon: ``module:Class``, ``module:namespace/Name-v0``.
    """
    for text, where in _texts(value, place):
        module, colon, _ = text.rpartition(":")
        if colon and module not in allowed:
            raise ArgumentError(
                f"{where}: {text!r} would import the module {module!r}, and a file may not do that by itself; "
                f"if you trust it, allow it: modules=[{module!r}], or --import {module} on the command line"
            )


def _texts(value: Any, place: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield value, place
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _texts(item, f"{place}.{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(item, f"{place}[{index}]")


def toml_of(data: Mapping[str, Any]) -> str:
    """Return data as TOML: values and inline tables first, then lists of tables, one ``[[key]]`` each."""
    plain = {key: value for key, value in data.items() if not _is_tables(value)}
    lines = [f"{_key(key)} = {_inline(value)}" for key, value in plain.items()]
    for key, rows in data.items():
        if key not in plain:
            for row in rows:
                lines += ["", f"[[{_key(key)}]]", *(f"{_key(name)} = {_inline(value)}" for name, value in row.items())]
    return "\n".join(lines) + "\n"


def _is_tables(value: Any) -> bool:
    return isinstance(value, list | tuple) and bool(value) and all(isinstance(item, Mapping) for item in value)


def _key(name: str) -> str:
    return name if name.replace("_", "").isascii() and name.replace("_", "").isalnum() else json.dumps(name)


def _inline(value: Any) -> str:
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_key(key)} = {_inline(item)}" for key, item in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_inline, value))}]"
    if value is None:
        raise ArgumentError("expected values that TOML has, got None")
    # What JSON writes of text, numbers and truth is TOML too.
    return json.dumps(value, ensure_ascii=False)
