r"""The exact hypergradient by three linear solves; derived in docs/explanation/mathematics.md.

With :math:`\pi = f g` and :math:`A_L = Q_L - \sum_b g Q_L`:

.. math::
    d = (I - \gamma_L P_\pi^T)^{-1}\rho, \quad w = d\,\pi A_L/\lambda, \quad
    m = (I - \gamma_F P_\pi^T)^{-1} \gamma_F \sum (1-\text{terminal}) w P, \quad u = w + m\pi .

Where the follower believes in other dynamics than the true ones, m flows through the believed ones and d
through the true ones; the derivative by P then has one part for each.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import GameError
from stackelberg_envs.games.cotangents import Cotangents
from stackelberg_envs.games.primitives import Primitives
from stackelberg_envs.games.transitions import Transition
from stackelberg_envs.solvers.soft.best_response import (
    DEFAULT_TOLERANCE,
    LARGEST,
    BestResponse,
    refined,
    rounded_response,
    soft_best_response,
)
from stackelberg_envs.solvers.soft.evaluation import EVALUATION_TOLERANCE, LeaderEvaluation, evaluate
from stackelberg_envs.solvers.soft.krylov import Krylov
from stackelberg_envs.solvers.soft.linear import push_flow, resolvent
from stackelberg_envs.solvers.soft.precise import ROUNDING, Reference, exact_dot

__all__ = ["EVERYTHING", "Flows", "SoftSolution", "adjoint_flows", "solve_primitives"]

#: All names of cotangents.
EVERYTHING = frozenset({"follower_reward", "leader_reward", "leader_policy", "transition"})
#: Where rounding may leave more than this of a gradient, relative, it is computed in twice the precision.
GRADIENT_GOAL = 1e-9


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


def adjoint_flows(game: Primitives, best: BestResponse, leader: LeaderEvaluation) -> Flows:
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
    inflow = push_flow(w, believed, game.continuing)
    inflow *= game.follower_discount
    system = leader.system
    if believed is not game.transition or game.follower_discount != game.leader_discount:
        if believed is game.transition and isinstance(system, Krylov):
            system = system.discounted(game.follower_discount)
        else:
            system = resolvent(game.follower_process, leader.joint_policy)
    m = system.solve_transposed(inflow, EVALUATION_TOLERANCE * float(np.abs(inflow).sum()))
    return Flows(d, w + m[:, None, None] * leader.joint_policy, m)


def require_representable(game: Primitives) -> None:
    """Raise where flows, the leader's values over the temperature, leave the range of floats."""
    size = max(float(game.leader_reward.max()), -float(game.leader_reward.min()))
    rate = game.leader_process.stopping_rate**2 * game.follower_process.stopping_rate
    if not size / LARGEST < game.temperature * rate:
        raise GameError(
            f"leader_reward, temperature: expected derivatives that floats can hold, got rewards up to {size:.3g} and "
            f"temperature {game.temperature:.3g}"
        )


