"""How soon play ends in a counted game with discount 1.

The moves that were counted are moves of the game, so where play surely ends, it ends in what was counted too, once
every state that was met has been left. Before that, as when all episodes were cut, a counted game can hold play for
ever.
"""

from __future__ import annotations

from typing import NamedTuple

from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import GameError
from stackelberg_envs.games.ends import SureEnd, sure_end
from stackelberg_envs.games.transitions import Transition

__all__ = ["CountedEnd", "counted_end"]


class CountedEnd(NamedTuple):
    """What to reckon with in a counted game.

    Attributes
    ----------
    ends
        How soon play surely ends; None where it need not, or where nobody asked.
    discount
        Discounts are at most this: 1, or less where the sums over play would have no end.
    """

    ends: SureEnd | None
    discount: float


def counted_end(discount: float, transition: Transition, continuing: Array, steps: float) -> CountedEnd:
    """Return what to reckon with.

    Parameters
    ----------
    discount
        The larger one of the players'.
    transition
        Lists of shape (Z, A, B, N); rows of zeros lead nowhere.
    continuing
        0 where play ends, shape (Z,).
    steps
        How many were counted. Play that need not end is reckoned with as if it stopped after so many, in the mean.
    """
    if discount < 1.0:
        return CountedEnd(None, discount)
    leads = (transition.probabilities > 0).any(axis=3) & (continuing > 0)[:, None, None]
    try:
        return CountedEnd(sure_end([transition], leads, len(continuing)), discount)
    except GameError:
        return CountedEnd(None, 1.0 - 1.0 / max(steps, 2.0))
