"""Exact responses of batched games: what the game's own solver returns.

A follower file of a particular solver registers a subclass with the games it can solve.
"""

from __future__ import annotations

from typing import Any

from agents.followers.base import FollowerView, RestartingFollower
from agents.state import stateful
from stackelberg_envs.errors import ArgumentError
from stackelberg_envs.games.batched import BatchedGame, SampledSolution

__all__ = ["ExactResponse"]


class ExactResponse(RestartingFollower):
    """A follower that plays the soft best response of the game's solver.

    Attributes
    ----------
    solution
        Everything exact about the commitment responded to.
    """

    kinds = frozenset({"batched"})
    # The response follows from the next commitment.
    state_fields = stateful.fields()
    solution: SampledSolution

    def begin(self, view: FollowerView) -> None:
        """Nothing is kept from one commitment to the next."""

    def adapt(self, view: FollowerView) -> int:
        """Solve; no environment step is taken.

        Raises
        ------
        InstabilityError
            The commitment leaves the follower without a finite response.
        """
        self.solution = self.solver(view)
        self.policy: Any = self.solution.policy
        return 0

    def solver(self, view: FollowerView) -> SampledSolution:
        """Return the solution under the commitment; subclasses may refuse games of another kind."""
        if not isinstance(view.game, BatchedGame):
            raise ArgumentError(f"follower: expected a batched game with an exact solution, got {view.game.name!r}")
        return view.game.solve(view.commitment)
