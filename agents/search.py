"""Searching a model for the best commitment: exact gradients, temperature continuation, many starts.

The model is whatever returns :class:`~stackelberg_envs.primitives.Primitives` for a commitment: the game itself
for the `exact` leader, what was observed for `certainty_equivalent`. None of this costs follower steps.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.optimize import minimize

from agents.brief import Brief
from stackelberg_envs.arrays import Array
from stackelberg_envs.planning import make_plan
from stackelberg_envs.primitives import Primitives

__all__ = ["Found", "Objective", "SearchConfig", "ascend", "continue_down", "search", "vertices"]

#: Logits further than this below the largest have no gradient left; continuation lifts them back.
DEEPEST = 8.0
#: Kinds of vertex starts: one coordinate of theta that much above or below the others. Near a vertex there is
#: little gradient, further off the follower feels little; which of them works differs from game to game.
VERTEX_LOGITS = (4.0, 6.0, -4.0)


@dataclass(frozen=True)
class Found:
    """The end of an ascent: its value in the model, and its theta, shape (P,)."""

    value: float
    theta: Array


@dataclass(frozen=True)
class SearchConfig:
    """How hard to search.

    Attributes
    ----------
    random_starts
        Ascents from standard normal theta times `start_scale`, besides the starts that are given.
    continuation_starts
        How many of all starts are also followed down the temperature ladder.
    ladder
        Multiples of the true temperature, from the highest down; 1 follows by itself.
    vertex_starts
        How many vertices of the commitment set (one coordinate near its bound) are refined, of each kind the best.
    iterations
        Of L-BFGS, per ascent.
    start_scale
        Standard deviation of random starts.
    """

    random_starts: int = 4
    continuation_starts: int = 3
    ladder: tuple[float, ...] = (20.0, 8.0, 4.0, 2.5, 1.6, 1.25)
    vertex_starts: int = 4
    iterations: int = 100
    start_scale: float = 1.0


class Objective:
    """J and dJ/dtheta of a model, warm-started from the last call at each temperature.

    Parameters
    ----------
    brief
        For the commitment, the parametrisation and the shapes.
    primitives
        x -> the model under x.
    """

    def __init__(self, brief: Brief, primitives: Callable[[Array], Primitives]) -> None:
        self._brief = brief
        self._primitives = primitives
        self._warm: dict[float, Array] = {}
        self.evaluations = 0

    def __call__(self, theta: Array, scale: float = 1.0) -> tuple[float, Array]:
        """Return (J, dJ/dtheta) with the follower's temperature multiplied by `scale`."""
        brief = self._brief
        x = brief.parametrisation(theta)
        game = self._primitives(x)
        game = game if scale == 1.0 else replace(game, temperature=scale * game.temperature)
        plan = make_plan(game, start=self._warm.get(scale), tolerance=1e-9)
        self._warm[scale] = plan.best.state_values
        self.evaluations += 1
        changes = brief.commitment.changes
        cotangents = plan.direct(changes, brief.array_shape) + plan.through_response(changes, brief.array_shape)
        dx = brief.commitment.vjp(x, cotangents)
        return plan.leader.value, brief.parametrisation.vjp(theta, dx)


def ascend(
    objective: Objective,
    theta: Array,
    *,
    iterations: int,
    scale: float = 1.0,
    tolerance: float = 1e-9,
    visit: Callable[[Array], object] | None = None,
) -> Found:
    """L-BFGS from `theta`, shape (P,); `visit` is called with every iterate."""

    def negative(point: Array) -> tuple[float, Array]:
        value, gradient = objective(point, scale)
        return -value, -gradient

    def after(point: Array) -> None:
        if visit is not None:
            visit(np.array(point))

    options: Any = {"maxiter": iterations, "gtol": tolerance, "ftol": 0.0}
    # The stubs of SciPy do not know that a function may return its value and its gradient.
    solver: Any = minimize
    result = solver(negative, theta, jac=True, method="L-BFGS-B", callback=after, options=options)
    return Found(-float(result.fun), np.asarray(result.x))


def continue_down(objective: Objective, theta: Array, config: SearchConfig) -> Found:
    """Ascend at a high temperature first, then lower it rung by rung to the true one, keeping theta."""
    for scale in (*config.ladder, 1.0):
        lifted = np.maximum(theta, theta.max() - DEEPEST)
        found = ascend(objective, lifted, iterations=config.iterations, scale=scale)
        theta = found.theta
    return found


def vertices(objective: Objective, size: int, count: int) -> list[Array]:
    """Return the `count` best vertex starts of each kind, each of shape (P,)."""
    best: list[Array] = []
    for logit in VERTEX_LOGITS:
        ranked = sorted(logit * np.eye(size), key=lambda theta: -objective(theta)[0])
        best += ranked[:count]
    return best


def search(
    objective: Objective, size: int, config: SearchConfig, rng: np.random.Generator, given: list[Array]
) -> Found:
    """Return the best end of all ascents.

    Parameters
    ----------
    objective
        The model's J and gradient.
    size
        P, the size of theta.
    config
        How hard to search.
    rng
        For random starts.
    given
        Starts to try besides: the present theta, say; each of shape (P,).
    """
    starts = [*given, *(config.start_scale * rng.standard_normal(size) for _ in range(config.random_starts))]
    ends = [ascend(objective, theta, iterations=config.iterations) for theta in starts]
    ends += [continue_down(objective, theta, config) for theta in starts[: config.continuation_starts]]
    if config.vertex_starts:
        chosen = vertices(objective, size, config.vertex_starts)
        ends += [ascend(objective, theta, iterations=config.iterations) for theta in chosen]
    return max(ends, key=lambda end: end.value)
