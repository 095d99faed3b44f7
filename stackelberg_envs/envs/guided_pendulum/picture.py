"""The picture of the guided pendulum: what moves, the wind, and where the leader loses."""

from __future__ import annotations

import numpy as np

from stackelberg_envs.pictures.canvas import (
    FOLLOWER,
    INK,
    MARGIN,
    MUTED,
    SMALL,
    STRONGEST,
    WHITE,
    Canvas,
    Frame,
    Pixels,
    Renderer,
    blend,
    titled,
)
from stackelberg_envs.pictures.generic import text_of

__all__ = ["pendulum"]

HEIGHT, WIDTH = 400, 640
#: Length of the arrow of a full wind.
FULL_WIND = 90.0
#: Radius of the pendulum and of the arc on which the leader loses.
ROD = 120.0


def _pendulum_pixels(frame: Frame) -> Pixels:
    canvas = titled(frame, HEIGHT, WIDTH)
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
    shown = frame.leader_actions[0]
    if frame.states[0] is not None:
        cosine, sine = map(float, frame.states[0][:2])
        _wind_on_the_rod(canvas, pivot, cosine, sine, 0.0 if shown is None else float(shown[0]))
    return canvas.finish()


def _wind_on_the_rod(canvas: Canvas, pivot: tuple[float, float], cosine: float, sine: float, strength: float) -> None:
    """Draw an arrow at the rod's end, along its circle, as long as the push is strong."""
    end = pivot[0] - (ROD + 8) * cosine, pivot[1] - (ROD + 8) * sine
    reach = FULL_WIND * strength * cosine**2
    canvas.arrow(end, (end[0] + reach * sine, end[1] - reach * cosine), 4, STRONGEST)
    canvas.text(70, WIDTH - 150, f"wind {strength:+.2f}", STRONGEST)


#: The pendulum, the side on which the leader loses, and the wind.
pendulum = Renderer(_pendulum_pixels, text_of)
