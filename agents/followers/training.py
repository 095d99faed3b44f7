"""Training on request: what a leader that controls the follower's training may ask for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import InformationError
from stackelberg_envs.games.vector import AnyGame

from .base import Follower, TableFollower
from .soft_value_iteration import SoftValueIteration, SoftValueIterationConfig

__all__ = ["Trainer"]


@dataclass(frozen=True, eq=False)
class Trainer:
    """Trains a follower of the given kind from the start, for as many iterations as the leader asks for.

    Attributes
    ----------
    game
        The game.
    follower, config
        Class and options of the follower; an iteration is one sweep of a planner, one step of a learner.
    """

    game: AnyGame
    follower: type[Follower] = SoftValueIteration
    config: Any = field(default_factory=SoftValueIterationConfig)

    def __call__(self, x: Array, iterations: Sequence[int], rng: np.random.Generator) -> list[Array]:
        """Return the policies, each of shape (Z, A, B), after rising numbers of iterations under the commitment x.

        Raises
        ------
        InformationError
            The follower does not learn in iterations that could be counted.
        """
        twin = self.follower(self.config, rng)
        if not isinstance(twin, TableFollower):
            raise InformationError(
                "train: expected a follower that improves a table iteration by iteration (soft_value_iteration, "
                f"soft_q_learning, expected_sarsa), got {self.follower.name!r}"
            )
        return twin.iterates(self.game.under(x), iterations)
