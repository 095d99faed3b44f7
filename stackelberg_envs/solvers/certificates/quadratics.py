"""Values as quadratic functions on a box.

With t in [-1, 1]^D, the monomials are 1, t_1, .., t_D, then t_i t_j for i <= j, in the order of :func:`monomials`. The
polynomials need not be right to be of use: what they leave of the Bellman equations is bounded afterwards, in
:mod:`stackelberg_envs.solvers.certificates.remainders`. They are found as solutions of linear equations are refined:
what is left of the equations with softmax replaced by quadratic functions is put through the inverse at the centre.
"""

from __future__ import annotations

import numpy as np

from stackelberg_envs.arrays import Array, IntArray
from stackelberg_envs.jit import compiled
from stackelberg_envs.solvers.certificates.affine import AffineArrays
from stackelberg_envs.solvers.certificates.fits import soft_mean, soft_shares, soft_sum
from stackelberg_envs.solvers.certificates.linear_systems import solve_factorised

__all__ = ["follower_polynomials", "leader_polynomials", "mixed_term", "monomials"]

#: How often the follower's polynomials are taken; the leader's are once more.
ROUNDS = 3


def monomials(D: int) -> IntArray:
    """Return the two factors of each monomial of degree two, shape (2, M); -1 for the others."""
    pairs = [(i, j) for i in range(D) for j in range(i, D)]
    made: IntArray = np.full((2, 1 + D + len(pairs)), -1, dtype=np.int32)
    made[:, 1 + D :] = np.array(pairs, dtype=np.int32).reshape(-1, 2).T
    return made


@compiled
def action_polynomials(
    reward: Array,
    successors: IntArray,
    probabilities: Array,
    weights: Array,
    values: Array,
    factors: IntArray,
    out: Array,
) -> None:
    """Write r + weights P values into `out` (Z, A, B, M), terms of degree three left out.

    Parameters
    ----------
    reward
        Shape (Z, A, B, 1 + D).
    probabilities
        Shape (Z, A, B, N, 1 + D), or 1 at the end where they are constant.
    weights
        The discount, 0 in terminal states; shape (Z,).
    values
        Shape (Z, M).
    factors
        Of :func:`monomials`.
    """
    Z, A, B, N = successors.shape
    D, M = reward.shape[3] - 1, values.shape[1]
    moving = probabilities.shape[4] > 1
    for s in range(Z):
        for a in range(A):
            for b in range(B):
                row = out[s, a, b]
                for m in range(M):
                    row[m] = reward[s, a, b, m] if m <= D else 0.0
                if weights[s] == 0.0:
                    continue
                for n in range(N):
                    ahead, weight = values[successors[s, a, b, n]], weights[s] * probabilities[s, a, b, n, 0]
                    if weight != 0.0:
                        for m in range(M):
                            row[m] += weight * ahead[m]
                    if moving:
                        _add_moving(weights[s], probabilities[s, a, b, n], ahead, factors, row)


@compiled
def _add_moving(weight: float, probability: Array, ahead: Array, factors: IntArray, row: Array) -> None:
    """Add the terms that come from probabilities that move with t."""
    D = len(probability) - 1
    for m in range(1, len(ahead)):
        if m <= D:
            row[m] += weight * probability[m] * ahead[0]
            continue
        i, j = factors[0, m], factors[1, m]
        row[m] += weight * probability[1 + i] * ahead[1 + j]
        if i != j:
            row[m] += weight * probability[1 + j] * ahead[1 + i]


@compiled
def mixed_term(weights: Array, values: Array, m: int, factors: IntArray) -> float:
    """Return term m of sum_a weights(a; t) values(a; t); `weights` (A, 1 + D), `values` (A, M)."""
    A = len(weights)
    D = weights.shape[1] - 1
    i, j = factors[0, m], factors[1, m]
    total = 0.0
    for a in range(A):
        total += weights[a, 0] * values[a, m]
        if 1 <= m <= D:
            total += weights[a, m] * values[a, 0]
        if i >= 0:
            total += weights[a, 1 + i] * values[a, 1 + j]
            if i != j:
                total += weights[a, 1 + j] * values[a, 1 + i]
    return total


