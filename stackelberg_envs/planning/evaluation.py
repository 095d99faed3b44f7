"""Evaluation: both players' values of a given follower policy, and how often states are visited."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stackelberg_envs import kernels
from stackelberg_envs.arrays import Array
from stackelberg_envs.planning.linear import Resolvent, resolvent
from stackelberg_envs.primitives import Primitives

__all__ = ["LeaderEvaluation", "evaluate", "leader_value", "occupancy", "response_gap"]

EVALUATION_TOLERANCE = 1e-12


@dataclass(frozen=True, eq=False)
class LeaderEvaluation:
    """The leader's values under a follower policy, over joint states.

    Attributes
    ----------
    joint_policy
        pi(a, b | s) = f g, shape (Z, A, B).
    q, state_values
        Q_L, shape (Z, A, B), and its average under pi, shape (Z,).
    value
        J, averaged over the initial distribution and the contexts.
    system
        The factorised I - leader_discount P_pi, for further solves.
    """

    joint_policy: Array
    q: Array
    state_values: Array
    value: float
    system: Resolvent


def evaluate(game: Primitives, response: Array) -> LeaderEvaluation:
    """Leader's values when the follower plays `response`, shape (Z, A, B) (theory, section 3)."""
    joint = game.leader_policy[:, :, None] * response
    system = resolvent(joint, game.transition, game.continuing, game.leader_discount, game.num_contexts)
    expected_reward = np.einsum("sab,sab->s", joint, game.leader_reward)
    values = system.solve(expected_reward, EVALUATION_TOLERANCE * float(np.abs(expected_reward).max()))
    q = np.empty_like(game.leader_reward)
    kernels.next_values(game.transition.successors, game.transition.probabilities, values, q)
    q *= (game.leader_discount * game.continuing)[:, None, None]
    q += game.leader_reward
    return LeaderEvaluation(joint, q, values, float(game.initial @ values), system)


def leader_value(game: Primitives, response: Array) -> float:
    """J of the follower policy `response`, shape (Z, A, B), reward units."""
    return evaluate(game, response).value


def occupancy(game: Primitives, response: Array) -> Array:
    """Leader's discounted occupancy of joint states, shape (Z,), unnormalised."""
    evaluation = evaluate(game, response)
    return evaluation.system.solve_transposed(game.initial, EVALUATION_TOLERANCE)


def response_gap(game: Primitives, response: Array, best_state_values: Array) -> float:
    """What the follower loses by `response` instead of its soft best response.

    Parameters
    ----------
    game
        The game under a commitment.
    response
        Shape (Z, A, B).
    best_state_values
        ``soft_best_response(game).state_values``, shape (Z,).

    Returns
    -------
    float
        Difference of the entropy-regularised follower values at the initial distribution, at least 0 up to
        rounding, reward units.
    """
    entropy = -np.where(response > 0, response * np.log(np.where(response > 0, response, 1.0)), 0.0).sum(axis=2)
    reward = np.einsum("sa,sab,sab->s", game.leader_policy, response, game.follower_reward)
    reward += game.temperature * (game.leader_policy * entropy).sum(axis=1)
    joint = game.leader_policy[:, :, None] * response
    system = resolvent(joint, game.believed_transition, game.continuing, game.follower_discount, game.num_contexts)
    values = system.solve(reward, EVALUATION_TOLERANCE * float(np.abs(reward).max()))
    return float(game.initial @ (best_state_values - values))
