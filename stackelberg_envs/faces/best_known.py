"""The best known commitments of registered games, by setting: `best_known.json`, which is read when first needed.

An entry is data and nothing else: the id, those arguments that the value depends on, the value, the commitment, how it
was found, and when. A game of a setting that is in the file has the value and the commitment among its facts.
"""

from __future__ import annotations

import functools
import json
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from stackelberg_envs.arrays import Array, frozen
from stackelberg_envs.errors import GameError
from stackelberg_envs.faces.ids import newest_id
from stackelberg_envs.faces.references import STATUSES

__all__ = ["FILE", "BestKnown", "as_entry", "best_known", "entries", "known_facts", "read"]

FILE = Path(__file__).parent / "best_known.json"


@dataclass(frozen=True, eq=False)
class BestKnown:
    """One entry of the file.

    Attributes
    ----------
    id
        Of the environment.
    arguments
        Those of its arguments that the value depends on, by name; all others may be anything.
    value
        J at the commitment, reward units: exact, or a mean over play.
    commitment
        The shape of the game's commitments.
    found_by
        How it was found, in words.
    date
        When, YYYY-MM-DD.
    standard_error
        Of a value that is a mean over play; None for an exact one.
    status
        How sure one may be that there is no better one, one of :data:`stackelberg_envs.faces.references.STATUSES`.
    """

    id: str
    arguments: dict[str, Any]
    value: float
    commitment: Array
    found_by: str
    date: str
    standard_error: float | None = None
    status: str = "best known"


def read(path: Path) -> list[BestKnown]:
    """Return the entries of a file.

    Raises
    ------
    GameError
        A file that does not hold such entries; the message says which of them is not one.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as exc:
        raise GameError(f"{path.name}: expected a readable file of JSON, got {exc}") from exc
    if not isinstance(found, list):
        raise GameError(f"{path.name}: expected a list of entries, got {type(found).__name__}")
    return [_entry(item, f"{path.name}: entry {number}") for number, item in enumerate(found)]


def _entry(item: Any, where: str) -> BestKnown:
    try:
        made = BestKnown(**{**item, "commitment": frozen(np.array(item["commitment"], dtype=np.float64))})
        finite = bool(np.isfinite(made.commitment).all() and np.isfinite(made.value))
    except (TypeError, ValueError, KeyError, AttributeError) as exc:
        raise GameError(f"{where}: expected the fields of a best known commitment, got {exc}") from exc
    words: tuple[Any, ...] = made.id, made.found_by, made.date, made.status
    table: Any = made.arguments
    if not (finite and all(isinstance(each, str) for each in words) and isinstance(table, dict)):
        raise GameError(f"{where}: expected text, finite numbers and a table of arguments, got something else")
    if made.status not in STATUSES:
        raise GameError(f"{where}: expected a status among {', '.join(STATUSES)}, got {made.status!r}")
    return made


def as_entry(found: BestKnown) -> dict[str, Any]:
    """Return an entry as it is written into the file."""
    told = {**asdict(found), "commitment": found.commitment.tolist()}
    plain = {each.name: each.default for each in fields(BestKnown) if each.default is not MISSING}
    return {name: value for name, value in told.items() if name not in plain or value != plain[name]}


@functools.cache
def _of_the_package() -> dict[str, BestKnown]:
    return {_key(newest_id(entry.id), entry.arguments): entry for entry in read(FILE)}


def entries() -> list[BestKnown]:
    """Return all entries that come with the package."""
    return list(_of_the_package().values())


def best_known(id: str, arguments: dict[str, Any]) -> BestKnown | None:  # noqa: A002
    """Return what is known of a setting, or None.

    Parameters
    ----------
    id
        Of the environment.
    arguments
        All arguments that the value depends on.
    """
    return _of_the_package().get(_key(newest_id(id), arguments))


def known_facts(id: str, high: ArrayLike | None = None, **arguments: Any) -> dict[str, Any]:  # noqa: A002
    """Return the facts of a game on what is known of its setting.

    Parameters
    ----------
    id
        Of the environment.
    high
        Upper bounds of the game's commitments, where an argument sets them: with tighter ones the optimum is another.
    arguments
        All other arguments that the value depends on.

    Returns
    -------
    dict
        `setting`, the arguments, so that a better value can be told with them; `best_known` and `best_commitment`
        where they are known.
    """
    facts: dict[str, Any] = {"setting": _plain(arguments)}
    known = best_known(id, arguments)
    if known is not None and (high is None or bool((known.commitment <= np.asarray(high)).all())):
        facts |= {"best_known": known.value, "best_commitment": known.commitment}
    return facts


def _key(id: str, arguments: dict[str, Any]) -> str:  # noqa: A002
    return f"{id} {json.dumps(_plain(arguments), sort_keys=True)}"


#: Arguments are not nested deeper in any setting.
DEEPEST = 5


def _plain(value: Any, depth: int = 0) -> Any:
    """Return numbers, text, lists and tables; numbers that are equal are written alike.

    What is none of these, or is nested too deep, becomes the name of its type, which no setting has: games look their
    setting up before their arguments are checked.
    """
    value = value.tolist() if isinstance(value, np.ndarray) else value
    if isinstance(value, bool | str) or value is None:
        return value
    if isinstance(value, dict) and depth < DEEPEST:
        return {str(name): _plain(each, depth + 1) for name, each in value.items()}
    if isinstance(value, list | tuple) and depth < DEEPEST:
        return [_plain(each, depth + 1) for each in value]
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return type(value).__name__
    return int(number) if number.is_integer() else number
