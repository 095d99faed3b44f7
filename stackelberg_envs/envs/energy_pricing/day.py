"""A day of a household that shifts load between hours, on steps.

In hour t with so much shifted until now, a state, it chooses by how much its load differs from its habit. In the last
hour it has no choice: all shifts of a day sum to zero. Hour t has 2 n t + 1 states, where n steps is the largest shift.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.games.transitions import Transition

__all__ = ["Day", "day", "hour_of"]


class Day(NamedTuple):
    """What a day is made of.

    Attributes
    ----------
    hour
        Of each state, shape (S,).
    shifted
        How much has been shifted into the hours before, shape (S,).
    shift
        By how much the load of the hour differs from habit, shape (S, B).
    transition
        To the next hour; the last hour stays, which nobody sees.
    """

    hour: np.ndarray
    shifted: Array
    shift: Array
    transition: Transition


def hour_of(state: int, n: int) -> tuple[int, int]:
    """Return the hour of a state, and how many steps have been shifted into the hours before."""
    hour = 0
    while state > 2 * n * hour:
        state -= 2 * n * hour + 1
        hour += 1
    return hour, state - n * hour


def day(hours: int, n: int, step: float) -> Day:
    """Return a day of so many hours, with shifts of up to n steps."""
    hour = np.repeat(np.arange(hours), 2 * n * np.arange(hours) + 1)
    first = np.append(0, np.cumsum(2 * n * np.arange(hours) + 1))
    units = np.arange(len(hour)) - first[hour] - n * hour
    last = hour == hours - 1
    moves = np.arange(-n, n + 1)
    shift = np.where(last[:, None], -units[:, None], moves)
    landing = np.where(
        last[:, None],
        np.arange(len(hour))[:, None],
        first[np.minimum(hour + 1, hours - 1)][:, None] + n * (hour + 1)[:, None] + units[:, None] + moves,
    )
    transition = Transition.from_lists(landing[:, None, :, None], np.ones((len(hour), 1, len(moves), 1)))
    return Day(hour, step * units, step * shift, transition)
