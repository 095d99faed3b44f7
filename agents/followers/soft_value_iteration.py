"""Exact soft best response, warm-started from the last commitment's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from agents.followers.base import Follower, FollowerView, register_follower
from stackelberg_envs.arrays import Array
from stackelberg_envs.oracles import soft_best_response

__all__ = ["SoftValueIteration", "SoftValueIterationConfig"]


@dataclass(frozen=True)
class SoftValueIterationConfig:
    """Options of the exact follower.

    Attributes
    ----------
    tolerance
        Bound on the error of its values, reward units.
    """

    tolerance: float = 1e-8


@register_follower("soft_value_iteration")
class SoftValueIteration(Follower):
    """Plans in the game as it believes it to be, to a stated tolerance."""

    Config = SoftValueIterationConfig

    def __init__(self, config: Any, rng: np.random.Generator) -> None:
        super().__init__(config, rng)
        self._state_values: Array | None = None

    def learn(self, view: FollowerView) -> int:
        """Solve for the soft best response."""
        best = soft_best_response(view.primitives, tolerance=self.config.tolerance, start=self._state_values)
        self._state_values, self.policy = best.state_values, best.policy
        return 0
