"""Evaluation: both players' values of a given follower policy, and how often states are visited."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.games.primitives import Primitives
from stackelberg_envs.solvers.soft.krylov import policy_matrix
from stackelberg_envs.solvers.soft.linear import Resolvent, action_values, resolvent

__all__ = [
    "LeaderEvaluation",
    "episode_values",
    "evaluate",
    "follower_reward_value",
    "leader_value",
    "occupancy",
    "response_gap",
]

#: Of residuals, relative to the right-hand side.
EVALUATION_TOLERANCE = 1e-14


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
    """Leader's values when the follower plays `response`, shape (Z, A, B)."""
    joint = game.joint_policy(response)
    system = resolvent(game.leader_process, joint)
    expected_reward = np.einsum("sab,sab->s", joint, game.leader_reward)
    values = system.solve(expected_reward, EVALUATION_TOLERANCE * float(np.abs(expected_reward).max()))
    q = action_values(game.leader_process, values)
    return LeaderEvaluation(joint, q, values, float(game.initial @ values), system)


def leader_value(game: Primitives, response: Array) -> float:
    """J of the follower policy `response`, shape (Z, A, B), reward units."""
    return evaluate(game, response).value


def occupancy(game: Primitives, response: Array) -> Array:
    """Leader's discounted occupancy of joint states, shape (Z,), unnormalised."""
    evaluation = evaluate(game, response)
    return evaluation.system.solve_transposed(game.initial, EVALUATION_TOLERANCE)


def follower_reward_value(game: Primitives, response: Array, system: Resolvent | None = None) -> float:
    """Return the follower's discounted reward, no entropy counted, over endless play in the true dynamics.

    Parameters
    ----------
    game
        The game under a commitment.
    response
        Shape (Z, A, B).
    system
        ``evaluate(game, response).system``; it serves again where both discounts are the same.
    """
    joint = game.joint_policy(response)
    if system is None or game.follower_discount != game.leader_discount:
        system = resolvent(game.follower_process._replace(transition=game.transition), joint)
    reward = np.einsum("sab,sab->s", joint, game.follower_reward)
    values = system.solve(reward, EVALUATION_TOLERANCE * float(np.abs(reward).max()))
    return float(game.initial @ values)


def episode_values(game: Primitives, response: Array, horizon: int) -> tuple[float, float, float]:
    """Return what an episode of at most `horizon` steps is worth when the follower plays `response`.

    Returns
    -------
    tuple
        The leader's discounted reward, the follower's with its entropy bonus, and the follower's without; all in the
        true dynamics, reward units.

    Notes
    -----
    Steps are added backwards, v <- r + discount P v, and only as many as still change a sum: with `change` the last
    change, all later ones together are at most discount / (1 - discount) times `change`, or with discount 1 the most
    steps that play has in the mean times it.
    """
    joint = game.joint_policy(response)
    matrix = policy_matrix(joint, game.transition, game.continuing)
    leader, follower = ((joint * reward).sum(axis=(1, 2)) for reward in (game.leader_reward, game.follower_reward))
    bonus = game.temperature * (game.leader_policy * _entropy(response)).sum(axis=1)
    rewards = np.stack([leader, follower + bonus, follower], axis=1)
    discounts = np.array([game.leader_discount, game.follower_discount, game.follower_discount])
    own = game.follower_process.stopping_rate
    rounding = np.finfo(np.float64).eps * np.array([game.leader_process.stopping_rate, own, own])
    values = rewards
    for _ in range(horizon - 1):
        longer = rewards + discounts * (matrix @ values)
        change, values = np.abs(longer - values).max(axis=0), longer
        if (discounts * change <= rounding * np.abs(values).max(axis=0)).all():
            break
    one, two, three = (float(game.initial @ column) for column in values.T)
    return one, two, three


def _entropy(response: Array) -> Array:
    """Return the entropy of the response in each state after each leader action, shape (Z, A)."""
    logs = np.log(np.where(response > 0, response, 1.0))
    return np.asarray(-(response * logs).sum(axis=2))


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
    reward = np.einsum("sa,sab,sab->s", game.leader_policy, response, game.follower_reward)
    reward += game.temperature * (game.leader_policy * _entropy(response)).sum(axis=1)
    system = resolvent(game.follower_process, game.joint_policy(response))
    values = system.solve(reward, EVALUATION_TOLERANCE * float(np.abs(reward).max()))
    return float(game.initial @ (best_state_values - values))
