"""Exact: the soft best response of any game whose exact solution is known. It learns nothing and keeps nothing.

In linear-quadratic games it is also called `maxent_lqr`. There it is the maximum-entropy linear-quadratic regulator,
which sees the leader's action a before it acts: b ~ N(-L (A s + C a), (temperature / 2) S^-1), by a Riccati equation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Any

import numpy as np
from msgspec import Meta

from stackelberg_envs.solvers.solving import solve

from ..options import MOST, Positive
from ..state import stateful
from .base import FollowerConfig, FollowerView, RestartingFollower, register_follower

__all__ = ["Exact", "TaxGrid", "TaxGridConfig"]


@register_follower("maxent_lqr")
@register_follower("exact")
class Exact(RestartingFollower):
    """Exact soft best response, where it is known.

    It plays the soft best response that ``stackelberg_envs.solve`` finds.

    Attributes
    ----------
    solution
        Everything exact about the commitment responded to.
    solver_options
        Options for the game's solver; by default none.
    """

    solver_options: Mapping[str, Any] = MappingProxyType({})
    kinds = frozenset({"tabular", "vector"})
    serves = frozenset({"feasible actions", "discount 1"})
    # The response follows from the next commitment.
    state_fields = stateful.fields()

    def begin(self, view: FollowerView) -> None:
        """Nothing is kept from one commitment to the next."""

    def adapt(self, view: FollowerView) -> int:
        """Solve; no environment step is taken.

        Raises
        ------
        ArgumentError
            No exact solution of the game is known, or its solver knows no such options.
        InstabilityError
            The commitment leaves the follower without a finite response.
        """
        self.solution = solve(view.game, view.commitment, **self.solver_options)
        self.policy = self.solution.policy
        return 0


@dataclass(frozen=True)
class TaxGridConfig(FollowerConfig):
    """Options of the households' exact response.

    Attributes
    ----------
    nodes
        Quadrature nodes per panel of the grid of assets; None takes the game's.
    tolerance
        Bound on the error, on the grid, of the probability of every group of actions.
    """

    nodes: Annotated[int, Meta(ge=2, le=MOST)] | None = None
    tolerance: Positive = 1e-8


@register_follower("tax_grid")
class TaxGrid(Exact):
    """Exact response in tax design, on a grid of assets.

    It plays the exact response of the households of tax design: the Gibbs policy of soft values, which are computed on
    a grid of assets. It plays at any assets, not only at those of the grid.
    """

    Config = TaxGridConfig
    kinds = frozenset({"vector"})
    state_fields = stateful.fields()

    def __init__(self, config: Any, rng: np.random.Generator) -> None:
        super().__init__(config, rng)
        self.solver_options = {"nodes": config.nodes, "tolerance": config.tolerance}
