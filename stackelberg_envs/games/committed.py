"""A game under a commitment: made once by ``game.under(x)``, and handed to whoever learns, plays or judges."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import ArgumentError
from stackelberg_envs.games.primitives import Primitives
from stackelberg_envs.games.tabular_checks import checked_effect, require_follower_scale, require_scale

if TYPE_CHECKING:
    from stackelberg_envs.games.tabular import TabularGame
    from stackelberg_envs.games.vector import AnyGame, VectorGame

__all__ = ["Committed", "CommittedTabular", "CommittedVector"]


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


@dataclass(frozen=True, eq=False)
class CommittedTabular(Committed):
    """A tabular game under a commitment; its arrays are made when they are first asked for, and kept."""

    game: TabularGame

    def from_every_state(self) -> CommittedTabular:
        """Return the same where play begins in any state, all as likely."""
        S = self.game.shape[0]
        return replace(self, game=self.game.replace(initial=np.full(S, 1.0 / S)))

    @cached_property
    def primitives(self) -> Primitives:
        """The game's arrays under the commitment: planners read them, learners sample from them.

        Raises
        ------
        GameError
            What the commitment changes does not fit the game, or has no finite values.
        """
        game, base, commitment = self.game, self.game.uncommitted, self.game.commitment
        effect = commitment.effect(self.commitment)
        if not commitment.always_fits:  # the game has looked at one effect when it was made
            effect = checked_effect(effect, game)
        K, S, A, B = game.num_contexts, *game.shape
        changed: dict[str, Any] = {}
        if effect.leader_policy is not None:
            changed["leader_policy"] = np.tile(effect.leader_policy, (K, 1)) if K > 1 else effect.leader_policy
        if effect.follower_reward is not None:
            own = base.follower_reward.reshape(K, S, A, B) + effect.follower_reward
            require_follower_scale(own, game, "commitment: the follower_reward under it")
            changed["follower_reward"] = own.reshape(K * S, A, B)
        if effect.leader_reward is not None:
            own = base.leader_reward.reshape(K, S, A, B) + effect.leader_reward
            require_scale(own, game.leader_discount, game.temperature, "commitment: the leader_reward under it")
            changed["leader_reward"] = own.reshape(K * S, A, B)
        if effect.transition is not None:
            changed["transition"] = effect.transition.joint(K)
            if game.believed_transition is None:
                changed["believed_transition"] = changed["transition"]
        return replace(base, **changed)
