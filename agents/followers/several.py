"""Several followers that learn at the same time: some per game, some per context.

Both are followers themselves, so that the outer loop need not know how many there are. Each of the followers they
are made of has its own random numbers, learns in its own copy of the decision process, and never meets another.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import singledispatch
from typing import Any

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import ArgumentError
from stackelberg_envs.games.contexts import one_context
from stackelberg_envs.games.markov import MarkovGame
from stackelberg_envs.games.tabular import TabularGame
from stackelberg_envs.games.vector import AnyGame

from ..state import stateful
from .base import Follower, FollowerView, require_tabular

__all__ = ["PerContext", "Population", "learning_apart", "make_follower"]


class _Several(Follower):
    """A follower that is made of several.

    Parameters
    ----------
    members
        The followers.
    config
        The configuration they share.
    rng
        Where their random numbers come from.
    """

    state_fields = stateful.fields(members=stateful.Parts())

    def __init__(self, members: list[Follower], config: Any, rng: np.random.Generator) -> None:
        super().__init__(config, rng)
        self.members = members

    @property
    def learned(self) -> bool:
        """Whether all have a response."""
        return all(member.learned for member in self.members)

    @property
    def delay(self) -> int:
        """The longest delay of all."""
        return max(member.delay for member in self.members)

    def tables(self) -> dict[str, Array]:
        """Return what has to be finite of each, by its name and that of the follower."""
        return {
            f"{name} of follower {i}": table
            for i, member in enumerate(self.members)
            for name, table in member.tables().items()
        }


class PerContext(_Several):
    """One follower for each context: it sees the game of its context, and nothing of the others.

    Attributes
    ----------
    policy
        Their responses as one table over joint states, shape (Z, A, B).
    """

    state_fields = stateful.fields()

    def show(self, game: AnyGame) -> PerContext:
        """Say which game each will be shown: that of its context."""
        super().show(game)
        self._games = [one_context(require_tabular(game), k) for k in range(len(self.members))]
        for member, own in zip(self.members, self._games, strict=True):
            member.show(own)
        return self

    def learn(self, view: FollowerView) -> int:
        """Let each learn in its own context; return the number of environment steps of all."""
        if view.game is not self.game:
            self.show(view.game)
        steps = [
            member.learn(game.under(view.commitment)) for member, game in zip(self.members, self._games, strict=True)
        ]
        self.policy = np.concatenate([member.policy for member in self.members])
        return sum(steps)


class Population(_Several):
    """Several followers, each of which plays the whole game and responds in its own way.

    Attributes
    ----------
    players
        Those whose play is observed, each in episodes of its own: the members.
    policy
        The mean of their tables, shape (Z, A, B): what leaders that see the response see. Play is that of the members,
        and so are values; no follower plays the mean. Vector games have no tables, and then there is no such policy.
    """

    state_fields = stateful.fields()

    def show(self, game: AnyGame) -> Population:
        """Say which game all will be shown."""
        super().show(game)
        for member in self.members:
            member.show(game)
        return self

    @property
    def players(self) -> Sequence[Follower]:  # noqa: D102
        return self.members

    def learn(self, view: FollowerView) -> int:
        """Let each learn; return the number of environment steps of all."""
        steps = sum(member.learn(view) for member in self.members)
        tables = [member.policy for member in self.members]
        if all(isinstance(table, np.ndarray) for table in tables):
            self.policy = np.mean(tables, axis=0)
        return steps


def make_follower(kind: type[Follower], config: Any, rng: np.random.Generator, game: AnyGame) -> Follower:
    """Return what responds in a game: a follower, one per context if it is so configured, or several of either.

    Parameters
    ----------
    kind, config
        Class and configuration of each follower; ``config.per_context`` gives each context one of its own.
    rng
        A single follower uses it directly. If there are several, each gets a generator spawned from it.
    game
        :func:`learning_apart` says how many of them there are.

    Raises
    ------
    ArgumentError
        A follower per context in a game that is not tabular.
    """
    contexts = game.num_contexts if getattr(config, "per_context", False) else 1
    if contexts > 1 and not isinstance(game, TabularGame):
        raise ArgumentError(f"per_context: expected a tabular game, got {type(game).__name__}")

    def one(stream: np.random.Generator) -> Follower:
        if contexts == 1:
            return kind(config, stream)
        return PerContext([kind(config, own) for own in stream.spawn(contexts)], config, stream)

    apart = learning_apart(game)
    if apart == 1:
        return one(rng).show(game)
    return Population([one(stream) for stream in rng.spawn(apart)], config, rng).show(game)


@singledispatch
def learning_apart(game: Any) -> int:
    """Return how many followers play a game each in copies of its own; ``learning_apart.register`` adds kinds."""
    count: int = game.num_followers
    return count


@learning_apart.register
def _(game: MarkovGame) -> int:
    """Those that affect each other play one game together, and one object plays them all."""
    del game
    return 1
