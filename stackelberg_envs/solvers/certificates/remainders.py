"""How far the quadratic functions on a box can be from the values of the follower and of the leader.

What they leave of the soft Bellman equation bounds the error of the follower's values, this one that of its logits;
what they leave of the leader's Bellman equation, with logits that may be as wrong, bounds the error of the leader's
values.
"""

from __future__ import annotations

import numpy as np

from stackelberg_envs.arrays import Array, IntArray
from stackelberg_envs.jit import compiled
from stackelberg_envs.solvers.certificates.affine import AffineArrays
from stackelberg_envs.solvers.certificates.policy_sets import (
    OptimisticProcess,
    optimistic_values,
    probability_intervals,
    spreads,
)
from stackelberg_envs.solvers.certificates.quadratics import mixed_term

__all__ = ["follower_errors", "leader_errors"]

EPSILON = 2.220446049250313e-16
#: How often a guess of the follower's error is raised before the box is given up as too large.
GUESSES = 4
#: An error of this many temperatures leaves nothing to know about a policy.
WORTHLESS = 20.0


@compiled
def cubic_terms(probabilities: Array, successors: IntArray, values: Array, weight: float) -> float:
    """Bound the terms of degree three of weight P(t) values(t) for one row; `values` has the shape (Z, M)."""
    D, total = probabilities.shape[1] - 1, 0.0
    for i in range(D):
        for m in range(1 + D, values.shape[1]):
            part = 0.0
            for n in range(len(successors)):
                part += probabilities[n, 1 + i] * values[successors[n], m]
            total += abs(part)
    return weight * total


@compiled
def mixed_remainder(weights: Array, values: Array, target: Array, factors: IntArray) -> float:
    """Bound |sum_a weights(a; t) values(a; t) - target(t)| for polynomials of shapes (A, 1 + D), (A, M), (M,)."""
    A, D, M = len(weights), weights.shape[1] - 1, len(target)
    total, size = 0.0, 0.0
    for m in range(M):
        total += abs(mixed_term(weights, values, m, factors) - target[m])
        size += abs(target[m])
    for i in range(D):
        moving = False
        for a in range(A):
            moving = moving or weights[a, 1 + i] != 0.0
        if moving:
            for m in range(1 + D, M):
                part = 0.0
                for a in range(A):
                    part += weights[a, 1 + i] * values[a, m]
                total += abs(part)
    return total + 8.0 * (A + 4) * EPSILON * size


@compiled
def largest(row: Array) -> float:
    """Return the largest absolute value on the box of polynomials of shape (B, M)."""
    most = 0.0
    for b in range(len(row)):
        total = 0.0
        for m in range(row.shape[1]):
            total += abs(row[b, m])
        most = max(most, total)
    return most


@compiled
def follower_residual(
    box: AffineArrays,
    v: Array,
    soft: Array,
    logits: Array,
    errors: Array,
    leader_high: Array,
    factors: IntArray,
    cubic: Array,
) -> Array:
    """Bound |T V - V| on the box, with T the soft Bellman operator, and write what logits leave out into `cubic`."""
    Z, A, B = logits.shape[:3]
    moving = box.believed_probabilities.shape[4] > 1
    terms = 8.0 * (box.believed_successors.shape[3] + B + 4) * EPSILON
    out = np.empty(Z)
    for s in range(Z):
        weight = box.follower_discount * box.continuing[s] / box.temperature
        out[s] = mixed_remainder(box.leader_policy[s], soft[s], v[s], factors)
        for a in range(A):
            rounding = terms * largest(logits[s, a])
            most = 0.0
            for b in range(B):
                cubic[s, a, b] = rounding
                if moving:
                    lists = box.believed_successors[s, a, b]
                    cubic[s, a, b] += cubic_terms(box.believed_probabilities[s, a, b], lists, v, weight)
                most = max(most, cubic[s, a, b])
            out[s] += leader_high[s, a] * (box.temperature * most + errors[s, a])
    return out


