"""The picture of any game of tables: its states as a graph, the leader's policy around them, payments on them."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.games.tabular import TabularGame
from stackelberg_envs.pictures.canvas import (
    CAPITALS,
    FOLLOWER,
    GOAL,
    GRID,
    INK,
    MUTED,
    PAPER,
    SMALL,
    STRONGEST,
    TARGET,
    TEXT,
    WALL,
    WHITE,
    Canvas,
    Colour,
    Frame,
    Pixels,
    Point,
    Renderer,
    arc,
    blend,
    returns_line,
    titled,
)
from stackelberg_envs.pictures.gauges import LONGEST_NAME, Gauge, commitment_line, draw_gauge, entry_names
from stackelberg_envs.pictures.layout import hops, in_the_unit_square, places, places_around
from stackelberg_envs.play.session import neutral_commitment

__all__ = ["graph"]

HEIGHT, WIDTH = 480, 700
#: Where the graph is drawn, with room for its nodes, and where the key begins.
TOP, LEFT, TALL, WIDE, KEY = 100.0, 52.0, 322.0, 378.0, 490.0
#: States that are drawn all at once, and of a map; of a larger game only the follower's state and where it leads.
MOST_STATES, MOST_CELLS, MOST_AROUND = 40, 400, 16
#: Radius of a node: the largest, the least, and as a part of the distance to the nearest other node.
LARGEST, LEAST, PART = 21.0, 5.0, 0.3
#: Width of the ring that shows the leader's policy.
RING = 6.0
#: How far links bow out, so that those there and back are told apart.
BEND = 0.12
#: Actions of which each surely leads to the same state have arcs of their own, if they are no more than these.
MOST_PARALLEL = 4
#: Links fainter than this are left out; with more links than this they have no heads, and with more than that they
#: are plain lines, but for those from where a follower is.
LEAST_SHARE, MOST_HEADS, MOST_LINKS = 0.01, 60, 150
#: Lines of the commitment in the key.
MOST_ENTRIES = 9
#: Colours of the leader's actions; they are used again where there are more.
ACTIONS: tuple[Colour, ...] = (GRID, STRONGEST, GOAL, (148, 103, 189), TARGET, WALL)


class _Link(NamedTuple):
    """From one of the drawn states to another: its probability under the action that makes it most likely.

    And what the commitment adds to the follower's reward on it, on average, and how far the arc bows out.
    """

    start: int
    end: int
    chance: float
    paid: float
    bend: float


class _Graph(NamedTuple):
    """What is drawn: n states, where they stand, and what leads from one to the other."""

    states: list[int]
    points: list[Point]
    radius: float
    links: list[_Link]
    #: The largest size of what the commitment adds to the follower's reward.
    most: float
    #: The leader's policy, shape (n, A), or None where it has one action only.
    policy: Array | None
    ends: list[bool]


@functools.lru_cache(maxsize=8)
def _places(game: TabularGame) -> Array:
    """Return where all states stand, shape (S, 2) in the unit square; on a map, as they stand there."""
    if "cells" in game.facts:
        return in_the_unit_square(np.asarray(game.facts["cells"], dtype=np.float64))
    S = game.shape[0]
    made = game.primitives(neutral_commitment(game)).transition
    linked = np.zeros((S, S), dtype=np.bool_)
    origin = np.broadcast_to(np.arange(len(made.successors)).reshape(-1, 1, 1, 1) % S, made.successors.shape)
    there = made.probabilities > 0
    linked[origin[there], made.successors[there] % S] = True
    return places(hops(linked))


def _shown(frame: Frame) -> tuple[list[int], Array]:
    """Return the states to draw and where they stand: all, or as many as the follower can reach in one step."""
    game = frame.game
    if game.shape[0] <= (MOST_CELLS if "cells" in game.facts else MOST_STATES):
        return list(range(game.shape[0])), _places(game)
    here = int(np.argmax(game.joint_initial)) % game.shape[0] if frame.states[0] is None else int(frame.states[0])
    primitives = game.primitives(neutral_commitment(game) if frame.x is None else frame.x)
    z = (frame.context or 0) * game.shape[0] + here
    mass = np.zeros(game.shape[0])
    np.add.at(mass, primitives.transition.successors[z] % game.shape[0], primitives.transition.probabilities[z])
    mass[here] = 0.0
    around = np.argsort(-mass, kind="stable")[: min(MOST_AROUND, int((mass > 0).sum()))]
    states = [here, *sorted(int(state) for state in around)]
    return states, places_around(len(states))


def _graph(frame: Frame) -> _Graph:
    game = frame.game
    S, A, _ = game.shape
    states, unit = _shown(frame)
    primitives = game.primitives(neutral_commitment(game) if frame.x is None else frame.x)
    rows = (frame.context or 0) * S + np.array(states)
    policy = primitives.leader_policy[rows]
    successors = primitives.transition.successors[rows] % S
    chance = policy[:, :, None, None] * primitives.transition.probabilities[rows]
    if primitives.feasible is not None:
        chance = chance * primitives.feasible[rows][..., None]
    added = (primitives.follower_reward - game.uncommitted.follower_reward)[rows]
    if frame.x is None or "follower_reward" not in game.commitment.changes:
        added = np.zeros_like(added)
    index = {state: i for i, state in enumerate(states)}
    n, B = len(states), added.shape[2]
    reach, pay = np.zeros((n, B, n)), np.zeros((n, B, n))
    for i, a, b, k in np.argwhere(chance > 0):
        j = index.get(int(successors[i, a, b, k]))
        if j is not None:
            reach[i, b, j] += chance[i, a, b, k]
            pay[i, b, j] += chance[i, a, b, k] * added[i, a, b]
    total = reach.sum(axis=1)
    paid = np.divide(pay.sum(axis=1), total, out=np.zeros_like(total), where=total > 0)
    points = [(TOP + TALL * row, LEFT + WIDE * column) for row, column in unit.tolist()]
    ends = (primitives.continuing[rows] == 0).tolist()
    shown = None if A == 1 or frame.x is None else policy
    links = _links(reach, pay, _unlike_rewards(game)[rows])
    most = max([float(np.abs(paid).max(initial=0.0)), *(abs(link.paid) for link in links)])
    return _Graph(states, points, _radius(points), links, most, shown, ends)


@functools.lru_cache(maxsize=8)
def _unlike_rewards(game: TabularGame) -> Array:
    """Return the follower's rewards, shape (Z, A, B), under a commitment of unlike entries: what differs, differs."""
    low, high = game.commitment.low, game.commitment.high
    share = np.arange(1, low.size + 1).reshape(low.shape) / (low.size + 1)
    return game.primitives(game.commitment.project(low + share * (high - low))).follower_reward


