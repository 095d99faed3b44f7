"""Pictures and text of an episode, with NumPy alone; no environment draws itself.

A :class:`Renderer` is two functions of a :class:`Frame`. An environment file names its own as
``"module:name"``; the others get :data:`stackelberg_envs.pictures.generic.generic`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import ArgumentError

if TYPE_CHECKING:
    from stackelberg_envs.play.session import Session

__all__ = ["GENERIC_RENDERER", "Canvas", "Frame", "Renderer", "blend", "draw", "returns_line", "titled"]

GENERIC_RENDERER = "stackelberg_envs.pictures.generic:generic"

Pixels = NDArray[np.uint8]
Colour = tuple[int, int, int]

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
#: Each pixel is drawn as SMOOTH x SMOOTH and averaged, which smooths edges.
SMOOTH = 3
#: Dot size of small print; a multiple of 1 / SMOOTH.
SMALL = 4 / 3
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
    """A picture in the making. Coordinates are (row, column) in pixels, from the top left.

    Parameters
    ----------
    height, width
        In pixels.
    """

    def __init__(self, height: int, width: int) -> None:
        self._pixels = np.empty((height * SMOOTH, width * SMOOTH, 3), dtype=np.uint8)
        self._pixels[:] = PAPER

    def rectangle(self, top: float, left: float, height: float, width: float, colour: Colour) -> None:
        """Fill a rectangle."""
        rows = slice(round(top * SMOOTH), round((top + height) * SMOOTH))
        columns = slice(round(left * SMOOTH), round((left + width) * SMOOTH))
        self._pixels[rows, columns] = colour

    def frame(
        self, top: float, left: float, height: float, width: float, colour: Colour, thickness: float = 1.0
    ) -> None:
        """Draw the border of a rectangle, inside it."""
        self.rectangle(top, left, thickness, width, colour)
        self.rectangle(top + height - thickness, left, thickness, width, colour)
        self.rectangle(top, left, height, thickness, colour)
        self.rectangle(top, left + width - thickness, height, thickness, colour)

    def shape(
        self,
        centre: tuple[float, float],
        radius: float,
        colour: Colour,
        inside: Callable[[Array, Array], Any],
    ) -> None:
        """Fill where `inside` holds of (down, right), which run from -1 to 1 across the shape's box."""
        row, column = (round(value * SMOOTH) for value in centre)
        reach = round(radius * SMOOTH)
        down, right = np.mgrid[-reach : reach + 1, -reach : reach + 1] / reach
        box = self._pixels[row - reach : row + reach + 1, column - reach : column + reach + 1]
        box[inside(down, right)] = colour

    def disc(self, centre: tuple[float, float], radius: float, colour: Colour) -> None:
        """Fill a disc."""
        self.shape(centre, radius, colour, lambda down, right: down**2 + right**2 <= 1.0)

    def line(self, start: tuple[float, float], end: tuple[float, float], thickness: float, colour: Colour) -> None:
        """Draw a straight line with round ends; what falls outside the picture is left out."""
        first, last = (np.array(point, dtype=np.float64) * SMOOTH for point in (start, end))
        radius = thickness * SMOOTH / 2
        low = np.maximum(np.floor(np.minimum(first, last) - radius), 0).astype(int)
        high = np.minimum(np.ceil(np.maximum(first, last) + radius) + 1, self._pixels.shape[:2]).astype(int)
        if (low >= high).any():
            return
        rows, columns = np.mgrid[low[0] : high[0], low[1] : high[1]]
        points = np.stack([rows, columns], axis=-1) - first
        along = last - first
        share = np.clip(points @ along / max(float(along @ along), 1e-12), 0.0, 1.0)
        near = np.hypot(*np.moveaxis(points - share[..., None] * along, -1, 0)) <= radius
        self._pixels[low[0] : high[0], low[1] : high[1]][near] = colour

    def arrow(self, start: tuple[float, float], end: tuple[float, float], thickness: float, colour: Colour) -> None:
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

    def star(self, centre: tuple[float, float], radius: float, colour: Colour) -> None:
        """Fill a five-pointed star."""
        self.shape(centre, radius, colour, _in_star)

    def text(self, top: float, left: float, words: str, colour: Colour = INK, size: float = 2) -> None:
        """Write one line; a character is 5 x 7 dots of `size` pixels."""
        dots = text_dots(words)
        dot = round(size * SMOOTH)
        scaled = dots.repeat(dot, axis=0).repeat(dot, axis=1)
        row, column = round(top * SMOOTH), round(left * SMOOTH)
        box = self._pixels[row : row + scaled.shape[0], column : column + scaled.shape[1]]
        box[scaled[: box.shape[0], : box.shape[1]]] = colour

    def finish(self) -> Pixels:
        """Return the picture."""
        total = np.zeros(self._pixels[::SMOOTH, ::SMOOTH].shape, dtype=np.uint16)
        for i, j in np.ndindex(SMOOTH, SMOOTH):
            total += self._pixels[i::SMOOTH, j::SMOOTH]
        return np.asarray(total // SMOOTH**2, dtype=np.uint8)


def _in_star(down: Array, right: Array) -> Any:
    """Return where a point lies in a star: its edge runs straight from a tip to the notch beside it."""
    angle = np.arctan2(right, -down) % (2 * np.pi / 5)
    angle = np.minimum(angle, 2 * np.pi / 5 - angle)
    notch, half = 0.42, np.pi / 5
    edge = notch * np.sin(half) / (notch * np.sin(half - angle) + np.sin(angle))
    return np.hypot(down, right) <= edge


def blend(low: Colour, high: Colour, share: float) -> Colour:
    """Return the colour at `share` in [0, 1] of the way from `low` to `high`."""
    mixed = [round(a + (b - a) * min(max(share, 0.0), 1.0)) for a, b in zip(low, high, strict=True)]
    return mixed[0], mixed[1], mixed[2]


def text_dots(words: str) -> NDArray[np.bool_]:
    """Return a line of text as dots, 9 rows high with what hangs below the line, 6 columns a character."""
    dots = np.zeros((9, 6 * len(words)), dtype=np.bool_)
    for i, character in enumerate(words):
        rows = bytes.fromhex(FONT.get(character, FONT["?"]))
        for r, bits in enumerate(rows):
            for c in range(5):
                dots[r, 6 * i + c] = bits >> (4 - c) & 1
    return dots


#: Character -> seven rows of five dots (nine where it hangs below the line), a hexadecimal byte each.
FONT = {
    "A": "0E11111F111111", "B": "1E11111E11111E", "C": "0E11101010110E", "D": "1E11111111111E",
    "E": "1F10101E10101F", "F": "1F10101E101010", "G": "0E11101711110F", "H": "1111111F111111",
    "I": "0E04040404040E", "J": "0702020202120C", "K": "11121418141211", "L": "1010101010101F",
    "M": "111B1515111111", "N": "11191513111111", "O": "0E11111111110E", "P": "1E11111E101010",
    "Q": "0E11111115120D", "R": "1E11111E141211", "S": "0F10100E01011E", "T": "1F040404040404",
    "U": "1111111111110E", "V": "11111111110A04", "W": "11111115151B11", "X": "11110A040A1111",
    "Y": "11110A04040404", "Z": "1F01020408101F",
    "a": "00000E010F110F", "b": "1010161911111E", "c": "00000E1010110E", "d": "01010D1311110F",
    "e": "00000E111F100E", "f": "0609081C080808", "g": "00000F1111110F010E", "h": "10101619111111",
    "i": "04000C0404040E", "j": "02000602020202120C", "k": "10101214181412", "l": "0C04040404040E",
    "m": "00001A15151111", "n": "00001619111111", "o": "00000E1111110E", "p": "00001E1111111E1010",
    "q": "00000F1111110F0101", "r": "00001619101010", "s": "00000E100E011E", "t": "08081C08080906",
    "u": "0000111111130D", "v": "00001111110A04", "w": "0000111115150A", "x": "0000110A040A11",
    "y": "0000111111130D010E", "z": "00001F0204081F",
    "0": "0E11131519110E", "1": "040C040404040E", "2": "0E11010608101F", "3": "1F01020601110E",
    "4": "02060A121F0202", "5": "1F101E0101110E", "6": "0608101E11110E", "7": "1F010204080808",
    "8": "0E11110E11110E", "9": "0E11110F01020C",
    " ": "00000000000000", ".": "00000000000C0C", ",": "00000000000C0C0408", "-": "0000001F000000",
    "+": "0004041F040400", ":": "000C0C000C0C00", "/": "01010204081010", "(": "02040808080402",
    ")": "08040202020408", "=": "00001F001F0000", "_": "0000000000001F", "%": "18190204081303",
    "|": "04040404040404", "?": "0E110102040004", "'": "0C040800000000", "<": "02040810080402",
    ">": "08040201020408", "*": "00150E1F0E1500", "#": "0A0A1F0A1F0A0A", "[": "0E08080808080E",
    "]": "0E02020202020E", ";": "000C0C00000C0C0408",
}  # fmt: skip


def returns_line(frame: Frame) -> str:
    """Return both returns, for people."""
    follower = float(np.mean(frame.follower_returns))
    return f"leader return {frame.leader_return:+.2f}   follower return {follower:+.2f}"


def titled(frame: Frame, height: int, width: int) -> Canvas:
    """Return a picture of that size that tells phase, step and returns at its top."""
    canvas = Canvas(height, width)
    canvas.text(12, MARGIN, frame.headline, size=2)
    canvas.text(36, MARGIN, returns_line(frame), MUTED, size=2)
    return canvas
