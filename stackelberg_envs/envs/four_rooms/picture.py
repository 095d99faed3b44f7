"""The picture of Four-Rooms: walls, doors, incentives as colours, who is where and who is paid."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.games.tabular import TabularGame
from stackelberg_envs.pictures.canvas import (
    DOOR,
    FOLLOWER,
    GOAL,
    GRID,
    INK,
    MARGIN,
    MUTED,
    SMALL,
    STRONGEST,
    TARGET,
    WALL,
    WHITE,
    Canvas,
    Frame,
    Pixels,
    Renderer,
    blend,
    returns_line,
    titled,
)

__all__ = ["four_rooms"]

#: A cell, the strip above the map, and the legend beside it, pixels.
CELL, STRIP, PANEL = 38, 64, 176


class _Floor(NamedTuple):
    """Where things are on a grid map; rows and columns of cells."""

    cells: NDArray[np.int64]
    state_of: dict[tuple[int, int], int]
    size: tuple[int, int]

    def is_free(self, row: int, column: int) -> bool:
        return (row, column) in self.state_of

    def is_door(self, row: int, column: int) -> bool:
        """Return whether two opposite neighbours are walls and the other two are not."""
        beside = self.is_free(row, column - 1), self.is_free(row, column + 1)
        above = self.is_free(row - 1, column), self.is_free(row + 1, column)
        return (not any(beside) and all(above)) or (all(beside) and not any(above))

    def corner(self, row: int, column: int) -> tuple[int, int]:
        return STRIP + row * CELL, MARGIN + column * CELL

    def centre(self, state: int) -> tuple[float, float]:
        top, left = self.corner(*map(int, self.cells[state]))
        return top + CELL / 2, left + CELL / 2


def _floor(game: TabularGame) -> _Floor:
    cells = np.asarray(game.facts["cells"])
    state_of = {(int(row), int(column)): state for state, (row, column) in enumerate(cells)}
    rows, columns = cells.max(axis=0) + 2
    return _Floor(cells, state_of, (int(rows), int(columns)))


def _four_rooms_pixels(frame: Frame) -> Pixels:
    floor = _floor(frame.game)
    rows, columns = floor.size
    canvas = titled(frame, STRIP + rows * CELL + MARGIN, 2 * MARGIN + columns * CELL + PANEL)
    canvas.rectangle(*floor.corner(0, 0), rows * CELL, columns * CELL, WALL)
    for row, column in floor.state_of:
        _draw_cell(canvas, floor, frame, row, column)
    _draw_marks(canvas, floor, frame)
    _draw_legend(canvas, MARGIN + columns * CELL + 18, frame)
    return canvas.finish()


def _draw_cell(canvas: Canvas, floor: _Floor, frame: Frame, row: int, column: int) -> None:
    top, left = floor.corner(row, column)
    state = floor.state_of[row, column]
    low = float(np.min(frame.game.commitment.low))
    share = 0.0 if frame.x is None else float(frame.x[state]) / low
    canvas.rectangle(top, left, CELL, CELL, blend(WHITE, STRONGEST, share))
    canvas.frame(top, left, CELL, CELL, GRID, 0.5)
    if not floor.is_door(row, column):
        return
    post = 4
    if floor.is_free(row - 1, column):
        canvas.rectangle(top, left, CELL, post, DOOR)
        canvas.rectangle(top, left + CELL - post, CELL, post, DOOR)
    else:
        canvas.rectangle(top, left, post, CELL, DOOR)
        canvas.rectangle(top + CELL - post, left, post, CELL, DOOR)


def _draw_marks(canvas: Canvas, floor: _Floor, frame: Frame) -> None:
    facts = frame.game.facts
    start, target = floor.state_of[facts["start"]], floor.state_of[facts["target"]]
    _draw_start(canvas, floor.centre(start))
    _draw_target(canvas, floor.centre(target))
    for k, goal in enumerate(facts["goals"]):
        # With several goals, only the present one is filled once nature has chosen it.
        hidden = frame.context is not None and frame.context != k
        _draw_goal(canvas, floor.centre(floor.state_of[goal[0], goal[1]]), faint=hidden)
    for i, state in enumerate(frame.states):
        place = floor.centre(start if state is None else state)
        _draw_follower(canvas, place, "" if len(frame.states) == 1 else str(i), waiting=state is None)


def _draw_start(canvas: Canvas, centre: tuple[float, float]) -> None:
    canvas.text(centre[0] - 6, centre[1], "S", INK, anchor="middle")


def _draw_target(canvas: Canvas, centre: tuple[float, float]) -> None:
    reach = CELL / 2
    canvas.frame(centre[0] - reach + 2, centre[1] - reach + 2, CELL - 4, CELL - 4, TARGET, 3)
    canvas.text(centre[0] - 6, centre[1], "L", INK, anchor="middle")


def _draw_goal(canvas: Canvas, centre: tuple[float, float], *, faint: bool) -> None:
    canvas.star(centre, 17, blend(WHITE, INK, 0.25) if faint else INK)
    canvas.star(centre, 14, WHITE if faint else GOAL)


def _draw_follower(canvas: Canvas, centre: tuple[float, float], label: str, *, waiting: bool) -> None:
    canvas.disc(centre, 12, WHITE)
    canvas.disc(centre, 10.5, blend(WHITE, FOLLOWER, 0.35) if waiting else FOLLOWER)
    if label:
        canvas.text(centre[0] - 6, centre[1], label[-1], WHITE, anchor="middle")


def _draw_legend(canvas: Canvas, left: float, frame: Frame) -> None:
    top, middle = STRIP + 4, left + 14
    _draw_follower(canvas, (top + 14, middle), "", waiting=False)
    canvas.text(top + 7, left + 38, "follower")
    _draw_goal(canvas, (top + 56, middle), faint=False)
    several = len(frame.game.facts["goals"]) > 1
    canvas.text(top + (42 if several else 49), left + 38, "its goal")
    if several:
        canvas.text(top + 60, left + 38, "white: not now", MUTED, size=SMALL)
    _draw_target(canvas, (top + 100, middle))
    canvas.text(top + 86, left + 42, "the leader")
    canvas.text(top + 105, left + 42, "is paid here", MUTED, size=SMALL)
    _draw_start(canvas, (top + 142, middle))
    canvas.text(top + 135, left + 38, "start")
    canvas.rectangle(top + 170, left + 4, 22, 4, DOOR)
    canvas.rectangle(top + 170, left + 20, 22, 4, DOOR)
    canvas.text(top + 174, left + 38, "door")
    _draw_colour_bar(canvas, top + 222, left, frame)


def _draw_colour_bar(canvas: Canvas, top: float, left: float, frame: Frame) -> None:
    low, height = float(np.min(frame.game.commitment.low)), 140
    canvas.text(top, left, "incentive")
    canvas.text(top + 19, left, "per visit of a cell", MUTED, size=SMALL)
    for i in range(height):
        canvas.rectangle(top + 36 + i, left + 4, 1, 24, blend(WHITE, STRONGEST, i / (height - 1)))
    canvas.frame(top + 36, left + 4, height, 24, MUTED)
    canvas.text(top + 36, left + 38, "none")
    canvas.text(top + 36 + height - 14, left + 38, f"{low:g}")
    if frame.x is None:
        canvas.text(top + 36 + height + 12, left, "not announced yet", MUTED, size=SMALL)
    else:
        canvas.text(top + 36 + height + 12, left, f"sum of |x| {np.abs(frame.x).sum():.3f}", MUTED, size=SMALL)


def _four_rooms_text(frame: Frame) -> str:
    """Return the map as text, one character a cell; its last line is the key."""
    floor, facts = _floor(frame.game), frame.game.facts
    rows, columns = floor.size
    canvas = [["#"] * columns for _ in range(rows)]
    low = float(np.min(frame.game.commitment.low))
    for (row, column), state in floor.state_of.items():
        share = 0.0 if frame.x is None else float(frame.x[state]) / low
        canvas[row][column] = "." if share < 0.05 else str(min(9, max(1, round(share * 9))))
    for place, letter in ((facts["start"], "S"), (facts["target"], "L"), *((g, "G") for g in facts["goals"])):
        canvas[place[0]][place[1]] = letter
    for state in frame.states:
        if state is not None:
            row, column = map(int, floor.cells[state])
            canvas[row][column] = "F"
    key = "F follower  G goal  L leader's cell  S start  # wall  1-9 incentive, 9 strongest"
    return "\n".join([frame.headline, returns_line(frame), *(" ".join(line) for line in canvas), key])


#: Four-Rooms for a person: walls, doors, incentives as colours, who is where and who is paid.
four_rooms = Renderer(_four_rooms_pixels, _four_rooms_text)
