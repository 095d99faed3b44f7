"""The exact solution of a linear-quadratic game, the true one or an identified one, under one commitment."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import ArgumentError
from stackelberg_envs.games.linear_forms import LinearGaussianPolicy, LinearProblem, LinearQuadratic
from stackelberg_envs.solvers.linear_quadratic import small_matrices
from stackelberg_envs.solvers.linear_quadratic.closed_loop import ClosedLoop, closed_loop, discounted_steps
from stackelberg_envs.solvers.linear_quadratic.derivative import direct_gradient, response_gradient
from stackelberg_envs.solvers.linear_quadratic.loop_value import LoopValue, QuadraticValue, evaluate
from stackelberg_envs.solvers.linear_quadratic.riccati import LinearBestResponse, follower_value, linear_best_response
from stackelberg_envs.solvers.solution import EpisodeValues, Solution

if TYPE_CHECKING:
    from stackelberg_envs.games.linear_quadratic import LinearQuadraticGame

__all__ = ["LinearSolution", "solve_linear", "solve_problem"]


POLICY_PARTS = ("on_state", "on_action", "covariance")
#: Of long doubles beside that of floats: what their own errors add, with much to spare.
ALLOWANCE = 1.01


@dataclass(frozen=True, eq=False, repr=False)
class LinearSolution(Solution):
    """Everything exact about one commitment to a linear-quadratic game; clipping of states is ignored.

    The leader's value counts the horizon where its reward is a bump, else endless play, as the follower's does. Errors
    are found by solving again in long doubles, which are 2,000 times finer than floats; a machine that has none raises
    an :class:`~stackelberg_envs.errors.ArgumentError`.

    Attributes
    ----------
    problem
        The game.
    x
        The commitment.
    parts, best, loop
        The game under x, the follower's soft best response, and the closed loop.
    """

    problem: LinearProblem
    x: Array
    parts: LinearQuadratic
    best: LinearBestResponse
    loop: ClosedLoop

    @property
    def policy(self) -> LinearGaussianPolicy:
        """The follower's soft best response."""
        return self.best.policy

    @cached_property
    def leader_value(self) -> float:
        """J(x), reward units."""
        return self._leader.value - self._price_of(self._leader.steps)

    @property
    def follower_value(self) -> float:
        """The follower's value at the initial distribution, entropy bonus included, over endless play."""
        return follower_value(self.parts, self.best)

    @property
    def follower_reward_value(self) -> float:
        """The follower's discounted reward alone, without entropy bonus, over endless play."""
        return self._follower.value

    @cached_property
    def episode(self) -> EpisodeValues:
        """What an episode is worth as it is played, cut at the game's horizon; clipping of states is ignored."""
        problem, horizon, plain = self.problem, self.problem.horizon, self._follower.episode
        counted = discounted_steps(problem.follower_discount, horizon)
        bonus = problem.temperature * _gaussian_entropy(self.policy.covariance) * counted
        price = self._price_of(discounted_steps(problem.leader_discount, horizon))
        return EpisodeValues(horizon, self._leader.episode - price, plain + bonus, plain)

    @cached_property
    def direct_gradient(self) -> Array:
        """dJ/dx with the response held fixed, the shape of x."""
        pulled = self._pull_back(direct_gradient(self.parts, self.policy, self._leader.by_loop))
        return pulled - 2 * self._leader.steps * self.problem.form.price * self.x

    @cached_property
    def response_gradient(self) -> Array:
        """The part of dJ/dx that goes through the response, the shape of x."""
        return self._pull_back(response_gradient(self.parts, self.best, self._leader.by_loop))

    @property
    def leader_value_error(self) -> float:
        """Bound on the error of `leader_value`, reward units."""
        return _error(self.leader_value, self._extended.leader_value)

    @property
    def follower_value_error(self) -> float:
        """Bound on the error of `follower_value`, reward units."""
        return _error(self.follower_value, self._extended.follower_value)

    @property
    def policy_error(self) -> float:
        """Bound on the error of every number in the response: its gains and its covariance."""
        mine, finer = self.policy, self._extended.policy
        return max(_error(getattr(mine, name), getattr(finer, name)) for name in POLICY_PARTS)

    @property
    def gradient_error(self) -> float:
        """Bound on the error of every entry of `gradient`."""
        return _error(self.gradient, self._extended.gradient)

    @cached_property
    def _extended(self) -> LinearSolution:
        return solve_problem(*in_long_doubles(self.problem, self.x))

    @cached_property
    def _leader(self) -> LoopValue:
        return evaluate(self.problem.reward, self.problem, self.loop)

    @cached_property
    def _follower(self) -> QuadraticValue:
        problem, numbers = self.problem, self.problem.numbers
        costs = numbers.state_cost, numbers.action_cost
        return QuadraticValue(self.loop, numbers, *costs, problem.follower_discount, problem.horizon)

    def _price_of(self, steps: float) -> float:
        """Return what x costs the leader in so many steps."""
        return steps * self.problem.form.price * float(np.sum(self.x * self.x))

    def _pull_back(self, by_parts: tuple[Array, Array]) -> Array:
        return self.problem.form.pull_back(self.problem.numbers.weights, *by_parts).reshape(self.x.shape)


def solve_problem(problem: LinearProblem, x: Array) -> LinearSolution:
    """Solve a linear-quadratic game for one commitment; derivatives are computed on first use.

    Raises
    ------
    InstabilityError
        The follower cannot, or its best response does not, keep what is summed up finite.
    """
    parts = problem.under(x)
    best = linear_best_response(parts)
    return LinearSolution(problem, x, parts, best, closed_loop(parts, best.policy))


def solve_linear(game: LinearQuadraticGame, x: Array) -> LinearSolution:
    """Solve a game of this kind for one admissible commitment; see :func:`solve_problem`."""
    return solve_problem(game.problem, x)


def in_long_doubles(problem: LinearProblem, x: Array) -> tuple[LinearProblem, Array]:
    """Return the same game and commitment in NumPy's long doubles.

    Raises
    ------
    ArgumentError
        A machine whose long doubles are no longer than floats.
    """
    if np.finfo(np.longdouble).eps > 2.0**-60:
        raise ArgumentError("errors: expected a machine with long doubles of 64 bits or more, but they have 53 here")
    wide: Any = np.longdouble
    made = LinearProblem(
        form=_widen(problem.form),
        numbers=_widen(problem.numbers),
        reward=_widen(problem.reward),
        leader_discount=wide(problem.leader_discount),
        follower_discount=wide(problem.follower_discount),
        temperature=wide(problem.temperature),
        horizon=problem.horizon,
    )
    return made, x.astype(wide)


def _widen(checked: Any) -> Any:
    """Return a copy of a dataclass that was checked already, with its arrays in long doubles."""
    out = copy.copy(checked)
    for name, value in vars(checked).items():
        if isinstance(value, np.ndarray) and value.dtype == np.float64:
            object.__setattr__(out, name, value.astype(np.longdouble))
    return out


def _gaussian_entropy(covariance: Array) -> float:
    size, logdet = len(covariance), small_matrices.log_determinant(covariance)
    return float(0.5 * (size * np.log(2.0 * np.pi * np.e) + logdet))


def _error(mine: Array | float, finer: Array | float) -> float:
    apart = float(np.abs(np.asarray(mine) - np.asarray(finer)).max(initial=0.0))
    return float(ALLOWANCE * apart + np.finfo(np.float64).eps * np.abs(np.asarray(mine)).max(initial=0.0))
