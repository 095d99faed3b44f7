"""The exact solution of linear-quadratic games."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from stackelberg_envs.arrays import Array
from stackelberg_envs.linear_forms import LinearGaussianPolicy
from stackelberg_envs.linear_quadratic import LinearQuadraticGame
from stackelberg_envs.oracles.episode import EpisodeValues
from stackelberg_envs.oracles.planned import PlannedSolution
from stackelberg_envs.planning.lqr import LinearPlan, make_linear_plan

__all__ = ["LinearSolution", "solve_linear"]


@dataclass(frozen=True, eq=False)
class LinearSolution(PlannedSolution[LinearPlan]):
    """Everything exact about one commitment to a linear-quadratic game; clipping of states is ignored.

    The leader's value counts the horizon where its reward is a bump, else infinite play, as the follower's does.
    """

    @property
    def policy(self) -> LinearGaussianPolicy:
        """The follower's soft best response."""
        return self.plan.best.policy

    @property
    def response(self) -> LinearGaussianPolicy:
        """The follower's soft best response: another name of `policy`, the one that solutions of all games know."""
        return self.policy

    @cached_property
    def episode(self) -> EpisodeValues:
        """What an episode is worth as it is played, cut at the game's horizon; clipping of states is ignored."""
        return EpisodeValues(self.plan.horizon, *self.plan.episode_values)


def solve_linear(game: LinearQuadraticGame, x: Array) -> LinearSolution:
    """Solve a linear-quadratic game exactly for one admissible commitment.

    Raises
    ------
    InstabilityError
        The follower cannot keep its discounted cost finite, or the leader's is infinite.
    """
    plan = make_linear_plan(
        game.form,
        game.numbers,
        game.reward,
        x,
        leader_discount=game.leader_discount,
        follower_discount=game.follower_discount,
        temperature=game.temperature,
        horizon=game.horizon,
    )
    return LinearSolution(x, plan)
