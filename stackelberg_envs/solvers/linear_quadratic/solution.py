"""The exact solution of linear-quadratic games."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.games.linear_forms import LinearGaussianPolicy
from stackelberg_envs.games.linear_quadratic import LinearQuadraticGame
from stackelberg_envs.solvers.episode import EpisodeValues
from stackelberg_envs.solvers.linear_quadratic.riccati import LinearPlan, in_extended_precision, make_linear_plan
from stackelberg_envs.solvers.planned import PlannedSolution

__all__ = ["LinearSolution", "solve_linear"]


POLICY_PARTS = ("on_state", "on_action", "covariance")
#: Of long doubles beside that of floats: what their own errors add, with much to spare.
ALLOWANCE = 1.01


@dataclass(frozen=True, eq=False, repr=False)
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

    @property
    def leader_value_error(self) -> float:
        """Bound on the error of `leader_value`, reward units; see :attr:`value_error`."""
        return _error(self.leader_value, self._extended.leader_value)

    @property
    def follower_value_error(self) -> float:
        """Bound on the error of `follower_value`, reward units; see :attr:`value_error`."""
        return _error(self.follower_value, self._extended.follower_value)

    @property
    def value_error(self) -> float:
        """Bound on the errors of `leader_value` and `follower_value`, reward units.

        Found by solving again in long doubles, which are 2,000 times finer than floats.

        Raises
        ------
        ArgumentError
            A machine that has none.
        """
        return max(self.leader_value_error, self.follower_value_error)

    @property
    def policy_error(self) -> float:
        """Bound on the error of every number in the response: its gains and its covariance."""
        mine, finer = self.policy, self._extended.best.policy
        return max(_error(getattr(mine, name), getattr(finer, name)) for name in POLICY_PARTS)

    @property
    def gradient_error(self) -> float:
        """Bound on the error of every entry of `gradient`."""
        return _error(self.gradient, self._extended.gradient)

    @cached_property
    def _extended(self) -> LinearPlan:
        return in_extended_precision(self.plan)

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


def _error(mine: Array | float, finer: Array | float) -> float:
    apart = float(np.abs(np.asarray(mine) - np.asarray(finer)).max(initial=0.0))
    return float(ALLOWANCE * apart + np.finfo(np.float64).eps * np.abs(np.asarray(mine)).max(initial=0.0))
