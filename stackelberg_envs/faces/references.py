"""Reference values: what a leader can reach, known from a formula or a certificate and not from search alone."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from stackelberg_envs.errors import ArgumentError

__all__ = ["STATUSES", "Reference", "with_normal_errors"]

#: How sure one may be of a value, the surest first.
STATUSES = (
    "closed form",
    "certified by linear program",
    "certified by enumeration",
    "certified by branch and bound",
    "exact up to a grid",
    "best known",
)


@dataclass(frozen=True)
class Reference:
    """A value that is known of a game, and why.

    Attributes
    ----------
    value
        The leader's, reward units.
    status
        One of :data:`STATUSES`.
    meaning
        What the value is of, where that is not J at the game's temperature: "temperature 0, ties for the leader".
    source
        A citation or derivation.

    Raises
    ------
    ArgumentError
        Another status.
    """

    value: float
    status: str
    meaning: str
    source: str

    def __post_init__(self) -> None:
        """Check the status."""
        if self.status not in STATUSES:
            raise ArgumentError(f"status: expected one of {', '.join(map(repr, STATUSES))}, got {self.status!r}")

    def as_fact(self) -> dict[str, Any]:
        """Return it as plain data, as it stands among a game's facts under "reference"."""
        return asdict(self)


def with_normal_errors(deviation: float, step: float, mean: float) -> str:
    """Return what a formula for means is of, in a game whose follower makes normal errors on a grid of amounts from 0.

    The mean is what it is without errors where steps are no larger than one and a half standard deviations, and errors
    of six of them do not reach 0.
    """
    return "this temperature" if step <= 1.5 * deviation and 6.0 * deviation <= mean else "followers without errors"
