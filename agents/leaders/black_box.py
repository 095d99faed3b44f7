"""Leaders that only try commitments: one candidate per leader update, judged by its observed value."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np

from stackelberg_envs.arrays import Array

from ..observing.brief import Brief, Information
from ..observing.trajectories import Trajectories
from ..state import stateful
from .base import PointLeader

__all__ = ["BlackBoxLeader"]


class BlackBoxLeader(PointLeader):
    """Announces one candidate after the other and recommends the one with the highest observed value.

    Each candidate costs one best response of the follower. Observed values are noisy, so the candidate with the highest
    one owes some of it to luck, and its true value is lower.

    Attributes
    ----------
    theta
        Of the last commitment.
    best_theta, best_value
        The best candidate so far and its observed value, reward units.
    """

    information = Information.ACTIONS_ONLY
    needs_response = False
    kinds = frozenset({"tabular", "vector", "environment", "markov"})
    serves = frozenset({"feasible actions", "discount 1"})
    state_fields = stateful.fields(best_theta=stateful.Array(), best_value=stateful.Number())

    def __init__(self, brief: Brief, config: Any, rng: np.random.Generator) -> None:
        super().__init__(brief, config, rng)
        self.best_theta, self.best_value = self.theta, -np.inf

    def recommend(self) -> Array:
        """Make the best candidate the present one and return its commitment."""
        self.theta = self.best_theta
        return self.brief.parametrisation(self.best_theta)

    def update(self, trajectories: Trajectories) -> dict[str, float]:
        """Judge the present candidate and choose the next."""
        self.observe_rewards(trajectories)
        value = self.observed_value(trajectories)
        if value > self.best_value:
            self.best_theta, self.best_value = self.theta, value
        theta, diagnostics = self.following(value)
        self.move_to(theta)
        return {"observed_value": value, "best_observed_value": self.best_value, **diagnostics}

    def observed_value(self, trajectories: Trajectories) -> float:
        """Return what play says of the commitment it was under; by default the mean return."""
        return trajectories.mean_return(self.brief.leader_discount)

    @abstractmethod
    def following(self, value: float) -> tuple[Array, dict[str, float]]:
        """Return the theta to try next, given the present one's value, and diagnostics."""
