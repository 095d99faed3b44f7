"""A game under a commitment: made once by ``game.under(x)``, and handed to whoever learns, plays or judges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import ArgumentError
from stackelberg_envs.games.primitives import Primitives

if TYPE_CHECKING:
    from stackelberg_envs.games.vector import AnyGame, VectorGame

__all__ = ["Committed", "CommittedVector"]


@dataclass(frozen=True, eq=False)
class Committed:
    """The decision process that followers face once the leader has committed; ``game.under(x)`` makes it.

    Attributes
    ----------
    game
        The game.
    commitment
        The x in force; it has been checked.
    """

    game: AnyGame
    commitment: Array

    @property
    def primitives(self) -> Primitives:
        """The arrays of a tabular game under the commitment: planners read them, learners sample from them.

        Raises
        ------
        ArgumentError
            The game is not tabular.
        """
        raise ArgumentError(f"expected a tabular game, under a commitment by its under(x), got {self.game.name!r}")

    def from_every_state(self) -> Committed:
        """Return the same where play begins in any state, all as likely.

        Raises
        ------
        ArgumentError
            The game is not tabular.
        """
        raise ArgumentError(f"{self.game.name}: expected a tabular game for play from every state")


@dataclass(frozen=True, eq=False)
class CommittedVector(Committed):
    """A game whose states are vectors, under a commitment."""

    game: VectorGame
