"""Suites in files: TOML that anybody may exchange, checked at the door, and those that come with this package.

Such a file is data. What names code, ``module:Class`` or ``module:namespace/Name-v0``, is refused unless the caller
allows the module by its name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

from stackelberg_envs.errors import ArgumentError, unknown_name
from stackelberg_envs.faces.registration import import_module
from stackelberg_envs.validation import checked

from ..options import Count, Options, make_config
from ..runs.toml_files import read_toml, refuse_code, require_known, tables_of
from .suites import SEEDS, Player, Suite, Task, with_budget

__all__ = ["is_suite", "load_suite", "suite_description", "suite_names"]

FORMAT = 1
FOLDER = Path(__file__).parent / "data" / "suites"
#: Keys whose text only tables show.
LABELS = ("name", "note")


@dataclass(frozen=True)
class _Head(Options):
    """What a file may say beside its tables."""

    format: int
    name: str
    description: str = ""
    include: tuple[str, ...] = ()
    seeds: Count | tuple[int, ...] | None = None
    steps: int | None = None
    steps_per_update: int | None = None
    checkpoints_per_decade: int | None = None


class _Source(NamedTuple):
    """Where a file is, and the modules that it may name code of."""

    folder: Path
    allowed: tuple[str, ...]


#: Table of a file -> what one of its entries is.
TABLES: dict[str, type[Options]] = {"tasks": Task, "leaders": Player, "followers": Player}


def suite_names() -> list[str]:
    """Return the names of the suites that come with this package, sorted."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def suite_description(name: str) -> str:
    """Return what a suite of this package says of itself, in one line."""
    return str(read_toml(FOLDER / f"{name}.toml", "a suite").get("description", ""))


def is_suite(given: object) -> bool:
    """Whether something names a suite, not an environment: a path to a .toml file, or a name without a slash."""
    return isinstance(given, Path) or (isinstance(given, str) and (given.endswith(".toml") or "/" not in given))


def load_suite(suite: str | Path, modules: Iterable[str] = ()) -> Suite:
    """Return a suite from a file.

    Parameters
    ----------
    suite
        Name of one that comes with this package, as "tabular-v1"; or path of a .toml file.
    modules
        Names of modules that the file may name code of; they are imported. A suite of this package may as well.

    Raises
    ------
    UnknownNameError
        No suite of that name, or a key that suites do not have: with the nearest ones.
    ArgumentError
        A value of another type or out of range, by its place; code of a module that is not allowed.
    OutputError
        A file that cannot be read, or is no TOML.
    """
    allowed = checked(list(modules), tuple[str, ...], "suite: modules") if not isinstance(modules, str) else (modules,)
    for module in allowed:
        import_module(module)
    return _loaded(suite, Path(), allowed, ())


def _loaded(suite: str | Path, folder: Path, allowed: tuple[str, ...], above: tuple[Path, ...]) -> Suite:
    path = _path_of(suite, folder)
    if path in above:
        raise ArgumentError(f"{path}: expected suites that do not include one another, got a circle")
    data, source = read_toml(path, "a suite"), _Source(path.parent, allowed)
    head, tables = _head(data, path), {key: _entries(data, key, str(path), source) for key in TABLES}
    included = [_loaded(name, path.parent, allowed, (*above, path)) for name in head.include]
    leaders = tuple(tables["leaders"])
    tasks = [_joined(task, suite, leaders) for suite in included for task in suite.tasks] + tables["tasks"]
    own = {
        "name": head.name,
        "description": head.description,
        "tasks": tuple(tasks),
        "leaders": leaders,
        "followers": tuple(tables["followers"]) or None,
        "seeds": _seeds(head, included, path),
        "steps": head.steps,
        "steps_per_update": head.steps_per_update,
        "checkpoints_per_decade": _agreed(
            "checkpoints_per_decade",
            head.checkpoints_per_decade,
            [each.checkpoints_per_decade for each in included],
            path,
        ),
    }
    made: Suite = make_config(Suite, {key: value for key, value in own.items() if value is not None}, str(path))
    return made


def _path_of(suite: str | Path, folder: Path) -> Path:
    if isinstance(suite, Path) or checked(suite, str, "suite").endswith(".toml"):
        return (folder / suite).resolve()
    if suite not in suite_names():
        raise unknown_name("suite", suite, suite_names())
    return FOLDER / f"{suite}.toml"


def _head(data: Mapping[str, Any], path: Path) -> _Head:
    known = [item.name for item in fields(_Head)]
    require_known(data, [*known, *TABLES], str(path))
    head: _Head = make_config(_Head, {key: value for key, value in data.items() if key in known}, str(path))
    if head.format != FORMAT:
        raise ArgumentError(f"{path}: expected a suite of format {FORMAT}, got one of {head.format}")
    return head


def _entries(data: Mapping[str, Any], table: str, place: str, source: _Source) -> list[Any]:
    """Return what a table of a file holds, as tasks or players."""
    kind = TABLES[table]
    return [_entry(row, kind, where, source) for row, where in tables_of(data, table, place)]


def _entry(row: dict[str, Any], kind: type[Options], place: str, source: _Source) -> Any:
    require_known(row, [item.name for item in fields(kind)], place)
    word = "game" if kind is Task else "kind"
    checked(row.get(word), str, f"{place}: {word}")
    for key, value in row.items():
        if key not in (*TABLES, *LABELS):
            refuse_code(value, source.allowed, f"{place}: {key}")
    inner: dict[str, Any] = {key: tuple(_entries(row, key, place, source)) for key in row if key in TABLES}
    if str(row.get("preset", "")).endswith(".toml"):
        inner["preset"] = str(source.folder / row["preset"])
    return make_config(kind, {**row, **inner}, place)


def _joined(task: Task, suite: Suite, leaders: tuple[Player, ...]) -> Task:
    """Return a task of an included suite, with the budget and the players that it has there, and further leaders."""
    chosen = suite.leaders if task.leaders is None else task.leaders
    return Task(**{**vars(with_budget(task, suite)), "leaders": (*chosen, *leaders)})


def _seeds(head: _Head, included: list[Suite], path: Path) -> tuple[int, ...]:
    given = tuple(range(head.seeds)) if isinstance(head.seeds, int) else head.seeds
    agreed = _agreed("seeds", given, [suite.seeds for suite in included], path)
    return tuple(range(SEEDS)) if agreed is None else agreed


def _agreed(what: str, given: Any, included: list[Any], path: Path) -> Any:
    """Return what a file says itself, else what all that it includes say; None where nobody does."""
    if given is not None or not included:
        return given
    if any(other != included[0] for other in included):
        raise ArgumentError(f"{path}: expected its own {what}, since the suites that it includes have several")
    return included[0]
