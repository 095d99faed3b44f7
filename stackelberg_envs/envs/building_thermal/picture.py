"""The picture of the building: its temperatures, insulation and openings, and the units that heat it."""

from __future__ import annotations

from typing import Any

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.pictures.canvas import (
    INK,
    LARGE,
    MUTED,
    SMALL,
    STRONGEST,
    WALL,
    WHITE,
    Canvas,
    Colour,
    Frame,
    Pixels,
    Renderer,
    blend,
    titled,
)
from stackelberg_envs.pictures.generic import text_of

__all__ = ["building"]

Point = tuple[float, float]

ZONE, DOORWAY = 140.0, 34.0
HOUSE_TOP, HOUSE_LEFT = 124.0, 54.0
#: Top-left corners of the zones, clockwise; zones 0 and 1 are above.
CORNERS: tuple[Point, ...] = tuple(
    (HOUSE_TOP + down * (ZONE + DOORWAY), HOUSE_LEFT + right * (ZONE + DOORWAY))
    for down, right in ((0, 0), (0, 1), (1, 1), (1, 0))
)
#: Temperature difference of the strongest colour.
HOTTEST = 10.0
#: Power of the strongest colour.
FULL_POWER = 10.0
HOT: Colour = (206, 52, 40)
COLD: Colour = (40, 96, 200)
AIR: Colour = (150, 208, 235)
PANEL_LEFT = HOUSE_LEFT + 2 * ZONE + DOORWAY + 46


def _shade(value: float, full: float) -> Colour:
    return blend(WHITE, HOT if value > 0 else COLD, abs(value) / full)


def _building_pixels(frame: Frame) -> Pixels:
    canvas = titled(frame, 520, 640)
    state, power = frame.states[0], frame.last_action
    size = 2 * ZONE + DOORWAY
    canvas.rectangle(HOUSE_TOP, HOUSE_LEFT, size, size, WALL)
    insulation = None if frame.x is None else frame.x[:4]
    for zone, corner in enumerate(CORNERS):
        _draw_zone(canvas, zone, corner, state, insulation)
    if frame.x is not None:
        for link in range(4):
            _draw_opening(canvas, link, float(frame.x[4 + link]))
    for unit in range(2):
        _draw_unit(canvas, unit, frame, power)
    _draw_panel(canvas, frame)
    return canvas.finish()


def _draw_zone(canvas: Canvas, zone: int, corner: Point, state: Any, insulation: Array | None) -> None:
    """Draw a room in the colour of its temperature; its coat outside is as thick as its insulation."""
    top, left = corner
    if insulation is not None:
        _draw_coat(canvas, zone, corner, 12.0 * float(insulation[zone]))
    heat = 0.0 if state is None else float(state[zone])
    ink, faint = (WHITE, WHITE) if abs(heat) > 0.4 * HOTTEST else (INK, MUTED)
    canvas.rectangle(top, left, ZONE, ZONE, _shade(heat, HOTTEST))
    canvas.frame(top, left, ZONE, ZONE, WALL, 1.5)
    canvas.text(top + 10, left + 10, f"zone {zone}", faint, SMALL)
    if state is not None:
        canvas.text(top + ZONE / 2 - 9, left + ZONE / 2, f"{heat:+.2f}", ink, LARGE, "middle")
    if insulation is not None:
        canvas.text(top + ZONE - 20, left + 10, f"insulation {insulation[zone]:.2f}", faint, SMALL)


def _draw_coat(canvas: Canvas, zone: int, corner: Point, thickness: float) -> None:
    top, left = corner
    above, on_left = zone in (0, 1), zone in (0, 3)
    canvas.rectangle(top - thickness if above else top + ZONE, left, thickness, ZONE, STRONGEST)
    canvas.rectangle(top, left - thickness if on_left else left + ZONE, ZONE, thickness, STRONGEST)


def _draw_opening(canvas: Canvas, link: int, airflow: float) -> None:
    """Draw the opening between zone i and i + 1, as wide as the airflow; the number is where there is more room."""
    (top, left), (other_top, other_left) = CORNERS[link], CORNERS[(link + 1) % 4]
    width, inside = ZONE * airflow, airflow > 0.5
    if top == other_top:
        row, column = top + ZONE / 2, min(left, other_left) + ZONE + DOORWAY / 2
        canvas.rectangle(row - width / 2, column - DOORWAY / 2, width, DOORWAY, AIR)
        row = row if inside else top + 12
    else:
        row, column = min(top, other_top) + ZONE + DOORWAY / 2, left + ZONE / 2
        canvas.rectangle(row - DOORWAY / 2, column - width / 2, DOORWAY, width, AIR)
        column = column if inside else left + 20
    canvas.text(row - 5, column, f"{airflow:.2f}", INK if inside else WHITE, SMALL, "middle")


def _draw_unit(canvas: Canvas, unit: int, frame: Frame, power: Array | None) -> None:
    """Draw an HVAC unit, pipes to the zones it heats, as thick as they are effective, and its last power."""
    middle = HOUSE_LEFT + ZONE + DOORWAY / 2
    row = HOUSE_TOP - 36 if unit == 0 else HOUSE_TOP + 2 * ZONE + DOORWAY + 36
    effect = frame.game.numbers.follower_input[:, unit]
    for zone in np.flatnonzero(effect):
        top, left = CORNERS[zone]
        end = (top if unit == 0 else top + ZONE), left + ZONE / 2
        canvas.line((row, middle), (row, end[1]), 10 * float(effect[zone]), MUTED)
        canvas.line((row, end[1]), end, 10 * float(effect[zone]), MUTED)
    shown = 0.0 if power is None else float(power[unit])
    canvas.rectangle(row - 14, middle - 66, 28, 132, _shade(shown, FULL_POWER))
    canvas.frame(row - 14, middle - 66, 28, 132, INK, 1.5)
    told = f"HVAC {unit}" + ("" if power is None else f" {shown:+.2f}")
    canvas.text(row - 6, middle, told, WHITE if abs(shown) > 0.6 * FULL_POWER else INK, anchor="middle")


def _draw_panel(canvas: Canvas, frame: Frame) -> None:
    top, left = HOUSE_TOP, PANEL_LEFT
    canvas.text(top, left, "temperature")
    canvas.text(top + 20, left, "from the set point", MUTED, size=SMALL)
    for i in range(120):
        canvas.rectangle(top + 42 + i, left, 1, 26, _shade(HOTTEST * (1 - i / 59.5), HOTTEST))
    canvas.frame(top + 42, left, 120, 26, MUTED)
    for share, value in ((0.0, HOTTEST), (0.5, 0.0), (1.0, -HOTTEST)):
        canvas.text(top + 37 + 120 * share, left + 36, f"{value:+g}", MUTED, size=SMALL)
    canvas.rectangle(top + 194, left, 10, 26, STRONGEST)
    canvas.text(top + 193, left + 36, "insulation", size=SMALL)
    canvas.rectangle(top + 218, left, 16, 26, AIR)
    canvas.text(top + 220, left + 36, "airflow between", size=SMALL)
    price = "" if frame.x is None else f"{frame.game.form.price * float(frame.x @ frame.x):.3f} a step"
    canvas.text(top + 256, left, "price of both", size=SMALL)
    canvas.text(top + 272, left, price or "not announced yet", size=SMALL)


#: Four zones and their temperatures, insulation, airflow between them, and two HVAC units.
building = Renderer(_building_pixels, text_of)
