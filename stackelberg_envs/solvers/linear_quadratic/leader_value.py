"""The leader's value of a closed loop, by the kind of its reward, and its derivative.

A :class:`~stackelberg_envs.games.linear_forms.QuadraticReward` is summed over endless play, by one discounted Lyapunov
equation; a :class:`~stackelberg_envs.games.linear_forms.BumpReward` over the horizon, by the moments of the states. A
new kind of reward registers its class with :func:`evaluate`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, singledispatch
from typing import Protocol

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import GameError
from stackelberg_envs.games.linear_forms import BumpReward, LeaderReward, LinearNumbers, LinearProblem, QuadraticReward
from stackelberg_envs.solvers.linear_quadratic import small_matrices
from stackelberg_envs.solvers.linear_quadratic.closed_loop import (
    ClosedLoop,
    LoopGradient,
    discounted_steps,
    discounted_sum,
    second_moment,
    state_moments,
)

__all__ = [
    "LeaderValue",
    "bump_gradient",
    "bump_rewards",
    "bump_value",
    "episode_value",
    "evaluate",
    "quadratic_gradient",
    "quadratic_value",
]


class LeaderValue(Protocol):
    """What the leader's reward is worth in a closed loop, the price of x left out."""

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
def evaluate(reward: LeaderReward, problem: LinearProblem, loop: ClosedLoop) -> LeaderValue:
    """Return what the leader's reward is worth in a closed loop; ``evaluate.register(kind)`` adds kinds of reward."""
    raise GameError(f"reward: expected a BumpReward or a QuadraticReward, got {type(reward).__name__}")


@dataclass(frozen=True, eq=False)
class QuadraticValue:
    """Of a quadratic reward, over endless play."""

    reward: QuadraticReward
    problem: LinearProblem
    loop: ClosedLoop

    @property
    def value(self) -> float:
        return quadratic_value(self.loop, self.problem.numbers, *self._costs, self.problem.leader_discount)

    @cached_property
    def by_loop(self) -> LoopGradient:
        return quadratic_gradient(self.loop, self.problem.numbers, *self._costs, self.problem.leader_discount)

    @property
    def steps(self) -> float:
        return 1.0 / (1.0 - self.problem.leader_discount)

    @property
    def episode(self) -> float:
        problem = self.problem
        return episode_value(self.loop, problem.numbers, *self._costs, problem.leader_discount, problem.horizon)

    @property
    def _costs(self) -> tuple[Array, Array]:
        return self.reward.state_cost, self.reward.action_cost


@dataclass(frozen=True, eq=False)
class BumpValue:
    """Of a bump, over the horizon."""

    reward: BumpReward
    problem: LinearProblem
    loop: ClosedLoop

    @property
    def value(self) -> float:
        return bump_value(self.loop, self.problem.numbers, self.reward, *self._weights)

    @cached_property
    def by_loop(self) -> LoopGradient:
        return bump_gradient(self.loop, self.problem.numbers, self.reward, *self._weights)

    @property
    def steps(self) -> float:
        return discounted_steps(*self._weights)

    @property
    def episode(self) -> float:
        return self.value

    @property
    def _weights(self) -> tuple[float, int]:
        return self.problem.leader_discount, self.problem.horizon


evaluate.register(QuadraticReward, QuadraticValue)
evaluate.register(BumpReward, BumpValue)


# --- quadratic rewards ------------------------------------------------------------------------------------


def quadratic_value(
    loop: ClosedLoop, numbers: LinearNumbers, state_cost: Array, action_cost: Array, discount: float
) -> float:
    """Return the leader's value of -(s'Q s + b'R b) over infinite play: one discounted Lyapunov equation.

    Raises
    ------
    InstabilityError
        The closed loop has no finite value at this discount.
    """
    ahead = _leader_cost_to_go(loop, state_cost, action_cost, discount)
    tail = discount * np.sum(ahead * loop.noise) + np.sum(action_cost * loop.action_noise)
    return float(-np.sum(ahead * second_moment(numbers)) - tail / (1 - discount))


