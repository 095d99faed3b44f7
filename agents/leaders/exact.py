"""Exact: L-BFGS on the exact hypergradient of the game itself. Declared MODEL: the yardstick for all others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import minimize

from agents.brief import Brief, Information
from agents.leaders.base import GradientConfig, Leader, register_leader, starting_point
from agents.trajectories import Trajectories
from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import InformationError
from stackelberg_envs.oracles import solve

__all__ = ["Exact", "ExactConfig"]


@dataclass(frozen=True)
class ExactConfig(GradientConfig):
    """Hyperparameters of the exact leader; only ``start`` of the common ones matters.

    Attributes
    ----------
    iterations
        Largest number of L-BFGS iterations.
    tolerance
        Stop when no entry of dJ/dtheta is larger.
    """

    iterations: int = 500
    tolerance: float = 1e-9


@register_leader("exact")
class Exact(Leader):
    """Solves the game inside itself, then commits to one L-BFGS iterate after the other."""

    information = Information.MODEL
    Config = ExactConfig

    def __init__(self, brief: Brief, config: Any, rng: np.random.Generator) -> None:
        super().__init__(brief, config, rng)
        if brief.model is None:
            raise InformationError("exact: expected the game itself (level MODEL), got a brief without it")
        self._warm: Array | None = None
        self._iterates = [starting_point(config.start, brief.parametrisation.size, rng)]
        minimize(
            self._negative_value,
            self._iterates[0],
            jac=True,
            method="L-BFGS-B",
            callback=lambda theta: self._iterates.append(np.array(theta)),
            options={"maxiter": config.iterations, "gtol": config.tolerance, "ftol": 0.0},
        )
        self._position = 0

    @property
    def theta(self) -> Array:
        """The present iterate."""
        return self._iterates[min(self._position, len(self._iterates) - 1)]

    def commit(self) -> Array:
        """Return the present iterate's commitment; after the last one, that."""
        return self.brief.parametrisation(self.theta)

    def update(self, trajectories: Trajectories) -> dict[str, float]:
        """Move on to the next iterate; the trajectories are not looked at."""
        del trajectories
        self._position += 1
        return {"iterations": float(len(self._iterates) - 1)}

    def _negative_value(self, theta: Array) -> tuple[float, Array]:
        x = self.brief.parametrisation(theta)
        solution = solve(self.brief.model, x, start=self._warm)
        self._warm = solution.best.state_values
        return -solution.leader_value, -self.brief.parametrisation.vjp(theta, solution.gradient)
