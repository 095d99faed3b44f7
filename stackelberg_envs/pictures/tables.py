"""The picture of a game in which both choose at once: two tables of payoffs, the commitment and the answer to it.

For games whose facts have `leader_payoff` and `follower_payoff`, shape ([K,] A, B), and names of both players' actions
under `rows` and `columns`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.pictures.canvas import (
    FOLLOWER,
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

__all__ = ["tables"]

#: A cell; what stands above the tables, left of them, between them and below them; pixels.
CELL_HEIGHT, CELL_WIDTH = 36, 70
TOP, LEFT, BETWEEN, BELOW = 124, 216, 40, 74
#: Rows and columns that are shown, and characters of a name.
MOST, LONGEST = 8, 10
#: Width of the bar of a probability.
BAR = 76


class _Told(NamedTuple):
    """What the picture tells of a moment: payoffs as far as they are shown, and what each answer is worth in all."""

    leader: Array
    follower: Array
    worth: tuple[Array, Array]
    hidden: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    x: Array | None
    answer: int | None
    chosen: int | None
    drawn: int | None
    seen: str


def _told(frame: Frame) -> _Told:
    facts = frame.game.facts
    leader, follower = (np.asarray(facts[name]) for name in ("leader_payoff", "follower_payoff"))
    kind = frame.context or 0
    leader, follower = (each[kind] if each.ndim == 3 else each for each in (leader, follower))
    record, state, B = frame.records[0], frame.states[0], leader.shape[1]
    S = frame.game.shape[0] // (1 + B)
    chosen = drawn = None
    if record["played"] and record["state"] >= S:
        # A round has just been played to its end: it is shown until the next choice.
        chosen, drawn = (record["state"] - S) % B, record["leader_action"]
    elif state is not None and state >= S:
        chosen = (state - S) % B
    place = 0 if state is None else state
    here = place if place < S else (place - S) // B
    # Where both choose at once, the row is that of the second half of the round.
    x = None if frame.x is None else frame.x[frame.game.commitment.classes[S + here * B]]
    answer = None if x is None else int((x @ follower).argmax())
    return _Told(
        leader[:MOST, :MOST],
        follower[:MOST, :MOST],
        (np.zeros(B), np.zeros(B)) if x is None else (x @ leader, x @ follower),
        f"the first {MOST} rows and columns of {' x '.join(map(str, leader.shape))}"
        if max(leader.shape) > MOST
        else "",
        facts["rows"],
        facts["columns"],
        x,
        answer,
        chosen,
        drawn,
        facts["states"][here] if S > 1 else "",
    )


def _pixels(frame: Frame) -> Pixels:
    told = _told(frame)
    height, width = told.leader.shape[0] * CELL_HEIGHT, told.leader.shape[1] * CELL_WIDTH
    canvas = titled(frame, TOP + height + BELOW, max(560, LEFT + 2 * width + BETWEEN + MARGIN))
    _draw_rows(canvas, told)
    for left, payoff, worth, colour, whose in (
        (LEFT, told.leader, told.worth[0], STRONGEST, "the leader's payoff"),
        (LEFT + width + BETWEEN, told.follower, told.worth[1], FOLLOWER, "the follower's payoff"),
    ):
        canvas.text(TOP - 46, left, whose, colour)
        _draw_table(canvas, left, payoff, worth, colour, told)
    below = TOP + height + 40
    key = "bars: the commitment; last line: what each answer is worth; framed: what was chosen"
    canvas.text(below, MARGIN, key, MUTED, size=SMALL)
    canvas.text(below + 16, MARGIN, told.hidden, MUTED, size=SMALL)
    words = "not announced yet" if told.x is None else f"seen: {told.seen}" if told.seen else ""
    canvas.text(TOP - 46, MARGIN, words, MUTED, size=SMALL)
    return canvas.finish()


def _draw_rows(canvas: Canvas, told: _Told) -> None:
    for a in range(told.leader.shape[0]):
        top = TOP + a * CELL_HEIGHT
        canvas.text(top + 12, MARGIN, told.rows[a][:LONGEST], INK, size=SMALL + 1)
        if told.x is None:
            continue
        canvas.rectangle(top + 8, MARGIN + 84, CELL_HEIGHT - 16, BAR * float(told.x[a]), STRONGEST)
        canvas.text(top + 12, LEFT - 8, f"{told.x[a]:.2f}", MUTED, size=SMALL, anchor="right")


def _draw_table(canvas: Canvas, left: float, payoff: Array, worth: Array, colour: Colour, told: _Told) -> None:
    A, B = payoff.shape
    low, high = float(payoff.min()), float(payoff.max())
    for b in range(B):
        middle = left + (b + 0.5) * CELL_WIDTH
        strong = b == told.answer
        canvas.text(TOP - 20, middle, told.columns[b][:LONGEST], INK if strong else MUTED, SMALL, "middle")
        for a in range(A):
            share = 0.1 + 0.6 * ((payoff[a, b] - low) / (high - low) if high > low else 0.5)
            top = TOP + a * CELL_HEIGHT
            canvas.rectangle(top, left + b * CELL_WIDTH, CELL_HEIGHT - 1, CELL_WIDTH - 1, blend(WHITE, colour, share))
            canvas.text(top + 11, middle, f"{payoff[a, b]:.4g}", INK, anchor="middle")
        if told.x is not None:
            canvas.text(TOP + A * CELL_HEIGHT + 8, middle, f"{worth[b]:.4g}", INK if strong else MUTED, anchor="middle")
    if told.chosen is not None and told.chosen < B:
        canvas.frame(TOP - 2, left + told.chosen * CELL_WIDTH - 2, A * CELL_HEIGHT + 3, CELL_WIDTH + 3, FOLLOWER, 3)
    if told.drawn is not None and told.drawn < A:
        canvas.frame(TOP + told.drawn * CELL_HEIGHT - 2, left - 2, CELL_HEIGHT + 3, B * CELL_WIDTH + 3, STRONGEST, 3)


def _text(frame: Frame) -> str:
    """Return the commitment, what each answer to it is worth to both, and what was chosen."""
    told = _told(frame)
    lines = [f"{frame.game.name}: {frame.headline}", returns_line(frame)]
    if told.x is None:
        return "\n".join([*lines, "commitment: not announced yet"])
    shares = zip(told.rows, told.x, strict=False)
    lines += [f"seen: {told.seen}"] if told.seen else []
    lines.append("commitment: " + ", ".join(f"{name} {share:.3f}" for name, share in shares))
    # With several observations the next rounds count as well.
    best = " <- best in this round" if told.seen else " <- best answer"
    for b, (paid, own) in enumerate(zip(*told.worth, strict=True)):
        mark = (best if b == told.answer else "") + (" <- chosen" if b == told.chosen else "")
        lines.append(f"answer {told.columns[b]}: leader {paid:+.3f}, follower {own:+.3f}{mark}")
    if told.drawn is not None:
        lines.append(f"drawn: {told.rows[told.drawn]}")
    return "\n".join(lines)


#: Both tables, the commitment, and the answer.
tables = Renderer(_pixels, _text)
