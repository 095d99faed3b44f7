"""Several followers that learn at the same time: some per game, some per context.

Both are followers themselves, so that the outer loop need not know how many there are. Each of the followers they
are made of has its own random numbers, learns in its own copy of the decision process, and never meets another.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from agents.followers.base import Follower, FollowerView, require_tabular
from agents.state import stateful
from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import ArgumentError
from stackelberg_envs.games.batched import AnyGame
from stackelberg_envs.games.contexts import one_context
from stackelberg_envs.games.tabular import TabularGame

__all__ = ["PerContext", "Population", "make_follower", "members_of", "players_of"]


class PerContext(Follower):
    """One follower for each context: it sees the game of its context, and nothing of the others.

    Parameters
    ----------
    members
        The follower of each context, in order.
    config
        The configuration they share.
    rng
        Where their random numbers come from.

    Attributes
    ----------
    policy
        Their responses as one table over joint states, shape (Z, A, B).
    """

    state_fields = stateful.fields(members=stateful.Parts())

    def __init__(self, members: list[Follower], config: Any, rng: np.random.Generator) -> None:
        super().__init__(config, rng)
        self.members = members

    def learn(self, view: FollowerView) -> int:
        """Let each learn in its own context; return the number of environment steps of all."""
        steps = [
            member.learn(FollowerView(_in_context(require_tabular(view.game), k), view.commitment))
            for k, member in enumerate(self.members)
        ]
        self.policy: Array = np.concatenate([member.policy for member in self.members])
        return sum(steps)


class Population(Follower):
    """Several followers, each of which plays the whole game and responds in its own way.

    Parameters
    ----------
    members
        The followers.
    config
        The configuration they share.
    rng
        Where their random numbers come from.

    Attributes
    ----------
    players
        Those whose play is observed, each in episodes of its own: the members.
    policy
        The mean of their tables, shape (Z, A, B): what leaders that see the response see. Play is that of the members,
        and so are values; no follower plays the mean. Batched games have no tables, and then there is no such policy.
    """

    state_fields = stateful.fields(members=stateful.Parts())

    def __init__(self, members: list[Follower], config: Any, rng: np.random.Generator) -> None:
        super().__init__(config, rng)
        self.members = members

    @property
    def players(self) -> list[Follower]:  # noqa: D102
        return self.members

    def learn(self, view: FollowerView) -> int:
        """Let each learn; return the number of environment steps of all."""
        steps = sum(member.learn(view) for member in self.members)
        tables = [member.policy for member in self.members]
        if all(isinstance(table, np.ndarray) for table in tables):
            self.policy: Array = np.mean(tables, axis=0)
        return steps


def make_follower(kind: type[Follower], config: Any, rng: np.random.Generator, game: AnyGame) -> Follower:
    """Return what responds in a game: a follower, one per context if it is so configured, or several of either.

    Parameters
    ----------
    kind, config
        Class and configuration of each follower; ``config.per_context`` gives each context one of its own.
    rng
        A lone follower takes it as it is, several get streams spawned from it.
    game
        ``num_followers`` says how many there are.

    Raises
    ------
    ArgumentError
        A follower per context in a game that is not tabular.
    """
    contexts = game.num_contexts if getattr(config, "per_context", False) else 1
    if contexts > 1 and not isinstance(game, TabularGame):
        raise ArgumentError(f"per_context: expected a tabular game, got {type(game).__name__}")

    def shown(follower: Follower, what: AnyGame) -> Follower:
        follower.game = what
        return follower

    def one(stream: np.random.Generator) -> Follower:
        if contexts == 1:
            return shown(kind(config, stream), game)
        single = enumerate(stream.spawn(contexts))
        members = [shown(kind(config, own), _in_context(require_tabular(game), k)) for k, own in single]
        return shown(PerContext(members, config, stream), game)

    if game.num_followers == 1:
        return one(rng)
    return shown(Population([one(stream) for stream in rng.spawn(game.num_followers)], config, rng), game)


def players_of(follower: Follower) -> list[Follower]:
    """Return those whose play is observed: a population's members, or a lone follower."""
    return follower.players if isinstance(follower, Population) else [follower]


def members_of(follower: Follower) -> list[Follower]:
    """Return the followers something is made of; a lone follower is made of itself."""
    if not isinstance(follower, PerContext | Population):
        return [follower]
    return [part for member in follower.members for part in members_of(member)]


@lru_cache(maxsize=16)
def _in_context(game: TabularGame, k: int) -> TabularGame:
    return one_context(game, k)
