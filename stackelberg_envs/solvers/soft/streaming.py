"""Solves with I - discount P_pi where its entries are too many to write down: products straight from the lists.

A product looks up each successor's entry of a vector, at random, and a vector of a million floats does not fit into a
core's own cache. So steps towards the solution are made in single precision, whose vectors are half as long and twice
to three times as fast, and what is left is computed in floats: the solution is as exact as if all had been.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array
from stackelberg_envs.games.transitions import Transition
from stackelberg_envs.jit import compiled, in_parts, sum_of_parts

__all__ = ["Products", "minimal_residual"]

#: Most products of one run, and what is left of a residual, relative, that single precision can still tell.
RUN, LEAST_REDUCTION = 24, 1e-5
#: Vectors in single or in double precision.
Vector = NDArray[Any]


class Products:
    """Products with discount P_pi and its transpose.

    Parameters
    ----------
    joint_policy
        pi(a, b | s), shape (Z, A, B).
    transition, continuing, discount
        Of the game over joint states.
    """

    def __init__(self, joint_policy: Array, transition: Transition, continuing: Array, discount: float) -> None:
        Z = len(continuing)
        # Without a sign, so that no loop has to look whether an index counts from the end.
        self._successors = transition.successors.view(np.uint32).reshape(Z, -1)
        self._probabilities, self._scale = transition.probabilities.reshape(Z, -1), discount * continuing
        self._moves = np.empty(self._successors.shape, dtype=np.float32)
        self.rewrite(joint_policy)

    def rewrite(self, joint_policy: Array) -> None:
        """Take another policy, shape (Z, A, B), in place: memory that is new costs as much as what is written to it."""
        joint = self._joint = joint_policy.reshape(len(self._scale), -1)
        self._in_parts(lambda part: _write_moves(joint[part], self._probabilities[part], self._moves[part]))

    def discounted(self, continuing: Array, discount: float) -> Products:
        """Return the same products with another discount; they share what is large, so that neither is rewritten."""
        made = copy.copy(self)
        made._scale = discount * continuing
        return made

    def ahead(self, vector: Vector) -> Vector:
        """Return discount P_pi v, of the type of v, shape (Z,)."""
        out = np.empty_like(vector)

        def loop(part: slice) -> None:
            to = self._successors[part], self._scale[part], out[part], vector
            if vector.dtype == np.float32:
                _ahead(self._moves[part], *to)
            else:
                _ahead_precisely(self._joint[part], self._probabilities[part], *to)

        self._in_parts(loop)
        return out

    def back(self, vector: Vector) -> Vector:
        """Return discount P_pi^T d, of the type of d, shape (Z,)."""
        flow = (self._scale * vector).astype(vector.dtype)

        def loop(part: slice) -> Vector:
            to = self._successors[part], flow[part], np.zeros_like(vector)
            if vector.dtype == np.float32:
                _back(self._moves[part], *to)
            else:
                _back_precisely(self._joint[part], self._probabilities[part], *to)
            return to[-1]

        return np.asarray(sum_of_parts(loop, len(vector), self._successors.size))

    def _in_parts(self, loop: Callable[[slice], None]) -> None:
        in_parts(loop, len(self._scale), self._successors.size)


def minimal_residual(product: Callable[[Vector], Vector], rhs: Array, reduction: float) -> Array:
    """Return z with a small residual rhs - z + product(z), by GMRES in single precision.

    Parameters
    ----------
    product
        With a matrix, for vectors in single precision.
    rhs
        Shape (Z,), not zero.
    reduction
        What may be left of it, in the Euclidean norm, relative; no more is aimed at than LEAST_REDUCTION, and no more
        than RUN products are made.
    """
    # No BLAS here: what it adds up depends on its number of threads.
    size = float(np.sqrt(np.square(rhs).sum()))
    basis = np.empty((RUN + 1, len(rhs)), dtype=np.float32)
    basis[0] = rhs / size
    hessenberg, start = np.zeros((RUN + 1, RUN)), np.zeros(RUN + 1)
    start[0] = 1.0
    for k in range(1, RUN + 1):
        np.negative(product(basis[k - 1]), out=basis[k])
        # A second time where less is left than was taken: what rounding leaves of the others stays in the solution.
        for _ in range(2):
            shares = _added_up(_dots, basis[:k], basis[k])
            hessenberg[:k, k - 1] += shares
            square = _added_up(_subtract, basis[:k], basis[k], shares)
            if square >= np.square(shares).sum():
                break
        length = math.sqrt(square)
        hessenberg[k - 1, k - 1] += 1.0
        hessenberg[k, k - 1] = length
        matrix = hessenberg[: k + 1, :k]
        weights = np.linalg.lstsq(matrix, start[: k + 1])[0]
        left = float(np.linalg.norm(start[: k + 1] - matrix @ weights))
        if left <= max(reduction, LEAST_REDUCTION) or length <= np.finfo(np.float32).eps:
            break
        basis[k] /= length
    out = np.zeros(len(rhs))
    _added_up(_subtract, basis[:k], out, -size * weights)
    return out


def _added_up(loop: Callable[..., Any], basis: Vector, vector: Vector, *rest: Any) -> Any:
    """Return the sum of what a loop over basis (k, n) and vector (n,) finds in each part of them."""
    return sum_of_parts(lambda part: loop(basis[:, part], vector[part], *rest), len(vector), basis.size)


@compiled
def _write_moves(joint_policy: Array, probabilities: Array, out: Vector) -> None:
    """Write pi(a, b | s) P(t | s, a, b) into `out`, shape (Z, A B N)."""
    Z, M = joint_policy.shape
    N = probabilities.shape[1] // M
    for s in range(Z):
        for m in range(M):
            for i in range(m * N, (m + 1) * N):
                out[s, i] = joint_policy[s, m] * probabilities[s, i]


@compiled
def _ahead(moves: Vector, successors: Vector, scale: Array, out: Vector, vector: Vector) -> None:
    """Write scale P_pi v into `out`, for the states whose lists these are."""
    for s in range(len(out)):
        total = np.float32(0.0)
        for i in range(moves.shape[1]):
            total += moves[s, i] * vector[successors[s, i]]
        out[s] = scale[s] * total


@compiled
def _ahead_precisely(
    joint_policy: Array, probabilities: Array, successors: Vector, scale: Array, out: Array, vector: Array
) -> None:
    """Write scale P_pi v into `out`, for the states whose lists these are."""
    Z, M = joint_policy.shape
    N = probabilities.shape[1] // M
    for s in range(Z):
        total = 0.0
        for m in range(M):
            mean = 0.0
            for i in range(m * N, (m + 1) * N):
                mean += probabilities[s, i] * vector[successors[s, i]]
            total += joint_policy[s, m] * mean
        out[s] = scale[s] * total


@compiled
def _back(moves: Vector, successors: Vector, flow: Vector, out: Vector) -> None:
    """Add what flows on to `out` (Z,), for a flow (n,) through the n states whose lists these are."""
    for s in range(len(flow)):
        for i in range(moves.shape[1]):
            out[successors[s, i]] += flow[s] * moves[s, i]


@compiled
def _back_precisely(joint_policy: Array, probabilities: Array, successors: Vector, flow: Array, out: Array) -> None:
    """Add what flows on to `out` (Z,), for a flow (n,) through the n states whose lists these are."""
    Z, M = joint_policy.shape
    N = probabilities.shape[1] // M
    for s in range(Z):
        for m in range(M):
            share = flow[s] * joint_policy[s, m]
            for i in range(m * N, (m + 1) * N):
                out[successors[s, i]] += share * probabilities[s, i]


@compiled
def _dots(basis: Vector, vector: Vector) -> Array:
    """Return the inner products of each row of the basis (k, n) with the vector (n,), shape (k,)."""
    out, n = np.empty(len(basis)), len(vector)
    for i in range(len(basis)):
        # Four sums side by side: each addition to one has to wait for the last.
        one = two = three = four = 0.0
        for j in range(0, n - 3, 4):
            one += basis[i, j] * vector[j]
            two += basis[i, j + 1] * vector[j + 1]
            three += basis[i, j + 2] * vector[j + 2]
            four += basis[i, j + 3] * vector[j + 3]
        for j in range(n - n % 4, n):
            one += basis[i, j] * vector[j]
        out[i] = (one + two) + (three + four)
    return out


@compiled
def _subtract(basis: Vector, vector: Vector, shares: Array) -> float:
    """Subtract shares (k,) of the rows of the basis (k, n) from the vector (n,); return the square of what is left."""
    n = len(vector)
    for i in range(len(basis)):
        for j in range(n):
            vector[j] -= shares[i] * basis[i, j]
    one = two = three = four = 0.0
    for j in range(0, n - 3, 4):
        one += vector[j] * vector[j]
        two += vector[j + 1] * vector[j + 1]
        three += vector[j + 2] * vector[j + 2]
        four += vector[j + 3] * vector[j + 3]
    for j in range(n - n % 4, n):
        one += vector[j] * vector[j]
    return (one + two) + (three + four)