def _links(reach: Array, pay: Array, rewards: Array) -> list[_Link]:
    """Return the links between states: one for all actions that may lead there, or one for each that surely does.

    `reach` and `pay` have the shape (n, B, n), `rewards` (n, A, B): actions that pay the same are one.
    """
    made = []
    for i, j in np.argwhere(reach.max(axis=1) > LEAST_SHARE).tolist():
        if i == j:
            continue
        there = reach[i, :, j]
        actions = np.flatnonzero(there > 0)
        groups: dict[bytes, list[int]] = {}
        for b in actions.tolist():
            groups.setdefault(rewards[i, :, b].tobytes(), []).append(b)
        apart = len(groups) <= MOST_PARALLEL and bool((there[actions] > 1.0 - LEAST_SHARE).all())
        for k, group in enumerate(groups.values() if apart else [actions.tolist()]):
            paid = float(pay[i, group, j].sum() / there[group].sum())
            made.append(_Link(i, j, float(there[group].max()), paid, BEND * (1.0 + k)))
    return made


def _radius(points: list[Point]) -> float:
    between = np.linalg.norm(np.subtract(np.array(points)[:, None], np.array(points)[None]), axis=2)
    nearest = float(np.min(between + np.where(np.eye(len(points)), np.inf, 0.0)))
    return min(LARGEST, max(LEAST, PART * nearest))


def _pixels(frame: Frame) -> Pixels:
    drawn = _graph(frame)
    canvas = titled(frame, HEIGHT, WIDTH)
    present = [state in frame.states for state in drawn.states]
    many = len(drawn.links) > MOST_LINKS
    for link in sorted(drawn.links, key=lambda link: present[link.start]):
        bold = present[link.start]
        if many and not bold:
            canvas.line(drawn.points[link.start], drawn.points[link.end], 0.7, GRID)
        else:
            _draw_link(canvas, drawn, link, bold=bold, head=len(drawn.links) <= MOST_HEADS or bold)
    for i, state in enumerate(drawn.states):
        _draw_state(canvas, drawn, i, frame, sum(here == state for here in frame.states))
    _draw_key(canvas, drawn, frame)
    return canvas.finish()


