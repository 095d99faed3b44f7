"""The Boltzmann-covariance hypergradient in expectation: a model of what was counted instead of single episodes.

:mod:`agents.estimators.boltzmann_covariance` sums coefficients over the steps of the episodes that were seen. Their
mean over all episodes that could have been seen follows from the same estimates, by three linear solves: with the
follower's policy as it was observed under the present commitment, and with the dynamics and rewards that were counted
under all commitments. So an estimate no longer depends on which way the few episodes went.

BC-HG and HPGD differ in how they average over single steps; in expectation they are the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from agents.estimators.counts import TabularCounts
from agents.observing.brief import JointEffect, TabularBrief
from stackelberg_envs.arrays import Array
from stackelberg_envs.games.primitives import Primitives
from stackelberg_envs.games.transitions import Transition
from stackelberg_envs.solvers.soft.linear import action_values, resolvent

if TYPE_CHECKING:
    from stackelberg_envs.solvers.soft import SoftSolution

__all__ = ["counted_primitives", "known_part", "response_shift", "solution_with"]

#: Bound on the error of the follower's values, relative to the largest reward with its entropy.
EVALUATION_TOLERANCE = 1e-9


def solution_with(primitives: Primitives, response: Array) -> SoftSolution:
    """Return the solution, derivatives included, in which the follower's response is taken to be the given one.

    Parameters
    ----------
    primitives
        The game, true or estimated, under one commitment.
    response
        g(b | z, a), shape (Z, A, B), not necessarily the best one. Its soft values are those it earns.
    """
    from stackelberg_envs.solvers.soft import BestResponse, SoftSolution, evaluate  # only who has a model loads them

    game = primitives
    joint = game.joint_policy(response)
    bonus = -game.temperature * np.log(np.where(response > 0, response, 1.0))
    system = resolvent(game.follower_process, joint)
    earned = np.einsum("zab,zab->z", joint, game.follower_reward + bonus)
    tolerance = EVALUATION_TOLERANCE * float(np.abs(earned).max())
    state_values = system.solve(earned, tolerance)
    q = action_values(game.follower_process, state_values)
    values = np.einsum("zab,zab->za", response, q + bonus)
    best = BestResponse(q, values, state_values, response, tolerance)
    return SoftSolution(primitives, best, evaluate(primitives, response))


def counted_primitives(
    brief: TabularBrief, counts: TabularCounts, effect: JointEffect, temperature: float
) -> Primitives:
    """Return the game under a commitment as far as it was counted: what was never seen pays nothing and leads nowhere.

    Parameters
    ----------
    brief
        For the discounts.
    counts
        All that was seen, with at least one episode.
    effect
        What holds under the commitment.
    temperature
        The follower's, reward units.
    """
    transition = effect.transition
    if transition is None:
        totals = counts.counts.sum(axis=-1, keepdims=True)
        transition = Transition(counts.successors, counts.counts / np.maximum(totals, 1.0))
    return Primitives(
        effect.leader_policy,
        counts.mean_reward("follower", effect.follower_reward),
        counts.mean_reward("leader", effect.leader_reward),
        transition,
        transition,
        counts.starts / counts.starts.sum(),
        np.where(counts.ends > 0, 0.0, 1.0),  # steps in terminal states lead nowhere
        brief.leader_discount,
        brief.follower_discount,
        temperature,
        brief.num_contexts,
    )


def known_part(policy: Array, counts: TabularCounts) -> Array:
    """Return a policy, shape (Z, A, B), without the actions that were never seen, where others were seen."""
    seen = policy * (counts.visits > 0)
    totals = seen.sum(axis=2, keepdims=True)
    return np.asarray(np.divide(seen, totals, out=policy.copy(), where=totals > 0))


def response_shift(before: Primitives, after: Primitives, policy: Array, counts: TabularCounts) -> Array:
    """Return how the follower's action values change from one commitment to another, its behaviour as it was.

    Parameters
    ----------
    before, after
        The counted game under both.
    policy
        g(b | z, a) under the first, shape (Z, A, B), all actions possible.
    counts
        What was seen.

    Returns
    -------
    Array
        In temperatures of `after`, less the mean under `policy`, shape (Z, A, B); zero for actions never seen, of
        which nothing is known.
    """
    g = known_part(policy, counts)
    bonus = -after.temperature * np.log(np.where(g > 0, g, 1.0))
    change = _follower_values(after, g, bonus) - _follower_values(before, g, bonus)
    change = (change - np.einsum("zab,zab->za", g, change)[:, :, None]) / after.temperature
    return np.asarray(np.where(counts.visits > 0, change, 0.0))


def _follower_values(game: Primitives, policy: Array, bonus: Array) -> Array:
    """Return the follower's action values under a policy with a bonus for what it plays, shape (Z, A, B)."""
    joint, process = game.joint_policy(policy), game.follower_process
    earned = np.einsum("zab,zab->z", joint, game.follower_reward + bonus)
    values = resolvent(process, joint).solve(earned, EVALUATION_TOLERANCE * float(np.abs(earned).max()))
    return action_values(process, values)
