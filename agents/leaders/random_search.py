"""Random search: try commitments at random, some near the best so far, and keep the best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from agents.brief import Brief
from agents.leaders.base import register_leader
from agents.leaders.black_box import BlackBoxLeader
from stackelberg_envs.arrays import Array, require_positive
from stackelberg_envs.errors import ArgumentError

__all__ = ["RandomSearch", "RandomSearchConfig"]


@dataclass(frozen=True)
class RandomSearchConfig:
    """Hyperparameters of random search.

    Attributes
    ----------
    scale
        Standard deviation of theta in draws from everywhere.
    step
        Standard deviation of the move in draws near the best.
    local
        Probability of a draw near the best.
    start
        The first candidate: "zeros", "random" (standard normal), or an array of the parametrisation's size.
    """

    scale: float = 1.0
    step: float = 0.3
    local: float = 0.5
    start: str | list[float] = "zeros"


@register_leader("random_search")
class RandomSearch(BlackBoxLeader):
    """The baseline that every search has to beat."""

    Config = RandomSearchConfig

    def __init__(self, brief: Brief, config: Any, rng: np.random.Generator) -> None:
        super().__init__(brief, config, rng)
        require_positive(config.scale, "scale", ArgumentError)
        require_positive(config.step, "step", ArgumentError)
        if not 0.0 <= config.local <= 1.0:
            raise ArgumentError(f"local: expected a probability, got {config.local!r}")

    def following(self, value: float) -> tuple[Array, dict[str, float]]:
        """Draw the next candidate."""
        del value
        near = self.rng.random() < self.config.local
        draw = self.rng.standard_normal(self.theta.size)
        moved = self.best_theta + self.config.step * draw if near else self.config.scale * draw
        return self.brief.parametrisation.retract(moved), {}
