"""The picture of a supply contract: goods go from supplier to shop to customers, money the other way."""

from __future__ import annotations

from typing import NamedTuple

from stackelberg_envs.envs.supply_contract.season import Season
from stackelberg_envs.pictures.canvas import (
    DOOR,
    FOLLOWER,
    GOAL,
    GRID,
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

__all__ = ["supply_contract"]

HEIGHT, WIDTH = 440, 760
#: Of the houses of supplier, shop and customers: left edges, top, height and width.
LEFTS, TOP, TALL, WIDE = (20, 310, 600), 130, 150, 140
#: Of a unit of goods.
BOX, SPACE = 20, 4
MONEY: Colour = TARGET


class _Week(NamedTuple):
    """What is known of the last week: when it was, the stock before, the order, what was sold; and the stock now."""

    number: int
    before: int | None
    ordered: int
    sold: int
    stock: int


def _week(frame: Frame) -> _Week:
    season: Season = frame.game.facts["season"]
    end, size = season.weeks * (season.shelf + 1), season.shelf + 1
    state = frame.states[0] if frame.states else None
    now = 0 if state is None or state == end else int(state) % size
    record = frame.records[0] if frame.records else {"played": False}
    if not record["played"] or record["state"] == end:
        number = season.weeks if record["played"] else 0
        return _Week(number, None, 0, 0, 0 if record["played"] else now)
    week, before = divmod(int(record["state"]), size)
    ordered = min(int(record["follower_action"]), season.shelf - before)
    # What is left after the last week is not told by the next state, which is the season's end.
    sold = before + ordered - now if state != end else -1
    return _Week(week + 1, before, ordered, sold, now)


def _pixels(frame: Frame) -> Pixels:
    season, week = frame.game.facts["season"], _week(frame)
    canvas = titled(frame, HEIGHT, WIDTH)
    _draw_weeks(canvas, season, week)
    houses = (("supplier", "the leader", STRONGEST), ("shop", "the follower", FOLLOWER), ("customers", "", GOAL))
    for left, (name, role, colour) in zip(LEFTS, houses, strict=True):
        _draw_house(canvas, left, name, role, colour)
    _draw_shelf(canvas, season, week)
    _draw_flows(canvas, frame, season, week)
    return canvas.finish()


def _draw_weeks(canvas: Canvas, season: Season, week: _Week) -> None:
    """Draw the season as a row of weeks; those that are over are filled."""
    canvas.text(72, MARGIN, "weeks", MUTED, SMALL)
    for number in range(min(season.weeks, 20)):
        left = MARGIN + 52 + 30 * number
        canvas.rectangle(68, left, 18, 26, FOLLOWER if number < week.number else blend(WHITE, MUTED, 0.15))
        canvas.text(71, left + 13, str(number + 1), WHITE if number < week.number else MUTED, SMALL, "middle")


def _draw_house(canvas: Canvas, left: float, name: str, role: str, colour: Colour) -> None:
    canvas.polygon([(TOP, left - 8), (TOP - 26, left + WIDE / 2), (TOP, left + WIDE + 8)], colour)
    canvas.rectangle(TOP, left, TALL, WIDE, blend(WHITE, colour, 0.16))
    canvas.frame(TOP, left, TALL, WIDE, colour, 2)
    canvas.text(TOP + 10, left + WIDE / 2, name, anchor="middle")
    if role:
        canvas.text(TOP + 30, left + WIDE / 2, role, MUTED, SMALL, "middle")


def _draw_shelf(canvas: Canvas, season: Season, week: _Week) -> None:
    """Draw the shop's shelves, five places a row; what stands on them is filled."""
    for place in range(min(season.shelf, 15)):
        row, column = divmod(place, 5)
        top, left = TOP + 56 + row * (BOX + SPACE), LEFTS[1] + 12 + column * (BOX + SPACE)
        canvas.frame(top, left, BOX, BOX, GRID, 1.5)
        if place < week.stock:
            canvas.rectangle(top, left, BOX, BOX, DOOR)
            canvas.rectangle(top, left + BOX / 2 - 2, 7, 4, WHITE)
    canvas.text(TOP + TALL - 18, LEFTS[1] + WIDE / 2, f"{week.stock} on the shelves", MUTED, SMALL, "middle")


def _draw_flows(canvas: Canvas, frame: Frame, season: Season, week: _Week) -> None:
    """Draw goods to the right above, money to the left below; and the contract's terms on their arrows."""
    gaps = [(LEFTS[i] + WIDE + 10.0, LEFTS[i + 1] - 10.0) for i in range(2)]
    goods = (f"orders {week.ordered}" if week.number else "orders", _sold(week))
    for (left, right), words in zip(gaps, goods, strict=True):
        canvas.text(TOP + 14, (left + right) / 2, words, DOOR, SMALL, "middle")
        canvas.arrow((TOP + 40, left), (TOP + 40, right), 4, DOOR)
    terms = ("?",) * 3 if frame.x is None else tuple(f"{value:.2f}" for value in frame.x)
    left, right = gaps[0]
    lines = ((TOP + 84, f"{terms[0]} per unit"), (TOP + 124, f"{terms[2]} of revenue"))
    for row, words in lines:
        canvas.text(row - 22, (left + right) / 2, words, MONEY, SMALL, "middle")
        canvas.arrow((row, right), (row, left), 4, MONEY)
    canvas.text(TOP + 62, (gaps[1][0] + gaps[1][1]) / 2, f"{season.price:g} per unit", MONEY, SMALL, "middle")
    canvas.arrow((TOP + 84, gaps[1][1]), (TOP + 84, gaps[1][0]), 4, MONEY)
    row = TOP + TALL + 62
    start, end = LEFTS[0] + WIDE / 2, LEFTS[1] + WIDE / 2
    canvas.line((TOP + TALL, start), (row, start), 4, MONEY)
    canvas.line((row, start), (row, end), 4, MONEY)
    canvas.arrow((row, end), (TOP + TALL + 6, end), 4, MONEY)
    words = f"{terms[1]} for each unit that is left at the end"
    canvas.text(row - 22, (start + end) / 2, words, MONEY, SMALL, "middle")
    canvas.text(
        HEIGHT - 60,
        MARGIN,
        "goods go right, money goes left; the leader sets the three numbers beside the supplier",
        MUTED,
        SMALL,
    )
    together = frame.game.facts["centralised_value"]
    canvas.text(
        HEIGHT - 38,
        MARGIN,
        f"one owner of both would expect {together:.2f} in a season; no contract gives the leader more",
        MUTED,
        SMALL,
    )


def _sold(week: _Week) -> str:
    if not week.number or week.before is None:
        return "buy"
    return "buy" if week.sold < 0 else f"buy {week.sold}"


def _text(frame: Frame) -> str:
    """Return the week, the stock and the contract, a line each."""
    season, week = frame.game.facts["season"], _week(frame)
    lines = [frame.headline, returns_line(frame), f"weeks over: {week.number} of {season.weeks}"]
    lines.append(f"stock {week.stock} of {season.shelf}")
    if week.before is not None:
        lines.append(f"had {week.before}, ordered {week.ordered}" + (f", sold {week.sold}" if week.sold >= 0 else ""))
    if frame.x is None:
        return "\n".join([*lines, "no contract is announced yet"])
    names = frame.game.commitment.names
    return "\n".join([*lines, ", ".join(f"{n} {value:.3f}" for n, value in zip(names, frame.x, strict=True))])


#: A supply contract for a person: who sends what to whom, and who pays.
supply_contract = Renderer(_pixels, _text)
