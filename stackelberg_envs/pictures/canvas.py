"""Pictures and text of an episode; no environment draws itself, and Pillow does it for all.

A :class:`Renderer` is two functions of a :class:`Frame`. An environment file names its own as
``"module:name"``; the others get :data:`stackelberg_envs.pictures.generic.generic`.
"""

from __future__ import annotations

import functools
import importlib
import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import ArgumentError

if TYPE_CHECKING:
    from stackelberg_envs.play.session import Session

__all__ = ["GENERIC_RENDERER", "Canvas", "Frame", "Renderer", "arc", "blend", "draw", "returns_line", "titled"]

GENERIC_RENDERER = "stackelberg_envs.pictures.generic:generic"

Pixels = NDArray[np.uint8]
Colour = tuple[int, int, int]
Point = tuple[float, float]

INK: Colour = (38, 43, 51)
MUTED: Colour = (112, 120, 130)
PAPER: Colour = (250, 249, 246)
WHITE: Colour = (255, 255, 255)
GRID: Colour = (222, 222, 218)
WALL: Colour = (72, 80, 92)
DOOR: Colour = (150, 105, 60)
STRONGEST: Colour = (226, 88, 34)
FOLLOWER: Colour = (36, 98, 190)
GOAL: Colour = (236, 178, 20)
TARGET: Colour = (30, 140, 90)
#: Each pixel is drawn as SMOOTH x SMOOTH and averaged.
SMOOTH = 3
#: Sizes of text, and the share of it that a capital letter is high.
SMALL, TEXT, LARGE = 13, 17, 24
CAPITALS = 0.72
#: Radius of a star's notches, where its tips have 1.
NOTCH = 0.42
#: Characters of a title that fit into a picture.
LONGEST_TITLE = 76
#: Space between a picture's edge and what it shows.
MARGIN = 14


@dataclass(frozen=True, eq=False)
class Frame:
    """One moment of an episode, as a renderer sees it.

    Attributes
    ----------
    game
        The game.
    x
        The commitment in force, or None before it is made.
    phase
        "ready", "commitment", "play" or "done".
    context
        Index of the context, or None before it is drawn.
    states, leader_actions
        Of each follower; None where there is none yet.
    played
        Play steps made.
    leader_return, follower_returns
        Undiscounted sums so far.
    terminated
        Whether play ended in terminal states.
    records
        Of each follower, its last transition; see :meth:`stackelberg_envs.play.session.Session.play`.
    trail
        The followers' states since the start of play, one tuple per step.
    """

    game: Any
    x: Array | None
    phase: str
    context: int | None
    states: tuple[Any, ...]
    leader_actions: tuple[Any, ...]
    played: int
    leader_return: float
    follower_returns: tuple[float, ...]
    terminated: bool
    records: tuple[dict[str, Any], ...]
    trail: tuple[tuple[Any, ...], ...] = ()

    @property
    def headline(self) -> str:
        """Phase and step, for people."""
        if self.phase == "ready":
            return "not started: call reset"
        if self.phase == "commitment":
            return "commitment phase: the leader is about to announce"
        step = f"step {self.played} of {self.game.horizon}"
        if self.phase == "done":
            return f"{step}, over: " + ("all followers finished" if self.terminated else "time limit")
        return f"play phase, {step}"

    @property
    def last_action(self) -> Any:
        """The first follower's last action, or None before there is one."""
        record = self.records[0]
        return record["follower_action"] if record["played"] else None


class Renderer(NamedTuple):
    """How to show a frame: as pixels of shape (H, W, 3), uint8, and as text."""

    pixels: Callable[[Frame], Pixels]
    text: Callable[[Frame], str]


def draw(session: Session, renderer: str, mode: str) -> Pixels | str:
    """Show a session.

    Parameters
    ----------
    session
        The session.
    renderer
        ``"module:name"`` of a :class:`Renderer`.
    mode
        "rgb_array" or "ansi".
    """
    module, _, name = renderer.partition(":")
    found = getattr(importlib.import_module(module), name, None)
    if not isinstance(found, Renderer):
        raise ArgumentError(f"renderer: expected 'module:name' of a Renderer, got {renderer!r}")
    frame = _frame(session)
    return found.pixels(frame) if mode == "rgb_array" else found.text(frame)


def _frame(session: Session) -> Frame:
    return Frame(
        game=session.game,
        x=None if session.phase in ("ready", "commitment") else session.x,
        phase=session.phase,
        context=session.context,
        states=tuple(session.states),
        leader_actions=tuple(session.leader_actions),
        played=session.played,
        leader_return=session.leader_return,
        follower_returns=tuple(session.follower_returns),
        terminated=session.terminated,
        records=tuple(session.records),
        trail=tuple(session.trail),
    )


# ---------------------------------------------------------------------------------------------- canvas


