"""Pictures and text of any game without its own: states as boxes or numbers as bars, and the commitment."""

from __future__ import annotations

from collections.abc import Sequence
from functools import singledispatch
from typing import Any, NamedTuple

import numpy as np

from stackelberg_envs.arrays import Array, ratio
from stackelberg_envs.games.tabular import Game, TabularGame
from stackelberg_envs.pictures.canvas import (
    CAPITALS,
    FOLLOWER,
    GRID,
    INK,
    MARGIN,
    MUTED,
    SMALL,
    STRONGEST,
    TEXT,
    WHITE,
    Canvas,
    Colour,
    Frame,
    Pixels,
    Renderer,
    blend,
    returns_line,
)

__all__ = ["Gauge", "draw_gauge", "generic", "generic_of", "text_of"]

#: Characters of a title that fit into a picture.
LONGEST_TITLE = 70
TOP, BOX, GAP, PER_ROW, MAX_BOXES, BARS = 98, 44, 10, 11, 55, 46


def _labels(game: TabularGame) -> list[str]:
    names: Sequence[Any] = game.facts.get("states") or range(game.shape[0])
    return [str(name) for name in names]


def _window(frame: Frame) -> range:
    """Return the states to show: all, or as many as fit around the first follower's."""
    S = frame.game.shape[0]
    first = 0
    if S > MAX_BOXES and frame.states[0] is not None:
        first = min(max(0, int(frame.states[0]) - MAX_BOXES // 2), S - MAX_BOXES)
    return range(first, min(S, first + MAX_BOXES))


def _policy(frame: Frame) -> Array | None:
    """Return the leader's policy in force, shape (S, A), where the game has leader actions."""
    game = frame.game
    if game.shape[1] == 1 or frame.x is None:
        return None
    policy: Array = game.primitives(frame.x).leader_policy
    return policy[: game.shape[0]]


def _generic_pixels(frame: Frame) -> Pixels:
    shown, policy = _window(frame), _policy(frame)
    height = BOX + GAP + (BARS if frame.game.shape[1] > 1 else 0)
    lines = -(-len(shown) // PER_ROW)
    canvas = Canvas(TOP + lines * height + _commitment_height(frame), 2 * MARGIN + PER_ROW * (BOX + GAP) + 20)
    canvas.text(12, MARGIN, f"{frame.game.name}: {frame.headline}"[:LONGEST_TITLE])
    canvas.text(36, MARGIN, returns_line(frame), MUTED)
    canvas.text(60, MARGIN, "boxes: states; blue: a follower is here", MUTED, size=SMALL)
    if policy is not None:
        key = "bars: the leader's policy; orange: the action it shows now"
        canvas.text(76, MARGIN, key, MUTED, size=SMALL)
    labels = _labels(frame.game)
    for j, state in enumerate(shown):
        top, left = TOP + (j // PER_ROW) * height, MARGIN + (j % PER_ROW) * (BOX + GAP)
        _draw_state(canvas, top, left, labels[state], sum(here == state for here in frame.states))
        if policy is not None:
            _draw_policy(canvas, top + BOX + 3, left, policy[state], frame, state)
    _draw_commitment(canvas, TOP + lines * height + 8, frame)
    return canvas.finish()


def _commitment_height(frame: Frame) -> int:
    return 34 if "leader_policy" in frame.game.commitment.changes else 110


def _draw_state(canvas: Canvas, top: float, left: float, label: str, followers: int) -> None:
    label = label[:5]
    canvas.rectangle(top, left, BOX, BOX, FOLLOWER if followers else WHITE)
    canvas.frame(top, left, BOX, BOX, INK if followers else MUTED, 1.5)
    size = TEXT if len(label) <= 3 else SMALL
    colour = WHITE if followers else INK
    canvas.text(top + (BOX - CAPITALS * size) / 2, left + BOX / 2, label, colour, size, "middle")
    if followers > 1:
        canvas.text(top + BOX - 13, left + BOX - 4, f"x{followers}", WHITE, SMALL, "right")


def _draw_policy(canvas: Canvas, top: float, left: float, row: Array, frame: Frame, state: int) -> None:
    """Draw one bar per leader action; the actions shown to followers in this state are highlighted."""
    shown = {a for s, a in zip(frame.states, frame.leader_actions, strict=True) if s == state}
    width, reach = BOX / len(row), BARS - 14
    canvas.rectangle(top + reach, left, 1, BOX, MUTED)
    for a, probability in enumerate(row):
        height = reach * float(probability)
        colour = STRONGEST if a in shown else blend(WHITE, MUTED, 0.6)
        canvas.rectangle(top + reach - height, left + a * width + 1, height, max(1.0, width - 2), colour)


def _draw_commitment(canvas: Canvas, top: float, frame: Frame) -> None:
    """Draw the entries of x as bars between their bounds, where the policy bars do not show them already."""
    if frame.x is None:
        canvas.text(top, MARGIN, "commitment: not announced yet", MUTED, size=SMALL)
        return
    if "leader_policy" in frame.game.commitment.changes:
        return
    canvas.text(top, MARGIN, "commitment x, each entry between its bounds", MUTED, size=SMALL)
    low, high = frame.game.commitment.low.ravel(), frame.game.commitment.high.ravel()
    share = ratio(frame.x.ravel() - low, high - low)
    width = min(24.0, PER_ROW * (BOX + GAP) / share.size)
    for d, value in enumerate(share):
        left = MARGIN + d * width
        canvas.rectangle(top + 20, left, 50, max(1.0, width - 2), blend(WHITE, MUTED, 0.2))
        canvas.rectangle(top + 70 - 50 * value, left, 50 * value, max(1.0, width - 2), STRONGEST)


def _generic_text(frame: Frame) -> str:
    """Return the states in one line, the follower's in brackets, and what the leader does there."""
    labels, policy = _labels(frame.game), _policy(frame)
    line = " ".join(f"[{labels[s]}]" if s in frame.states else labels[s] for s in _window(frame))
    lines = [f"{frame.game.name}: {frame.headline}", returns_line(frame), f"states: {line}"]
    for i, (state, shown) in enumerate(zip(frame.states, frame.leader_actions, strict=True)):
        if state is None:
            continue
        told = f"follower {i} in {labels[state]}"
        if shown is not None:
            told += f", the leader shows action {shown}"
        if policy is not None:
            told += f" of policy ({', '.join(f'{p:.2f}' for p in policy[state])})"
        lines.append(told)
    if frame.x is None:
        lines.append("commitment: not announced yet")
    return "\n".join(lines)


# -------------------------------------------------------------------------------------- generic, vectors

NAME, BAR, LINE, MAX_SHOWN = 190, 300, 24, 16


class Gauge(NamedTuple):
    """One number to show between two bounds, which may be infinite."""

    name: str
    value: float
    low: float
    high: float
    colour: Colour

    @property
    def share(self) -> float:
        """Where the value lies, in [0, 1]; an infinite range is bent into it."""
        if np.isfinite(self.low) and np.isfinite(self.high):
            return (self.value - self.low) / (self.high - self.low) if self.high > self.low else 0.5
        return 0.5 + float(np.arctan(self.value)) / np.pi


def entry_names(names: Any, size: int, what: str) -> list[str]:
    """Return a name per entry of a vector: the given ones, or numbered ones."""
    return [str(name) for name in names] if names else [f"{what} {i}" for i in range(size)]


def _gauges(frame: Frame) -> list[Gauge]:
    """Return the first follower's state, the leader's action it is shown, and the commitment."""
    game = frame.game
    parts: list[tuple[str, Any, Any, Colour]] = []
    if frame.states[0] is not None:
        parts.append(("state", frame.states[0], game.state_space, FOLLOWER))
    if frame.leader_actions[0] is not None:
        parts.append(("leader action", frame.leader_actions[0], game.leader_action_space, STRONGEST))
    if frame.x is not None:
        parts.append(("x", frame.x.ravel(), game.commitment, blend(WHITE, STRONGEST, 0.6)))
    gauges = []
    for what, values, space, colour in parts:
        names = entry_names(game.facts.get("states") if what == "state" else None, len(values), what)
        columns = zip(names, values, np.ravel(space.low), np.ravel(space.high), strict=True)
        gauges += [Gauge(name, float(v), float(low), float(high), colour) for name, v, low, high in columns]
    return gauges


def _vector_pixels(frame: Frame) -> Pixels:
    gauges = _gauges(frame)[:MAX_SHOWN]
    # As many lines at every moment, so that the frames of an episode make a film.
    lines = frame.game.state_space.shape[0] + int(frame.game.commitment.low.size)
    lines += 0 if frame.game.leader_action_space is None else frame.game.leader_action_space.shape[0]
    canvas = Canvas(TOP + LINE * min(MAX_SHOWN, lines) + MARGIN, 2 * MARGIN + NAME + BAR + 130)
    canvas.text(12, MARGIN, f"{frame.game.name}: {frame.headline}"[:LONGEST_TITLE])
    canvas.text(36, MARGIN, returns_line(frame), MUTED)
    key = "blue: the state; orange: the leader's action; light orange: the commitment"
    canvas.text(64, MARGIN, key, MUTED, size=SMALL)
    for i, gauge in enumerate(gauges):
        draw_gauge(canvas, TOP + i * LINE, MARGIN, gauge)
    return canvas.finish()


def draw_gauge(canvas: Canvas, top: float, left: float, gauge: Gauge) -> None:
    """Draw a name, a bar with the value's place on it, and the value."""
    canvas.text(top, left, gauge.name[:15])
    canvas.rectangle(top + 5, left + NAME, 4, BAR, GRID)
    place = left + NAME + BAR * min(max(gauge.share, 0.0), 1.0)
    canvas.rectangle(top - 1, place - 3, 16, 6, gauge.colour)
    canvas.text(top, left + NAME + BAR + 16, f"{gauge.value:+.3g}")


def _vector_text(frame: Frame) -> str:
    """Return one line per follower with its state and the leader's action, and one with the commitment."""
    game = frame.game
    lines = [f"{game.name}: {frame.headline}", returns_line(frame)]
    for i, (state, shown) in enumerate(zip(frame.states, frame.leader_actions, strict=True)):
        if state is None:
            continue
        names = entry_names(game.facts.get("states"), len(state), "state")
        told = ", ".join(f"{name} {value:+.3f}" for name, value in zip(names, state, strict=True))
        lines.append(f"follower {i}: {told}" + ("" if shown is None else f"; the leader plays {_listed(shown)}"))
    lines.append(f"commitment: {'not announced yet' if frame.x is None else _listed(frame.x.ravel()[:MAX_SHOWN])}")
    return "\n".join(lines)


def _listed(values: Array) -> str:
    return "(" + ", ".join(f"{value:+.3f}" for value in values) + ")"


_tables, _vectors = Renderer(_generic_pixels, _generic_text), Renderer(_vector_pixels, _vector_text)


@singledispatch
def generic_of(game: Game) -> Renderer:
    """Return the renderer of a kind of game; ``generic_of.register(kind)`` adds kinds."""
    del game
    return _vectors


@generic_of.register(TabularGame)
def _(game: TabularGame) -> Renderer:
    del game
    return _tables


def text_of(frame: Frame) -> str:
    """Return the text of any game."""
    return generic_of(frame.game).text(frame)


#: Any game. Tabular: a row of states, the present one highlighted, the leader's policy as bars. Else a bar per number.
generic = Renderer(
    lambda frame: generic_of(frame.game).pixels(frame),
    text_of,
)
