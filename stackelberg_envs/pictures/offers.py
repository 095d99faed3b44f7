"""The picture of a game of one step: what each of the follower's choices pays both, and how likely it is.

For games of one state in which the leader does not act, whose facts have the `amounts` that the follower chooses from,
and under `amount` what they are.
"""

from __future__ import annotations

import itertools

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.pictures.canvas import (
    FOLLOWER,
    GRID,
    INK,
    MARGIN,
    MUTED,
    SMALL,
    STRONGEST,
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
from stackelberg_envs.pictures.gauges import commitment_line

__all__ = ["offers"]

TOP, LEFT, HEIGHT, WIDTH = 84.0, 64.0, 250.0, 540.0


def _payoffs(frame: Frame) -> tuple[Array, Array, Array]:
    """Return what each choice pays leader and follower, and how likely it is, each of shape (B,)."""
    game = frame.game
    x = game.commitment.project(0.5 * (game.commitment.low + game.commitment.high)) if frame.x is None else frame.x
    play, place = game.under(x).primitives, frame.context or 0
    own = play.follower_reward[place, 0]
    weights = np.exp((own - own.max()) / game.temperature)
    return np.asarray(play.leader_reward[place, 0]), own, np.asarray(weights / weights.sum())


def _pixels(frame: Frame) -> Pixels:
    canvas = titled(frame, int(TOP + HEIGHT + 96), int(LEFT + WIDTH + 40))
    canvas.rectangle(TOP, LEFT, HEIGHT, WIDTH, WHITE)
    if frame.x is not None:
        _draw(canvas, frame)
    canvas.frame(TOP, LEFT, HEIGHT, WIDTH, MUTED)
    _write(canvas, frame)
    return canvas.finish()


def _draw(canvas: Canvas, frame: Frame) -> None:
    paid, own, likely = _payoffs(frame)
    places = _columns(frame)
    tallest = float(likely.max())
    for place, share in zip(places, likely, strict=True):
        height = 0.9 * HEIGHT * float(share) / tallest
        canvas.rectangle(TOP + HEIGHT - height, place - 3, height, 6, blend(WHITE, MUTED, 0.35))
    seen = likely > 1e-9
    top = max(float(paid[seen].max()), float(own[seen].max()), 0.0)
    low = min(float(paid[seen].min()), float(own[seen].min()), 0.0)
    for values, colour in ((paid, STRONGEST), (own, FOLLOWER)):
        _curve(canvas, places, (values - low) / (top - low if top > low else 1.0), colour)
    for value, name in ((top, f"{top:.4g}"), (low, f"{low:.4g}")):
        row = TOP + HEIGHT * (1.0 - 0.9 * ((value - low) / (top - low) if top > low else 0.0))
        canvas.rectangle(row, LEFT, 1, WIDTH, GRID)
        canvas.text(row - 5, LEFT - 6, name, MUTED, SMALL, "right")
    if frame.last_action is not None:
        canvas.rectangle(TOP, places[int(frame.last_action)] - 1, HEIGHT, 3, INK)


def _columns(frame: Frame) -> Array:
    amounts = np.asarray(frame.game.facts["amounts"], dtype=np.float64)
    span = float(np.ptp(amounts))
    return np.asarray(LEFT + 12 + (WIDTH - 24) * (amounts - amounts.min()) / (span if span > 0 else 1.0))


def _curve(canvas: Canvas, places: Array, heights: Array, colour: Colour) -> None:
    """Draw values as a line, as far as they are in sight."""
    rows = TOP + HEIGHT * (1.0 - 0.9 * heights)
    points = [(float(row), float(place)) for row, place in zip(rows, places, strict=True)]
    for one, other in itertools.pairwise(points):
        if max(one[0], other[0]) <= TOP + HEIGHT and min(one[0], other[0]) >= TOP:
            canvas.line(one, other, 2, colour)


def _write(canvas: Canvas, frame: Frame) -> None:
    facts, row = frame.game.facts, TOP + HEIGHT + 8
    amounts = np.asarray(facts["amounts"])
    canvas.text(row, LEFT + 12, f"{amounts.min():.4g}", MUTED, SMALL, "middle")
    canvas.text(row, LEFT + WIDTH / 2, facts["amount"], MUTED, SMALL, "middle")
    canvas.text(row, LEFT + WIDTH - 12, f"{amounts.max():.4g}", MUTED, SMALL, "middle")
    canvas.text(row + 26, MARGIN, commitment_line(frame)[:80])
    key = "orange: what it pays the leader; blue: the follower; grey: how likely it is; black: what was chosen"
    canvas.text(row + 52, MARGIN, key, MUTED, size=SMALL)


def _text(frame: Frame) -> str:
    """Return the commitment, the follower's best choice, and what it chose."""
    lines = [f"{frame.game.name}: {frame.headline}", returns_line(frame), commitment_line(frame)]
    if frame.x is None:
        return "\n".join(lines)
    paid, own, likely = _payoffs(frame)
    amounts, word, best = np.asarray(frame.game.facts["amounts"]), frame.game.facts["amount"], int(own.argmax())
    lines.append(f"best {word} {amounts[best]:.4g}: leader {paid[best]:+.4g}, follower {own[best]:+.4g}")
    lines.append(f"mean {word} {float(likely @ amounts):.4g}")
    if frame.last_action is not None:
        lines.append(f"chosen {word} {amounts[int(frame.last_action)]:.4g}")
    return "\n".join(lines)


#: Both players' payoffs by the follower's choice.
offers = Renderer(_pixels, _text)
