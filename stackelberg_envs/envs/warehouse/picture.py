"""The picture of the warehouse: the floor from above, where robots go, what aisles cost and which are closed."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.envs.warehouse.floor import Floor
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
    Colour,
    Frame,
    Pixels,
    Renderer,
    blend,
    returns_line,
    titled,
)

__all__ = ["warehouse"]

#: The strip above the floor, and the legend beside it, pixels.
STRIP, PANEL = 64, 226
#: Longest side of the floor, and largest and least size of a cell, pixels.
SIDE, LARGEST_CELL, LEAST_CELL = 460, 76, 14
PEOPLE: Colour = (205, 70, 110)
CLOSED: Colour = (190, 30, 45)


class _View(NamedTuple):
    """What is drawn: the floor, the size of a cell, costs by cell and shares closed by cell and move."""

    floor: Floor
    cell: int
    costs: Array
    highest: float
    closed: Array

    def centre(self, number: int) -> tuple[float, float]:
        row, column = map(int, self.floor.cells[number])
        return STRIP + (row + 0.5) * self.cell, MARGIN + (column + 0.5) * self.cell


def _view(frame: Frame) -> _View:
    floor: Floor = frame.game.facts["floor"]
    N, rules = len(floor.cells), frame.game.commitment
    size = max(len(floor.rows), len(floor.rows[0]))
    x = np.zeros(rules.shape) if frame.x is None else np.asarray(frame.x)
    costs, shares = np.append(x[: rules.num_places], 0.0), np.append(x[rules.num_places :], 0.0)
    cell = min(LARGEST_CELL, max(LEAST_CELL, SIDE // size))
    return _View(floor, cell, costs[rules.place_of[:N]], float(rules.high[0]), shares[rules.gate[:N]])


def _pixels(frame: Frame) -> Pixels:
    view = _view(frame)
    rows, columns = len(view.floor.rows), len(view.floor.rows[0])
    height = max(STRIP + rows * view.cell + MARGIN, STRIP + 410)
    canvas = titled(frame, height, 2 * MARGIN + max(columns * view.cell, 300) + PANEL)
    canvas.rectangle(STRIP, MARGIN, rows * view.cell, columns * view.cell, WALL)
    for number in range(len(view.floor.cells)):
        _draw_cell(canvas, view, number)
    for number in range(len(view.floor.cells)):
        _draw_closed(canvas, view, number)
    for i, state in enumerate(frame.states):
        if state is not None:
            _draw_robot(canvas, view, int(state), "" if len(frame.states) == 1 else str(i))
    _draw_legend(canvas, MARGIN + max(columns * view.cell, 300) + 24, frame, view)
    return canvas.finish()


def _draw_cell(canvas: Canvas, view: _View, number: int) -> None:
    row, column = map(int, view.floor.cells[number])
    top, left, size = STRIP + row * view.cell, MARGIN + column * view.cell, view.cell
    canvas.rectangle(top, left, size, size, blend(WHITE, STRONGEST, view.costs[number] / view.highest))
    canvas.frame(top, left, size, size, GRID, 0.5)
    if view.floor.people[number]:
        _draw_person(canvas, (top + 0.26 * size, left + 0.2 * size), 0.36 * size)
    for stations, letter, colour in ((view.floor.picks, "P", TARGET), (view.floor.drops, "D", GOAL)):
        if number in stations:
            _draw_station(canvas, (top, left), size, letter, colour)


def _draw_station(canvas: Canvas, corner: tuple[float, float], size: float, letter: str, colour: Colour) -> None:
    canvas.rectangle(corner[0] + 1, corner[1] + 1, size - 2, size - 2, blend(WHITE, colour, 0.35))
    canvas.frame(corner[0] + 1, corner[1] + 1, size - 2, size - 2, colour, max(1.5, size / 22))
    canvas.text(corner[0] + 0.1 * size, corner[1] + 0.12 * size, letter, INK, max(9, 0.28 * size))


def _draw_person(canvas: Canvas, centre: tuple[float, float], size: float) -> None:
    canvas.disc((centre[0] - 0.25 * size, centre[1]), 0.22 * size, PEOPLE)
    canvas.ellipse((centre[0] + 0.3 * size, centre[1]), 0.62 * size, 0.6 * size, PEOPLE)


def _draw_closed(canvas: Canvas, view: _View, number: int) -> None:
    """Draw a bar on the side of a cell through which nobody goes, for as much of its length as it is closed."""
    (down, across), reach = view.centre(number), 0.5 * view.cell
    for move, (dr, dc) in enumerate(((-1, 0), (0, 1), (1, 0), (0, -1))):
        share = float(view.closed[number, move])
        if share > 0.02:
            middle = down + 0.8 * reach * dr, across + 0.8 * reach * dc
            half = 0.9 * reach * share
            ends = (middle[0] - half * dc, middle[1] - half * dr), (middle[0] + half * dc, middle[1] + half * dr)
            canvas.line(*ends, max(2.0, view.cell / 14), CLOSED)


def _draw_robot(canvas: Canvas, view: _View, state: int, label: str) -> None:
    """Draw a robot, with a box on it if it carries one, and a dotted line to where it goes."""
    task, number = divmod(state, len(view.floor.cells))
    goal = (*view.floor.picks, *view.floor.drops)[task]
    here, there = view.centre(number), view.centre(goal)
    for share in np.linspace(0.0, 1.0, 2 + int(np.hypot(*np.subtract(there, here)) / 9)):
        spot = np.add(here, share * np.subtract(there, here))
        canvas.disc((float(spot[0]), float(spot[1])), 1.6, FOLLOWER)
    _draw_machine(canvas, here, view.cell, task >= len(view.floor.picks), label)


def _draw_machine(canvas: Canvas, centre: tuple[float, float], size: float, carries: bool, label: str = "") -> None:
    reach = 0.3 * size
    for side in (-1, 1):
        canvas.rectangle(
            centre[0] - 0.8 * reach, centre[1] + side * reach - 0.15 * reach, 1.6 * reach, 0.3 * reach, INK
        )
    canvas.rectangle(centre[0] - reach, centre[1] - reach, 2 * reach, 2 * reach, WHITE)
    canvas.rectangle(centre[0] - 0.9 * reach, centre[1] - 0.9 * reach, 1.8 * reach, 1.8 * reach, FOLLOWER)
    if carries:
        canvas.rectangle(centre[0] - 0.55 * reach, centre[1] - 0.55 * reach, 1.1 * reach, 1.1 * reach, DOOR)
        canvas.rectangle(centre[0] - 0.55 * reach, centre[1] - 0.1 * reach, 1.1 * reach, 0.2 * reach, WHITE)
    if label:
        canvas.text(centre[0] - 0.4 * reach, centre[1], label, WHITE, max(9, 0.9 * reach), "middle")


def _draw_legend(canvas: Canvas, left: float, frame: Frame, view: _View) -> None:
    top, middle = STRIP + 4, left + 16
    _draw_machine(canvas, (top + 14, middle), 44, carries=False)
    canvas.text(top + 8, left + 42, "robot, the follower")
    _draw_machine(canvas, (top + 54, middle), 44, carries=True)
    canvas.text(top + 40, left + 42, "with goods; dots lead")
    canvas.text(top + 59, left + 42, "to where it has to go", MUTED, SMALL)
    _draw_station(canvas, (top + 86, left + 2), 28, "P", TARGET)
    canvas.text(top + 93, left + 42, "picks up here")
    _draw_station(canvas, (top + 126, left + 2), 28, "D", GOAL)
    canvas.text(top + 126, left + 42, "drops here: both")
    canvas.text(top + 145, left + 42, "players are paid", MUTED, SMALL)
    _draw_person(canvas, (top + 184, middle), 30)
    canvas.text(top + 171, left + 42, "people: robots here")
    canvas.text(top + 190, left + 42, "cost the leader", MUTED, SMALL)
    canvas.line((top + 214, left + 4), (top + 214, left + 30), 5, CLOSED)
    canvas.text(top + 209, left + 42, "closed to who leaves")
    canvas.text(top + 228, left + 42, "the cell on this side", MUTED, SMALL)
    canvas.rectangle(top + 254, left + 2, 28, 28, WALL)
    canvas.text(top + 262, left + 42, "shelves")
    _draw_colour_bar(canvas, top + 304, left, frame, view.highest)


def _draw_colour_bar(canvas: Canvas, top: float, left: float, frame: Frame, highest: float) -> None:
    canvas.text(top, left, "cost for the robot, per step")
    for i in range(180):
        canvas.rectangle(top + 26, left + i, 18, 1, blend(WHITE, STRONGEST, i / 179))
    canvas.frame(top + 26, left, 18, 180, MUTED)
    canvas.text(top + 50, left, "0", MUTED, SMALL)
    canvas.text(top + 50, left + 180, f"{highest:g}", MUTED, SMALL, "right")
    if frame.x is None:
        canvas.text(top + 72, left, "nothing is announced yet", MUTED, SMALL)


def _text(frame: Frame) -> str:
    """Return the floor as text; robots are lower-case letters, r without goods and c with them."""
    view = _view(frame)
    canvas, N = [list(row) for row in view.floor.rows], len(view.floor.cells)
    goals = (*view.floor.picks, *view.floor.drops)
    lines = []
    for i, state in enumerate(frame.states):
        if state is not None:
            task, number = divmod(int(state), N)
            row, column = map(int, view.floor.cells[number])
            carries = task >= len(view.floor.picks)
            canvas[row][column] = "c" if carries else "r"
            there = tuple(map(int, view.floor.cells[goals[task]]))
            lines.append(f"robot {i}: at {(row, column)}, {'brings goods to' if carries else 'fetches at'} {there}")
    if frame.x is not None:
        told = zip(frame.game.commitment.names, frame.x, strict=True)
        lines += [f"{name}: {value:.3f}" for name, value in told if value > 0.0005]
    key = "r robot  c robot with goods  P pick  D drop  ! people  # shelves"
    return "\n".join([frame.headline, returns_line(frame), *map(" ".join, canvas), key, *lines])


#: The warehouse for a person: where robots go, with what, and what the leader does about it.
warehouse = Renderer(_pixels, _text)
