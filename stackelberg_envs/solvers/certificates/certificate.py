"""What a certificate says."""

from __future__ import annotations

import math
from dataclasses import dataclass

from stackelberg_envs.arrays import Array

__all__ = ["Certificate"]


@dataclass(frozen=True, eq=False)
class Certificate:
    """The best commitment found, and a bound that no commitment of the set exceeds.

    Attributes
    ----------
    value
        J at the commitment, reward units.
    commitment
        It, in the shape of the game's commitments.
    upper_bound
        No commitment is worth more, reward units.
    boxes
        How many boxes were bounded.
    seconds
        How long it took.
    stopped_because
        "gap reached", "time", "boxes", "interrupted", "rounding" where boxes became too small to be cut, or
        "temperature" where a mixed-integer program cannot say more of a follower that is not at temperature 0.
    policy
        At temperature 0 the follower's response to the commitment, ones and zeros of shape (Z, A, B); else None.
    """

    value: float
    commitment: Array
    upper_bound: float
    boxes: int
    seconds: float
    stopped_because: str
    policy: Array | None = None

    @property
    def gap(self) -> float:
        """By how much the bound lies above the value, as a share of the size of the value."""
        above = self.upper_bound - self.value
        return above / abs(self.value) if self.value else math.inf if above else 0.0

    def __repr__(self) -> str:
        """Return one line, without the commitment."""
        return (
            f"Certificate(value={self.value:.8g}, upper_bound={self.upper_bound:.8g}, gap={self.gap:.3g}, "
            f"{self.boxes} boxes, {self.seconds:.1f} s, stopped because {self.stopped_because})"
        )
