"""The picture of energy pricing: prices by the hour above, habits and loads below."""

from __future__ import annotations

import itertools

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.envs.energy_pricing.day import hour_of
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
    Frame,
    Pixels,
    Renderer,
    blend,
    returns_line,
    titled,
)

__all__ = ["energy_pricing"]

HEIGHT, WIDTH = 460, 700
#: Where both plots begin, how wide they are, and the top and height of prices and of loads.
LEFT, WIDE, PRICES, LOADS = 70.0, 600.0, (84.0, 110.0), (224.0, 150.0)
#: Hours up to which numbers have room.
MOST_TOLD = 12


def _prices(frame: Frame) -> Array | None:
    if frame.x is None:
        return None
    return np.asarray(frame.game.facts["tariff"] + frame.x - frame.x.mean())


def _loads(frame: Frame) -> Array:
    """Return the loads of the hours that are over, as the way through the states tells them."""
    facts, game = frame.game.facts, frame.game
    demand, step, n = facts["demand"], facts["step"], game.shape[2] // 2
    seen = [hour_of(int(states[0]), n)[1] for states in frame.trail]
    record = frame.records[0]
    shifts = [later - sooner for sooner, later in itertools.pairwise(seen)]
    if record["played"] and hour_of(int(record["state"]), n)[0] == len(demand) - 1:
        shifts = [*shifts[: len(demand) - 1], -hour_of(int(record["state"]), n)[1]]
    over = min(len(shifts), len(demand), frame.played)
    return np.asarray(demand[:over] + step * np.array(shifts[:over], dtype=np.float64))


def _pixels(frame: Frame) -> Pixels:
    facts = frame.game.facts
    canvas, prices, loads = titled(frame, HEIGHT, WIDTH), _prices(frame), _loads(frame)
    most = facts["max_surcharge"] * 2
    _draw_prices(canvas, prices, facts["tariff"] - most, facts["tariff"] + most)
    _draw_loads(canvas, facts["demand"], loads)
    key = "orange: price of the hour; grey: load at the same price all day; blue: load of the hours that are over"
    canvas.text(HEIGHT - 52, MARGIN, key, MUTED, SMALL)
    canvas.text(HEIGHT - 30, MARGIN, _balance(facts["demand"], loads), INK, SMALL)
    return canvas.finish()


def _columns(hours: int) -> tuple[Array, float]:
    wide = WIDE / hours
    return np.array([LEFT + wide * hour for hour in range(hours)]), wide


def _draw_prices(canvas: Canvas, prices: Array | None, low: float, high: float) -> None:
    top, tall = PRICES
    canvas.text(top, MARGIN, "price", STRONGEST, SMALL)
    middle = top + tall / 2
    canvas.rectangle(middle, LEFT, 1, WIDE, GRID)
    canvas.text(middle - 5, LEFT - 8, f"{(low + high) / 2:.3g}", MUTED, SMALL, "right")
    if prices is None:
        return
    lefts, wide = _columns(len(prices))
    for left, price in zip(lefts.tolist(), prices.tolist(), strict=True):
        row = top + tall * (high - price) / (high - low)
        canvas.rectangle(min(row, middle), left + 4, abs(row - middle), wide - 8, blend(WHITE, STRONGEST, 0.25))
        canvas.rectangle(row - 2, left + 4, 4, wide - 8, STRONGEST)
        if len(prices) <= MOST_TOLD:
            beside = row - 17 if row <= middle else row + 8
            canvas.text(beside, left + wide / 2, f"{price:.2f}", INK, SMALL, "middle")


def _draw_loads(canvas: Canvas, demand: Array, loads: Array) -> None:
    top, tall = LOADS
    canvas.text(top - 8, MARGIN, "load", FOLLOWER, SMALL)
    high = max(1.6 * float(demand.max()), float(loads.max(initial=0.0)), 1e-12)
    low = min(float(demand.min()), float(loads.min(initial=0.0)), 0.0)
    lefts, wide = _columns(len(demand))

    def bar(left: float, value: float, width: float, colour: tuple[int, int, int]) -> None:
        ends = sorted(top + tall * (high - each) / (high - low) for each in (0.0, value))
        canvas.rectangle(ends[0], left, ends[1] - ends[0], width, colour)

    for hour, left in enumerate(lefts.tolist()):
        bar(left + 0.1 * wide, float(demand[hour]), 0.8 * wide, GRID)
        if hour < len(loads):
            bar(left + 0.25 * wide, float(loads[hour]), 0.5 * wide, FOLLOWER)
        if len(demand) <= MOST_TOLD:
            canvas.text(top + tall + 8, left + wide / 2, f"hour {hour}", MUTED, SMALL, "middle")


def _balance(demand: Array, loads: Array) -> str:
    ahead = float((loads - demand[: len(loads)]).sum())
    if len(loads) == len(demand):
        return "the day is over, and all that was shifted has been used"
    return (
        f"used {abs(ahead):.2f} {'more' if ahead > 0 else 'less'} than usual so far" if len(loads) else "a day begins"
    )


def _text(frame: Frame) -> str:
    """Return prices, habits and loads, an hour each."""
    prices, loads, demand = _prices(frame), _loads(frame), frame.game.facts["demand"]
    lines = [f"{frame.game.name}: {frame.headline}", returns_line(frame)]
    if prices is None:
        return "\n".join([*lines, "commitment: not announced yet"])
    for hour, (price, usual) in enumerate(zip(prices, demand, strict=True)):
        told = f", load {loads[hour]:.2f}" if hour < len(loads) else ""
        lines.append(f"hour {hour}: price {price:.3f}, usually {usual:.2f}{told}")
    return "\n".join([*lines, _balance(demand, loads)])


#: A day for a person: prices, habits and loads.
energy_pricing = Renderer(_pixels, _text)