def _colour(drawn: _Graph, link: _Link, *, bold: bool) -> Colour:
    """Return the colour of a link: of what is charged or paid on it; else ink from where the follower is."""
    share = abs(link.paid) / drawn.most if drawn.most else 0.0
    full = STRONGEST if link.paid < 0 else TARGET
    if bold:
        return blend(blend(WHITE, INK, 0.75), full, share)
    return blend(WHITE, blend(MUTED, full, share), 0.3 + 0.4 * link.chance)


def _draw_link(canvas: Canvas, drawn: _Graph, link: _Link, *, bold: bool, head: bool) -> None:
    """Draw an arc from the edge of one node to that of the other, as thick as it is likely."""
    start, end = np.array(drawn.points[link.start]), np.array(drawn.points[link.end])
    length = float(np.hypot(*(end - start)))
    gap = drawn.radius + (0 if drawn.policy is None else RING) + 2
    if length <= 2 * gap:
        return
    along = (end - start) / length * gap
    ends = tuple(start + along), tuple(end - along)
    colour = _colour(drawn, link, bold=bold)
    thickness = 1.0 + 3.0 * link.chance if bold else 1.0
    canvas.curve(ends[0], ends[1], link.bend, thickness, colour)
    if head:
        points = arc(ends[0], ends[1], link.bend)
        canvas.arrow(points[-3], points[-1], thickness, colour)


def _label(canvas: Canvas, centre: Point, radius: float, label: str, colour: Colour) -> None:
    """Write a name into a node where it fits, else below it."""
    size = min(TEXT if len(label) <= 2 else SMALL, 1.3 * radius)
    if 0.55 * size * len(label) <= 1.8 * radius:
        canvas.text(centre[0] - CAPITALS * size / 2, centre[1], label, colour, size, "middle")
    elif not label.isdigit():
        below = centre[0] + radius + RING + 3
        wide = 0.52 * SMALL * len(label[:LONGEST_NAME])
        canvas.rectangle(below - 2, centre[1] - wide / 2, SMALL, wide, PAPER)
        canvas.text(below, centre[1], label[:LONGEST_NAME], INK, SMALL, "middle")


def _draw_state(canvas: Canvas, drawn: _Graph, i: int, frame: Frame, followers: int) -> None:
    """Draw a node: blue with a follower, twice edged where play ends, in a ring of the leader's policy."""
    centre, radius = drawn.points[i], drawn.radius
    if drawn.policy is not None:
        colours = [ACTIONS[a % len(ACTIONS)] for a in range(drawn.policy.shape[1])]
        canvas.disc(centre, radius + RING + 1, WHITE)
        canvas.ring(centre, radius + RING, drawn.policy[i].tolist(), colours)
    canvas.disc(centre, radius + 1.5, INK if followers else MUTED)
    if drawn.ends[i]:
        canvas.disc(centre, radius - 0.5, WHITE)
        canvas.disc(centre, radius - 2.5, INK if followers else MUTED)
        radius -= 3.0
    canvas.disc(centre, radius, FOLLOWER if followers else WHITE)
    names = frame.game.facts.get("states")
    if names or drawn.radius > SMALL / 2:
        name = str(names[drawn.states[i]] if names else drawn.states[i])
        _label(canvas, centre, drawn.radius, name, WHITE if followers else INK)
    if followers > 1:
        canvas.text(centre[0] - radius - 14, centre[1] + radius, f"x{followers}", FOLLOWER, SMALL)


# --------------------------------------------------------------------------------------------------- key


def _draw_key(canvas: Canvas, drawn: _Graph, frame: Frame) -> None:
    row = TOP - 24
    canvas.disc((row + 6, KEY + 8), 7, FOLLOWER)
    canvas.text(row + 1, KEY + 24, "a follower is here", size=SMALL)
    if any(drawn.ends):
        row += 22
        canvas.disc((row + 6, KEY + 8), 8, MUTED)
        canvas.disc((row + 6, KEY + 8), 6.5, WHITE)
        canvas.disc((row + 6, KEY + 8), 4.5, MUTED)
        canvas.disc((row + 6, KEY + 8), 3, WHITE)
        canvas.text(row + 1, KEY + 24, "play ends here", size=SMALL)
    row += 22
    canvas.arrow((row + 6, KEY), (row + 6, KEY + 16), 1.5, INK)
    canvas.text(row + 1, KEY + 24, "where it can go; thick: likely", size=SMALL)
    if "follower_reward" in frame.game.commitment.changes:
        for what, colour in (("what it does is charged", STRONGEST), ("what it does is paid", TARGET)):
            row += 22
            canvas.rectangle(row + 4, KEY, 4, 16, colour)
            canvas.text(row + 1, KEY + 24, what, size=SMALL)
    if frame.game.shape[1] > 1:
        row = _draw_actions(canvas, row + 30, frame)
    _draw_commitment(canvas, row + 36, frame)


