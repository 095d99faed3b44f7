"""Least squares, whitening and regressions."""

from __future__ import annotations

import numpy as np

from agents.estimators.least_squares import LeastSquares, Regression, Whitening
from stackelberg_envs.arrays import Array


def test_whitening_makes_rows_uncorrelated_and_drops_copies() -> None:
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((500, 3)) @ rng.standard_normal((3, 3)) + 5.0
    rows = np.column_stack([rows, rows[:, 0] - 2.0 * rows[:, 1], np.full(500, 7.0)])
    z = Whitening.of(rows)(rows)
    np.testing.assert_allclose(z.T @ z / 500, np.diag([1.0, 1.0, 1.0, 0.0, 0.0]), atol=1e-9)


def test_regression_recovers_a_quadratic_of_nearly_collinear_rows() -> None:
    rng = np.random.default_rng(0)
    first = rng.standard_normal(400)
    rows = np.column_stack([first, 2.0 * first + 1e-3 * rng.standard_normal(400)])
    targets = (rows[:, :1] ** 2 - 3.0 * rows[:, :1] * rows[:, 1:]) + rows[:, 1:]
    fitted = Regression.of(rows, targets)
    np.testing.assert_allclose(fitted(rows + 0.1), _target(rows + 0.1), rtol=1e-6, atol=1e-6)


def _target(rows: Array) -> Array:
    return np.asarray(rows[:, :1] ** 2 - 3.0 * rows[:, :1] * rows[:, 1:] + rows[:, 1:])


def test_columns_of_zeros_get_no_weight() -> None:
    columns = np.column_stack([np.ones(10), np.zeros(10)])
    np.testing.assert_allclose(LeastSquares(columns).solve(np.full(10, 3.0)), [3.0, 0.0])
