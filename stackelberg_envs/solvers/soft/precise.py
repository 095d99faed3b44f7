"""The solution of a game in twice the precision of floats.

Numbers are pairs of floats (:mod:`stackelberg_envs.solvers.soft.precise_kernels`). Each linear system is solved by
refinement: the residual in twice the precision, the correction by the ordinary solver. So it does not matter which
solver that is, and the matrix itself, which near discount 1 is nearly singular, never has to be rounded.

What is left of each residual is kept, for the bounds of :mod:`stackelberg_envs.solvers.soft.precise_bounds`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import ConvergenceError
from stackelberg_envs.games.primitives import DecisionProcess, Primitives
from stackelberg_envs.games.transitions import Transition
from stackelberg_envs.solvers.soft.linear import Resolvent, next_values, resolvent
from stackelberg_envs.solvers.soft.precise_kernels import (
    UNIT,
    precise_backup,
    precise_flow,
    precise_next_values,
    precise_residual,
    precise_reward_flow,
    precise_transposed,
)

__all__ = ["Reference", "exact_dot", "power_of_two"]

#: Rounding of one float, relative.
ROUNDING = 2.0**-53
MAX_STEPS = 60
#: Of the residual of one correction, relative; several of them are made.
CORRECTION = 1e-8


def power_of_two(size: float) -> float:
    """Return the largest power of two up to `size`, or 1 for zero: to divide by it rounds nothing."""
    return math.ldexp(1.0, math.frexp(size)[1] - 1) if size > 0 else 1.0


def exact_dot(weights: Array, values: Array) -> float:
    """Return weights @ values for values in pairs, shape (2, n), rounded once."""
    scale = power_of_two(float(np.abs(values[0]).max(initial=0.0)))
    high, low = _halves(weights), _halves(values[0] / scale)
    # Products of halves fit into a float.
    parts = [one * other for one in high for other in low]
    return scale * math.fsum(np.concatenate([*parts, weights * (values[1] / scale)]).tolist())


def _halves(array: Array) -> tuple[Array, Array]:
    split = 134217729.0 * array
    high = split - (split - array)
    return high, array - high


@dataclass(frozen=True, eq=False)
class PreciseLeader:
    """The leader's values of the response and how often states are visited, in pairs, in units of the scaled game.

    Attributes
    ----------
    values, values_left
        Shape (2, Z), and a bound on the largest residual.
    occupancy, occupancy_left
        d, shape (2, Z), and a bound on its residuals, summed over states.
    """

    values: Array
    values_left: float
    occupancy: Array
    occupancy_left: float


@dataclass(frozen=True, eq=False)
class PreciseFlows:
    """The flows of the hypergradient, in pairs, in units of the scaled game.

    Attributes
    ----------
    q, w, reward_flow
        Q_L, the Boltzmann covariance and u, shape (2, Z, A, B).
    state_flow, left
        m, shape (2, Z), and a bound on its residuals, summed over states.
    """

    q: Array
    w: Array
    reward_flow: Array
    state_flow: Array
    left: float


class Reference:
    """A game under a commitment, solved in twice the precision.

    Parameters
    ----------
    game
        The game under a commitment: ``game.primitives(x)``.
    start
        State values near the solution, shape (Z,), in the game's units.

    Attributes
    ----------
    follower_unit, leader_unit
        Rewards of the two are divided by these powers of two inside.
    game
        The game in these units.
    values, q, soft_values, policy
        V_F, Q_F, V_F(s, a) and g in pairs: the first axis has length 2.
    left
        Bound on the largest residual of `values`.
    rounding
        Of one row of a backup, relative to the terms that are added up.
    system, follower_system
        The factorised I - discount P_pi of leader and follower, in floats.

    Raises
    ------
    ConvergenceError
        The values could not be refined so far that the policy is known.
    """

    def __init__(self, game: Primitives, start: Array) -> None:
        self.follower_unit = power_of_two(max(float(np.abs(game.follower_reward).max()), game.temperature))
        self.leader_unit = power_of_two(float(np.abs(game.leader_reward).max()))
        self.game = replace(
            game,
            follower_reward=game.follower_reward / self.follower_unit,
            temperature=game.temperature / self.follower_unit,
            leader_reward=game.leader_reward / self.leader_unit,
        )
        shape = game.follower_reward.shape
        # Of a row of a backup, relative to its terms: two operations for each, and some more.
        self.rounding = UNIT * (32 + shape[1] * shape[2] * game.believed_transition.probabilities.shape[3])
        self.q, self.policy = np.empty((2, *shape)), np.empty((2, *shape))
        self.soft_values = np.empty((2, *shape[:2]))
        self._solve_follower(start / self.follower_unit)

    @cached_property
    def largest_q(self) -> float:
        """The largest of |Q_F|, of feasible actions."""
        feasible = self.game.feasible
        return _largest(self.q[0] if feasible is None else self.q[0][feasible])

    @property
    def value_error(self) -> float:
        """Bound on the error of the follower's values."""
        return float(self.left / self.game.follower_process.stopping_rate + self.rounding * self.largest_q)

    @cached_property
    def joint_policy(self) -> Array:
        """Pi = f g, rounded, shape (Z, A, B)."""
        return self.game.joint_policy(self.policy[0])

    @cached_property
    def system(self) -> Resolvent:
        """The leader's factorised I - discount P_pi."""
        return resolvent(self.game.leader_process, self.joint_policy)

    @cached_property
    def follower_system(self) -> Resolvent:
        """The follower's factorised I - discount P_pi, with what it believes."""
        game = self.game
        if game.believed_transition is game.transition and game.follower_discount == game.leader_discount:
            return self.system
        return resolvent(game.follower_process, self.joint_policy)

    def _solve_follower(self, start: Array) -> None:
        game, out = self.game, np.empty((2, len(start)))
        believed, barred = game.believed_transition, game.barred_reward
        entropy = game.temperature * math.log(game.follower_reward.shape[2])
        largest_reward = float(np.abs(game.follower_reward).max()) + entropy

        def residual(values: Array) -> Array:
            precise_backup(
                barred,
                believed.successors,
                believed.probabilities,
                game.leader_policy,
                game.continuing,
                game.follower_discount,
                game.temperature,
                values,
                self.q,
                self.soft_values,
                self.policy,
                out,
            )
            return _added(out, -values)

        def floor(values: Array) -> float:
            return float(self.rounding * (largest_reward + 2 * _largest(values[0])))

        def solver() -> Callable[[Array, float], Array]:
            return resolvent(game.follower_process, game.joint_policy(self.policy[0])).solve

        self.values, self.left = _refined(residual, solver, _pair(start), _largest, floor)
        error = self.left / game.follower_process.stopping_rate
        if not error < 0.1 * game.temperature:
            raise ConvergenceError(
                f"best response: expected values known to a tenth of the temperature {game.temperature:.3g}, "
                f"got an error of {error:.1e}, both in units of {self.follower_unit:.3g}"
            )

    @cached_property
    def leader(self) -> PreciseLeader:
        """The leader's values and the occupancy of states."""
        game, out = self.game, np.empty((2, len(self.game.initial)))
        lists = game.transition.successors, game.transition.probabilities
        discount = game.leader_discount
        largest_reward = _largest(game.leader_reward)

        def residual(values: Array) -> Array:
            precise_residual(
                *(game.leader_policy, self.policy),
                *lists,
                game.continuing,
                discount,
                game.leader_reward,
                values,
                out,
            )
            return out

        def floor(values: Array) -> float:
            return float(self.rounding * (largest_reward + 2 * _largest(values[0])))

        start = self.system.solve(
            (self.joint_policy * game.leader_reward).sum(axis=(1, 2)), CORRECTION * largest_reward
        )
        values, left = _refined(residual, lambda: self.system.solve, _pair(start), _largest, floor)
        occupancy, occupancy_left = self._transposed(self.system, _pair(game.initial), game.transition, discount)
        return PreciseLeader(values, left, occupancy, occupancy_left)

    def ahead(self, values: Array) -> Array:
        """Return (1 - terminal) P values in floats, shape (Z, A, B), for values of shape (Z,)."""
        return np.asarray(self.game.continuing[:, None, None] * next_values(self.game.transition, values))

    def _transposed(
        self, system: Resolvent, rhs: Array, transition: Transition, discount: float
    ) -> tuple[Array, float]:
        """Solve (I - discount P_pi^T) flow = rhs; return flow and what is left of the rhs, summed."""
        game, out = self.game, np.empty_like(rhs)

        def residual(flow: Array) -> Array:
            precise_transposed(
                game.leader_policy,
                self.policy,
                transition.successors,
                transition.probabilities,
                game.continuing,
                discount,
                rhs,
                flow,
                out,
            )
            return out

        def floor(flow: Array) -> float:
            return float(self.rounding * (_total(rhs[0]) + 2 * _total(flow[0])))

        start = _pair(system.solve_transposed(rhs[0], CORRECTION * _total(rhs[0])))
        return _refined(residual, lambda: system.solve_transposed, start, _total, floor)

    @cached_property
    def flows(self) -> PreciseFlows:
        """The Boltzmann covariance and the flow that it causes."""
        game, leader, shape = self.game, self.leader, self.q.shape
        truth, believed = game.transition, game.believed_transition
        ahead, q, w, inflow = np.empty(shape), np.empty(shape), np.empty(shape), np.empty_like(leader.values)
        precise_next_values(truth.successors, truth.probabilities, leader.values, ahead)
        precise_flow(
            *(game.leader_policy, self.policy, game.leader_reward, ahead, game.continuing, game.leader_discount),
            *(game.temperature, leader.occupancy, believed.successors, believed.probabilities),
            *(game.follower_discount, q, w, inflow),
        )
        m, left = self._transposed(self.follower_system, inflow, believed, game.follower_discount)
        u = np.empty(shape)
        precise_reward_flow(game.leader_policy, self.policy, w, m, u)
        return PreciseFlows(q, w, u, m, left)


