"""Tax grid: the exact response of the households of tax design, on a grid of assets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from agents.followers.base import FollowerConfig, FollowerView, register_follower
from agents.followers.exact_response import ExactResponse
from agents.options import MOST, Positive
from agents.state import stateful
from stackelberg_envs.envs.tax_design.solution import TaxSolution
from stackelberg_envs.envs.tax_design_v0 import TaxGame
from stackelberg_envs.errors import ArgumentError

__all__ = ["TaxGrid", "TaxGridConfig"]


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
class TaxGrid(ExactResponse):
    """Plays the Gibbs policy of the soft values on the grid, at any assets; it keeps nothing."""

    Config = TaxGridConfig
    state_fields = stateful.fields()

    def solver(self, view: FollowerView) -> TaxSolution:
        """Return the solution under the commitment.

        Raises
        ------
        ArgumentError
            The game is not tax design.
        """
        if not isinstance(view.game, TaxGame):
            raise ArgumentError(
                f"follower 'tax_grid': expected tax design, got {view.game.name!r}; it is exact in "
                "stackelberg/TaxDesign-v0"
            )
        return view.game.solve(view.commitment, nodes=self.config.nodes, tolerance=self.config.tolerance)