@dataclass(frozen=True, eq=False)
class SoftSolution:
    """A game under one commitment, solved: best response, the leader's evaluation, and derivatives on first use.

    Attributes
    ----------
    primitives
        The game, true or estimated, under one commitment.
    best
        The soft best response.
    leader
        The leader's values of it.
    reference
        The solution in twice the precision that the others were rounded from, where they were.
    """

    primitives: Primitives
    best: BestResponse
    leader: LeaderEvaluation
    reference: Reference | None = field(default=None, kw_only=True)

    @cached_property
    def flows(self) -> Flows:
        """The three solves."""
        require_representable(self.primitives)
        if self.reference is not None:
            return rounded_flows(self.reference)
        return adjoint_flows(self.primitives, self.best, self.leader)

    def direct(self, wanted: frozenset[str], array_shape: tuple[int, ...]) -> Cotangents:
        """Return the wanted cotangents of the term that ignores the follower's response.

        Parameters
        ----------
        wanted
            Names of :class:`stackelberg_envs.Cotangents` entries.
        array_shape
            ([K,] S, A, B), the shape to return them in.
        """
        shape = array_shape
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
            given["transition"] = self._by_transition(game.leader_discount * flow, leader.state_values, shape)
        return Cotangents(**given)

    def through_response(self, wanted: frozenset[str], array_shape: tuple[int, ...]) -> Cotangents:
        """Return the wanted cotangents of the term through the follower's response; see :meth:`direct`."""
        shape = array_shape
        given: dict[str, Array] = {"leader_reward": np.zeros(shape)} if "leader_reward" in wanted else {}
        if "follower_reward" in wanted:
            given["follower_reward"] = self.flows.reward_flow.reshape(shape)
        if "leader_policy" in wanted:
            given["leader_policy"] = (self.flows.state_flow[:, None] * self.best.values).reshape(shape[:-1])
        if "transition" in wanted:
            game = self.primitives
            flow = game.follower_discount * self.flows.reward_flow
            # A follower that believes in another kernel does not respond to the true one.
            flow = flow if game.believed_transition is game.transition else np.zeros_like(flow)
            given["transition"] = self._by_transition(flow, self.best.state_values, shape)
        return Cotangents(**given)

    def _by_transition(self, flow: Array, state_values: Array, shape: tuple[int, ...]) -> Array:
        """Return (1 - terminal) flow(s, a, b) values(s') in the layout of the game's transition."""
        game = self.primitives
        flow = game.continuing[:, None, None] * flow
        K, S = game.num_contexts, shape[-3]
        layout: Transition = game.transition
        if layout.dense:
            out = flow.reshape(K, S, *flow.shape[1:])[..., None] * state_values.reshape(K, 1, 1, 1, S)
            return np.asarray(out.reshape(*shape, S))
        out = flow[..., None] * state_values[layout.successors]
        return np.asarray(out.reshape(*shape, layout.successors.shape[-1]))


def solve_primitives(
    primitives: Primitives, *, tolerance: float = DEFAULT_TOLERANCE, start: Array | None = None
) -> SoftSolution:
    """Solve a game under a commitment; see :func:`soft_best_response` for the arguments.

    Notes
    -----
    Derivatives amplify errors of the response by up to 1 / (1 - discount), or with discount 1 the most steps that play
    has in the mean. So iterations go on until what they leave is too small to matter for them, and where what rounding
    leaves is not, all is solved in twice the precision.
    """
    amplified = 1.0 / min(primitives.follower_process.stopping_rate, primitives.leader_process.stopping_rate)
    settle = min(tolerance, 0.1 * GRADIENT_GOAL / amplified)
    best = soft_best_response(primitives, tolerance=tolerance, start=start, settle=settle)
    if best.reference is None and amplified * (best.unsettled + 8 * amplified * ROUNDING) > GRADIENT_GOAL:
        best = refined(primitives, best.state_values, tolerance)
    if best.reference is None:
        return SoftSolution(primitives, best, evaluate(primitives, best.policy))
    return SoftSolution(primitives, best, rounded_evaluation(best.reference), reference=best.reference)


def rounded_solution(primitives: Primitives, reference: Reference) -> SoftSolution:
    """Return the solution in twice the precision, rounded."""
    return SoftSolution(primitives, rounded_response(reference), rounded_evaluation(reference), reference=reference)


def rounded_evaluation(reference: Reference) -> LeaderEvaluation:
    """Return the leader's evaluation of a response in twice the precision."""
    unit, game, values = reference.leader_unit, reference.game, reference.leader.values
    q = unit * (game.leader_reward + game.leader_discount * reference.ahead(values[0]))
    value = unit * exact_dot(game.initial, values)
    return LeaderEvaluation(reference.joint_policy, q, unit * values[0], value, reference.system)


def rounded_flows(reference: Reference) -> Flows:
    """Return the flows of a solution in twice the precision."""
    made, unit = reference.flows, reference.leader_unit / reference.follower_unit
    return Flows(reference.leader.occupancy[0], unit * made.reward_flow[0], unit * made.state_flow[0])
