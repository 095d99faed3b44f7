"""Maximum-entropy linear-quadratic regulator: the exact response in linear-quadratic games."""

from __future__ import annotations

from agents.followers.base import FollowerView, register_follower
from agents.followers.exact_response import ExactResponse
from agents.state import stateful
from stackelberg_envs.errors import ArgumentError
from stackelberg_envs.games.linear_quadratic import LinearQuadraticGame
from stackelberg_envs.solvers.linear_quadratic.solution import LinearSolution

__all__ = ["MaxEntLqr"]


@register_follower("maxent_lqr")
class MaxEntLqr(ExactResponse):
    """Plays b ~ N(-L (A s + C a), (temperature / 2) S^-1), its soft best response by a Riccati equation.

    It sees the leader's action a before it acts.
    """

    state_fields = stateful.fields()

    def solver(self, view: FollowerView) -> LinearSolution:
        """Return the solution under the commitment.

        Raises
        ------
        ArgumentError
            The game is not linear-quadratic.
        InstabilityError
            No feedback keeps the follower's discounted cost finite.
        """
        if not isinstance(view.game, LinearQuadraticGame):
            raise ArgumentError(
                f"follower 'maxent_lqr': expected a linear-quadratic game, got {view.game.name!r}; "
                "it is exact in stackelberg/BilevelLqr-v0 and stackelberg/BuildingThermal-v0"
            )
        return view.game.solve(view.commitment)
