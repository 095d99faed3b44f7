"""Numbers between bounds, as bars with a name: states that are vectors, and the entries of commitments."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.pictures.canvas import GRID, SMALL, TEXT, Canvas, Colour, Frame

__all__ = ["LINE", "MAX_SHOWN", "Gauge", "commitment_line", "draw_gauge", "entry_names", "listed"]

#: Height of a line.
LINE = 24
#: Entries of a vector that are shown.
MAX_SHOWN = 16
#: Characters of a name, and pixels of the value beside the bar.
LONGEST_NAME, VALUE = 15, 60


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


def commitment_line(frame: Frame) -> str:
    """Return the commitment in words: its first entries, with their names where they have any."""
    if frame.x is None:
        return "commitment: not announced yet"
    values, names = frame.x.ravel()[:MAX_SHOWN], frame.game.commitment.names
    if names is None:
        return f"commitment: {listed(values)}"
    return "commitment: " + ", ".join(f"{name} {value:+.3f}" for name, value in zip(names, values, strict=False))


def listed(values: Array) -> str:
    """Return numbers as text, in brackets."""
    return "(" + ", ".join(f"{value:+.3f}" for value in values) + ")"


def draw_gauge(
    canvas: Canvas, top: float, left: float, gauge: Gauge, *, name: float = 190, bar: float = 300, size: float = TEXT
) -> None:
    """Draw a name, a bar with the value's place on it, and the value; name and bar are so many pixels wide."""
    middle = top + 0.36 * size
    canvas.text(top, left, gauge.name[:LONGEST_NAME], size=size)
    canvas.rectangle(middle - 2, left + name, 4, bar, GRID)
    place = left + name + bar * min(max(gauge.share, 0.0), 1.0)
    canvas.rectangle(middle - size / 2, place - 3, size, 6, gauge.colour)
    told = f"{gauge.value:+.3f}" if abs(gauge.value) < 100 else f"{gauge.value:+.3g}"
    canvas.text(top, left + name + bar + VALUE, told, size=min(size, SMALL + 2), anchor="right")