def precise_values(
    game: Primitives, policy: Array, process: DecisionProcess, reward: Array, system: Resolvent
) -> tuple[Array, float]:
    """Return a policy's values, shape (Z,), refined in twice the precision and rounded, and a bound on their error.

    Parameters
    ----------
    game
        The game under a commitment; its own rewards and discounts are not read.
    policy, process, reward
        g, shape (Z, A, B); where it leads, and the discount; what is paid, shape (Z, A, B), of about 1 in size.
    system
        I - discount P_pi, with pi = f g.
    """
    shape, out, transition, discount = (
        reward.shape,
        np.empty((2, len(game.initial))),
        process.transition,
        process.discount,
    )
    lists, pairs = (transition.successors, transition.probabilities), _pair(policy)
    rounding = UNIT * (32 + shape[1] * shape[2] * transition.probabilities.shape[3])
    size = _largest(reward)

    def residual(values: Array) -> Array:
        precise_residual(game.leader_policy, pairs, *lists, game.continuing, discount, reward, values, out)
        return out

    def floor(values: Array) -> float:
        return float(rounding * (size + 2 * _largest(values[0])))

    start = system.solve((game.joint_policy(policy) * reward).sum(axis=(1, 2)), CORRECTION * size)
    values, left = _refined(residual, lambda: system.solve, _pair(start), _largest, floor)
    return values[0], left / process.stopping_rate + ROUNDING * _largest(values[0])


