r"""The hypergradient by sweeps instead of solves: what model-based leaders with inner loops compute.

Four recursions, each a fixed number of times from where the last update left it: the follower's soft Bellman
backup; the leader's evaluation :math:`\bar V \leftarrow r_\pi + \gamma_L P_\pi \bar V`; the occupancy
:math:`d \leftarrow \rho + \gamma_L P_\pi^T d`; and the flow
:math:`m \leftarrow \gamma_F P^T w + \gamma_F P_\pi^T m`. Each contracts by its discount, so what
n sweeps leave of an error is discount^n of it. With discount 1 it is as much as the chance that play lasts longer.

It reads the dynamics: nothing below level MODEL imports this file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from stackelberg_envs.arrays import Array, IntArray
from stackelberg_envs.games.transitions import Transition
from stackelberg_envs.jit import compiled
from stackelberg_envs.solvers.soft import BestResponse, Flows, LeaderEvaluation, Primitives, SoftSolution
from stackelberg_envs.solvers.soft.best_response import Operator, gibbs_policy, operator_of, soft_bellman_backup
from stackelberg_envs.solvers.soft.linear import action_values, push_flow

__all__ = ["Sweeps", "UnrolledSolution", "WarmStart", "unrolled_solution"]

#: Successors that sweeps pass before they return to Python, which looks up whether a signal has come.
LARGEST_WORK = 1 << 24


@dataclass(frozen=True, eq=False)
class WarmStart:
    """Where the recursions of one update ended, each of shape (Z,).

    Attributes
    ----------
    follower_values, leader_values
        Vbar_F and Vbar_L, reward units.
    occupancy, state_flow
        d and m.
    """

    follower_values: Array
    leader_values: Array
    occupancy: Array
    state_flow: Array

    @classmethod
    def zeros(cls, Z: int) -> WarmStart:
        """Return the start of a first update."""
        return cls(*np.zeros((4, Z)))


@dataclass(frozen=True, eq=False)
class UnrolledSolution(SoftSolution):
    """A solution whose flows were found by sweeps, too.

    Attributes
    ----------
    given
        The flows.
    """

    given: Flows

    @cached_property
    def flows(self) -> Flows:
        """The flows it was given."""
        return self.given

    @property
    def warm_start(self) -> WarmStart:
        """Where the next update may go on."""
        flows = self.given
        return WarmStart(self.best.state_values, self.leader.state_values, flows.occupancy, flows.state_flow)


class Sweeps:
    """I - discount P_pi "solved" by a fixed number of sweeps; the tolerances of a solver are not looked at.

    Parameters
    ----------
    joint_policy
        pi(a, b | s), shape (Z, A, B).
    transition, continuing, discount
        As in :class:`stackelberg_envs.solvers.soft.Primitives`.
    sweeps
        How many.
    """

    def __init__(
        self, joint_policy: Array, transition: Transition, continuing: Array, discount: float, sweeps: int
    ) -> None:
        weights = discount * continuing[:, None, None, None] * joint_policy[..., None] * transition.probabilities
        shape = len(joint_policy), -1
        self.sweeps = sweeps
        self._lists = _merged(transition.successors.reshape(shape), weights.reshape(shape))

    def solve(self, rhs: Array, tolerance: float = 0.0, start: Array | None = None) -> Array:
        """Return v after the sweeps v <- rhs + discount P_pi v, shape (Z,)."""
        del tolerance
        return self._swept(_evaluated, rhs, start)

    def solve_transposed(self, rhs: Array, tolerance: float = 0.0, start: Array | None = None) -> Array:
        """Return d after the sweeps d <- rhs + discount P_pi^T d, shape (Z,)."""
        del tolerance
        return self._swept(_visited, rhs, start)

    def _swept(self, sweep: Callable[..., Array], rhs: Array, start: Array | None) -> Array:
        found = np.zeros_like(rhs) if start is None else start
        for sweeps in _parts(self.sweeps, self._lists[2].size):
            found = sweep(*self._lists, rhs, found, sweeps)
        return found


def _parts(sweeps: int, work: int) -> Iterator[int]:
    """Cut a number of sweeps into parts between which a signal can be heeded; `work` is the size of one."""
    most = max(1, LARGEST_WORK // max(work, 1))
    for done in range(0, sweeps, most):
        yield min(most, sweeps - done)


@compiled
def _merged(successors: IntArray, weights: Array) -> tuple[IntArray, IntArray, Array]:
    """Return the rows (Z, M) without zeros, each successor once: counts (Z,), successors and sums (Z, M)."""
    Z, M = successors.shape
    counts = np.zeros(Z, dtype=np.int32)
    places, sums = np.empty((Z, M), dtype=np.int32), np.empty((Z, M))
    for s in range(Z):
        for m in range(M):
            if weights[s, m] == 0.0:
                continue
            k = 0
            while k < counts[s] and places[s, k] != successors[s, m]:
                k += 1
            if k == counts[s]:
                places[s, k], sums[s, k] = successors[s, m], 0.0
                counts[s] += 1
            sums[s, k] += weights[s, m]
    return counts, places, sums


@compiled
def _evaluated(counts: IntArray, places: IntArray, weights: Array, rhs: Array, start: Array, sweeps: int) -> Array:
    v, after = start.copy(), np.empty_like(start)
    for _ in range(sweeps):
        for s in range(v.shape[0]):
            total = rhs[s]
            for k in range(counts[s]):
                total += weights[s, k] * v[places[s, k]]
            after[s] = total
        v, after = after, v
    return v


@compiled
def _visited(counts: IntArray, places: IntArray, weights: Array, rhs: Array, start: Array, sweeps: int) -> Array:
    d, after = start.copy(), np.empty_like(start)
    for _ in range(sweeps):
        after[:] = rhs
        for s in range(d.shape[0]):
            for k in range(counts[s]):
                after[places[s, k]] += weights[s, k] * d[s]
        d, after = after, d
    return d


def unrolled_solution(game: Primitives, sweeps: int, start: WarmStart) -> UnrolledSolution:
    """Solve a game by `sweeps` sweeps of each recursion.

    Parameters
    ----------
    game
        The game under a commitment.
    sweeps
        At least 1.
    start
        ``solution.warm_start`` of the last update, or zeros.
    """
    best = _respond(game, sweeps, start.follower_values)
    joint = game.joint_policy(best.policy)
    system = Sweeps(joint, game.transition, game.continuing, game.leader_discount, sweeps)
    values = system.solve(np.einsum("sab,sab->s", joint, game.leader_reward), start=start.leader_values)
    q = action_values(game.leader_process, values)
    leader = LeaderEvaluation(joint, q, values, float(game.initial @ values), system)
    return UnrolledSolution(game, best, leader, _flows(game, best, leader, sweeps, start))


def _respond(game: Primitives, sweeps: int, start: Array) -> BestResponse:
    shape, residual = game.follower_reward.shape, 0.0
    q, soft_values, out, policy = np.empty(shape), np.empty(shape[:2]), start.copy(), np.empty(shape)
    for part in _parts(sweeps, game.believed_transition.probabilities.size):
        residual = _backed_up(operator_of(game), part, q, soft_values, out)
    gibbs_policy(q, soft_values, game.temperature, policy)
    error = residual * game.follower_discount / game.follower_process.stopping_rate
    return BestResponse(q, soft_values, out, policy, error)


@compiled
def _backed_up(operator: Operator, sweeps: int, q: Array, soft_values: Array, out: Array) -> float:
    """Soft Bellman backups of `out`, one after the other, which is overwritten; returns the last residual."""
    values = out.copy()
    residual = 0.0
    for _ in range(sweeps):
        residual, _largest = soft_bellman_backup(*operator, values, q, soft_values, out)
        values[:] = out
    return residual


def _flows(game: Primitives, best: BestResponse, leader: LeaderEvaluation, sweeps: int, start: WarmStart) -> Flows:
    joint, believed = leader.joint_policy, game.believed_transition
    system = Sweeps(joint, game.transition, game.continuing, game.leader_discount, sweeps)
    d = system.solve_transposed(game.initial, start=start.occupancy)
    advantage = leader.q - np.einsum("sab,sab->sa", best.policy, leader.q)[:, :, None]
    w = d[:, None, None] * joint * advantage / game.temperature
    inflow = push_flow(game.follower_discount * w, believed, game.continuing)
    system = Sweeps(joint, believed, game.continuing, game.follower_discount, sweeps)
    m = system.solve_transposed(inflow, start=start.state_flow)
    return Flows(d, w + m[:, None, None] * joint, m)
