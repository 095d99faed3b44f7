"""Pictures of the guided cart-pole and the guided pendulum: what moves, the wind, and where the leader is paid."""

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
    blend,
    returns_line,
)
from stackelberg_envs.pictures.generic import generic_of

__all__ = ["cartpole", "pendulum"]

HEIGHT, WIDTH = 400, 640
#: Row of the track, pixels per metre on it, length of the drawn pole.
TRACK, PER_METRE, POLE = 320, 120.0, 150.0
#: Half extent of what is drawn of the track, metres.
REACH = 2.4
#: Length of the arrow of a full wind.
FULL_WIND = 90.0
#: Radius of the pendulum and of the arc on which the leader loses.
ROD = 120.0
WOOD: Colour = (171, 122, 76)


def _canvas(frame: Frame) -> Canvas:
    canvas = Canvas(HEIGHT, WIDTH)
    canvas.text(12, MARGIN, frame.headline, size=2)
    canvas.text(36, MARGIN, returns_line(frame), MUTED, size=2)
    return canvas


def _strength(frame: Frame) -> float:
    """Return the wind that is shown to the first follower, 0 before there is one."""
    shown = frame.leader_actions[0]
    return 0.0 if shown is None else float(shown[0])


def _wind_from_the_side(canvas: Canvas, row: float, middle: float, strength: float) -> None:
    """Draw three arrows as long as the wind is strong."""
    start = middle - np.sign(strength) * FULL_WIND / 2
    for offset in (-16.0, 0.0, 16.0):
        canvas.arrow((row + offset, start), (row + offset, start + FULL_WIND * strength), 4, STRONGEST)
    canvas.text(row - 44, middle - 58, f"wind {strength:+.2f}", STRONGEST, size=2)


def _wind_on_the_rod(canvas: Canvas, pivot: tuple[float, float], cosine: float, sine: float, strength: float) -> None:
    """Draw an arrow at the rod's end, along its circle, as long as the push is strong."""
    end = pivot[0] - (ROD + 8) * cosine, pivot[1] - (ROD + 8) * sine
    reach = FULL_WIND * strength * cosine**2
    canvas.arrow(end, (end[0] + reach * sine, end[1] - reach * cosine), 4, STRONGEST)
    canvas.text(70, WIDTH - 150, f"wind {strength:+.2f}", STRONGEST, size=2)


def _cartpole_pixels(frame: Frame) -> Pixels:
    canvas = _canvas(frame)
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
    if frame.states[0] is not None:
        _wind_from_the_side(canvas, 110, middle + PER_METRE * float(frame.states[0][0]), _strength(frame))
    return canvas.finish()


def _draw_cart(canvas: Canvas, position: float, angle: float) -> None:
    place = WIDTH / 2 + PER_METRE * position
    canvas.rectangle(TRACK - 30, place - 30, 22, 60, FOLLOWER)
    for wheel in (-18, 18):
        canvas.disc((TRACK - 5, place + wheel), 6, INK)
    hinge = TRACK - 30.0, place
    tip = hinge[0] - POLE * np.cos(angle), hinge[1] + POLE * np.sin(angle)
    canvas.line(hinge, tip, 9, WOOD)
    canvas.disc(hinge, 5, WHITE)


def _pendulum_pixels(frame: Frame) -> Pixels:
    canvas = _canvas(frame)
    pivot = HEIGHT / 2 + 30.0, WIDTH / 2
    # The leader loses on the side where the sine is positive: the left one, since angles grow counterclockwise.
    for share in np.linspace(0.03, 0.97, 60):
        angle = np.pi * share
        edge = pivot[0] - (ROD + 24) * np.cos(angle), pivot[1] - (ROD + 24) * np.sin(angle)
        canvas.disc(edge, 4, blend(WHITE, STRONGEST, float(np.sin(angle))))
    canvas.text(pivot[0] - 6, MARGIN, "the leader loses", STRONGEST, size=SMALL)
    canvas.text(pivot[0] + 10, MARGIN, "on this side", STRONGEST, size=SMALL)
    canvas.text(pivot[0] - 6, pivot[1] + ROD + 40, "and nothing here", MUTED, size=SMALL)
    for state in reversed(frame.states):
        if state is not None:
            cosine, sine = float(state[0]), float(state[1])
            canvas.line(pivot, (pivot[0] - ROD * cosine, pivot[1] - ROD * sine), 14, FOLLOWER)
    canvas.disc(pivot, 8, INK)
    if frame.states[0] is not None:
        cosine, sine = map(float, frame.states[0][:2])
        _wind_on_the_rod(canvas, pivot, cosine, sine, _strength(frame))
    return canvas.finish()


def _text(frame: Frame) -> str:
    return generic_of(frame.game).text(frame)


#: The cart on its track, the target, and the wind on the pole.
cartpole = Renderer(_cartpole_pixels, _text)
#: The pendulum, the side on which the leader loses, and the wind.
pendulum = Renderer(_pendulum_pixels, _text)
