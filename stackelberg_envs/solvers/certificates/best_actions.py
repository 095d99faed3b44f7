"""The follower's best response where it takes the best action for certain, and the leader's choice among those tied."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array
from stackelberg_envs.games.primitives import DecisionProcess, Primitives
from stackelberg_envs.solvers.certificates.linear_systems import policy_system, solve_factorised

__all__ = ["TIED", "HardResponse", "best_within", "hard_response"]

#: Actions are tied whose values differ by at most this part of the largest value.
TIED = 1e-6
#: Gains below this part of the largest value are rounding.
ROUNDING = 1e-12


class HardResponse(NamedTuple):
    """The follower's best response to a commitment, ties taken as the leader likes.

    Attributes
    ----------
    leader_value
        J, reward units.
    policy
        Which action the follower takes, ones and zeros of shape (Z, A, B).
    values
        The follower's state values, shape (Z,).
    """

    leader_value: float
    policy: Array
    values: Array


def best_within(
    process: DecisionProcess, leader_policy: Array, allowed: NDArray[np.bool_]
) -> tuple[Array, Array, Array]:
    """Return state values (Z,), action values (Z, A, B) and the choice (Z, A, B) of who takes the best allowed action.

    Parameters
    ----------
    process
        Rewards and dynamics.
    leader_policy
        f(a | s), shape (Z, A).
    allowed
        Shape (Z, A, B), one at least for each state and action of the leader.
    """
    lists, weights = process.transition, process.discount * process.continuing
    masked = np.where(allowed, process.reward, -np.inf)
    best = masked.argmax(axis=-1)
    while True:
        choice = np.eye(allowed.shape[-1])[best]
        system = policy_system(
            np.ascontiguousarray(leader_policy),
            choice,
            lists.successors,
            lists.probabilities,
            process.continuing,
            process.discount,
        )
        values = (leader_policy * (choice * process.reward).sum(axis=-1)).sum(axis=-1)[:, None]
        solve_factorised(system, values)
        ahead = (lists.probabilities * values[lists.successors, 0]).sum(axis=-1)
        q = process.reward + weights[:, None, None] * ahead
        masked = np.where(allowed, q, -np.inf)
        better = masked.argmax(axis=-1)
        own = np.take_along_axis(q, best[..., None], axis=-1)[..., 0]
        gains = masked.max(axis=-1) > own + ROUNDING * np.abs(q).max()
        if not gains.any():
            return values[:, 0], q, choice
        best = np.where(gains, better, best)


def hard_response(game: Primitives) -> HardResponse:
    """Return the best response to a commitment, and what it is worth to the leader."""
    able = np.ones(game.follower_reward.shape, dtype=bool) if game.feasible is None else game.feasible
    values, q, _ = best_within(game.follower_process, game.leader_policy, able)
    top = np.where(able, q, -np.inf).max(axis=-1, keepdims=True)
    tied = (q >= top - TIED * np.abs(q).max()) & able
    leader_values, _, choice = best_within(game.leader_process, game.leader_policy, tied)
    return HardResponse(float(game.initial @ leader_values), choice, values)
