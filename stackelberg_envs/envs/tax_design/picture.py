"""The picture of tax design: the four rates as bars, where households' assets tend to be, and where they are now."""

from __future__ import annotations

from typing import Any

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.pictures.canvas import (
    FOLLOWER,
    GOAL,
    GRID,
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
    titled,
)

__all__ = ["tax_design"]

HEIGHT, WIDTH = 500, 720
#: Colours of the household types.
TYPES: tuple[Colour, ...] = (FOLLOWER, GOAL)
NAMES = ("income", "VAT 1", "VAT 2", "VAT 3")
BARS_TOP, BARS_LEFT, BARS_HEIGHT, BAR_WIDTH, BAR_GAP = 100.0, 44.0, 250.0, 34.0, 18.0
PLOT_TOP, PLOT_LEFT, PLOT_HEIGHT, PLOT_WIDTH = 100.0, 290.0, 250.0, 400.0
#: Shown of the assets; beyond it households stand at the border.
REACH = 60.0
BIN = 4.0


def _pixels(frame: Frame) -> Pixels:
    canvas = titled(frame, HEIGHT, WIDTH)
    _draw_rates(canvas, frame)
    _draw_assets(canvas, frame)
    _draw_households(canvas, frame)
    _write_last_step(canvas, frame)
    return canvas.finish()


def _draw_rates(canvas: Canvas, frame: Frame) -> None:
    """Draw one bar per rate between zero and its bound; the first is the income tax."""
    high = np.asarray(frame.game.commitment.high)
    canvas.text(BARS_TOP - 28, BARS_LEFT, "tax rates")
    for d, name in enumerate(NAMES):
        left = BARS_LEFT + d * (BAR_WIDTH + BAR_GAP)
        canvas.rectangle(BARS_TOP, left, BARS_HEIGHT, BAR_WIDTH, blend(WHITE, MUTED, 0.15))
        canvas.text(BARS_TOP + BARS_HEIGHT + 24, left + BAR_WIDTH / 2, name, MUTED, SMALL, "middle")
        if frame.x is None:
            continue
        height = BARS_HEIGHT * float(frame.x[d] / high[d])
        colour = STRONGEST if d == 0 else TARGET
        canvas.rectangle(BARS_TOP + BARS_HEIGHT - height, left, height, BAR_WIDTH, colour)
        canvas.text(BARS_TOP + BARS_HEIGHT + 8, left + BAR_WIDTH / 2, f"{frame.x[d]:.2f}", INK, SMALL, "middle")
    canvas.text(BARS_TOP - 4, BARS_LEFT - 6, f"{high[0]:g}", MUTED, SMALL, "right")
    canvas.text(BARS_TOP + BARS_HEIGHT - 8, BARS_LEFT - 6, "0", MUTED, SMALL, "right")
    if frame.x is None:
        canvas.text(BARS_TOP + BARS_HEIGHT + 8, BARS_LEFT, "not announced yet", MUTED, size=SMALL)


def _column(assets: float) -> float:
    """Return where assets are drawn, from the left."""
    return PLOT_LEFT + PLOT_WIDTH * (float(np.clip(assets, -REACH, REACH)) + REACH) / (2 * REACH)


def _draw_assets(canvas: Canvas, frame: Frame) -> None:
    """Draw for each type how its time is spread over assets under its best response, discounted."""
    canvas.rectangle(PLOT_TOP, PLOT_LEFT, PLOT_HEIGHT, PLOT_WIDTH, WHITE)
    canvas.rectangle(PLOT_TOP, PLOT_LEFT, PLOT_HEIGHT, _column(0.0) - PLOT_LEFT, blend(WHITE, STRONGEST, 0.08))
    canvas.text(PLOT_TOP - 28, PLOT_LEFT, "assets; bars: in best responses")
    for assets in (-50, -25, 0, 25, 50):
        canvas.rectangle(PLOT_TOP, _column(assets), PLOT_HEIGHT, 1, GRID)
        canvas.text(PLOT_TOP + PLOT_HEIGHT + 8, _column(assets), f"{assets}", MUTED, SMALL, "middle")
    if frame.x is not None:
        edges = np.arange(-REACH, REACH + BIN, BIN)
        shares = [_shares(one, edges) for one in frame.game.solve(frame.x, nodes=4).types]
        tallest = max(float(share.max()) for share in shares)
        for kind, share in enumerate(shares):
            _draw_histogram(canvas, edges, share / tallest, kind, len(shares))
    canvas.frame(PLOT_TOP, PLOT_LEFT, PLOT_HEIGHT, PLOT_WIDTH, MUTED)


