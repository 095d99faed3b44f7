"""Ids follow from the names of environment files, and so do the earlier ids whose place they took."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from pathlib import Path

from stackelberg_envs.deprecation import warn_deprecated
from stackelberg_envs.errors import ArgumentError

__all__ = [
    "ENVS",
    "ID_PATTERN",
    "earlier_ids",
    "earlier_modules",
    "env_modules",
    "id_of",
    "module_name",
    "newest_id",
    "own_ids",
    "successors",
    "warn_if_earlier",
]

NAMESPACE = "stackelberg"
ENVS = "stackelberg_envs.envs"
ID_PATTERN = re.compile(r"[\w.-]+/[\w.-]+-v\d+")
MODULE_PATTERN = re.compile(r"(?P<name>[a-z][a-z0-9_]*)_v(?P<version>\d+)")
#: Words that ids write with a capital inside, as Gymnasium does.
COMPOUNDS = {"cartpole": "CartPole"}

#: The version of this package that no longer knows the earlier ids.
EARLIER_IDS_GO_IN = "0.3"


def env_modules() -> list[str]:
    """Return the names of the environment files, without importing them."""
    folder = Path(__file__).parents[1] / "envs"
    return sorted(path.stem for path in folder.glob("*.py") if MODULE_PATTERN.fullmatch(path.stem))


def id_of(module: str) -> str:
    """Return the id of an environment file: ``four_rooms_v0`` is ``stackelberg/FourRooms-v0``."""
    match = MODULE_PATTERN.fullmatch(module)
    if match is None:
        raise ArgumentError(f"module: expected a name like 'four_rooms_v0', got {module!r}")
    name = "".join(COMPOUNDS.get(part, part.capitalize()) for part in match["name"].split("_"))
    return f"{NAMESPACE}/{name}-v{match['version']}"


def own_ids() -> dict[str, str]:
    """Return the newest ids of this package -> the module of each."""
    return {id_of(module): module for module in env_modules()}


def earlier_ids(spec_id: str) -> list[str]:
    """Return the ids that an id of this package took the place of, the first one first."""
    base, _, version = spec_id.rpartition("-v")
    return [f"{base}-v{number}" for number in range(int(version))]


def newest_id(id: str) -> str:  # noqa: A002
    """Return the id that took the place of an earlier one of this package; any other id as it is."""
    return successors().get(id, id)


@functools.cache
def successors() -> dict[str, str]:
    """Return the earlier ids -> the newest id of the same name."""
    return {earlier: spec_id for spec_id in own_ids() for earlier in earlier_ids(spec_id)}


def warn_if_earlier(spec_id: str, written: Callable[[str], str] = str) -> None:
    """Warn a user who names an earlier id; records, suites and presets that name one are taken without a word.

    Parameters
    ----------
    spec_id
        Any id.
    written
        How the user wrote it: as an id, or by :func:`module_name`.
    """
    newest = newest_id(spec_id)
    if newest != spec_id:
        warn_deprecated(written(spec_id), written(newest), EARLIER_IDS_GO_IN)


def earlier_modules() -> dict[str, str]:
    """Return the names of modules that went on as earlier ones -> the id each stands for; nothing is imported."""
    return {module_name(earlier): earlier for earlier in successors()}


def module_name(spec_id: str) -> str:
    """Return the short name of an id, as PettingZoo's ``metadata["name"]`` has it: ``four_rooms_v0``."""
    _, _, name = spec_id.partition("/")
    for word, written in COMPOUNDS.items():
        name = name.replace(written, word.capitalize())
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().replace("-v", "_v")
