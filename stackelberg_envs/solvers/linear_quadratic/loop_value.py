"""What a reward is worth in a closed loop, by the kind of the reward, and its derivative by the loop.

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

__all__ = ["BumpValue", "LoopValue", "QuadraticValue", "bump_rewards", "evaluate"]


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
        paid = np.einsum("ti,ij,tj->t", means, self._cost, means) + np.einsum("tij,ji->t", covariances, self._cost)
        noise = np.sum(self.action_cost * self.loop.action_noise)
        return -float(self.discount ** np.arange(self.horizon) @ (paid + noise))

    @property
    def _cost(self) -> Array:
        feedback = self.loop.feedback
        return self.state_cost + feedback.T @ self.action_cost @ feedback

    @cached_property
    def _ahead(self) -> Array:
        """The cost-to-go, shape (W, W)."""
        return discounted_sum(self.loop.transition.T, self._cost, self.discount)


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
    if small_matrices.is_extended(covariances):
        wider = np.eye(covariances.shape[1]) + covariances
        logs = [small_matrices.log_determinant(one) for one in wider]
        return np.stack([small_matrices.inverse(one) for one in wider]), np.array(logs)
    spread, axes = np.linalg.eigh(covariances)
    spread = 1.0 + np.maximum(spread, 0.0)
    return (axes / spread[:, None, :]) @ axes.transpose(0, 2, 1), np.log(spread).sum(axis=1)
