"""The exact solution of a linear-quadratic game, the true one or an identified one, under one commitment.

What a reward is worth in the closed loop goes by the kind of the reward. A
:class:`~stackelberg_envs.games.linear_forms.QuadraticReward` is summed over endless play, by one discounted Lyapunov
equation; a :class:`~stackelberg_envs.games.linear_forms.BumpReward` over the horizon, by the moments of the states. A
new kind of reward registers its class with :func:`evaluate`.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import cached_property, singledispatch
from typing import Any, Protocol

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import ArgumentError, GameError
from stackelberg_envs.games.linear_forms import (
    BumpReward,
    LeaderReward,
    LinearGaussianPolicy,
    LinearNumbers,
    LinearProblem,
    LinearQuadratic,
    QuadraticReward,
)
from stackelberg_envs.solvers.linear_quadratic.derivative import direct_gradient, response_gradient
from stackelberg_envs.solvers.linear_quadratic.riccati import (
    ClosedLoop,
    LinearBestResponse,
    LoopGradient,
    closed_loop,
    discounted_steps,
    discounted_sum,
    follower_value,
    linear_best_response,
    log_determinant,
    second_moment,
    solve,
    state_moments,
)
from stackelberg_envs.solvers.solution import EpisodeValues, Solution

__all__ = [
    "BumpValue",
    "LinearSolution",
    "LoopValue",
    "QuadraticValue",
    "bump_rewards",
    "evaluate",
    "solve_problem",
]


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
        found, price = self._leader, self.problem.form.price
        return found.value - found.steps * price * float(np.sum(self.x * self.x))

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
        steps = discounted_steps(problem.leader_discount, horizon)
        price = steps * problem.form.price * float(np.sum(self.x * self.x))
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
    size, logdet = len(covariance), log_determinant(covariance)
    return float(0.5 * (size * np.log(2.0 * np.pi * np.e) + logdet))


def _error(mine: Array | float, finer: Array | float) -> float:
    apart = float(np.abs(np.asarray(mine) - np.asarray(finer)).max(initial=0.0))
    return float(ALLOWANCE * apart + np.finfo(np.float64).eps * np.abs(np.asarray(mine)).max(initial=0.0))


# --- what a reward is worth -----------------------------------------------------------------------------


class LoopValue(Protocol):
    """What a reward is worth in a closed loop, the price of x left out."""

    @property
    def value(self) -> float:
        """Discounted, over the steps that count for this reward; reward units."""

    @property
    def by_loop(self) -> LoopGradient:
        """The derivative of `value`."""

    @property
    def steps(self) -> float:
        """Discounted number of steps that `value` counts."""

    @property
    def episode(self) -> float:
        """The same as `value`, of an episode cut at the horizon."""


@singledispatch
def evaluate(reward: LeaderReward, problem: LinearProblem, loop: ClosedLoop) -> LoopValue:
    """Return what the leader's reward is worth in a closed loop; ``evaluate.register(kind)`` adds kinds of reward."""
    raise GameError(f"reward: expected a BumpReward or a QuadraticReward, got {type(reward).__name__}")


@evaluate.register
def _(reward: QuadraticReward, problem: LinearProblem, loop: ClosedLoop) -> LoopValue:
    costs = reward.state_cost, reward.action_cost
    return QuadraticValue(loop, problem.numbers, *costs, problem.leader_discount, problem.horizon)


@evaluate.register
def _(reward: BumpReward, problem: LinearProblem, loop: ClosedLoop) -> LoopValue:
    return BumpValue(loop, problem.numbers, reward, problem.leader_discount, problem.horizon)


@dataclass(frozen=True, eq=False)
class QuadraticValue:
    """Of -(s'Q s + b'R b), over endless play: an InstabilityError where the sum has no limit.

    Attributes
    ----------
    loop, numbers
        The closed loop, and where it begins.
    state_cost, action_cost
        Q and R.
    discount, horizon
        Of the player, and of an episode.
    """

    loop: ClosedLoop
    numbers: LinearNumbers
    state_cost: Array
    action_cost: Array
    discount: float
    horizon: int

    @property
    def value(self) -> float:
        """By one discounted Lyapunov equation."""
        loop, discount = self.loop, self.discount
        tail = discount * np.sum(self._ahead * loop.noise) + np.sum(self.action_cost * loop.action_noise)
        return float(-np.sum(self._ahead * second_moment(self.numbers)) - tail / (1 - discount))

    @cached_property
    def by_loop(self) -> LoopGradient:
        """By the adjoint Lyapunov equation, which sums the second moments."""
        loop, discount = self.loop, self.discount
        ratio = discount / (1 - discount)
        moments = discounted_sum(loop.transition, second_moment(self.numbers) + ratio * loop.noise, discount)
        return LoopGradient(
            transition=-2 * discount * self._ahead @ loop.transition @ moments,
            noise=-ratio * self._ahead,
            feedback=-2 * self.action_cost @ loop.feedback @ moments,
            action_noise=-self.action_cost / (1 - discount),
        )

    @property
    def steps(self) -> float:
        """Of endless play."""
        return 1.0 / (1.0 - self.discount)

    @property
    def episode(self) -> float:
        """By propagating mean and covariance of the state."""
        means, covariances = state_moments(self.loop, self.numbers, self.horizon)
        H = self.loop.feedback
        cost = self.state_cost + H.T @ self.action_cost @ H
        paid = np.einsum("ti,ij,tj->t", means, cost, means) + np.einsum("tij,ji->t", covariances, cost)
        noise = np.sum(self.action_cost * self.loop.action_noise)
        return -float(self.discount ** np.arange(self.horizon) @ (paid + noise))

    @cached_property
    def _ahead(self) -> Array:
        """The cost-to-go, shape (W, W)."""
        H = self.loop.feedback
        cost = self.state_cost + H.T @ self.action_cost @ H
        return discounted_sum(self.loop.transition.T, cost, self.discount)


