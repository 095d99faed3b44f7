"""Linear algebra of small dense matrices that also works in extended precision, for which LAPACK has none."""

from __future__ import annotations

from typing import Any

import numpy as np

from stackelberg_envs.arrays import Array

__all__ = ["inverse", "is_extended", "log_determinant", "solve", "symmetric_inverse"]


def is_extended(array: Array) -> bool:
    """Return whether the array holds NumPy's long doubles."""
    return array.dtype == np.longdouble and array.dtype != np.float64


def solve(matrix: Array, rhs: Array) -> Array:
    """Return the solution of matrix @ x = rhs, shapes (n, n) and (n, m)."""
    if not is_extended(matrix) and not is_extended(rhs):
        return np.asarray(np.linalg.solve(matrix, rhs))
    return _eliminated(matrix, rhs)[0]


def inverse(matrix: Array) -> Array:
    """Return the inverse."""
    return solve(matrix, np.eye(len(matrix))) if is_extended(matrix) else np.asarray(np.linalg.inv(matrix))


def symmetric_inverse(matrix: Array) -> Array:
    """Return the inverse of a symmetric matrix, symmetric to the last bit."""
    found = inverse(matrix)
    return np.asarray(0.5 * (found + found.T))


def log_determinant(matrix: Array) -> Any:
    """Return log |det|."""
    if is_extended(matrix):
        return np.log(np.abs(_eliminated(matrix, np.eye(len(matrix)))[1])).sum()
    return np.linalg.slogdet(matrix)[1]


def _eliminated(matrix: Array, rhs: Array) -> tuple[Array, Array]:
    """Return the solution and the pivots of Gauss-Jordan elimination with partial pivoting."""
    n = len(matrix)
    wide: Any = np.longdouble
    table = np.concatenate([matrix.astype(wide), rhs.astype(wide)], axis=1)
    pivots: Array = np.empty(n, wide)
    for k in range(n):
        best = k + int(np.abs(table[k:, k]).argmax())
        table[[k, best]] = table[[best, k]]
        pivots[k] = table[k, k]
        table[k] = table[k] / pivots[k]
        others = np.arange(n) != k
        table[others] -= table[others, k][:, None] * table[k]
    return table[:, n:], pivots
