"""Linear systems (I - discount P_pi) v = r and their transposes: dense blocks when small, Krylov when large."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import scipy.linalg
import scipy.sparse
import scipy.sparse.linalg

from stackelberg_envs import kernels
from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import ConvergenceError
from stackelberg_envs.transitions import Transition

__all__ = ["Resolvent", "resolvent"]

#: Up to this many states a block, one dense LU serves every right-hand side; measured break-even with the
#: Krylov solver on random games and on grids lies between 500 and 1,000 (benchmarks/speed_oracle.py).
DENSE_LIMIT = 700
KRYLOV_ITERATIONS = 2_000
REFINEMENTS = 6


class Resolvent(Protocol):
    """Solves with one policy's matrix for any number of right-hand sides, each of shape (Z,)."""

    def solve(self, rhs: Array, tolerance: float) -> Array:
        """Return v with (I - discount P_pi) v = rhs, to a residual of at most `tolerance`, maximum norm."""

    def solve_transposed(self, rhs: Array, tolerance: float) -> Array:
        """Return d with (I - discount P_pi^T) d = rhs."""


def resolvent(
    joint_policy: Array, transition: Transition, continuing: Array, discount: float, num_contexts: int
) -> Resolvent:
    """Factorise I - discount P_pi once.

    Parameters
    ----------
    joint_policy
        pi(a, b | s) = f g, shape (Z, A, B).
    transition, continuing
        As in :class:`stackelberg_envs.games.Primitives`.
    discount
        In [0, 1).
    num_contexts
        K: P_pi is block diagonal with K blocks.
    """
    if len(continuing) // num_contexts <= DENSE_LIMIT:
        return _Dense(joint_policy, transition, continuing, discount, num_contexts)
    return _Krylov(joint_policy, transition, continuing, discount)


class _Dense:
    def __init__(
        self, joint_policy: Array, transition: Transition, continuing: Array, discount: float, K: int
    ) -> None:
        S = len(continuing) // K
        matrix = np.empty((K, S, S))
        kernels.policy_matrix(joint_policy, transition.successors, transition.probabilities, continuing, matrix)
        matrix *= -discount
        matrix[:, np.arange(S), np.arange(S)] += 1.0
        # LU of each block's transpose: the transposed view is in LAPACK's own order and is not copied.
        self._factors = [scipy.linalg.lu_factor(block.T, overwrite_a=True, check_finite=False) for block in matrix]
        self._blocks = (K, S)

    def solve(self, rhs: Array, tolerance: float) -> Array:
        return self._apply(rhs, trans=1)

    def solve_transposed(self, rhs: Array, tolerance: float) -> Array:
        return self._apply(rhs, trans=0)

    def _apply(self, rhs: Array, trans: int) -> Array:
        parts = zip(self._factors, rhs.reshape(self._blocks), strict=True)
        return np.concatenate([scipy.linalg.lu_solve(f, part, trans=trans, check_finite=False) for f, part in parts])


class _Krylov:
    def __init__(self, joint_policy: Array, transition: Transition, continuing: Array, discount: float) -> None:
        Z = len(continuing)
        data = np.empty(transition.probabilities.size)
        kernels.policy_matrix_data(joint_policy, transition.probabilities, continuing, data)
        width = transition.probabilities.size // Z
        indptr = np.arange(Z + 1, dtype=np.int64 if data.size > np.iinfo(np.int32).max else np.int32) * width
        self._matrix = scipy.sparse.csr_array((data, transition.successors.reshape(-1), indptr), shape=(Z, Z))
        self._discount = discount

    def solve(self, rhs: Array, tolerance: float) -> Array:
        return self._iterate(self._matrix, rhs, tolerance)

    def solve_transposed(self, rhs: Array, tolerance: float) -> Array:
        return self._iterate(self._matrix.T, rhs, tolerance)

    def _iterate(self, matrix: scipy.sparse.sparray, rhs: Array, tolerance: float) -> Array:
        """Solve by BiCGSTAB, restarted on the true residual until that is small; a direct solve is the last resort."""
        operator = scipy.sparse.linalg.LinearOperator(
            matrix.shape, matvec=lambda v: v - self._discount * (matrix @ v), dtype=np.float64
        )
        out = np.zeros_like(rhs)
        residual = rhs
        for _ in range(REFINEMENTS):
            goal = 0.1 * tolerance * np.sqrt(len(rhs)) if tolerance else 0.0
            step, _ = scipy.sparse.linalg.bicgstab(
                operator, residual, rtol=1e-10, atol=min(goal, tolerance), maxiter=KRYLOV_ITERATIONS
            )
            candidate = out + step
            left = rhs - operator.matvec(candidate)
            if not np.all(np.isfinite(left)) or np.abs(left).max() > np.abs(residual).max():
                break
            out, residual = candidate, left
            if np.abs(residual).max() <= tolerance:
                return out
        return self._direct(matrix, rhs, tolerance)

    def _direct(self, matrix: scipy.sparse.sparray, rhs: Array, tolerance: float) -> Array:
        system = scipy.sparse.eye_array(len(rhs), format="csc") - self._discount * scipy.sparse.csc_array(matrix)
        out = np.asarray(scipy.sparse.linalg.spsolve(system, rhs))
        worst = float(np.abs(rhs - system @ out).max())
        if not worst <= tolerance:
            raise ConvergenceError(f"linear solve: expected a residual of at most {tolerance:.1e}, reached {worst:.1e}")
        return out