@dataclass(frozen=True, eq=False)
class BumpValue:
    """Of a bump over the horizon; attributes as of :class:`QuadraticValue`."""

    loop: ClosedLoop
    numbers: LinearNumbers
    reward: BumpReward
    discount: float
    horizon: int

    @property
    def value(self) -> float:
        """By propagating mean and covariance of the state."""
        expected = bump_rewards(*state_moments(self.loop, self.numbers, self.horizon), self.reward)[0]
        return float(self._weight @ expected)

    @cached_property
    def by_loop(self) -> LoopGradient:
        """By the adjoint of the propagation, backwards in time."""
        F = self.loop.transition
        means, covariances = state_moments(self.loop, self.numbers, self.horizon)
        _, mean, covariance = bump_rewards(means, covariances, self.reward)
        mean, covariance = mean * self._weight[:, None], covariance * self._weight[:, None, None]
        step, reach = F, 1
        # After a round, the entry of step t holds what reaches it from the steps t..t+2*reach-1.
        while reach < self.horizon:
            later = mean[reach:] @ step, step.T @ covariance[reach:] @ step
            mean[:-reach] += later[0]
            covariance[:-reach] += later[1]
            step, reach = step @ step, 2 * reach
        transition = mean[1:].T @ means[:-1] + 2 * (covariance[1:] @ F @ covariances[:-1]).sum(axis=0)
        nothing = np.zeros_like(self.loop.feedback), np.zeros_like(self.loop.action_noise)
        return LoopGradient(transition, covariance[1:].sum(axis=0), *nothing)

    @property
    def steps(self) -> float:
        """Up to the horizon."""
        return discounted_steps(self.discount, self.horizon)

    @property
    def episode(self) -> float:
        """The same as `value`."""
        return self.value

    @property
    def _weight(self) -> Array:
        return np.asarray(self.discount ** np.arange(self.horizon))


def bump_rewards(means: Array, covariances: Array, reward: BumpReward) -> tuple[Array, Array, Array]:
    """Return the expected rewards of Gaussian states, shape (T,), and their derivatives by mean and covariance.

    E exp(-1/2 (s - c)'D^-1 (s - c)) = |D|^1/2 |D + V|^-1/2 exp(-1/2 (m - c)'(D + V)^-1 (m - c)) for s ~ N(m, V). In
    units of the widths D is the identity, and what is inverted has no eigenvalue below one, however large V is.
    """
    width = reward.width
    inverse, log_spread = _widened(covariances / (width[:, None] * width))
    away = (means - reward.target) / width
    pull = np.einsum("tij,tj->ti", inverse, away)
    expected = np.exp(-0.5 * (pull * away).sum(axis=1) - 0.5 * log_spread)
    pull, inverse = pull / width, inverse / (width[:, None] * width)
    by_covariance = 0.5 * expected[:, None, None] * (pull[:, :, None] * pull[:, None, :] - inverse)
    return expected, -expected[:, None] * pull, by_covariance


def _widened(covariances: Array) -> tuple[Array, Array]:
    """Return the inverse of I + V, shape (T, W, W), and the logarithm of its determinant, shape (T,)."""
    if covariances.dtype != np.float64:
        wider = np.eye(covariances.shape[1]) + covariances
        logs = [log_determinant(one) for one in wider]
        return np.stack([solve(one, np.eye(len(one))) for one in wider]), np.array(logs)
    spread, axes = np.linalg.eigh(covariances)
    spread = 1.0 + np.maximum(spread, 0.0)
    return (axes / spread[:, None, :]) @ axes.transpose(0, 2, 1), np.log(spread).sum(axis=1)
