"""The Boltzmann-covariance hypergradient in expectation: a model of what was counted instead of single episodes.

:mod:`agents.estimators.boltzmann_covariance` sums coefficients over the steps of the episodes that were seen. Their
mean over all episodes that could have been seen follows from the same estimates, by three linear solves: with the
follower's policy as it was observed under the present commitment, and with the dynamics and rewards that were counted
under all commitments. So an estimate no longer depends on which way the few episodes went.

BC-HG and HPGD differ in how they average over single steps; in expectation they are the same.

What was never seen is taken to be worth what all that was seen is worth on average. Were it taken to be worth nothing,
an estimate would depend on what is added to all rewards alike, which changes nothing in an endless game.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.games.primitives import DecisionProcess, Primitives
from stackelberg_envs.games.transitions import Transition
from stackelberg_envs.solvers.soft.linear import Resolvent, action_values, resolvent

from ..observing.brief import JointEffect, TabularBrief
from .counted_ends import counted_end
from .counts import TabularCounts

if TYPE_CHECKING:
    from stackelberg_envs.solvers.soft import SoftSolution

__all__ = [
    "EVALUATION_TOLERANCE",
    "Values",
    "counted_primitives",
    "counted_solution",
    "counted_values",
    "known_part",
    "response_shift",
    "solution_with",
]

#: Bound on the error of the follower's values, relative to the largest reward with its entropy.
EVALUATION_TOLERANCE = 1e-9
#: Where play that was seen ends, or is seen on, with less than this chance, nothing is known of what it is worth.
UNKNOWN = 1e-9


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
    """Return the game under a commitment as far as it was counted.

    What was never seen leads nowhere, and what it is worth is up to :func:`counted_solution`. Where the commitment
    announces the dynamics it leads where these say, and is paid the average of what was seen.

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
    follower = counts.mean_reward("follower", effect.follower_reward)
    leader = counts.mean_reward("leader", effect.leader_reward)
    transition = effect.transition
    if transition is not None:
        follower, leader = (
            np.where(counts.visits > 0, paid, np.average(paid, weights=counts.visits)) for paid in (follower, leader)
        )
    else:
        totals = counts.counts.sum(axis=-1, keepdims=True)
        transition = Transition(counts.successors, counts.counts / np.maximum(totals, 1.0))
    continuing = np.where(counts.ends > 0, 0.0, 1.0)  # steps in terminal states lead nowhere
    ends, most = counted_end(brief.longest_discount, transition, continuing, float(counts.visits.sum()))
    return Primitives(
        effect.leader_policy,
        follower,
        leader,
        transition,
        transition,
        counts.starts / counts.starts.sum(),
        continuing,
        min(brief.leader_discount, most),
        min(brief.follower_discount, most),
        temperature,
        brief.num_contexts,
        brief.feasible,
        ends,
    )


def counted_solution(game: Primitives, response: Array, counts: TabularCounts) -> SoftSolution:
    """Return the solution of a counted game in which the follower's response is taken to be the observed one.

    Parameters
    ----------
    game
        From :func:`counted_primitives`.
    response
        g(b | z, a), shape (Z, A, B).
    counts
        What was seen.
    """
    from stackelberg_envs.solvers.soft import BestResponse, LeaderEvaluation, SoftSolution  # only who has a model

    g = known_part(response, counts.visits)
    joint = game.joint_policy(g)
    system = resolvent(game.leader_process, joint)
    nothing = np.zeros_like(g)
    leader = counted_values(game.leader_process, system, joint, g, nothing, counts)
    other = system
    if game.follower_discount != game.leader_discount:
        other = resolvent(game.follower_process, joint)
    bonus = -game.temperature * np.log(np.where(g > 0, g, 1.0))
    follower = counted_values(game.follower_process, other, joint, g, bonus, counts)
    evaluation = LeaderEvaluation(joint, leader.q, leader.states, float(game.initial @ leader.states), system)
    return SoftSolution(game, BestResponse(follower.q, follower.actions, follower.states, g, 0.0), evaluation)


def known_part(policy: Array, visits: Array) -> Array:
    """Return a policy, shape (Z, A, B), without the actions that were never seen, where others were seen."""
    seen = policy * (visits > 0)
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
    g, found = known_part(policy, counts.visits), []
    bonus = -after.temperature * np.log(np.where(g > 0, g, 1.0))
    for game in (before, after):
        joint = game.joint_policy(g)
        system = resolvent(game.follower_process, joint)
        found.append(counted_values(game.follower_process, system, joint, g, bonus, counts).q)
    change = found[1] - found[0]
    change = (change - np.einsum("zab,zab->za", g, change)[:, :, None]) / after.temperature
    return np.asarray(np.where(counts.visits > 0, change, 0.0))


class Values(NamedTuple):
    """Action values, shape (Z, A, B), their averages with a bonus, (Z, A), and state values, (Z,)."""

    q: Array
    actions: Array
    states: Array


def counted_values(
    process: DecisionProcess, system: Resolvent, joint: Array, g: Array, bonus: Array, counts: TabularCounts
) -> Values:
    """Return the values of a joint policy where only some was seen; `system` is that of the process and the policy.

    The bonus, an entropy say, shape (Z, A, B), is paid wherever action values are averaged over g.

    Values are linear in what the unseen is worth, so that this is found from two solves: it is the average of the
    action values seen, each as often as it was.
    """
    nowhere = process.transition.probabilities.sum(axis=3) == 0.0
    unseen = ((counts.visits == 0) & nowhere).astype(np.float64)
    q, states = [], []
    for reward, extra in ((process.reward * (1.0 - unseen), bonus), (unseen, 0.0)):
        earned = np.einsum("zab,zab->z", joint, reward + extra)
        states.append(system.solve(earned, EVALUATION_TOLERANCE * float(np.abs(earned).max())))
        q.append(action_values(process._replace(reward=reward), states[-1]))
    weights = counts.visits / counts.visits.sum()
    # With discount 1 all that was seen may lead to what was not: then nothing is known.
    known = float(1.0 - (weights * q[1]).sum())
    worth = float((weights * q[0]).sum() / known) if known > UNKNOWN else 0.0
    action = q[0] + worth * q[1]
    return Values(action, np.einsum("zab,zab->za", g, action + bonus), states[0] + worth * states[1])