class Canvas:
    """A picture in the making. Coordinates are (row, column) in pixels, from the top left; all may be fractions.

    Pillow draws it SMOOTH times as large and makes it small in the end, which smooths edges.

    Parameters
    ----------
    height, width
        In pixels.
    """

    def __init__(self, height: int, width: int) -> None:
        # Importing the package registers ids and draws nothing.
        from PIL import Image, ImageDraw

        self._image = Image.new("RGB", (width * SMOOTH, height * SMOOTH), PAPER)
        self._draw = ImageDraw.Draw(self._image)

    def rectangle(self, top: float, left: float, height: float, width: float, colour: Colour) -> None:
        """Fill a rectangle; one without an area is left out."""
        box = _box(top, left, height, width)
        if box[0] <= box[2] and box[1] <= box[3]:
            self._draw.rectangle(box, fill=colour)

    def frame(
        self, top: float, left: float, height: float, width: float, colour: Colour, thickness: float = 1.0
    ) -> None:
        """Draw the border of a rectangle, inside it."""
        self._draw.rectangle(_box(top, left, height, width), outline=colour, width=round(thickness * SMOOTH))

    def ellipse(self, centre: Point, height: float, width: float, colour: Colour) -> None:
        """Fill an ellipse of this height and width."""
        self._draw.ellipse(_box(centre[0] - height / 2, centre[1] - width / 2, height, width), fill=colour)

    def disc(self, centre: Point, radius: float, colour: Colour) -> None:
        """Fill a disc."""
        self.ellipse(centre, 2 * radius, 2 * radius, colour)

    def polygon(self, corners: Iterable[Point], colour: Colour) -> None:
        """Fill a polygon."""
        self._draw.polygon([(column * SMOOTH, row * SMOOTH) for row, column in corners], fill=colour)

    def line(self, start: Point, end: Point, thickness: float, colour: Colour) -> None:
        """Draw a straight line with round ends."""
        ends = [(column * SMOOTH, row * SMOOTH) for row, column in (start, end)]
        self._draw.line(ends, fill=colour, width=max(1, round(thickness * SMOOTH)))
        for place in (start, end):
            self.disc(place, thickness / 2, colour)

    def arrow(self, start: Point, end: Point, thickness: float, colour: Colour) -> None:
        """Draw an arrow; its head is as large as its length allows."""
        along = np.subtract(end, start)
        length = float(np.hypot(*along))
        if length < thickness:
            return
        self.line(start, end, thickness, colour)
        back = -along / length * min(4 * thickness, 0.6 * length)
        for turn in (np.pi / 6, -np.pi / 6):
            cosine, sine = np.cos(turn), np.sin(turn)
            tip = float(end[0] + cosine * back[0] - sine * back[1]), float(end[1] + sine * back[0] + cosine * back[1])
            self.line(end, tip, thickness, colour)

    def curve(self, start: Point, end: Point, bend: float, thickness: float, colour: Colour) -> None:
        """Draw an arc that leaves the straight line, to its left seen from the start, by a share `bend` of it."""
        points = arc(start, end, bend)
        for one, other in itertools.pairwise(points):
            self.line(one, other, thickness, colour)

    def ring(self, centre: Point, radius: float, shares: Iterable[float], colours: Iterable[Colour]) -> None:
        """Fill a disc by slices, clockwise from the top; shares sum to one."""
        box, turned = _box(centre[0] - radius, centre[1] - radius, 2 * radius, 2 * radius), -90.0
        for share, colour in zip(shares, colours, strict=True):
            if share > 0.0:
                self._draw.pieslice(box, turned, turned + 360.0 * share, fill=colour)
            turned += 360.0 * share

    def star(self, centre: Point, radius: float, colour: Colour) -> None:
        """Fill a five-pointed star."""
        angles = np.pi * np.arange(10) / 5
        reach = radius * np.where(np.arange(10) % 2, NOTCH, 1.0)
        self.polygon(zip(centre[0] - reach * np.cos(angles), centre[1] + reach * np.sin(angles), strict=True), colour)

    def text(
        self, top: float, left: float, words: str, colour: Colour = INK, size: float = TEXT, anchor: str = "left"
    ) -> None:
        """Write one line; `top` is that of its capital letters, `left` that of its "left", "middle" or "right"."""
        place = left * SMOOTH, (top + CAPITALS * size) * SMOOTH
        self._draw.text(place, words, fill=colour, font=_font(round(size * SMOOTH)), anchor=f"{anchor[0]}s")

    def finish(self) -> Pixels:
        """Return the picture."""
        return np.array(self._image.reduce(SMOOTH))


def _box(top: float, left: float, height: float, width: float) -> tuple[int, int, int, int]:
    """Return the first and last pixels of a rectangle, as Pillow has them: across, down, across, down."""
    right, bottom = round((left + width) * SMOOTH) - 1, round((top + height) * SMOOTH) - 1
    return round(left * SMOOTH), round(top * SMOOTH), right, bottom


@functools.cache
def _font(size: int) -> Any:
    """Return the font that comes with Pillow, so many pixels high."""
    from PIL import ImageFont

    return ImageFont.load_default(size)


def blend(low: Colour, high: Colour, share: float) -> Colour:
    """Return the colour at `share` in [0, 1] of the way from `low` to `high`."""
    mixed = [round(a + (b - a) * min(max(share, 0.0), 1.0)) for a, b in zip(low, high, strict=True)]
    return mixed[0], mixed[1], mixed[2]


def arc(start: Point, end: Point, bend: float, points: int = 13) -> list[Point]:
    """Return points on an arc; half-way it is a share `bend` of its length to the left of the straight line."""
    along = np.subtract(end, start)
    share = np.linspace(0.0, 1.0, points)[:, None]
    aside = 4 * share * (1 - share) * bend * np.array([-along[1], along[0]])
    return [(float(row), float(column)) for row, column in np.add(start, share * along) + aside]


def returns_line(frame: Frame) -> str:
    """Return both returns, for people."""
    follower = float(np.mean(frame.follower_returns))
    return f"leader return {frame.leader_return:+.2f}   follower return {follower:+.2f}"


def titled(frame: Frame, height: int, width: int) -> Canvas:
    """Return a picture of that size that tells the game, phase, step and returns at its top."""
    canvas = Canvas(height, width)
    canvas.text(12, MARGIN, f"{frame.game.name}: {frame.headline}"[:LONGEST_TITLE])
    canvas.text(36, MARGIN, returns_line(frame), MUTED)
    return canvas
