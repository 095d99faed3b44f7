"""Random search: try commitments at random, some near the best so far, and keep the best."""

from __future__ import annotations

from dataclasses import dataclass

from stackelberg_envs.arrays import Array

from ..options import Options, Positive, Probability, Start
from ..state import stateful
from .base import register_leader
from .black_box import BlackBoxLeader

__all__ = ["RandomSearch", "RandomSearchConfig"]


@dataclass(frozen=True)
class RandomSearchConfig(Options):
    """Hyperparameters of random search.

    Attributes
    ----------
    scale
        Standard deviation of theta where a candidate is drawn from everywhere, in units of the parametrisation.
    step
        Standard deviation of the move away from the best where a candidate is drawn near it, in the same units.
    local
        Probability that a candidate is drawn near the best.
    start
        The first candidate: "zeros", "random" (standard normal), or an array of the parametrisation's size.
    """

    scale: Positive = 1.0
    step: Positive = 0.3
    local: Probability = 0.5
    start: Start = "zeros"


@register_leader("random_search")
class RandomSearch(BlackBoxLeader):
    """Random commitments, half of them near the best.

    Every other search should do better than this one.
    """

    Config = RandomSearchConfig
    state_fields = stateful.fields()

    def following(self, value: float) -> tuple[Array, dict[str, float]]:
        """Draw the next candidate."""
        del value
        near = self.rng.random() < self.config.local
        draw = self.unit * self.rng.standard_normal(self.theta.size)
        moved = self.best_theta + self.config.step * draw if near else self.config.scale * draw
        return self.brief.parametrisation.retract(moved), {}
