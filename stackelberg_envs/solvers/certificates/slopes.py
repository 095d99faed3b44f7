"""Bounds on the derivatives of the follower's values over a box, however large it is, and what follows for its policy.

The derivative of the state values by a coordinate is the discounted sum of what that coordinate adds to the reward, to
the leader's policy and to the dynamics, under the follower's policy. Bounds on it for a box hold on every part of the
box; together with intervals for the policy they give narrower ones.
"""

from __future__ import annotations

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.jit import compiled
from stackelberg_envs.solvers.certificates.affine import AffineArrays
from stackelberg_envs.solvers.certificates.policy_sets import best_choice, probability_intervals

__all__ = ["first_slopes", "narrowed"]

EPSILON = 2.220446049250313e-16


@compiled
def value_span(box: AffineArrays) -> float:
    """Return the largest difference that two values of the follower can have on the box."""
    Z, A, B, columns = box.follower_reward.shape
    least, most = 0.0, 0.0
    for s in range(Z):
        for a in range(A):
            for b in range(B):
                radius = 0.0
                for i in range(1, columns):
                    radius += abs(box.follower_reward[s, a, b, i])
                least = min(least, box.follower_reward[s, a, b, 0] - radius)
                most = max(most, box.follower_reward[s, a, b, 0] + radius)
    most += box.temperature * np.log(B)
    return float((most - least) / (1.0 - box.follower_discount))


@compiled
def first_slopes(box: AffineArrays) -> Array:
    """Return bounds on the derivatives of state values by t on the box, from the game's arrays; shape (2, Z, D)."""
    Z, A, B, columns = box.follower_reward.shape
    D, N = columns - 1, box.believed_successors.shape[3]
    span, out = value_span(box), np.empty((2, Z, D))
    for i in range(D):
        source = 0.0
        for s in range(Z):
            moved, most = 0.0, 0.0
            for a in range(A):
                moved += abs(box.leader_policy[s, a, 1 + i])
                for b in range(B):
                    shifted = 0.0
                    if box.believed_probabilities.shape[4] > 1:
                        for n in range(N):
                            shifted += abs(box.believed_probabilities[s, a, b, n, 1 + i])
                    own = abs(box.follower_reward[s, a, b, 1 + i]) + 0.5 * span * shifted
                    most = max(most, own)
            source = max(source, most + 0.5 * span * moved)
        out[0, :, i], out[1, :, i] = -source / (1.0 - box.follower_discount), source / (1.0 - box.follower_discount)
    return out


@compiled
def action_slopes(box: AffineArrays, slopes: Array, values: Array, span: float, out: Array) -> None:
    """Write bounds on the derivatives of action values by t, shape (2, Z, A, B, D), from those of state values."""
    Z, A, B, N = box.believed_successors.shape
    D = slopes.shape[2]
    moving = box.believed_probabilities.shape[4] > 1
    for s in range(Z):
        weight = box.follower_discount * box.continuing[s]
        for a in range(A):
            for b in range(B):
                for i in range(D):
                    out[0, s, a, b, i] = out[1, s, a, b, i] = box.follower_reward[s, a, b, 1 + i]
                if weight == 0.0:
                    continue
                for n in range(N):
                    probability, ahead = box.believed_probabilities[s, a, b, n, 0], box.believed_successors[s, a, b, n]
                    if moving or probability != 0.0:
                        for i in range(D):
                            out[0, s, a, b, i] += weight * probability * slopes[0, ahead, i]
                            out[1, s, a, b, i] += weight * probability * slopes[1, ahead, i]
                if moving:
                    _add_moving(box, s, a, b, weight, slopes, values, span, out)


@compiled
def _add_moving(
    box: AffineArrays, s: int, a: int, b: int, weight: float, slopes: Array, values: Array, span: float, out: Array
) -> None:
    """Add what comes from probabilities that move: their own derivative, and other slopes ahead."""
    D = slopes.shape[2]
    lists, kernel = box.believed_successors[s, a, b], box.believed_probabilities[s, a, b]
    for i in range(D):
        direct, doubt, low, high = 0.0, 0.0, 0.0, 0.0
        for n in range(len(lists)):
            ahead, radius = lists[n], 0.0
            for j in range(D):
                radius += max(abs(slopes[0, ahead, j]), abs(slopes[1, ahead, j]))
            direct += kernel[n, 1 + i] * values[ahead]
            doubt += abs(kernel[n, 1 + i]) * min(radius, span)
            for j in range(D):
                low += abs(kernel[n, 1 + j]) * abs(slopes[0, ahead, i])
                high += abs(kernel[n, 1 + j]) * abs(slopes[1, ahead, i])
        out[0, s, a, b, i] += weight * (direct - doubt - low)
        out[1, s, a, b, i] += weight * (direct + doubt + high)


