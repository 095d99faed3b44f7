"""The park of a pursuit: read from text, and what happens in it when everybody moves at once.

A plan is a rectangle of letters, a line of text for each row: ``#`` a wall, ``.`` a free cell, ``P`` where a pursuer
begins, ``E`` where the evader does. Around the plan are walls. Letters: N cells, p pursuers, n = p + 1 movers, B = 5
moves of each, M = B^n joint ones.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array, frozen
from stackelberg_envs.errors import GameError

__all__ = ["MOVES", "PARKS", "Park", "read_park"]

WALL, FREE, PURSUER, EVADER = "#.PE"
#: Stay, up, right, down, left.
MOVES = ((0, 0), (-1, 0), (0, 1), (1, 0), (0, -1))
#: Entries of the largest table, states x joint moves x movers x what the leader sets, at most.
MOST_ENTRIES = 2**23

BLOCK = """\
P..
.#.
..E"""

OPEN = """\
P..
...
..E"""

PAIR = """\
P.P
.E."""

PARKS: Mapping[str, str] = {"block": BLOCK, "open": OPEN, "pair": PAIR}


@dataclass(frozen=True, eq=False)
class Park:
    """A plan that was checked, and what a step of a chase does on it.

    A state says where everybody is, the pursuers first and the evader last, and the evader is where no pursuer is. When
    it is caught the next chase begins where the first did.

    Attributes
    ----------
    rows
        The plan, a text per row.
    cells
        Row and column of each cell that is no wall, shape (N, 2).
    landing
        The cell that each of the five moves leads to, shape (N, B); where it is, where a wall is in the way.
    start
        The cell of each mover at first, shape (n,).
    """

    rows: tuple[str, ...]
    cells: NDArray[np.int64]
    landing: NDArray[np.int64]
    start: NDArray[np.int64]

    @property
    def num_movers(self) -> int:
        """The number n of pursuers and the evader."""
        return len(self.start)

    @cached_property
    def places(self) -> NDArray[np.int64]:
        """The cell of each mover in each state, shape (S, n)."""
        N, n = len(self.cells), self.num_movers
        everywhere = np.array(list(itertools.product(range(N), repeat=n)), dtype=np.int64)
        return frozen(everywhere[(everywhere[:, :-1] != everywhere[:, -1:]).all(axis=1)])

    @cached_property
    def _number(self) -> NDArray[np.int64]:
        """The state of everybody's cells, shape (N, ..., N), -1 where the evader is caught."""
        made = np.full((len(self.cells),) * self.num_movers, -1)
        made[tuple(self.places.T)] = np.arange(len(self.places))
        return made

    @property
    def first(self) -> int:
        """The state in which a chase begins."""
        return int(self._number[tuple(self.start)])

    @cached_property
    def moves(self) -> NDArray[np.int64]:
        """The move of each mover in each joint one, shape (n, M)."""
        n = self.num_movers
        return np.stack(np.meshgrid(*[np.arange(len(MOVES))] * n, indexing="ij")).reshape(n, -1)

    @cached_property
    def _after(self) -> NDArray[np.int64]:
        """The cell that each mover lands in, shape (n, S, M)."""
        return np.stack([self.landing[self.places[:, i, None], moves] for i, moves in enumerate(self.moves)])

    @cached_property
    def catchers(self) -> NDArray[np.bool_]:
        """Which pursuers catch the evader by a joint move, shape (p, S, M).

        Who lands where the evader lands, and who changes places with it.
        """
        before, after = self.places.T[:, :, None], self._after
        return np.asarray(
            (after[:-1] == after[-1:]) | ((after[:-1] == before[-1:]) & (before[:-1] == after[-1:])), dtype=bool
        )

    @cached_property
    def shares(self) -> Array:
        """The part of a capture that is each pursuer's, shape (p, S, M): who make it together share it evenly."""
        return np.asarray(self.catchers / np.maximum(self.catchers.sum(axis=0), 1))

    @cached_property
    def successors(self) -> NDArray[np.int64]:
        """The state that each joint move leads to, shape (S, M)."""
        return np.where(self.catchers.any(axis=0), self.first, self._number[tuple(self._after)])


def read_park(plan: object) -> Park:
    """Return the park of a plan.

    Parameters
    ----------
    plan
        One of :data:`PARKS`, or the text of a plan.

    Raises
    ------
    GameError
        No text, rows of different lengths, an unknown letter, no pursuer, no evader or several, a pursuer who cannot
        reach the evader, or a chase with larger tables than there is room for; the message says where.
    """
    if not isinstance(plan, str) or not plan.strip():
        raise GameError(f"park: expected a plan as text, or one of {', '.join(PARKS)}, got {plan!r:.60}")
    rows = PARKS.get(plan, plan).strip("\n").splitlines()
    _require_letters(rows)
    cells = np.array([(r, c) for r, row in enumerate(rows) for c, letter in enumerate(row) if letter != WALL])
    number = {(int(r), int(c)): i for i, (r, c) in enumerate(cells)}
    landing = np.array([[number.get((r + dr, c + dc), i) for dr, dc in MOVES] for i, (r, c) in enumerate(cells)])
    start = [i for kind in (PURSUER, EVADER) for i, (r, c) in enumerate(cells) if rows[r][c] == kind]
    n, N = len(start), len(cells)
    entries = n * (N * len(MOVES)) ** n * (N + 1)
    if entries > MOST_ENTRIES:
        raise GameError(
            f"park: expected tables of at most {MOST_ENTRIES} entries, got {entries} of {N} cells and {n} movers"
        )
    _require_together(landing, start, cells)
    return Park(tuple(rows), frozen(cells), frozen(landing), frozen(np.array(start, dtype=np.int64)))


def _require_letters(rows: list[str]) -> None:
    letters = WALL, FREE, PURSUER, EVADER
    for r, row in enumerate(rows):
        if len(row) != len(rows[0]):
            raise GameError(
                f"park: expected rows of {len(rows[0])} letters, as the first has, got {len(row)} in row {r}: {row!r}"
            )
        for c, letter in enumerate(row):
            if letter not in letters:
                names = f", or one of {', '.join(PARKS)}" if len(rows) == 1 else ""
                raise GameError(
                    f"park: expected letters {' '.join(letters)}{names}, got {letter!r} at row {r}, column {c}"
                )
    text = "".join(rows)
    if PURSUER not in text:
        raise GameError("park: expected a cell P, where a pursuer begins, got none")
    if text.count(EVADER) != 1:
        raise GameError(f"park: expected one cell E, where the evader begins, got {text.count(EVADER)}")


def _require_together(landing: NDArray[np.int64], start: list[int], cells: NDArray[np.int64]) -> None:
    """Raise unless every pursuer can reach the evader; moves go both ways."""
    met, new = {start[-1]}, [start[-1]]
    while new:
        new = list({int(there) for cell in new for there in landing[cell]} - met)
        met.update(new)
    for cell in start[:-1]:
        if cell not in met:
            r, c = map(int, cells[cell])
            raise GameError(f"park: expected ways to the evader, got a pursuer at row {r}, column {c} that has none")
