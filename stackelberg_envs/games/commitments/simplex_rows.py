"""Commitments whose rows are distributions: their check and their projection."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from stackelberg_envs.arrays import ROW_SUM_TOLERANCE, Array
from stackelberg_envs.errors import CommitmentError
from stackelberg_envs.games.commitments.base import Commitment

__all__ = ["SimplexRows"]


class SimplexRows(Commitment):
    """Tables whose rows are distributions; policies and mixtures of kernels are such."""

    parametrisation = "softmax_table"

    def check(self, x: ArrayLike) -> Array:
        """Return x with rows that sum to one exactly.

        A row off by rounding is normalised, a row of zeros becomes uniform.

        Raises
        ------
        CommitmentError
            A negative or infinite entry, or a row that sums to something else, with the first row (state).
        """
        array = super().check(x)
        sums = array.sum(axis=1)
        off = (np.abs(sums - 1.0) > array.shape[1] * ROW_SUM_TOLERANCE) & (sums != 0)
        if off.any():
            state = int(np.argmax(off))
            raise CommitmentError(
                f"commitment: expected rows that sum to one, got a sum of {sums[state]:.6g} at row {state}"
            )
        return _normalised(array)

    def project(self, x: ArrayLike) -> Array:
        """Return x clipped to non-negative entries and normalised row by row."""
        return _normalised(super().project(x))


def _normalised(table: Array) -> Array:
    sums = table.sum(axis=1, keepdims=True)
    uniform = np.full_like(table, 1.0 / table.shape[1])
    np.divide(table, sums, out=uniform, where=sums > 0)
    return uniform
