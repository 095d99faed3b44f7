"""The picture of an allocation: types send messages, and messages bring items."""

from __future__ import annotations

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.pictures.canvas import (
    FOLLOWER,
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
    Point,
    Renderer,
    blend,
    returns_line,
    titled,
)

__all__ = ["allocation"]

HEIGHT, WIDTH = 440, 640
#: Where types, messages and items stand, and how far from top to bottom.
COLUMNS, TOP, TALL = (90.0, 310.0, 530.0), 110.0, 250.0
#: Rows of each that are drawn, the largest radius, and the radius as a part of the room of a row.
MOST, LARGEST, PART = 12, 18.0, 0.34
#: Probabilities below are not drawn.
FAINT = 0.005
HEADINGS = ("who wants item", "sends message", "gets item")


def _places(column: int, count: int) -> list[Point]:
    shown = min(count, MOST)
    return [(TOP + TALL * (row + 0.5) / shown, COLUMNS[column]) for row in range(shown)]


def _seen(frame: Frame) -> tuple[int | None, int | None, int | None]:
    """Return the type, the message and the item, as far as they are there."""
    record, state = frame.records[0], frame.states[0]
    kind = None if state is None else frame.context
    message = None if state is None or state == 0 else int(state) - 1
    item = int(record["leader_action"]) if record["played"] and record["state"] > 0 else None
    return kind, message, item


def _sent(frame: Frame) -> Array:
    """Return how likely each type sends each message, shape (types, messages)."""
    best = frame.x.T if frame.x is not None else np.zeros(frame.game.commitment.shape).T
    weights = np.exp((best - best.max(axis=1, keepdims=True)) / frame.game.temperature)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def _pixels(frame: Frame) -> Pixels:
    canvas = titled(frame, HEIGHT, WIDTH)
    messages, types = frame.game.commitment.shape
    kind, message, item = _seen(frame)
    columns = [_places(column, count) for column, count in enumerate((types, messages, types))]
    if frame.x is not None:
        _join(canvas, columns[0], columns[1], _sent(frame), FOLLOWER)
        _join(canvas, columns[1], columns[2], frame.x, STRONGEST)
    for column, heading, shown in zip(columns, HEADINGS, (kind, message, item), strict=True):
        canvas.text(TOP - 32, column[0][1], heading, MUTED, SMALL, "middle")
        radius = min(LARGEST, PART * TALL / len(column))
        for number, place in enumerate(column):
            right = heading == HEADINGS[2] and item == kind
            colour = WALL if number != shown else TARGET if right else INK
            canvas.disc(place, radius + 4 if number == shown else radius, colour)
            canvas.text(place[0] - 6, place[1], str(number), WHITE, SMALL, "middle")
    key = "blue: how likely the follower sends it; orange: how likely the mechanism then gives it"
    canvas.text(HEIGHT - 52, MARGIN, key, MUTED, SMALL)
    canvas.text(HEIGHT - 30, MARGIN, _outcome(kind, message, item), INK, SMALL)
    return canvas.finish()


def _join(canvas: Canvas, left: list[Point], right: list[Point], shares: Array, colour: tuple[int, int, int]) -> None:
    for one, row in zip(left, shares, strict=False):
        for other, share in zip(right, row.tolist(), strict=False):
            if share > FAINT:
                canvas.line(one, other, 1.0 + 5.0 * share, blend(WHITE, colour, 0.15 + 0.85 * share))


def _outcome(kind: int | None, message: int | None, item: int | None) -> str:
    told = [] if kind is None else [f"wants item {kind}"]
    told += [] if message is None else [f"sent message {message}"]
    told += [] if item is None else [f"got item {item}"]
    return ", ".join(told) if told else "nobody has asked yet"


def _text(frame: Frame) -> str:
    """Return what each message brings, and what happened."""
    lines = [f"{frame.game.name}: {frame.headline}", returns_line(frame)]
    if frame.x is None:
        return "\n".join([*lines, "commitment: not announced yet"])
    for message, row in enumerate(frame.x[:MOST]):
        told = ", ".join(f"item {item} {share:.3f}" for item, share in enumerate(row[:MOST]))
        lines.append(f"message {message}: {told}")
    return "\n".join([*lines, _outcome(*_seen(frame))])


#: An allocation for a person: from wants over messages to items.
allocation = Renderer(_pixels, _text)