@compiled
def logit_errors(box: AffineArrays, cubic: Array, error: Array) -> Array:
    """Bound the errors of logits, shape (Z, A, B), from those of state values, shape (Z,)."""
    Z, A, B = cubic.shape
    out = np.empty((Z, A, B))
    D = box.believed_probabilities.shape[4] - 1
    for s in range(Z):
        weight = box.follower_discount * box.continuing[s] / box.temperature
        for a in range(A):
            for b in range(B):
                total = 0.0
                for n in range(box.believed_successors.shape[3]):
                    probability = box.believed_probabilities[s, a, b, n, 0]
                    for i in range(D):
                        probability += abs(box.believed_probabilities[s, a, b, n, 1 + i])
                    total += probability * error[box.believed_successors[s, a, b, n]]
                out[s, a, b] = cubic[s, a, b] + weight * total
    return out


@compiled
def policies_near(logits: Array, error: Array, low: Array, high: Array) -> None:
    """Write bounds on the probabilities on the box into `low` and `high` (Z, A, B), from logits that are so wrong."""
    Z, A, B = logits.shape[:3]
    apart = np.empty((B, B))
    for s in range(Z):
        for a in range(A):
            spreads(logits[s, a], apart)
            for b in range(B):
                for c in range(B):
                    apart[b, c] += error[s, a, b] + error[s, a, c] if b != c else 0.0
            probability_intervals(logits[s, a, :, 0], apart, low[s, a], high[s, a])


@compiled
def follower_errors(
    box: AffineArrays,
    v: Array,
    soft: Array,
    logits: Array,
    errors: Array,
    leader_low: Array,
    leader_high: Array,
    factors: IntArray,
) -> tuple[bool, Array, Array, Array]:
    """Bound the errors of the follower's logits on the box, and its probabilities.

    Parameters
    ----------
    v, soft, logits, errors
        Of :func:`stackelberg_envs.solvers.certificates.quadratics.follower_polynomials`.

    Returns
    -------
    tuple
        Whether there are bounds; those on the error of each logit, shape (Z, A, B); and the least and the largest
        probabilities, the same shape.
    """
    Z, A, B = logits.shape[:3]
    cubic, low, high = np.empty((Z, A, B)), np.empty((Z, A, B)), np.empty((Z, A, B))
    residual = follower_residual(box, v, soft, logits, errors, leader_high, factors, cubic)
    reward = np.empty((Z, A, B))
    for s in range(Z):
        for a in range(A):
            for b in range(B):
                reward[s, a, b] = residual[s]
    error, guess = cubic, np.zeros(Z)
    for attempt in range(GUESSES):
        error = logit_errors(box, cubic, guess)
        policies_near(logits, error, low, high)
        process = OptimisticProcess(
            box.believed_successors,
            box.believed_probabilities,
            box.continuing,
            box.follower_discount,
            leader_low,
            leader_high,
            low,
            high,
        )
        values, _, _ = optimistic_values(process, reward, guess)
        proven, most = attempt > 0, 0.0
        for s in range(Z):
            proven = proven and values[s] <= guess[s]
            guess[s] = max(1.3 * values[s], guess[s])
            most = max(most, guess[s])
        if proven:
            return True, error, low, high
        if most > WORTHLESS * box.temperature:
            break
    return False, error, low, high


@compiled
def leader_errors(
    box: AffineArrays,
    w: Array,
    means: Array,
    values: Array,
    errors: Array,
    process: OptimisticProcess,
    factors: IntArray,
) -> Array:
    """Bound by how much the leader's values exceed the polynomials `w` on the box, shape (Z,).

    Parameters
    ----------
    w, means, values, errors
        Of :func:`stackelberg_envs.solvers.certificates.quadratics.leader_polynomials`.
    process
        What the policies of both can be on the box.
    """
    Z, A, B = values.shape[:3]
    terms = 8.0 * (box.successors.shape[3] + B + 4) * EPSILON
    reward = np.empty((Z, A, B))
    for s in range(Z):
        weight = box.leader_discount * box.continuing[s]
        total = mixed_remainder(box.leader_policy[s], means[s], w[s], factors)
        for a in range(A):
            part = terms * largest(values[s, a]) + errors[s, a]
            most = 0.0
            if box.probabilities.shape[4] > 1:
                for b in range(B):
                    lists = box.successors[s, a, b]
                    most = max(most, cubic_terms(box.probabilities[s, a, b], lists, w, weight))
            total += process.leader_high[s, a] * (part + most)
        for a in range(A):
            for b in range(B):
                reward[s, a, b] = total
    return optimistic_values(process, reward, reward[:, 0, 0].copy())[0]
