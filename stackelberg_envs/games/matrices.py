"""Checks of matrices that must be symmetric or definite: up to rounding, and in any units.

What counts as rounding is judged entry by entry against the diagonal, so that a state in metres beside one in
nanometres is judged as each would be alone.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from stackelberg_envs.arrays import Array, as_float, first_index, frozen
from stackelberg_envs.errors import GameError

__all__ = ["as_matrix", "as_symmetric", "differs", "is_definite", "require_definite", "require_semidefinite"]

#: Two entries that ought to be equal may differ by this part of their scale: products of matrices, their inverses and
#: solutions of their equations are off by more than the last bit.
ROUNDING = 1e-8
#: The same, as a part of the largest entry of the matrix, for entries that are nothing but rounding.
NOTHING = 1e-13
#: Least eigenvalue of a positive definite matrix that is scaled to a diagonal of ones.
DEFINITE = 1e-12


def as_matrix(value: ArrayLike, name: str, *, square: bool = False) -> Array:
    """Return a new frozen matrix, which may have no rows or columns."""
    array = as_float(value, name)
    if array.ndim != 2 or (square and array.shape[0] != array.shape[1]):
        raise GameError(f"{name}: expected a {'square ' if square else ''}matrix, got shape {array.shape}")
    return frozen(array)


def as_symmetric(value: ArrayLike, name: str) -> Array:
    """Return the symmetric part of a matrix that is symmetric up to rounding, frozen.

    Raises
    ------
    GameError
        No square matrix, or one that is not symmetric, with the first such entry and what to write instead.
    """
    matrix = as_matrix(value, name, square=True)
    off = np.abs(matrix - matrix.T) > _slack(matrix)
    if off.any():
        i, j = first_index(off)
        one, other = float(matrix[i, j]), float(matrix[j, i])
        raise GameError(
            f"{name}: expected a symmetric matrix, got {one:.9g} at {(i, j)} and {other:.9g} at {(j, i)}; "
            f"if v'Mv is meant, write half of their sum, {0.5 * (one + other):.9g}, at both places"
        )
    return frozen(0.5 * (matrix + matrix.T))


def require_semidefinite(matrix: Array, name: str) -> None:
    """Raise unless a symmetric matrix has no negative eigenvalue beyond rounding."""
    if not matrix.size:
        return
    smallest, greatest = float(np.linalg.eigvalsh(matrix).min()), float(np.abs(matrix).max())
    if smallest < -NOTHING * greatest and _scaled_eigenvalue(matrix) < -ROUNDING:
        raise GameError(f"{name}: expected eigenvalues of at least 0, got {smallest:.6g}")


def is_definite(matrix: Array) -> bool:
    """Whether a symmetric matrix is positive definite, beyond rounding, in whatever units its entries are."""
    return not matrix.size or bool((np.diag(matrix) > 0).all() and _scaled_eigenvalue(matrix) >= DEFINITE)


def require_definite(matrix: Array, name: str) -> None:
    """Raise unless a symmetric matrix is positive definite; see :func:`is_definite`."""
    if not is_definite(matrix):
        least = _scaled_eigenvalue(matrix)
        raise GameError(
            f"{name}: expected eigenvalues of at least {DEFINITE:g}, got {least:.6g}, of the matrix scaled to a "
            "diagonal of ones"
        )


def differs(left: Array, right: Array) -> tuple[int, ...] | None:
    """Return the first index at which two arrays differ by more than rounding; None if they agree. Shapes are equal."""
    scale = np.abs(left).max(initial=0.0) * NOTHING
    off = np.abs(left - right) > ROUNDING * np.maximum(np.abs(left), np.abs(right)) + scale
    return first_index(off) if off.any() else None


def _slack(matrix: Array) -> Array:
    """Return by how much each entry may miss its mirror image."""
    size = np.sqrt(np.abs(np.diag(matrix)))
    scale = np.maximum(np.outer(size, size), np.maximum(np.abs(matrix), np.abs(matrix.T)))
    return np.asarray(ROUNDING * scale + NOTHING * np.abs(matrix).max(initial=0.0))


def _scaled_eigenvalue(matrix: Array) -> float:
    """Return the least eigenvalue of the matrix scaled to a diagonal of ones: it knows no units."""
    size = np.sqrt(np.abs(np.diag(matrix)))
    size = np.where(size > 0, size, np.sqrt(np.abs(matrix).max()))
    size = np.where(size > 0, size, 1.0)
    return float(np.linalg.eigvalsh(matrix / np.outer(size, size)).min())
