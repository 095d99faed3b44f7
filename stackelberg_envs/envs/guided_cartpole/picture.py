"""The picture of the guided cart-pole: what moves, the wind, and where the leader is paid."""

from __future__ import annotations

import numpy as np

from stackelberg_envs.pictures.canvas import (
    FOLLOWER,
    INK,
    MARGIN,
    MUTED,
    SMALL,
    STRONGEST,
    TARGET,
    WHITE,
    Canvas,
    Colour,
    Frame,
    Pixels,
    Renderer,
    titled,
)
from stackelberg_envs.pictures.generic import text_of

__all__ = ["cartpole"]

HEIGHT, WIDTH = 400, 640
#: Row of the track, pixels per metre on it, length of the drawn pole.
TRACK, PER_METRE, POLE = 320, 120.0, 150.0
#: Half extent of what is drawn of the track, metres.
REACH = 2.4
#: Length of the arrow of a full wind.
FULL_WIND = 90.0
WOOD: Colour = (171, 122, 76)


def _cartpole_pixels(frame: Frame) -> Pixels:
    canvas = titled(frame, HEIGHT, WIDTH)
    middle = WIDTH / 2
    canvas.rectangle(TRACK, middle - REACH * PER_METRE, 3, 2 * REACH * PER_METRE, MUTED)
    for end in (-REACH, REACH):
        canvas.rectangle(TRACK - 12, middle + end * PER_METRE - 2, 27, 4, MUTED)
    low, high = frame.game.target
    canvas.rectangle(TRACK, middle + low * PER_METRE, 10, (high - low) * PER_METRE, TARGET)
    canvas.text(TRACK + 18, middle + low * PER_METRE, "the leader is paid here", TARGET, size=SMALL)
    canvas.text(
        TRACK + 50, MARGIN, "the track ends, and the follower fails, at 2.4 m and 12 degrees", MUTED, size=SMALL
    )
    for state in reversed(frame.states):
        if state is not None:
            _draw_cart(canvas, float(state[0]), float(state[2]))
    shown = frame.leader_actions[0]
    if frame.states[0] is not None:
        _wind_from_the_side(
            canvas, 110, middle + PER_METRE * float(frame.states[0][0]), 0.0 if shown is None else float(shown[0])
        )
    return canvas.finish()


def _wind_from_the_side(canvas: Canvas, row: float, middle: float, strength: float) -> None:
    """Draw three arrows as long as the wind is strong."""
    start = middle - np.sign(strength) * FULL_WIND / 2
    for offset in (-16.0, 0.0, 16.0):
        canvas.arrow((row + offset, start), (row + offset, start + FULL_WIND * strength), 4, STRONGEST)
    canvas.text(row - 44, middle, f"wind {strength:+.2f}", STRONGEST, anchor="middle")


def _draw_cart(canvas: Canvas, position: float, angle: float) -> None:
    place = WIDTH / 2 + PER_METRE * position
    canvas.rectangle(TRACK - 30, place - 30, 22, 60, FOLLOWER)
    for wheel in (-18, 18):
        canvas.disc((TRACK - 5, place + wheel), 6, INK)
    hinge = TRACK - 30.0, place
    tip = hinge[0] - POLE * np.cos(angle), hinge[1] + POLE * np.sin(angle)
    canvas.line(hinge, tip, 9, WOOD)
    canvas.disc(hinge, 5, WHITE)


#: The cart on its track, the target, and the wind on the pole.
cartpole = Renderer(_cartpole_pixels, text_of)