@compiled
def follower_polynomials(
    box: AffineArrays, values: Array, system: Array, factors: IntArray
) -> tuple[Array, Array, Array, Array]:
    """Return the follower's polynomials.

    Parameters
    ----------
    box
        The game on the box.
    values, system
        State values (Z,) and factors (Z, Z) of :func:`stackelberg_envs.solvers.certificates.centre.soft_response`.
    factors
        Of :func:`monomials`.

    Returns
    -------
    tuple
        State values (Z, M); soft values (Z, A, M) and logits (Z, A, B, M) that follow from them; and bounds on what the
        soft values leave out, (Z, A).
    """
    Z, A, B, columns = box.follower_reward.shape
    D = columns - 1
    M = factors.shape[1]
    weights = box.follower_discount * box.continuing
    v, soft, logits, errors = np.zeros((Z, M)), np.zeros((Z, A, M)), np.zeros((Z, A, B, M)), np.zeros((Z, A))
    change = np.empty((Z, M))
    for s in range(Z):
        v[s, 0] = values[s]
    for turn in range(ROUNDS):
        action_polynomials(
            box.follower_reward, box.believed_successors, box.believed_probabilities, weights, v, factors, logits
        )
        for s in range(Z):
            for a in range(A):
                for b in range(B):
                    for m in range(M):
                        logits[s, a, b, m] /= box.temperature
                errors[s, a] = box.temperature * soft_sum(logits[s, a], D, factors, soft[s, a])
                for m in range(M):
                    soft[s, a, m] *= box.temperature
        if turn < ROUNDS - 1:
            _improve(box.leader_policy, soft, system, factors, v, change)
    return v, soft, logits, errors


@compiled
def _improve(
    leader_policy: Array, means: Array, system: Array, factors: IntArray, values: Array, change: Array
) -> None:
    """Add to polynomials of state values what makes up for their difference from the leader's mean over its actions."""
    Z, M = values.shape
    for s in range(Z):
        for m in range(M):
            change[s, m] = mixed_term(leader_policy[s], means[s], m, factors) - values[s, m]
    solve_factorised(system, change)
    for s in range(Z):
        for m in range(M):
            values[s, m] += change[s, m]


@compiled
def leader_polynomials(
    box: AffineArrays, logits: Array, doubts: Array, system: Array, factors: IntArray
) -> tuple[Array, Array, Array, Array]:
    """Return the leader's polynomials.

    Parameters
    ----------
    box
        The game on the box.
    logits
        Of the follower, shape (Z, A, B, M).
    doubts
        Bounds on their errors, shape (Z, A, B).
    system
        The factors of I - discount P_pi at the centre.
    factors
        Of :func:`monomials`.

    Returns
    -------
    tuple
        State values (Z, M); means over the follower's actions (Z, A, M) and action values (Z, A, B, M) that follow from
        them; and bounds on what the means leave out, (Z, A).
    """
    Z, A, B, M = logits.shape
    D = box.leader_reward.shape[3] - 1
    weights = box.leader_discount * box.continuing
    w, means, q, errors = np.zeros((Z, M)), np.zeros((Z, A, M)), np.zeros((Z, A, B, M)), np.zeros((Z, A))
    change = np.empty((Z, M))
    order, shares = np.empty((Z, A, B), dtype=np.int32), np.empty((Z, A, B, M))
    share_errors, most = np.empty((Z, A, B)), np.empty((Z, A, B))
    for s in range(Z):
        for a in range(A):
            made = order[s, a], shares[s, a], share_errors[s, a], most[s, a]
            soft_shares(logits[s, a], doubts[s, a], D, factors, *made)
    for turn in range(ROUNDS + 1):
        action_polynomials(box.leader_reward, box.successors, box.probabilities, weights, w, factors, q)
        for s in range(Z):
            for a in range(A):
                made = order[s, a], shares[s, a], share_errors[s, a], most[s, a]
                errors[s, a] = soft_mean(q[s, a], *made, D, factors, means[s, a])
        if turn < ROUNDS:
            _improve(box.leader_policy, means, system, factors, w, change)
    return w, means, q, errors