@compiled
def policy_bounds(box: AffineArrays, q: Array, slopes: Array, q_error: float, low: Array, high: Array) -> None:
    """Write bounds on the follower's policy on the box into `low` and `high`, shape (Z, A, B).

    Parameters
    ----------
    q
        Action values at the centre, shape (Z, A, B); their error is at most `q_error`.
    slopes
        Bounds on their derivatives by t, shape (2, Z, A, B, D).
    """
    Z, A, B, D = slopes.shape[1:]
    apart = np.zeros((B, B))
    for s in range(Z):
        for a in range(A):
            for b in range(B):
                for c in range(B):
                    total = 2.0 * q_error
                    for i in range(D):
                        up = slopes[1, s, a, b, i] - slopes[0, s, a, c, i]
                        down = slopes[1, s, a, c, i] - slopes[0, s, a, b, i]
                        total += max(abs(up), abs(down))
                    apart[b, c] = total / box.temperature if b != c else 0.0
            probability_intervals(q[s, a] / box.temperature, apart, low[s, a], high[s, a])


@compiled
def narrow_slopes(
    box: AffineArrays,
    actions: Array,
    soft: Array,
    span: float,
    leader_low: Array,
    leader_high: Array,
    low: Array,
    high: Array,
    slopes: Array,
) -> None:
    """Make bounds on the derivatives of state values, (2, Z, D), narrower, from those of action values.

    Parameters
    ----------
    actions
        Of :func:`action_slopes`.
    soft
        V_F at the centre, shape (Z, A).
    span
        Of :func:`value_span`.
    leader_low, leader_high, low, high
        Bounds on both policies, shapes (Z, A) and (Z, A, B).
    slopes
        Changed.
    """
    Z, A, B, D = actions.shape[1:]
    q, means, chosen, leader = np.empty(B), np.empty(A), np.empty(B), np.empty(A)
    for s in range(Z):
        for i in range(D):
            middle, doubt = _by_leader_policy(box.leader_policy[s], actions[:, s], soft[s], span, i)
            for sign in range(2):
                way = 2.0 * sign - 1.0
                size = abs(middle)
                for a in range(A):
                    for b in range(B):
                        q[b] = way * actions[sign, s, a, b, i]
                        size = max(size, abs(q[b]))
                    means[a] = best_choice(q, low[s, a], high[s, a], chosen)
                total = way * middle + doubt + best_choice(means, leader_low[s], leader_high[s], leader)
                total += 64.0 * EPSILON * size
                bound = way * slopes[sign, s, i]
                slopes[sign, s, i] = way * min(bound, total)


@compiled
def _by_leader_policy(leader_policy: Array, actions: Array, soft: Array, span: float, i: int) -> tuple[float, float]:
    """Return the part of a slope that comes from the leader's policy, and by how much it may be off."""
    A, B, D = actions.shape[1:]
    middle, doubt = 0.0, 0.0
    for a in range(A):
        share = leader_policy[a, 1 + i]
        if share == 0.0:
            continue
        radius = 0.0
        for j in range(D):
            most = 0.0
            for b in range(B):
                most = max(most, abs(actions[0, a, b, j]), abs(actions[1, a, b, j]))
            radius += most
        middle += share * (soft[a] - soft[0])
        doubt += abs(share) * min(radius, span)
    return middle, doubt


@compiled
def narrowed(
    box: AffineArrays,
    slopes: Array,
    values: Array,
    soft: Array,
    q: Array,
    error: float,
    leader_low: Array,
    leader_high: Array,
    sweeps: int,
) -> tuple[Array, Array, Array, Array]:
    """Narrow bounds on slopes and on the follower's policy by each other.

    Parameters
    ----------
    box
        The game on the box.
    slopes
        Bounds on the derivatives of state values by t, shape (2, Z, D); changed.
    values, soft, q, error
        The follower's values at the centre, shapes (Z,), (Z, A) and (Z, A, B), and a bound on their errors.
    leader_low, leader_high
        Bounds on the leader's policy, shape (Z, A).
    sweeps
        How often.

    Returns
    -------
    tuple
        `slopes`, those of action values (2, Z, A, B, D), and bounds on the follower's policy, shape (Z, A, B) each.
    """
    Z, A, B = q.shape
    low, high, actions = np.empty((Z, A, B)), np.empty((Z, A, B)), np.empty((2, Z, A, B, slopes.shape[2]))
    span = value_span(box) + 2.0 * error
    for _ in range(sweeps):
        action_slopes(box, slopes, values, span, actions)
        policy_bounds(box, q, actions, error, low, high)
        narrow_slopes(box, actions, soft, span, leader_low, leader_high, low, high, slopes)
    return slopes, actions, low, high
