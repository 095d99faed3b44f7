r"""HPGD's response term: derivatives of Q_F and V_F as averages over visits.

Thoma et al., "Contextual Bilevel Reinforcement Learning for Incentive Alignment", NeurIPS 2024, arXiv 2406.01575:
the response term is the average over episodes of

.. math::
    \sum_t \frac{\gamma_L^t}{\lambda} A_L(s_t,a_t,b_t) \big(dQ_F(s_t,a_t,b_t) - dV_F(s_t,a_t)\big) ,

with dQ_F and dV_F the averages, over the batch's visits of (s, a, b) and of (s, a), of

.. math::
    G_\tau = \sum_{k\ge\tau} \gamma_F^{k-\tau} \big(dr_F(s_k,a_k,b_k) + \gamma_F \bar V_F(s_{k+1})\, d\log P_k
    + \gamma_F V_F(s_{k+1},a_{k+1})\, d\log f_{k+1}\big) .

Nothing here is as long as theta. Let W be the sum of the first factors over the visits of a cell and N the
number of visits. G at one visit then enters the estimate with the weight per visit

.. math::
    c(s,a,b) = W(s,a,b)/N(s,a,b) - W(s,a)/N(s,a) ,

and one forward pass with a trace :math:`e_k = \gamma_F e_{k-1} + c_k` gives the coefficients of every later step:
O(T) time whatever the size of theta. An episode that was cut at state s is taken to go on as the average of the
visits of s does. So the trace that it ends with becomes a weight per visit of s, for another pass.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array, ratio
from stackelberg_envs.games.cotangents import StepCotangents
from stackelberg_envs.jit import compiled

from ..observing.trajectories import Trajectories
from .counts import RecordedSteps, count_actions, scatter_add

__all__ = [
    "advantage_weights",
    "cell_weights",
    "follow_visits",
    "weights_per_visit",
]

#: Passes over the batch end when the traces at the ends of cut episodes are this small, relative to the first pass.
LEFTOVER = 1e-9
#: Of weights of about 1: below it, rounding may keep a number from shrinking any more.
NOTHING = 1e-290


def advantage_weights(
    trajectories: Trajectories,
    advantage: Array,
    *,
    leader_discount: float,
    temperature: float,
) -> Array:
    """Sum gamma_L^t A_L / temperature over the visits of each cell, per episode.

    Parameters
    ----------
    trajectories
        What was observed under one commitment.
    advantage
        A_L, reward units, shape (Z, A, B).
    leader_discount
        In [0, 1), per play step.
    temperature
        Weight of the follower's entropy, reward units.

    Returns
    -------
    Array
        W, shape (Z, A, B).
    """
    time = trajectories.time
    z, a, b = trajectories.joint_state, trajectories.leader_action, trajectories.follower_action
    scale = trajectories.step_weights[time] * leader_discount**time / temperature
    return cell_weights(trajectories, scale * advantage[z, a, b], advantage.shape)


def cell_weights(trajectories: Trajectories, weights: Array, shape: tuple[int, ...]) -> Array:
    """Sum `weights`, shape (T,), over the visits of each cell, shape (Z, A, B)."""
    out = np.zeros(shape)
    scatter_add(trajectories.joint_state, trajectories.leader_action, trajectories.follower_action, weights, out)
    return out


def weights_per_visit(weights: Array, trajectories: Trajectories, behaviour: Array | None = None) -> Array:
    """Weight c of one visit of each cell, shape (Z, A, B).

    Parameters
    ----------
    weights
        W, shape (Z, A, B).
    trajectories
        The visits to average over.
    behaviour
        g(b | z, a), shape (Z, A, B), where it is known: dV_F is then the average of dQ_F under g instead of
        the average over the visits of (z, a).
    """
    visits = np.zeros(weights.shape)
    count_actions(trajectories.joint_state, trajectories.leader_action, trajectories.follower_action, visits)
    pairs = weights.sum(axis=2, keepdims=True)
    if behaviour is not None:
        return ratio(weights - pairs * behaviour, visits)
    return np.asarray(ratio(weights, visits) - ratio(pairs, visits.sum(axis=2, keepdims=True)))


def follow_visits(
    per_visit: Array,
    trajectories: Trajectories,
    leader_policy: Array,
    *,
    follower_discount: float,
    follower_values: Array | None = None,
) -> StepCotangents:
    """Coefficients of every recorded step, when G at each visit has a given weight.

    Parameters
    ----------
    per_visit
        c, shape (Z, A, B).
    trajectories
        The visits.
    leader_policy
        f, shape (Z, A).
    follower_discount
        In [0, 1), per play step.
    follower_values
        V_F, reward units, shape (Z, A); None where the commitment changes neither f nor P.

    Returns
    -------
    StepCotangents
        Of the response term alone, which has none of d r_L.
    """
    soft = np.zeros_like(leader_policy) if follower_values is None else follower_values
    soft_states = np.einsum("za,za->z", leader_policy, soft)
    carried, trace = _passes(per_visit, trajectories, follower_discount)
    z, a = trajectories.joint_state, trajectories.leader_action
    ahead = np.where(trajectories.ends, 0.0, follower_discount * soft_states[trajectories.next_joint_state])
    # A state's value is subtracted as a baseline: E[d log f | s] = 0.
    return StepCotangents(
        follower_reward=trace, leader_policy=carried * (soft[z, a] - soft_states[z]), transition=trace * ahead
    )


def _passes(per_visit: Array, trajectories: Trajectories, discount: float) -> tuple[Array, Array]:
    """Return the weights carried to each step from earlier ones, and these plus its own, each of shape (T,)."""
    carried, trace = np.zeros((2, trajectories.num_steps))
    # In units of the greatest weight, a power of two: among the least numbers that there are, none shrinks by rounding.
    exponent = math.frexp(float(np.abs(per_visit).max(initial=0.0)))[1]
    per_visit = np.ldexp(per_visit, -exponent)
    Z = len(per_visit)
    visits = np.bincount(trajectories.joint_state, minlength=Z)
    arriving, leftover = np.zeros((2, Z))
    limit, steps, before = None, RecordedSteps.of(trajectories), np.inf
    while True:
        visit_trace(
            steps,
            trajectories.offsets,
            trajectories.terminated,
            per_visit if limit is None else np.zeros_like(per_visit),
            arriving,
            discount,
            carried,
            trace,
            leftover,
        )
        # Each pass shrinks these traces by the discount at least, so this ends; with discount 1 it may not shrink them.
        total = float(np.abs(leftover).sum())
        limit = max(LEFTOVER * total, NOTHING) if limit is None else limit
        if not limit < total < before:  # it is not, either, where it is no number
            return np.ldexp(carried, exponent), np.ldexp(trace, exponent)
        before = total
        arriving = np.where(visits > 0, leftover / np.maximum(visits, 1), 0.0)


@compiled
def visit_trace(
    steps: RecordedSteps,
    offsets: NDArray[np.int64],
    terminated: NDArray[np.bool_],
    per_visit: Array,
    arriving: Array,
    discount: float,
    carried: Array,
    trace: Array,
    leftover: Array,
) -> None:
    """Spread weights per visit over the steps that follow each visit, one forward pass.

    Every visit of (s, a, b) starts with weight `per_visit` (Z, A, B), every visit of s with `arriving` (Z,) before
    its actions are drawn. Adds to `carried` (T,) the weight that reached a step from earlier ones, to `trace`
    (T,) that plus the step's own; overwrites `leftover` (Z,) with what was carried past the ends of cut episodes.
    """
    leftover[:] = 0.0
    for i in range(offsets.shape[0] - 1):
        weight = 0.0
        for t in range(offsets[i], offsets[i + 1]):
            s = steps.state[t]
            reached = discount * weight + arriving[s]
            weight = reached + per_visit[s, steps.leader_action[t], steps.follower_action[t]]
            carried[t] += reached
            trace[t] += weight
        if not terminated[i]:
            leftover[steps.next_state[offsets[i + 1] - 1]] += discount * weight