def _draw_actions(canvas: Canvas, row: float, frame: Frame) -> float:
    """Explain the rings, and say which action is shown; return the last row that was used."""
    canvas.text(row, KEY, "ring: what the leader would do", size=SMALL)
    A = frame.game.shape[1]
    for a in range(min(A, len(ACTIONS))):
        canvas.rectangle(row + 20, KEY + 30 * a, 10, 12, ACTIONS[a])
        canvas.text(row + 20, KEY + 15 + 30 * a, f"{a}", MUTED, size=SMALL)
    shown = [a for a in frame.leader_actions if a is not None]
    told = "it shows " + ", ".join(str(a) for a in shown[:8]) if shown else "it shows nothing now"
    canvas.text(row + 42, KEY, told, STRONGEST if shown else MUTED, size=SMALL)
    return row + 42


def _draw_commitment(canvas: Canvas, row: float, frame: Frame) -> None:
    """Draw the entries of x that are furthest from the neutral ones, unless they are the rings."""
    commitment = frame.game.commitment
    canvas.text(row, KEY, "commitment")
    if frame.x is None:
        canvas.text(row + 22, KEY, "not announced yet", MUTED, size=SMALL)
        return
    if commitment.changes == {"leader_policy"} and frame.x.shape == frame.game.shape[:2]:
        canvas.text(row + 22, KEY, "the policy in the rings", MUTED, size=SMALL)
        return
    x, low, high = frame.x.ravel(), commitment.low.ravel(), commitment.high.ravel()
    moved = np.abs(x - neutral_commitment(frame.game).ravel()) / np.where(high > low, high - low, 1.0)
    names = entry_names(commitment.names, x.size, "x")
    room = min(MOST_ENTRIES, int((HEIGHT - row - 58) // 22))
    count = x.size if x.size <= room else min(room, max(1, int(np.count_nonzero(moved))))
    chosen = sorted(np.argsort(-moved, kind="stable")[:count].tolist())
    for line, d in enumerate(chosen):
        gauge = Gauge(names[d], float(x[d]), float(low[d]), float(high[d]), STRONGEST)
        draw_gauge(canvas, row + 24 + 22 * line, KEY, gauge, name=80, bar=60, size=SMALL)
    if x.size > len(chosen):
        rest = "nearer to none" if count < np.count_nonzero(moved) else "at none"
        told = f"and {x.size - count} more {rest}"
        canvas.text(row + 24 + 22 * len(chosen), KEY, told, MUTED, size=SMALL)


# -------------------------------------------------------------------------------------------------- text


def _names(game: TabularGame) -> list[str]:
    names: Sequence[Any] = game.facts.get("states") or range(game.shape[0])
    return [str(name) for name in names]


def _text(frame: Frame) -> str:
    """Return the states in one line, the follower's in brackets, and what the leader does there."""
    names, (states, _) = _names(frame.game), _shown(frame)
    policy = None if frame.game.shape[1] == 1 or frame.x is None else frame.game.primitives(frame.x).leader_policy
    line = " ".join(f"[{names[s]}]" if s in frame.states else names[s] for s in states)
    lines = [f"{frame.game.name}: {frame.headline}", returns_line(frame), f"states: {line}"]
    for i, (state, shown) in enumerate(zip(frame.states, frame.leader_actions, strict=True)):
        if state is None:
            continue
        told = f"follower {i} in {names[state]}"
        if shown is not None:
            told += f", the leader shows action {shown}"
        if policy is not None:
            told += f" of policy ({', '.join(f'{p:.2f}' for p in policy[state])})"
        lines.append(told)
    if frame.x is None or frame.game.commitment.names:
        lines.append(commitment_line(frame))
    return "\n".join(lines)


#: The states as a graph, the followers in it, the leader's policy as rings, payments as colours.
graph = Renderer(_pixels, _text)
