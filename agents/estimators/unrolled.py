r"""The hypergradient by sweeps instead of solves: what model-based leaders with inner loops compute.

Four recursions, each a fixed number of times from where the last update left it: the follower's soft Bellman
backup; the leader's evaluation :math:`\bar V \leftarrow r_\pi + \gamma_L P_\pi \bar V`; the occupancy
:math:`d \leftarrow \rho + \gamma_L P_\pi^T d`; and the flow
:math:`m \leftarrow \gamma_F P^T w + \gamma_F P_\pi^T m` (theory, section 4). Each contracts by its discount, so what
n sweeps leave of an error is discount^n of it.

It reads the dynamics: nothing below level MODEL imports this file.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from stackelberg_envs import kernels
from stackelberg_envs.arrays import Array
from stackelberg_envs.planning import BestResponse, Flows, LeaderEvaluation, Plan, Primitives
from stackelberg_envs.transitions import Transition

__all__ = ["Sweeps", "UnrolledPlan", "WarmStart", "unrolled_plan"]


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
class UnrolledPlan(Plan):
    """A plan whose flows were found by sweeps, too.

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
        As in :class:`stackelberg_envs.planning.Primitives`.
    sweeps
        How many.
    """

    def __init__(
        self, joint_policy: Array, transition: Transition, continuing: Array, discount: float, sweeps: int
    ) -> None:
        self.joint_policy, self.transition, self.continuing = joint_policy, transition, continuing
        self.discount, self.sweeps = discount, sweeps

    def solve(self, rhs: Array, tolerance: float = 0.0, start: Array | None = None) -> Array:
        """Return v after the sweeps v <- rhs + discount P_pi v, shape (Z,)."""
        del tolerance
        ahead = np.empty_like(self.joint_policy)
        weights = self.discount * self.continuing[:, None, None] * self.joint_policy
        v = np.zeros_like(rhs) if start is None else start
        for _ in range(self.sweeps):
            kernels.next_values(self.transition.successors, self.transition.probabilities, v, ahead)
            v = rhs + np.einsum("sab,sab->s", weights, ahead)
        return v

    def solve_transposed(self, rhs: Array, tolerance: float = 0.0, start: Array | None = None) -> Array:
        """Return d after the sweeps d <- rhs + discount P_pi^T d, shape (Z,)."""
        del tolerance
        inflow = np.empty_like(rhs)
        d = np.zeros_like(rhs) if start is None else start
        for _ in range(self.sweeps):
            _pushed(d[:, None, None] * self.joint_policy, self.transition, self.continuing, inflow)
            d = rhs + self.discount * inflow
        return d


def _pushed(flow: Array, transition: Transition, continuing: Array, out: Array) -> None:
    """Write the states that `flow`, shape (Z, A, B), leads to into `out`, shape (Z,)."""
    kernels.push_flow(flow, transition.successors, transition.probabilities, continuing, out)


def unrolled_plan(game: Primitives, sweeps: int, start: WarmStart) -> UnrolledPlan:
    """Plan in a game by `sweeps` sweeps of each recursion.

    Parameters
    ----------
    game
        The game under a commitment.
    sweeps
        At least 1.
    start
        ``plan.warm_start`` of the last update, or zeros.
    """
    best = _respond(game, sweeps, start.follower_values)
    joint = game.leader_policy[:, :, None] * best.policy
    system = Sweeps(joint, game.transition, game.continuing, game.leader_discount, sweeps)
    values = system.solve(np.einsum("sab,sab->s", joint, game.leader_reward), start=start.leader_values)
    q = np.empty_like(joint)
    kernels.next_values(game.transition.successors, game.transition.probabilities, values, q)
    q *= (game.leader_discount * game.continuing)[:, None, None]
    q += game.leader_reward
    leader = LeaderEvaluation(joint, q, values, float(game.initial @ values), system)
    return UnrolledPlan(game, best, leader, _flows(game, best, leader, sweeps, start))


def _respond(game: Primitives, sweeps: int, values: Array) -> BestResponse:
    shape = game.follower_reward.shape
    q, soft, out, policy = np.empty(shape), np.empty(shape[:2]), np.empty(shape[0]), np.empty(shape)
    residual = 0.0
    for _ in range(sweeps):
        residual, _ = kernels.soft_bellman_backup(
            game.follower_reward,
            game.believed_transition.successors,
            game.believed_transition.probabilities,
            game.leader_policy,
            game.continuing,
            game.follower_discount,
            game.temperature,
            values,
            q,
            soft,
            out,
        )
        values = out.copy()
    kernels.gibbs_policy(q, soft, game.temperature, policy)
    error = residual * game.follower_discount / (1.0 - game.follower_discount)
    return BestResponse(q, soft, values, policy, error)


def _flows(game: Primitives, best: BestResponse, leader: LeaderEvaluation, sweeps: int, start: WarmStart) -> Flows:
    joint, believed = leader.joint_policy, game.believed_transition
    system = Sweeps(joint, game.transition, game.continuing, game.leader_discount, sweeps)
    d = system.solve_transposed(game.initial, start=start.occupancy)
    advantage = leader.q - np.einsum("sab,sab->sa", best.policy, leader.q)[:, :, None]
    w = d[:, None, None] * joint * advantage / game.temperature
    inflow = np.empty_like(d)
    _pushed(game.follower_discount * w, believed, game.continuing, inflow)
    system = Sweeps(joint, believed, game.continuing, game.follower_discount, sweeps)
    m = system.solve_transposed(inflow, start=start.state_flow)
    return Flows(d, w + m[:, None, None] * joint, m)
