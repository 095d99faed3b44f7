"""Random search: try commitments at random, some near the best so far, and keep the best."""

from __future__ import annotations

from dataclasses import dataclass

from agents.leaders.base import register_leader
from agents.leaders.black_box import BlackBoxLeader
from agents.options import Options, Positive, Probability, Start
from agents.state import stateful
from stackelberg_envs.arrays import Array

__all__ = ["RandomSearch", "RandomSearchConfig"]


@dataclass(frozen=True)
class RandomSearchConfig(Options):
    """Hyperparameters of random search.

    Attributes
    ----------
    scale
        Standard deviation of theta in draws from everywhere, in units of the parametrisation.
    step
        Standard deviation of the move in draws near the best, in the same units.
    local
        Probability of a draw near the best.
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

    It is the baseline that every search has to beat.
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
