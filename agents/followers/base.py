"""What a follower is: it learns its own best response in its own view of the game."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, TypeVar

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.games import Primitives, TabularGame

__all__ = ["FOLLOWERS", "Follower", "FollowerView", "register_follower"]

FOLLOWERS: dict[str, type[Follower]] = {}
Kind = TypeVar("Kind", bound="type[Follower]")


@dataclass(frozen=True, eq=False)
class FollowerView:
    """The decision process a follower faces once the leader has committed.

    Attributes
    ----------
    game
        The game.
    commitment
        The x in force; it has been checked.
    """

    game: TabularGame
    commitment: Array

    @cached_property
    def primitives(self) -> Primitives:
        """The game's arrays under the commitment: planners read them, learners sample from them."""
        return self.game.primitives(self.commitment)


class Follower(ABC):
    """A follower algorithm.

    Parameters
    ----------
    config
        Its hyperparameters, an instance of its ``Config``.
    rng
        Its own randomness.

    Attributes
    ----------
    policy
        The response g(b | z, a), shape (Z, A, B), after the first call of :meth:`learn`.
    """

    Config: ClassVar[type[Any]]
    policy: Array

    def __init__(self, config: Any, rng: np.random.Generator) -> None:
        self.config = config
        self.rng = rng

    @abstractmethod
    def learn(self, view: FollowerView) -> int:
        """Adapt to the commitment; return the number of environment steps this took (0 for planners)."""


def register_follower(name: str) -> Callable[[Kind], Kind]:
    """Class decorator: make a follower known by `name`."""

    def add(kind: Kind) -> Kind:
        FOLLOWERS[name] = kind
        return kind

    return add
