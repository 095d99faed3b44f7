"""Floor plans: read from text, checked, and cut into aisles.

A plan is a rectangle of letters, a line of text for each row: ``#`` shelves or a wall, ``.`` floor, ``!`` floor where
people work, ``P`` a station where goods are picked up, ``D`` one where they are dropped. Around the plan are walls.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.errors import GameError

__all__ = ["FLOORS", "MOVES", "Floor", "read_floor"]

SHELF, FREE, PEOPLE, PICK, DROP = "#.!PD"
#: Up, right, down, left.
MOVES = ((-1, 0), (0, 1), (1, 0), (0, -1))

SMALL = """\
..P..
.#!#.
.#!#.
.#!#.
..D.P"""

MEDIUM = """\
P..........P..........P
.##.##.##.!##.##.##.##.
.##.##.##.!##.##.##.##.
.##.##.##.!##.##.##.##.
P.....!!!!!!!!!.......P
.##.##.##.!##.##.##.##.
.##.##.##.!##.##.##.##.
.##.##.##.!##.##.##.##.
P.....!!!!!!!!!.......P
.##.##.##.!##.##.##.##.
.##.##.##.!##.##.##.##.
.##.##.##.!##.##.##.##.
....D.....D.....D......"""


def _large() -> str:
    """Return a floor of 12 blocks of shelves across and 6 down, with pick stations on the sides and drops below."""
    block, cross = "##." * 12, "..." * 12
    rows = [("P" + cross[:-1] + "P")]
    for down in range(6):
        rows += [("." + block)] * 4
        rows += ["P" + ("!" * len(cross[:-1]) if down in (1, 3) else cross[:-1]) + "P"]
    last = [*rows[-1]]
    last[0] = last[-1] = FREE
    last[6] = last[18] = last[30] = DROP
    return "\n".join([*rows[:-1], "".join(last)])


FLOORS: Mapping[str, str] = {"small": SMALL, "medium": MEDIUM, "large": _large()}


class Floor(NamedTuple):
    """A floor plan that was checked. Cells are numbered row by row; letters: N cells, G aisles.

    Attributes
    ----------
    rows
        The plan, a text per row.
    cells
        Row and column of each cell that is no shelf, shape (N, 2).
    landing
        The cell that each of the four moves leads to, shape (N, 4); itself where something is in the way.
    picks, drops
        The cells with stations.
    people
        Whether people work in a cell, shape (N,).
    aisle
        The aisle that a cell is of, shape (N,); -1 for crossings and stations.
    aisle_names
        Of each aisle: the cells at its ends.
    along
        The two moves along each aisle, forwards (right or down) and backwards, shape (G, 2).
    """

    rows: tuple[str, ...]
    cells: NDArray[np.int64]
    landing: NDArray[np.int64]
    picks: tuple[int, ...]
    drops: tuple[int, ...]
    people: NDArray[np.bool_]
    aisle: NDArray[np.int64]
    aisle_names: tuple[str, ...]
    along: NDArray[np.int64]


def read_floor(plan: object) -> Floor:
    """Return the floor of a plan.

    Parameters
    ----------
    plan
        "small", "medium", "large", or the text of a plan.

    Raises
    ------
    GameError
        No text, rows of different lengths, an unknown letter, no station of a kind, or a station that cannot be
        reached from another; the message says where.
    """
    if not isinstance(plan, str) or not plan.strip():
        raise GameError(f"floor: expected a plan as text, or one of {', '.join(FLOORS)}, got {plan!r}")
    rows = _checked_rows(FLOORS.get(plan, plan).strip("\n").splitlines())
    cells = np.array([(r, c) for r, row in enumerate(rows) for c, letter in enumerate(row) if letter != SHELF])
    if not len(cells):
        raise GameError("floor: expected stations P and D, got nothing but shelves")
    letters = np.array([rows[r][c] for r, c in cells])
    number = {(int(r), int(c)): i for i, (r, c) in enumerate(cells)}
    landing = np.array([[number.get((r + dr, c + dc), i) for dr, dc in MOVES] for i, (r, c) in enumerate(cells)])
    picks, drops = (tuple(np.flatnonzero(letters == kind).tolist()) for kind in (PICK, DROP))
    for kind, stations, word in ((PICK, picks, "picked up"), (DROP, drops, "dropped")):
        if not stations:
            raise GameError(f"floor: expected a station {kind}, where goods are {word}, got none")
    _require_reachable(landing, cells, letters)
    aisle, names, along = _aisles(landing, cells, letters)
    return Floor(tuple(rows), cells, landing, picks, drops, letters == PEOPLE, aisle, names, along)


def _checked_rows(rows: list[str]) -> list[str]:
    known = (SHELF, FREE, PEOPLE, PICK, DROP)
    for r, row in enumerate(rows):
        if len(row) != len(rows[0]):
            raise GameError(
                f"floor: expected rows of {len(rows[0])} letters, as the first has, got {len(row)} in row {r}: {row!r}"
            )
        for c, letter in enumerate(row):
            if letter not in known:
                raise GameError(f"floor: expected letters {' '.join(known)}, got {letter!r} at row {r}, column {c}")
    return rows


def _require_reachable(landing: NDArray[np.int64], cells: NDArray[np.int64], letters: NDArray[np.str_]) -> None:
    """Raise unless every station can be reached from the first one; moves go both ways."""
    stations = np.flatnonzero((letters == PICK) | (letters == DROP))
    seen, queue = {int(stations[0])}, deque([int(stations[0])])
    while queue:
        for there in map(int, landing[queue.popleft()]):
            if there not in seen:
                seen.add(there)
                queue.append(there)
    for station in map(int, stations):
        if station not in seen:
            (r, c), (r0, c0) = cells[station], cells[stations[0]]
            raise GameError(
                f"floor: expected stations that can be reached from one another, got {letters[station]} at row {r}, "
                f"column {c}, which nothing joins to {letters[stations[0]]} at row {r0}, column {c0}"
            )


def _aisles(
    landing: NDArray[np.int64], cells: NDArray[np.int64], letters: NDArray[np.str_]
) -> tuple[NDArray[np.int64], tuple[str, ...], NDArray[np.int64]]:
    """Return the aisle of each cell, the aisles' names, and the moves along each.

    A cell is of an aisle where it has no free cell on two opposite sides and is no station; cells of one aisle follow
    one another in the same direction.
    """
    free = landing != np.arange(len(landing))[:, None]
    plain = (letters == FREE) | (letters == PEOPLE)
    down = plain & ~free[:, 1] & ~free[:, 3] & (free[:, 0] | free[:, 2])
    right = plain & ~free[:, 0] & ~free[:, 2] & (free[:, 1] | free[:, 3])
    aisle = np.full(len(cells), -1)
    names: list[str] = []
    along: list[tuple[int, int]] = []
    for i in range(len(cells)):
        if aisle[i] >= 0 or not (down[i] or right[i]):
            continue
        moves, kind = ((2, 0), down) if down[i] else ((1, 3), right)
        run = [i]
        while (following := int(landing[run[-1], moves[0]])) != run[-1] and kind[following]:
            run.append(following)
        aisle[run] = len(names)
        (r, c), (r1, c1) = cells[run[0]], cells[run[-1]]
        names.append(f"({r}, {c}) to ({r1}, {c1})")
        along.append(moves)
    return aisle, tuple(names), np.array(along, dtype=np.int64).reshape(-1, 2)
