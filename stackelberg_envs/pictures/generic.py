"""Pictures and text of any game without its own: states as a graph, or numbers as bars, and the commitment."""

from __future__ import annotations

from functools import singledispatch
from typing import Any

import numpy as np

from stackelberg_envs.games.markov import MarkovGame
from stackelberg_envs.games.tabular import Game, TabularGame
from stackelberg_envs.pictures.canvas import (
    FOLLOWER,
    GRID,
    MARGIN,
    MUTED,
    SMALL,
    STRONGEST,
    WHITE,
    Colour,
    Frame,
    Pixels,
    Renderer,
    blend,
    returns_line,
    titled,
)
from stackelberg_envs.pictures.gauges import LINE, MAX_SHOWN, Gauge, commitment_line, draw_gauge, entry_names, listed
from stackelberg_envs.pictures.graph import graph

__all__ = ["generic", "generic_of", "text_of"]

#: The first bar, and the width of a picture.
TOP, WIDTH = 98, 648


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
        told = {"state": game.facts.get("states"), "x": game.commitment.names}.get(what)
        names = entry_names(told, len(values), what)
        columns = zip(names, values, np.ravel(space.low), np.ravel(space.high), strict=True)
        gauges += [Gauge(name, float(v), float(low), float(high), colour) for name, v, low, high in columns]
    return gauges


def _vector_pixels(frame: Frame) -> Pixels:
    gauges = _gauges(frame)[:MAX_SHOWN]
    # As many lines at every moment, so that the frames of an episode make a film.
    lines = frame.game.state_space.shape[0] + int(frame.game.commitment.low.size)
    lines += 0 if frame.game.leader_action_space is None else frame.game.leader_action_space.shape[0]
    canvas = titled(frame, TOP + LINE * min(MAX_SHOWN, lines) + MARGIN, WIDTH)
    key = "blue: the state; orange: the leader's action; light orange: the commitment"
    canvas.text(64, MARGIN, key, MUTED, size=SMALL)
    for i, gauge in enumerate(gauges):
        draw_gauge(canvas, TOP + i * LINE, MARGIN, gauge)
    return canvas.finish()


def _vector_text(frame: Frame) -> str:
    """Return one line per follower with its state and the leader's action, and one with the commitment."""
    game = frame.game
    lines = [f"{game.name}: {frame.headline}", returns_line(frame)]
    for i, (state, shown) in enumerate(zip(frame.states, frame.leader_actions, strict=True)):
        if state is None:
            continue
        names = entry_names(game.facts.get("states"), len(state), "state")
        told = ", ".join(f"{name} {value:+.3f}" for name, value in zip(names, state, strict=True))
        lines.append(f"follower {i}: {told}" + ("" if shown is None else f"; the leader plays {listed(shown)}"))
    return "\n".join([*lines, commitment_line(frame)])


_vectors = Renderer(_vector_pixels, _vector_text)


@singledispatch
def generic_of(game: Game) -> Renderer:
    """Return the renderer of a kind of game; ``generic_of.register(kind)`` adds kinds."""
    del game
    return _vectors


def _joint_pixels(frame: Frame) -> Pixels:
    """Draw the state, what each follower has just done, and the commitment."""
    game = frame.game
    S, B, _ = game.shape
    gauges = [Gauge("state", -1.0 if frame.states[0] is None else float(frame.states[0]), -1.0, S - 1.0, GRID)]
    for i, seen in enumerate(frame.records):
        gauges.append(Gauge(f"follower {i} does", float(seen["follower_action"]), -1.0, B - 1.0, FOLLOWER))
    commitment = game.commitment
    values = np.zeros(commitment.low.size) if frame.x is None else frame.x.ravel()
    names = entry_names(commitment.names, values.size, "x")
    rows = zip(names, values, np.ravel(commitment.low), np.ravel(commitment.high), strict=True)
    colour = blend(WHITE, STRONGEST, 0.6)
    gauges += [Gauge(name, float(v), float(low), float(high), colour) for name, v, low, high in rows]
    gauges = gauges[:MAX_SHOWN]
    canvas = titled(frame, TOP + LINE * len(gauges) + MARGIN, WIDTH)
    key = "grey: the state; blue: what followers do (-1: nothing yet); light orange: the commitment"
    canvas.text(64, MARGIN, key, MUTED, size=SMALL)
    for i, gauge in enumerate(gauges):
        draw_gauge(canvas, TOP + i * LINE, MARGIN, gauge)
    return canvas.finish()


def _joint_text(frame: Frame) -> str:
    """Return the state, what each follower has just done, and the commitment."""
    done = ", ".join(str(seen["follower_action"]) if seen["played"] else "-" for seen in frame.records)
    told = entry_names(frame.game.facts.get("states"), frame.game.shape[0], "state")
    place = "not drawn yet" if frame.states[0] is None else told[int(frame.states[0])]
    lines = [f"{frame.game.name}: {frame.headline}", returns_line(frame), f"{place}; followers did: {done}"]
    return "\n".join([*lines, commitment_line(frame)])


_joint = Renderer(_joint_pixels, _joint_text)


@generic_of.register(MarkovGame)
def _(game: MarkovGame) -> Renderer:
    del game
    return _joint


@generic_of.register(TabularGame)
def _(game: TabularGame) -> Renderer:
    del game
    return graph


def text_of(frame: Frame) -> str:
    """Return the text of any game."""
    return generic_of(frame.game).text(frame)


#: Any game. Tabular: a graph of its states. Else a bar per number.
generic = Renderer(
    lambda frame: generic_of(frame.game).pixels(frame),
    text_of,
)
