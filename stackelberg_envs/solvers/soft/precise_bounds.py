r"""Bounds on the errors of a solution in twice the precision, entry by entry.

Write N for the inverse of I - discount P_pi: row i of it holds the discounted visits of all states from state i. N has
no negative entries, and its rows add up to at most L, which is 1 / (1 - discount), or with discount 1 the most steps
that play has in the mean. Three facts carry all bounds.

* A residual r means an error of N r: at most L times its largest entry for values, L times its sum for occupancies.
* Where v adds up to zero, N^T v adds up to at most the sum of kappa_i |v_i|, where kappa_i bounds what rows i and z of
  N differ by, for any z (:func:`meeting_times`). If chains from i soon meet state z, kappa_i is far below L. What moves
  when a policy changes adds up to zero in each state.
* Where all moves between S states change by a share e at most, and chances to end by nothing, an entry of N changes by
  a share of at most about 2 S e: each is a ratio of two sums of positive products of at most S of these numbers.

Errors go from the follower's values into the policy, from there into occupancies and the leader's values, from all of
them into the covariance w, and from w into the flow m. Letters: Z states, A and B actions.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.games.primitives import DecisionProcess
from stackelberg_envs.solvers.soft.linear import Resolvent, next_values
from stackelberg_envs.solvers.soft.precise import ROUNDING, Reference
from stackelberg_envs.solvers.soft.precise_kernels import UNIT

__all__ = ["Bounds", "meeting_times"]

#: For policies between the one found and the true one, and for meeting times computed in floats.
ALLOWANCE = 1.25


class Bounds:
    """Bounds on the errors of a reference, in the units of the game.

    Parameters
    ----------
    reference
        The solution in twice the precision.
    """

    def __init__(self, reference: Reference) -> None:
        self._made = reference
        game = reference.game
        self._limits = (1.0 / game.follower_process.stopping_rate, 1.0 / game.leader_process.stopping_rate)
        #: One operation in twice the precision on the largest of the follower's values.
        self._q_rounding = reference.rounding * reference.largest_q

    @property
    def follower_value(self) -> float:
        """Of any entry of V_F, reward units."""
        made = self._made
        return float(made.follower_unit * (self._limits[0] * made.left + self._q_rounding))

    @property
    def policy(self) -> float:
        """Of any probability of the response, relative to it."""
        return float(self._policy_at.max())

    @property
    def leader_value(self) -> float:
        """Of J, reward units."""
        made, leader = self._made, self._made.leader
        moved = self._policy_at * self._weighted_advantage
        by_policy = ALLOWANCE * float(np.abs(leader.occupancy[0]) @ moved.sum(axis=(1, 2)))
        rounded = made.rounding * float(np.abs(leader.values[0]).max())
        return float(made.leader_unit * (by_policy + self._limits[1] * leader.values_left + rounded))

    @property
    def leader_state_values(self) -> float:
        """Of any entry of V_L and of Q_L, reward units."""
        made, leader = self._made, self._made.leader
        largest = float((self._policy_at * self._weighted_advantage).sum(axis=(1, 2)).max())
        rounded = made.rounding * float(np.abs(leader.values[0]).max())
        return float(made.leader_unit * (self._limits[1] * (leader.values_left + ALLOWANCE * largest) + 2 * rounded))

    @property
    def occupancy(self) -> float:
        """Of d, summed over states."""
        leader, d = self._made.leader, np.abs(self._made.leader.occupancy[0])
        shifted = self._policy_at * self._made.joint_policy * self._leader_meeting
        return self._limits[1] * leader.occupancy_left + float(d @ shifted.sum(axis=(1, 2)))

    @property
    def flow(self) -> float:
        """Of u, summed over entries, and so of m, in the leader's units over the follower's."""
        made, flows = self._made, self._made.flows
        w, m, joint = np.abs(flows.w[0]), np.abs(flows.state_flow[0]), made.joint_policy
        policy = self._policy_at * joint
        by_w, carried = self._w_error()
        by_policy = float(m @ (policy * self._follower_meeting).sum(axis=(1, 2)))
        left = flows.left + 4 * len(m) * made.rounding * float(w.sum())
        by_m = carried + by_policy + self._limits[0] * left
        rest = float(m @ policy.sum(axis=(1, 2))) + 8 * made.rounding * float(w.sum() + m.sum())
        return float(made.leader_unit / made.follower_unit * (by_w + by_m + rest))

    def _w_error(self) -> tuple[float, float]:
        """Return the error of w, summed over entries, and the same weighted by where it flows to."""
        made, flows = self._made, self._made.flows
        d, temperature = np.abs(made.leader.occupancy[0]), made.game.temperature
        rounded = 2 * made.rounding * float(np.abs(flows.q[0]).max())
        by_policy = self._policy_at * self._weighted_advantage
        steps = 2 * made.leader.values_left + ALLOWANCE * float(by_policy.sum(axis=(1, 2)).max())
        ahead = self._leader_meeting * steps + rounded
        mean = np.einsum("sab,sab->sa", made.policy[0], ahead)[:, :, None]
        centre = (self._policy_at * made.policy[0] * np.abs(self._advantage)).sum(axis=2)[:, :, None]
        # Of A, Q less its mean: what an action's own share of the mean takes back does not count.
        spread = np.maximum(ahead + mean - 2 * made.policy[0] * ahead, 4 * ROUNDING * ahead)
        own = made.joint_policy * (spread + centre) + by_policy
        # The error of d is known in sum, and in each state as a share of d.
        share = min(1.0, 4 * self._states * self.policy)
        left_over = self._limits[1] * made.leader.occupancy_left

        def total(weight: Array | float) -> float:
            reach = (self._weighted_advantage * weight).sum(axis=(1, 2))
            by_d = min(self.occupancy * float(reach.max()), share * float(d @ reach) + left_over * float(reach.max()))
            return (by_d + float(d @ (own * weight).sum(axis=(1, 2)))) / temperature

        return total(1.0), total(self._follower_meeting)

    @property
    def _states(self) -> int:
        return len(self._made.game.initial) // self._made.game.num_contexts

    @cached_property
    def _policy_at(self) -> Array:
        """Relative error of probabilities, shape (Z, A, B)."""
        # Values err alike up to the meeting time, and what is alike is none of the policy.
        reach = np.minimum(self._follower_meeting, self._limits[0]).max(axis=2)
        spread = 2 * (reach * self._made.left + self._q_rounding)
        moved = np.expm1(np.minimum(spread / self._made.game.temperature, 1.0))[:, :, None]
        # A probability of nearly one hardly moves. Exponents are at most 745 and rounded as all else.
        return np.asarray(moved * np.maximum(1.0 - self._made.policy[0], 4 * ROUNDING) + 1_000 * UNIT)

    @cached_property
    def _weighted_advantage(self) -> Array:
        """Pi |A_L|, shape (Z, A, B)."""
        return np.asarray(self._made.joint_policy * np.abs(self._advantage))

    @cached_property
    def _advantage(self) -> Array:
        # Relative to the likeliest action, where Q is large and its differences may be as small as its rounding.
        q, policy = self._made.flows.q, self._made.policy[0]
        likeliest = policy.argmax(axis=2)[:, :, None]
        ahead = sum(part - np.take_along_axis(part, likeliest, axis=2) for part in q)
        return np.asarray(ahead - np.einsum("sab,sab->sa", policy, ahead)[:, :, None])

    @cached_property
    def _leader_meeting(self) -> Array:
        game = self._made.game
        return self._meeting_at(self._made.system, game.leader_process)

    @cached_property
    def _follower_meeting(self) -> Array:
        made, game = self._made, self._made.game
        if made.follower_system is made.system:
            return self._leader_meeting
        return self._meeting_at(made.follower_system, game.follower_process)

    def _meeting_at(self, system: Resolvent, process: DecisionProcess) -> Array:
        """Return discount (1 - terminal) P kappa, shape (Z, A, B)."""
        game, transition, discount = self._made.game, process.transition, process.discount
        limit = 1.0 / process.stopping_rate
        kappa = meeting_times(system, game.initial, game.num_contexts, limit)
        # Policies between the found and the true one have nearly the same meeting times, if they are near enough.
        near = 2 * self._limits[0] * self._made.left / game.temperature
        if 4 * self._states * near > 0.1:
            kappa = np.full_like(kappa, 2 * limit)
        return np.asarray(discount * game.continuing[:, None, None] * next_values(transition, ALLOWANCE * kappa))


def meeting_times(system: Resolvent, initial: Array, num_contexts: int, limit: float) -> Array:
    """Return kappa, shape (Z,): what row i of N and that of a meeting point differ by at most, summed over entries.

    Parameters
    ----------
    system
        I - discount P_pi; N is its inverse, of which row i holds the discounted visits from state i.
    initial
        The initial distribution; in each context the state that is visited most serves as meeting point.
    num_contexts, limit
        K, and L.

    Notes
    -----
    With z the meeting point, l = N 1 and h_i = N_iz / N_zz the discounted chance to reach it, row i is the visits until
    z is reached, which add up to l_i - h_i l_z, and h_i times row z. Hence kappa_i = l_i + l_z - 2 h_i l_z.
    """
    Z, S = len(initial), len(initial) // num_contexts
    contexts = np.arange(num_contexts)
    visits = np.abs(system.solve_transposed(initial, 1e-6)).reshape(num_contexts, S)
    place = (contexts, visits.argmax(axis=1))
    column = np.zeros((num_contexts, S))
    column[place] = 1.0
    times = system.solve(np.ones(Z), 1e-15).reshape(num_contexts, S)
    reached = system.solve(column.ravel(), 1e-15).reshape(num_contexts, S)
    chance = reached / reached[place][:, None]
    apart = times + (1.0 - 2.0 * chance) * times[place][:, None]
    # Both solves are good to about the unit of rounding times the limit, relative.
    slack = 64 * ROUNDING * limit * limit
    return np.asarray(np.clip(apart, 0.0, 2 * limit) + slack).ravel()
