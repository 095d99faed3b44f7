"""The picture of a dynamic duopoly: what both sell, and how the leader's output depends on its competitor's stock."""

from __future__ import annotations

import itertools

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
    Frame,
    Pixels,
    Renderer,
    blend,
    returns_line,
    titled,
)

__all__ = ["dynamic_duopoly"]

#: Of the chart, whose columns are stocks and whose rows are outputs; and of the bars beside it.
TOP, LEFT, HEIGHT, WIDTH = 84.0, 64.0, 250.0, 400.0
BARS, WIDE = LEFT + WIDTH + 60.0, 44.0


def _outputs(frame: Frame) -> Array | None:
    """Return the leader's output at each stock, shape (S,), once it is announced."""
    return None if frame.x is None else np.broadcast_to(frame.x, (len(frame.game.facts["stocks"]),))


def _row(frame: Frame, amount: float) -> float:
    """Return where an amount stands, upwards from 0 at the chart's foot to the choke price at its top."""
    return TOP + HEIGHT * (1.0 - amount / float(frame.game.facts["choke_price"]))


def _pixels(frame: Frame) -> Pixels:
    canvas = titled(frame, int(TOP + HEIGHT + 96), int(BARS + 3 * (WIDE + 24) + 20))
    canvas.rectangle(TOP, LEFT, HEIGHT, WIDTH, WHITE)
    facts, outputs = frame.game.facts, _outputs(frame)
    columns = LEFT + WIDTH * np.asarray(facts["stocks"]) / float(facts["stocks"][-1])
    state = frame.states[0] if frame.states else None
    if outputs is not None:
        points = [(_row(frame, float(x)), float(c)) for x, c in zip(outputs, columns, strict=True)]
        for one, other in itertools.pairwise(points):
            canvas.line(one, other, 3, STRONGEST)
    record = frame.records[0] if frame.records else {"played": False}
    if record["played"]:
        before = float(columns[int(record["state"])])
        canvas.rectangle(TOP, before - 1, HEIGHT, 3, blend(WHITE, MUTED, 0.5))
    if state is not None:
        canvas.rectangle(TOP, float(columns[int(state)]) - 1, HEIGHT, 3, FOLLOWER)
    canvas.frame(TOP, LEFT, HEIGHT, WIDTH, MUTED)
    _write(canvas, frame)
    if state is not None and outputs is not None:
        _draw_market(canvas, frame, float(outputs[int(state)]), float(facts["stocks"][int(state)]))
    return canvas.finish()


def _draw_market(canvas: Canvas, frame: Frame, output: float, stock: float) -> None:
    """Draw what both sell now, and the price."""
    price = float(frame.game.facts["choke_price"]) - output - stock
    told = (("leader", output, STRONGEST), ("follower", stock, FOLLOWER), ("price", price, INK))
    for number, (name, amount, colour) in enumerate(told):
        left, top = BARS + number * (WIDE + 24), _row(frame, max(amount, 0.0))
        canvas.rectangle(top, left, TOP + HEIGHT - top, WIDE, colour)
        canvas.text(TOP + HEIGHT + 8, left + WIDE / 2, name, MUTED, SMALL, "middle")
        canvas.text(max(top - 18, TOP - 14), left + WIDE / 2, f"{amount:.4g}", MUTED, SMALL, "middle")


def _write(canvas: Canvas, frame: Frame) -> None:
    facts, row = frame.game.facts, TOP + HEIGHT + 8
    canvas.text(row, LEFT, "0", MUTED, SMALL, "middle")
    canvas.text(row, LEFT + WIDTH / 2, "the follower's stock", MUTED, SMALL, "middle")
    canvas.text(row, LEFT + WIDTH, f"{facts['stocks'][-1]:.4g}", MUTED, SMALL, "middle")
    canvas.text(TOP - 5, LEFT - 6, f"{facts['choke_price']:.4g}", MUTED, SMALL, "right")
    key = "orange: the leader's output by stock; blue: the stock now; grey: the stock before"
    canvas.text(row + 40, MARGIN, key, MUTED, size=SMALL)


def _text(frame: Frame) -> str:
    """Return the stock, what both sell, and the price."""
    facts, outputs = frame.game.facts, _outputs(frame)
    lines = [f"{frame.game.name}: {frame.headline}", returns_line(frame)]
    state = frame.states[0] if frame.states else None
    if outputs is None:
        lines.append("no output is announced yet")
    elif state is not None:
        output, stock = float(outputs[int(state)]), float(facts["stocks"][int(state)])
        price = float(facts["choke_price"]) - output - stock
        lines.append(f"leader sells {output:.4g}, follower {stock:.4g}, at a price of {price:.4g}")
    record = frame.records[0] if frame.records else {"played": False}
    if record["played"]:
        before, after = (facts["stocks"][int(record[name])] for name in ("state", "follower_action"))
        lines.append(f"stock changed from {before:.4g} to {after:.4g}")
    return "\n".join(lines)


#: A dynamic duopoly for a person.
dynamic_duopoly = Renderer(_pixels, _text)