def _leader_cost_to_go(loop: ClosedLoop, state_cost: Array, action_cost: Array, discount: float) -> Array:
    cost = state_cost + loop.feedback.T @ action_cost @ loop.feedback
    return discounted_sum(loop.transition.T, cost, discount)


def quadratic_gradient(
    loop: ClosedLoop, numbers: LinearNumbers, state_cost: Array, action_cost: Array, discount: float
) -> LoopGradient:
    """Return the derivative of :func:`quadratic_value`: the adjoint Lyapunov equation sums the second moments."""
    ahead = _leader_cost_to_go(loop, state_cost, action_cost, discount)
    ratio = discount / (1 - discount)
    moments = discounted_sum(loop.transition, second_moment(numbers) + ratio * loop.noise, discount)
    return LoopGradient(
        transition=-2 * discount * ahead @ loop.transition @ moments,
        noise=-ratio * ahead,
        feedback=-2 * action_cost @ loop.feedback @ moments,
        action_noise=-action_cost / (1 - discount),
    )


def episode_value(
    loop: ClosedLoop, numbers: LinearNumbers, state_cost: Array, action_cost: Array, discount: float, horizon: int
) -> float:
    """Return the value of -(s'Q s + b'R b) over T steps, by propagating mean and covariance of the state."""
    means, covariances = state_moments(loop, numbers, horizon)
    cost = state_cost + loop.feedback.T @ action_cost @ loop.feedback
    paid = np.einsum("ti,ij,tj->t", means, cost, means) + np.einsum("tij,ji->t", covariances, cost)
    return -float(discount ** np.arange(horizon) @ (paid + np.sum(action_cost * loop.action_noise)))


# --- bumps ------------------------------------------------------------------------------------------------


def bump_value(loop: ClosedLoop, numbers: LinearNumbers, reward: BumpReward, discount: float, horizon: int) -> float:
    """Return the leader's value of a bump over T steps, by propagating mean and covariance of the state."""
    expected = bump_rewards(*state_moments(loop, numbers, horizon), reward)[0]
    return float(discount ** np.arange(horizon) @ expected)


def bump_gradient(
    loop: ClosedLoop, numbers: LinearNumbers, reward: BumpReward, discount: float, horizon: int
) -> LoopGradient:
    """Return the derivative of :func:`bump_value`, by the adjoint of the propagation, backwards in time."""
    F = loop.transition
    means, covariances = state_moments(loop, numbers, horizon)
    _, mean, covariance = bump_rewards(means, covariances, reward)
    weight = discount ** np.arange(horizon)
    mean, covariance = mean * weight[:, None], covariance * weight[:, None, None]
    step, reach = F, 1
    # After a round, the entry of step t holds what reaches it from the steps t..t+2*reach-1.
    while reach < horizon:
        later = mean[reach:] @ step, step.T @ covariance[reach:] @ step
        mean[:-reach] += later[0]
        covariance[:-reach] += later[1]
        step, reach = step @ step, 2 * reach
    transition = mean[1:].T @ means[:-1] + 2 * (covariance[1:] @ F @ covariances[:-1]).sum(axis=0)
    nothing = np.zeros_like(loop.feedback), np.zeros_like(loop.action_noise)
    return LoopGradient(transition, covariance[1:].sum(axis=0), *nothing)


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
    if small_matrices.is_extended(covariances):
        wider = np.eye(covariances.shape[1]) + covariances
        logs = [small_matrices.log_determinant(one) for one in wider]
        return np.stack([small_matrices.inverse(one) for one in wider]), np.array(logs)
    spread, axes = np.linalg.eigh(covariances)
    spread = 1.0 + np.maximum(spread, 0.0)
    return (axes / spread[:, None, :]) @ axes.transpose(0, 2, 1), np.log(spread).sum(axis=1)
