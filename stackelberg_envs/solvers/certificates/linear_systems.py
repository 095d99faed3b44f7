"""Loops of linear algebra: games on a box, and systems (I - discount P) v = r of small games.

A box has a centre c and radii r; its points are c + r t with t in [-1, 1]^D, and the arrays of a game on it are affine
in t.
"""

from __future__ import annotations

import numpy as np

from stackelberg_envs.arrays import Array, IntArray
from stackelberg_envs.jit import compiled
from stackelberg_envs.solvers.certificates.affine import AffineArrays

__all__ = ["factorise", "on_box", "policy_system", "reach", "solve_factorised", "visits"]


@compiled
def localised(array: Array, rows: int, centre: Array, radii: Array, out: Array) -> None:
    """Write an array's rows (.., 1 + D) as functions of t; rows of one entry are constant."""
    if out.shape[1] == 1:
        for k in range(rows):
            out[k, 0] = array[k, 0]
        return
    D = len(centre)
    for k in range(rows):
        value = array[k, 0]
        for i in range(D):
            value += array[k, 1 + i] * centre[i]
            out[k, 1 + i] = array[k, 1 + i] * radii[i]
        out[k, 0] = value


@compiled
def local(array: Array, centre: Array, radii: Array) -> Array:
    """Return an array of shape (.., 1 + D) as a function of t."""
    out = np.empty(array.shape)
    width = array.shape[array.ndim - 1]
    rows = array.size // width
    localised(array.reshape(rows, width), rows, centre, radii, out.reshape(rows, width))
    return out


@compiled
def on_box(arrays: AffineArrays, centre: Array, radii: Array) -> AffineArrays:
    """Return the arrays as functions of t."""
    believed = arrays.believed_probabilities
    return AffineArrays(
        local(arrays.leader_policy, centre, radii),
        local(arrays.follower_reward, centre, radii),
        local(arrays.leader_reward, centre, radii),
        arrays.successors,
        local(arrays.probabilities, centre, radii),
        arrays.believed_successors,
        local(believed, centre, radii),
        arrays.continuing,
        arrays.initial,
        arrays.leader_discount,
        arrays.follower_discount,
        arrays.temperature,
        arrays.groups,
        arrays.limits,
    )


@compiled
def policy_system(
    leader_policy: Array,
    policy: Array,
    successors: IntArray,
    probabilities: Array,
    continuing: Array,
    discount: float,
) -> Array:
    """Return I - discount P_pi, factorised; shapes (Z, A), (Z, A, B), and (Z, A, B, N) of `probabilities`."""
    Z, A, B, N = successors.shape
    matrix = np.zeros((Z, Z))
    for s in range(Z):
        matrix[s, s] = 1.0
        scale = discount * continuing[s]
        if scale == 0.0:
            continue
        for a in range(A):
            for b in range(B):
                weight = scale * leader_policy[s, a] * policy[s, a, b]
                for n in range(N):
                    matrix[s, successors[s, a, b, n]] -= weight * probabilities[s, a, b, n]
    factorise(matrix)
    return matrix


@compiled
def factorise(matrix: Array) -> None:
    """Overwrite a matrix by its factors; it is dominated by its diagonal, so no rows are exchanged."""
    Z = len(matrix)
    for k in range(Z):
        pivot = 1.0 / matrix[k, k]
        for i in range(k + 1, Z):
            if matrix[i, k] != 0.0:
                factor = matrix[i, k] * pivot
                matrix[i, k] = factor
                for j in range(k + 1, Z):
                    matrix[i, j] -= factor * matrix[k, j]


@compiled
def solve_factorised(factors: Array, rhs: Array) -> None:
    """Overwrite right-hand sides of shape (Z, M) by the solutions."""
    Z, M = rhs.shape
    for i in range(Z):
        for k in range(i):
            if factors[i, k] != 0.0:
                for m in range(M):
                    rhs[i, m] -= factors[i, k] * rhs[k, m]
    for i in range(Z - 1, -1, -1):
        for k in range(i + 1, Z):
            if factors[i, k] != 0.0:
                for m in range(M):
                    rhs[i, m] -= factors[i, k] * rhs[k, m]
        for m in range(M):
            rhs[i, m] /= factors[i, i]


@compiled
def visits(factors: Array, initial: Array) -> Array:
    """Return the discounted visits to each state, shape (Z,), from the factors of I - discount P_pi."""
    Z = len(initial)
    out = initial.copy()
    for i in range(Z):
        out[i] /= factors[i, i]
        for k in range(i + 1, Z):
            out[k] -= factors[i, k] * out[i]
    for i in range(Z - 1, -1, -1):
        for k in range(i):
            out[k] -= factors[i, k] * out[i]
    return out


@compiled
def reach(coefficients: Array) -> float:
    """Return the largest absolute value on the box of the terms after the first."""
    total = 0.0
    for m in range(1, len(coefficients)):
        total += abs(coefficients[m])
    return total