def _shares(one: Any, edges: Array) -> Array:
    """Return the discounted share of a type's time in each bin."""
    saving = one.saving
    reached = np.cumsum(saving.occupancy) - 0.5 * saving.occupancy
    share = np.diff(np.interp(edges, saving.problem.grid.nodes, reached))
    return np.asarray(share / share.sum())


def _draw_histogram(canvas: Canvas, edges: Array, share: Array, kind: int, kinds: int) -> None:
    width = (PLOT_WIDTH / len(share) - 2) / kinds
    for left_edge, part in zip(edges[:-1], share, strict=True):
        height = 0.8 * PLOT_HEIGHT * float(part)
        left = _column(float(left_edge)) + 1 + kind * width
        canvas.rectangle(PLOT_TOP + PLOT_HEIGHT - height, left, height, width, blend(WHITE, _colour(kind), 0.45))


def _colour(kind: int) -> Colour:
    return TYPES[kind % len(TYPES)]


def _kind(frame: Frame, state: Any) -> int:
    """Return the type of a household: in its state, or the context."""
    if len(state) > 1:
        return int(state[1])
    return 0 if frame.context is None else int(frame.context)


def _draw_households(canvas: Canvas, frame: Frame) -> None:
    for i, state in reversed(list(enumerate(frame.states))):
        if state is None:
            continue
        # Households with about the same assets stand one above the other.
        place = (PLOT_TOP + 20 + 18 * (i % 6), _column(float(state[0])))
        canvas.rectangle(place[0], place[1], PLOT_TOP + PLOT_HEIGHT - place[0], 1, blend(WHITE, INK, 0.4))
        canvas.disc(place, 9, INK)
        canvas.disc(place, 7, _colour(_kind(frame, state)))
    for kind in range(len(frame.game.households.preferences)):
        left = PLOT_LEFT + 180.0 * kind
        canvas.disc((PLOT_TOP + PLOT_HEIGHT + 36, left + 6), 6, _colour(kind))
        canvas.text(PLOT_TOP + PLOT_HEIGHT + 31, left + 18, f"household type {kind}", MUTED, size=SMALL)


def _write_last_step(canvas: Canvas, frame: Frame) -> None:
    top = PLOT_TOP + PLOT_HEIGHT + 64
    for i, line in enumerate(_told(frame)[:4]):
        canvas.text(top + 18 * i, MARGIN, line, INK, size=SMALL)


def _told(frame: Frame) -> list[str]:
    """Return a line per household: its type, its assets, and what it did last."""
    lines = []
    for i, (state, record) in enumerate(zip(frame.states, frame.records, strict=True)):
        if state is None:
            continue
        line = f"household {i} of type {_kind(frame, state)}: assets {float(state[0]):.1f}"
        if record["played"]:
            hours, goods = frame.game.rules.amounts(np.asarray(record["follower_action"])[None])
            bought = ", ".join(f"{amount:g}" for amount in goods[0])
            line += f"; worked {float(hours[0]):.2f} hours, bought {bought}"
        lines.append(line)
    return lines


def _text(frame: Frame) -> str:
    """Return rates and households, line by line."""
    rates = "tax rates: not announced yet"
    if frame.x is not None:
        told = (f"{name} {rate:.3f}" for name, rate in zip(NAMES, frame.x, strict=True))
        rates = f"tax rates: {', '.join(told)}"
    return "\n".join([frame.headline, returns_line(frame), rates, *_told(frame)])


#: Tax design for a person.
tax_design = Renderer(_pixels, _text)
