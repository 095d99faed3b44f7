"""The picture of a pursuit: the park from above, how bright it is where, and who is where."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array
from stackelberg_envs.envs.pursuit.park import Park
from stackelberg_envs.pictures.canvas import (
    FOLLOWER,
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
    Point,
    Renderer,
    blend,
    returns_line,
    titled,
)

__all__ = ["pursuit"]

#: The strip above the park, and the legend beside it, pixels.
STRIP, PANEL = 64, 236
#: Longest side of the park, largest and least size of a cell, and height of the legend, pixels.
SIDE, LARGEST_CELL, LEAST_CELL, LEGEND = 360, 96, 28, 314
LIGHT: Colour = (255, 205, 60)
EVADER = TARGET


class _View(NamedTuple):
    """What is drawn: the park, the size of a cell, how bright each is, where movers are, and the last capture.

    `caught` is the cell of a capture in the last step, or None.
    """

    park: Park
    cell: int
    lights: Array
    brightest: float
    places: NDArray[np.int64] | None
    caught: int | None

    def corner(self, number: int) -> Point:
        row, column = map(int, self.park.cells[number])
        return STRIP + row * self.cell, MARGIN + column * self.cell

    def centre(self, number: int) -> Point:
        top, left = self.corner(number)
        return top + 0.5 * self.cell, left + 0.5 * self.cell


def _view(frame: Frame) -> _View:
    park: Park = frame.game.facts["park"]
    size = max(len(park.rows), len(park.rows[0]))
    x = np.zeros(frame.game.commitment.shape) if frame.x is None else np.asarray(frame.x)
    state = frame.states[0]
    cell = min(LARGEST_CELL, max(LEAST_CELL, SIDE // size))
    places = None if state is None else park.places[int(state)]
    return _View(park, cell, x[:-1], float(frame.game.commitment.high[0]), places, _caught(park, frame.records))


def _caught(park: Park, records: tuple[dict[str, Any], ...]) -> int | None:
    """Return the cell in which the evader was caught in the last step, or None."""
    if not records[0]["played"]:
        return None
    moves = tuple(int(seen["follower_action"]) for seen in records)
    state, joint = int(records[0]["state"]), int((park.moves == np.array(moves)[:, None]).all(axis=0).argmax())
    if not park.catchers[:, state, joint].any():
        return None
    return int(park.landing[park.places[state, -1], moves[-1]])


def _pixels(frame: Frame) -> Pixels:
    view = _view(frame)
    rows, columns = len(view.park.rows), len(view.park.rows[0])
    canvas = titled(
        frame, STRIP + max(rows * view.cell + MARGIN, LEGEND), 2 * MARGIN + max(columns * view.cell, 288) + PANEL
    )
    canvas.rectangle(STRIP, MARGIN, rows * view.cell, columns * view.cell, WALL)
    for number, light in enumerate(view.lights):
        top, left = view.corner(number)
        canvas.rectangle(top, left, view.cell, view.cell, blend(WHITE, LIGHT, light / view.brightest))
        canvas.frame(top, left, view.cell, view.cell, GRID, 0.5)
        if frame.x is not None and view.cell >= 60:
            canvas.text(top + 6, left + 6, f"{light:.2f}", MUTED, SMALL)
    if view.caught is not None:
        canvas.star(view.centre(view.caught), 0.46 * view.cell, STRONGEST)
    for mover, cell in enumerate(() if view.places is None else view.places):
        _draw_mover(canvas, _spot(view, mover, int(cell)), view.cell, mover, view.park.num_movers)
    _draw_legend(canvas, MARGIN + max(columns * view.cell, 288) + 24, frame, view)
    return canvas.finish()


def _spot(view: _View, mover: int, cell: int) -> Point:
    """Return where in its cell a mover is drawn: pursuers in one cell beside each other."""
    down, across = view.centre(cell)
    assert view.places is not None  # noqa: S101 - asked only for movers that are somewhere
    beside = [i for i, other in enumerate(view.places) if int(other) == cell]
    return down + 4, across + (beside.index(mover) - (len(beside) - 1) / 2) * 0.36 * view.cell


def _draw_mover(canvas: Canvas, centre: Point, cell: float, mover: int, n: int) -> None:
    """Draw a pursuer as a disc with its number, the evader as a diamond."""
    reach = 0.24 * cell
    if mover < n - 1:
        canvas.disc(centre, reach + 2, WHITE)
        canvas.disc(centre, reach, FOLLOWER)
        canvas.text(centre[0] - 0.42 * reach, centre[1], str(mover), WHITE, max(9, 0.95 * reach), "middle")
        return
    for size, colour in ((1.25 * reach + 3, WHITE), (1.25 * reach, EVADER)):
        down, across = centre
        canvas.polygon(
            [(down - size, across), (down, across + size), (down + size, across), (down, across - size)], colour
        )


def _draw_legend(canvas: Canvas, left: float, frame: Frame, view: _View) -> None:
    top, middle = STRIP + 16, left + 16
    _draw_mover(canvas, (top, middle), 56, 0, view.park.num_movers)
    canvas.text(top - 6, left + 42, "pursuer, a follower")
    _draw_mover(canvas, (top + 42, middle), 56, view.park.num_movers - 1, view.park.num_movers)
    canvas.text(top + 36, left + 42, "evader, a follower too:")
    canvas.text(top + 55, left + 42, "a step in light costs it", MUTED, SMALL)
    canvas.star((top + 94, middle), 16, STRONGEST)
    canvas.text(top + 80, left + 42, "a capture; the next")
    canvas.text(top + 99, left + 42, "chase begins at once", MUTED, SMALL)
    canvas.text(top + 136, left, "light, which the leader sets")
    for i in range(180):
        canvas.rectangle(top + 160, left + i, 18, 1, blend(WHITE, LIGHT, i / 179))
    canvas.frame(top + 160, left, 18, 180, MUTED)
    canvas.text(top + 184, left, "0", MUTED, SMALL)
    canvas.text(top + 184, left + 180, f"{view.brightest:g}", MUTED, SMALL, "right")
    told = "not announced yet" if frame.x is None else f"{frame.x[-1]:.2f}"
    canvas.text(top + 220, left, "the leader adds to a capture:")
    canvas.text(top + 243, left, told, MUTED if frame.x is None else INK)


def _text(frame: Frame) -> str:
    """Return the park as text; pursuers are their numbers, the evader is e."""
    view = _view(frame)
    rows = [list(row.replace("P", ".").replace("E", ".")) for row in view.park.rows]
    for mover, cell in enumerate(() if view.places is None else view.places):
        row, column = map(int, view.park.cells[int(cell)])
        rows[row][column] = "e" if mover == view.park.num_movers - 1 else str(mover)
    lines = [frame.headline, returns_line(frame), *map(" ".join, rows), "0 pursuer  e evader  # wall"]
    if view.caught is not None:
        lines.append("caught at ({}, {})".format(*map(int, view.park.cells[view.caught])))
    if frame.x is not None:
        told = zip(frame.game.commitment.names, frame.x, strict=True)
        lines += [f"{name}: {value:.3f}" for name, value in told if value > 0.0005]
    return "\n".join(lines)


#: The pursuit for a person: who runs where, what is lit, and captures.
pursuit = Renderer(_pixels, _text)
