r"""The exact hypergradient by three linear solves (theory, section 4), and `solve`, which does it all.

With :math:`\pi = f g` and :math:`A_L = Q_L - \sum_b g Q_L`:

.. math::
    d = (I - \gamma_L P_\pi^T)^{-1}\rho, \quad w = d\,\pi A_L/\lambda, \quad
    m = (I - \gamma_F P_\pi^T)^{-1} \gamma_F \sum (1-\text{terminal}) w P, \quad u = w + m\pi .

Where the follower believes in other dynamics than the true ones, m flows through the believed ones and d
through the true ones; the derivative by P then has one part for each.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from stackelberg_envs import kernels
from stackelberg_envs.arrays import Array
from stackelberg_envs.cotangents import Cotangents
from stackelberg_envs.games import Primitives, TabularGame
from stackelberg_envs.linear import resolvent
from stackelberg_envs.oracles.best_response import DEFAULT_TOLERANCE, BestResponse, soft_best_response
from stackelberg_envs.oracles.evaluation import EVALUATION_TOLERANCE, LeaderEvaluation, evaluate
from stackelberg_envs.transitions import Transition

__all__ = ["Flows", "Solution", "hypergradient", "solve"]

EVERYTHING = frozenset({"follower_reward", "leader_reward", "leader_policy", "transition"})


@dataclass(frozen=True, eq=False)
class Flows:
    """What the three solves give, over joint states.

    Attributes
    ----------
    occupancy
        d, shape (Z,).
    reward_flow
        u = dJ/dr_F, shape (Z, A, B).
    state_flow
        m, shape (Z,).
    """

    occupancy: Array
    reward_flow: Array
    state_flow: Array


def hypergradient(game: Primitives, best: BestResponse, leader: LeaderEvaluation) -> Flows:
    """Solve for the flows of theory section 4.

    Parameters
    ----------
    game
        The game under a commitment.
    best
        The follower's soft best response to it.
    leader
        The leader's evaluation of that response.
    """
    d = leader.system.solve_transposed(game.initial, EVALUATION_TOLERANCE)
    advantage = leader.q - np.einsum("sab,sab->sa", best.policy, leader.q)[:, :, None]
    w = d[:, None, None] * leader.joint_policy * advantage / game.temperature
    believed = game.believed_transition
    inflow = np.empty(len(d))
    kernels.push_flow(w, believed.successors, believed.probabilities, game.continuing, inflow)
    inflow *= game.follower_discount
    system = leader.system
    if believed is not game.transition or game.follower_discount != game.leader_discount:
        system = resolvent(leader.joint_policy, believed, game.continuing, game.follower_discount, game.num_contexts)
    m = system.solve_transposed(inflow, EVALUATION_TOLERANCE * float(np.abs(inflow).sum()))
    return Flows(d, w + m[:, None, None] * leader.joint_policy, m)


@dataclass(frozen=True, eq=False)
class Solution:
    """Everything exact about one commitment.

    Arrays over joint states are in `best`, `leader` and `flows`; the properties give them in the game's own
    shape, which has a leading axis K when the game has contexts.
    """

    game: TabularGame
    x: Array
    primitives: Primitives
    best: BestResponse
    leader: LeaderEvaluation

    @property
    def leader_value(self) -> float:
        """J(x), reward units."""
        return self.leader.value

    @property
    def follower_value(self) -> float:
        """The follower's entropy-regularised value at the initial distribution, reward units."""
        return float(self.primitives.initial @ self.best.state_values)

    @property
    def follower_q(self) -> Array:
        """Q_F, shape ([K,] S, A, B)."""
        return self.best.q.reshape(self.game.array_shape)

    @property
    def follower_values(self) -> Array:
        """V_F(s, a), shape ([K,] S, A)."""
        return self.best.values.reshape(self.game.array_shape[:-1])

    @property
    def leader_q(self) -> Array:
        """Q_L, shape ([K,] S, A, B)."""
        return self.leader.q.reshape(self.game.array_shape)

    @property
    def response(self) -> Array:
        """g(b | s, a), shape ([K,] S, A, B); the last axis sums to one."""
        return self.best.policy.reshape(self.game.array_shape)

    @property
    def occupancy(self) -> Array:
        """Leader's discounted occupancy d(s), shape ([K,] S), unnormalised."""
        return self.flows.occupancy.reshape(self.game.array_shape[:-2])

    @cached_property
    def flows(self) -> Flows:
        """The three solves; done on first use."""
        return hypergradient(self.primitives, self.best, self.leader)

    @property
    def cotangents(self) -> Cotangents:
        """dJ/dr_F, dJ/dr_L, dJ/df, dJ/dP, the follower's response included (theory, section 4)."""
        return self.direct_cotangents + self.response_cotangents

    @cached_property
    def direct_cotangents(self) -> Cotangents:
        """The part that ignores the follower's response."""
        return self._direct(EVERYTHING)

    @cached_property
    def response_cotangents(self) -> Cotangents:
        """The part that goes through the follower's response."""
        return self._through_response(EVERYTHING)

    @cached_property
    def direct_gradient(self) -> Array:
        """The direct term of dJ/dx, the shape of x."""
        return self._pull_back(self._direct(self.game.commitment.changes))

    @cached_property
    def response_gradient(self) -> Array:
        """The response term of dJ/dx, the shape of x."""
        return self._pull_back(self._through_response(self.game.commitment.changes))

    @property
    def gradient(self) -> Array:
        """The hypergradient dJ/dx, the shape of x."""
        return self.direct_gradient + self.response_gradient

    def _direct(self, wanted: frozenset[str]) -> Cotangents:
        shape = self.game.array_shape
        d, leader = self.flows.occupancy, self.leader
        given: dict[str, Array] = {"follower_reward": np.zeros(shape)} if "follower_reward" in wanted else {}
        flow = d[:, None, None] * leader.joint_policy
        if "leader_reward" in wanted:
            given["leader_reward"] = flow.reshape(shape)
        if "leader_policy" in wanted:
            action_values = np.einsum("sab,sab->sa", self.best.policy, leader.q)
            given["leader_policy"] = (d[:, None] * action_values).reshape(shape[:-1])
        if "transition" in wanted:
            game = self.primitives
            given["transition"] = self._by_transition(game.leader_discount * flow, leader.state_values)
        return Cotangents(**given)

    def _through_response(self, wanted: frozenset[str]) -> Cotangents:
        shape = self.game.array_shape
        given: dict[str, Array] = {"leader_reward": np.zeros(shape)} if "leader_reward" in wanted else {}
        if "follower_reward" in wanted:
            given["follower_reward"] = self.flows.reward_flow.reshape(shape)
        if "leader_policy" in wanted:
            given["leader_policy"] = (self.flows.state_flow[:, None] * self.best.values).reshape(shape[:-1])
        if "transition" in wanted:
            flow = self.primitives.follower_discount * self.flows.reward_flow
            # A follower that believes in another kernel does not respond to the true one.
            flow = flow if self.game.believed_transition is None else np.zeros_like(flow)
            given["transition"] = self._by_transition(flow, self.best.state_values)
        return Cotangents(**given)

    def _by_transition(self, flow: Array, state_values: Array) -> Array:
        """Return (1 - terminal) flow(s, a, b) values(s') in the layout of the game's transition."""
        game = self.primitives
        flow = game.continuing[:, None, None] * flow
        K, S = game.num_contexts, self.game.shape[0]
        layout: Transition = game.transition
        if layout.dense:
            out = flow.reshape(K, S, *flow.shape[1:])[..., None] * state_values.reshape(K, 1, 1, 1, S)
            return np.asarray(out.reshape(*self.game.array_shape, S))
        out = flow[..., None] * state_values[layout.successors]
        return np.asarray(out.reshape(*self.game.array_shape, layout.successors.shape[-1]))

    def _pull_back(self, cotangents: Cotangents) -> Array:
        return self.game.commitment.vjp(self.x, cotangents)


def solve(
    game: TabularGame, x: ArrayLike, *, tolerance: float = DEFAULT_TOLERANCE, start: Array | None = None
) -> Solution:
    """Solve a game exactly for one commitment.

    Parameters
    ----------
    game
        A tabular game.
    x
        The commitment, the shape of ``game.commitment.space``.
    tolerance
        Bound on the error of the follower's values, reward units.
    start
        ``solution.best.state_values`` of a nearby commitment, to save Newton steps.

    Returns
    -------
    Solution
        ``leader_value``, ``follower_q``, ``response``, ``cotangents``, ``gradient`` and the rest; derivatives
        are computed on first use.

    Raises
    ------
    CommitmentError
        x lies outside its space.
    """
    checked = game.commitment.check(x)
    primitives = game.primitives(checked)
    best = soft_best_response(primitives, tolerance=tolerance, start=start)
    return Solution(game, checked, primitives, best, evaluate(primitives, best.policy))
