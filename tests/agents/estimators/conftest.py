"""Exact values at recorded steps of linear-quadratic games, for tests: written down from the Riccati matrices."""

from __future__ import annotations

import numpy as np
import pytest

from agents.estimators import StepValues
from agents.observing.trajectories import Trajectories
from stackelberg_envs.arrays import Array
from stackelberg_envs.games.linear_quadratic import LinearQuadraticGame
from stackelberg_envs.solvers.linear_quadratic.riccati import discounted_sum
from stackelberg_envs.solvers.linear_quadratic.solution import bump_rewards


def _form(matrix: Array, left: Array, right: Array | None = None) -> Array:
    return np.einsum("ni,ij,nj->n", left, matrix, left if right is None else right)


class ExactValues:
    """A_L, Q_L, V_F and the two state values of one commitment."""

    def __init__(self, game: LinearQuadraticGame, x: Array) -> None:
        self.game, self.numbers = game, game.numbers
        solution = game.solve(x)
        self.solution, self.policy = solution, solution.policy

    def follower(self, seen: Trajectories) -> tuple[Array, Array]:
        """Return V_F(s, a) less its value at the leader's mean action, and Vbar_F(s') less that at the mean s'."""
        numbers, solution, P = self.numbers, self.solution, self.solution.best.cost_to_go
        B, gamma = numbers.follower_input, self.game.follower_discount
        S = numbers.action_cost + gamma * B.T @ P @ B
        ahead = gamma * P - gamma**2 * P @ B @ np.linalg.solve(S, B.T @ P)
        s, a = seen.state, seen.leader_action
        drift = s @ solution.parts.drift.T
        moved = drift + (a - s @ solution.parts.gain.T) @ numbers.leader_input.T
        return -_form(ahead, moved) + _form(ahead, drift), self._beyond_mean(P, seen)

    def _beyond_mean(self, P: Array, seen: Trajectories) -> Array:
        """Return -s''P s'' less its value at the mean of s'' given the step."""
        numbers = self.numbers
        inputs = seen.leader_action @ numbers.leader_input.T + seen.follower_action @ numbers.follower_input.T
        return -_form(P, seen.next_state) + _form(P, seen.state @ self.solution.parts.dynamics.T + inputs)

    def leader_quadratic(self, seen: Trajectories) -> tuple[Array, Array]:
        """Return A_L and Vbar_L(s') less that at the mean s', where costs are quadratic and the leader configures."""
        solution, reward, gamma = self.solution, self.game.reward, self.game.leader_discount
        F, cost = solution.loop.transition, reward.state_cost
        P = discounted_sum(F.T, cost + solution.loop.feedback.T @ reward.action_cost @ solution.loop.feedback, gamma)
        B, V = self.numbers.follower_input, self.policy.covariance
        mean = self.policy.mean(seen.state, seen.leader_action)
        off = seen.follower_action - mean
        reached = seen.state @ solution.parts.dynamics.T + mean @ B.T
        curvature = reward.action_cost + gamma * B.T @ P @ B
        slope = _form(reward.action_cost, mean, off) + gamma * _form(P @ B, reached, off)
        return -(2 * slope + _form(curvature, off) - np.trace(curvature @ V)), self._beyond_mean(P, seen)

    def leader_bump(self, seen: Trajectories, left: Array) -> tuple[Array, Array]:
        """Return A_L and Q_L(s, a) less its value at the leader's mean action; `left` steps count, this one included.

        The game has no noise but that of the players.
        """
        numbers, solution, gamma = self.numbers, self.solution, self.game.leader_discount
        B, C, V = numbers.follower_input, numbers.leader_input, self.policy.covariance
        s, a = seen.state, seen.leader_action
        mean = self.policy.mean(s, a)
        reached = s @ solution.parts.dynamics.T + a @ C.T + mean @ B.T
        own = B @ V @ B.T
        typical = s @ solution.loop.transition.T
        exact = self._ahead(seen.next_state, np.zeros_like(own), left - 1)
        averaged = self._ahead(reached, own, left - 1)
        return gamma * (exact - averaged), gamma * (averaged - self._ahead(typical, own, left - 1))

    def _ahead(self, means: Array, covariance: Array, left: Array) -> Array:
        """Return the discounted rewards of the next `left` steps from Gaussian states, shape (T,)."""
        loop, gamma, total = self.solution.loop, self.game.leader_discount, np.zeros(len(means))
        scale = 1.0
        for k in range(int(left.max(initial=0))):
            rows = left > k
            expected = bump_rewards(means[rows], np.broadcast_to(covariance, (rows.sum(), 2, 2)), self.game.reward)[0]
            total[rows] += scale * expected
            means, scale = means @ loop.transition.T, scale * gamma
            covariance = loop.transition @ covariance @ loop.transition.T + loop.noise
        return total

    def steps(self, seen: Trajectories, left: Array | None = None) -> StepValues:
        """Return all values at the steps; `left` where the leader's reward is a bump."""
        soft, soft_next = self.follower(seen)
        if left is None:
            advantage, leader_next = self.leader_quadratic(seen)
            return StepValues(advantage, np.zeros_like(advantage), soft, leader_next, soft_next)
        advantage, action = self.leader_bump(seen, left)
        return StepValues(advantage, action, soft, np.zeros_like(action), soft_next)


@pytest.fixture
def exact_values() -> type[ExactValues]:
    """Return the class: (game, x) -> exact values."""
    return ExactValues
