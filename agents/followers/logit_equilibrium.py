"""Logit equilibrium: the exact answer of followers that affect each other, to the leader and to each other.

It learns nothing. It follows the equilibrium from high temperatures each time, so that equal commitments are answered
alike, whatever was announced before.
"""

from __future__ import annotations

from typing import Any, cast

from stackelberg_envs.solvers.equilibrium.solution import solve_markov

from ..state import stateful
from .base import FollowerView, RestartingFollower, register_follower

__all__ = ["LogitEquilibrium"]


@register_follower("logit_equilibrium")
class LogitEquilibrium(RestartingFollower):
    """Exact logit equilibrium of all followers.

    They play the quantal response equilibrium that ``stackelberg_envs.solve`` finds: everybody's soft best response to
    what all others do.

    Attributes
    ----------
    policy
        Of all followers, shape (n, S, B).
    """

    kinds = frozenset({"markov"})
    state_fields = stateful.fields()

    def begin(self, view: FollowerView) -> None:
        """Nothing is kept from one commitment to the next."""

    def adapt(self, view: FollowerView) -> int:
        """Solve; no environment step is taken.

        Raises
        ------
        ConvergenceError
            No equilibrium was found; the message has the residual.
        """
        self.solution = solve_markov(cast("Any", view).game, view.commitment)
        self.policy = self.solution.policy
        return 0
