"""Climbing a model in the parameters theta of its commitment, by exact gradients.

The model is whatever returns :class:`~stackelberg_envs.games.primitives.Primitives` for a commitment: the game itself
for the `exact` leader. This costs no follower steps.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.games.primitives import Primitives

from ..learning.parametrisations import unit_of
from ..observing.brief import TabularBrief
from .search import Objective

__all__ = ["ThetaObjective"]

#: Bound on the error of the follower's values, in units of its temperature: what its policy depends on.
TOLERANCE = 1e-9


class ThetaObjective(Objective):
    """J and dJ/dtheta of a model, warm-started from the last call at each temperature.

    Parameters
    ----------
    brief
        For the commitment, the parametrisation and the shapes.
    primitives
        x -> the model under x.

    Attributes
    ----------
    unit
        Of theta, shape (P,): see :func:`agents.learning.parametrisations.unit_of`.
    steepest
        The largest entry of dJ/dtheta met so far, in these units.
    evaluations
        How often it was called.
    """

    unit: Array

    def __init__(self, brief: TabularBrief, primitives: Callable[[Array], Primitives]) -> None:
        self._brief = brief
        self._primitives = primitives
        self._warm: dict[float, Array] = {}
        self.unit = unit_of(brief.parametrisation)
        self.steepest = 0.0
        self.evaluations = 0

    def __call__(self, point: Array, scale: float = 1.0) -> tuple[float, Array]:
        """Return (J, dJ/dtheta) with the follower's temperature multiplied by `scale`."""
        brief = self._brief
        x = brief.parametrisation(point)
        game = self._primitives(x)
        game = game if scale == 1.0 else replace(game, temperature=scale * game.temperature)
        from stackelberg_envs.solvers.soft import solve_primitives  # only who plans loads solvers

        plan = solve_primitives(game, start=self._warm.get(scale), tolerance=TOLERANCE)
        self._warm[scale] = plan.best.state_values
        self.evaluations += 1
        changes = brief.commitment.changes
        cotangents = plan.direct(changes, brief.array_shape) + plan.through_response(changes, brief.array_shape)
        dx = brief.commitment.vjp(x, cotangents)
        gradient = brief.parametrisation.vjp(point, dx)
        self.steepest = max(self.steepest, float(np.abs(self.unit * gradient).max()))
        return plan.leader.value, gradient

    def reference(self, slope: Array) -> float:
        """Return the largest entry of dJ/dtheta met so far."""
        del slope
        return self.steepest