def _refined(
    residual: Callable[[Array], Array],
    solver: Callable[[], Callable[[Array, float], Array]],
    x: Array,
    norm: Callable[[Array], float],
    floor: Callable[[Array], float],
) -> tuple[Array, float]:
    """Refine x, shape (2, Z), until its residual is rounding; return it and a bound on the norm of its residual.

    `solver` is asked for a new solver where the last one gains less than a factor of a thousand: Newton's method.
    """
    solve, last = None, np.inf
    for _ in range(MAX_STEPS):
        left = residual(x)
        size, least = norm(left[0]), floor(x)
        if size <= least or not size < 0.5 * last:
            return x, size + least
        if solve is None or size > 1e-3 * last:
            solve = solver()
        x, last = _added(x, _pair(solve(left[0], CORRECTION * size))), size
    return x, norm(residual(x)[0]) + floor(x)


def _pair(array: Array) -> Array:
    return np.stack([array, np.zeros_like(array)])


def _added(x: Array, y: Array) -> Array:
    """Return the sum of two arrays of pairs."""
    high = x[0] + y[0]
    other = high - x[0]
    low = (x[0] - (high - other)) + (y[0] - other) + (x[1] + y[1])
    total = high + low
    return np.stack([total, low - (total - high)])


def _largest(array: Array) -> float:
    return float(np.abs(array).max())


def _total(array: Array) -> float:
    return float(np.abs(array).sum())
