"""The picture of the bilevel LQR: a path in the plane and where the best response would go."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from stackelberg_envs.errors import InstabilityError
from stackelberg_envs.pictures.canvas import (
    FOLLOWER,
    GRID,
    MARGIN,
    MUTED,
    SMALL,
    STRONGEST,
    TARGET,
    WHITE,
    Canvas,
    Frame,
    Pixels,
    Renderer,
    blend,
    titled,
)
from stackelberg_envs.pictures.generic import text_of

__all__ = ["plane"]

Point = tuple[float, float]

#: What is shown of the plane, half extents.
REACH_1, REACH_2 = 1.4, 0.12
PLOT_TOP, PLOT_LEFT, PLOT_HEIGHT, PLOT_WIDTH = 70.0, 60.0, 320.0, 560.0
#: Steps of the expected path, and of the way behind a follower that are shown.
PATH_STEPS, TRAIL_STEPS = 25, 10


def _place(state: Any) -> Point:
    """Return where a state is drawn; states out of sight are drawn on the border."""
    first, second = np.clip(np.asarray(state, dtype=np.float64) / (REACH_1, REACH_2), -1.0, 1.0)
    return PLOT_TOP + PLOT_HEIGHT * (1 - second) / 2, PLOT_LEFT + PLOT_WIDTH * (1 + first) / 2


def _plane_pixels(frame: Frame) -> Pixels:
    canvas = titled(frame, 470, 660)
    canvas.rectangle(PLOT_TOP, PLOT_LEFT, PLOT_HEIGHT, PLOT_WIDTH, WHITE)
    _draw_axes(canvas)
    _draw_bump(canvas, frame)
    _draw_expected_path(canvas, frame)
    canvas.frame(PLOT_TOP, PLOT_LEFT, PLOT_HEIGHT, PLOT_WIDTH, MUTED)
    for i, state in reversed(list(enumerate(frame.states))):
        if state is not None:
            _draw_trail(canvas, [states[i] for states in frame.trail[-TRAIL_STEPS:]])
    _write_plane(canvas, frame)
    return canvas.finish()


def _draw_trail(canvas: Canvas, states: list[Any]) -> None:
    """Draw where a follower has been, and where it is."""
    places = [_place(state) for state in states]
    for start, end in itertools.pairwise(places):
        canvas.line(start, end, 2, blend(WHITE, FOLLOWER, 0.5))
        canvas.disc(start, 3.5, blend(WHITE, FOLLOWER, 0.75))
    canvas.disc(places[-1], 9, WHITE)
    canvas.disc(places[-1], 7, FOLLOWER)


def _draw_axes(canvas: Canvas) -> None:
    for first in (-1.0, -0.5, 0.0, 0.5, 1.0):
        column = _place((first, 0.0))[1]
        canvas.rectangle(PLOT_TOP, column, PLOT_HEIGHT, 1, GRID)
        canvas.text(PLOT_TOP + PLOT_HEIGHT + 6, column, f"{first:g}", MUTED, SMALL, "middle")
    for second in (-0.1, -0.05, 0.0, 0.05, 0.1):
        row = _place((0.0, second))[0]
        canvas.rectangle(row, PLOT_LEFT, 1, PLOT_WIDTH, GRID)
        canvas.text(row - 5, PLOT_LEFT - 8, f"{second:+g}", MUTED, SMALL, "right")


def _draw_bump(canvas: Canvas, frame: Frame) -> None:
    """Draw where the leader is paid: the ellipses of one and two widths."""
    reward = frame.game.reward
    centre = _place(reward.target)
    across, down = PLOT_WIDTH / REACH_1 * reward.width[0], PLOT_HEIGHT / REACH_2 * reward.width[1]
    for widths, share in ((2.0, 0.25), (1.0, 0.6)):
        canvas.ellipse(centre, widths * down, widths * across, blend(WHITE, TARGET, share))


def _draw_expected_path(canvas: Canvas, frame: Frame) -> None:
    """Draw where the best response would go from the start, without noise."""
    if frame.x is None:
        return
    try:
        step = frame.game.solve(frame.x).loop.transition
    except InstabilityError:
        canvas.text(PLOT_TOP + 10, PLOT_LEFT + 10, "no best response has a finite value", STRONGEST, size=SMALL)
        return
    state = frame.game.numbers.initial_mean
    for _ in range(PATH_STEPS):
        following = step @ state
        canvas.line(_place(state), _place(following), 1.5, MUTED)
        canvas.disc(_place(following), 3, MUTED)
        state = following


def _write_plane(canvas: Canvas, frame: Frame) -> None:
    row = PLOT_TOP + PLOT_HEIGHT + 26
    key = "green: where the leader is paid; blue: the follower and its way; grey: where its best response would go"
    canvas.text(row, MARGIN, key, MUTED, size=SMALL)
    told = "gain: not announced yet" if frame.x is None else f"gain ({frame.x[0, 0]:.4g}, {frame.x[0, 1]:.4g})"
    shown, last = frame.leader_actions[0], frame.last_action
    told += "" if shown is None else f"   leader {shown[0]:+.3f}"
    told += "" if last is None else f"   follower {last[0]:+.3f}"
    canvas.text(row + 24, MARGIN, told)


#: The plane, the leader's target, the follower, and the path its best response would take.
plane = Renderer(_plane_pixels, text_of)
