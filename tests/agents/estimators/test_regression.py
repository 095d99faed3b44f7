"""Least squares, whitening, regressions, and features of states."""

from __future__ import annotations

import numpy as np
import pytest

from agents.estimators.regression import FEATURES, LeastSquares, Regression, Whitening, make_features
from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import UnknownNameError


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


@pytest.mark.parametrize("name", [name for name in FEATURES if name != "network"])
def test_contexts_have_blocks_of_their_own(name: str) -> None:
    states = np.random.default_rng(0).standard_normal((50, 2))
    features = make_features(name, states, 2, np.random.default_rng(1))
    first, second = (features(states, np.full(50, k, dtype=np.int32)) for k in (0, 1))
    half = first.shape[1] // 2
    np.testing.assert_array_equal(first[:, :half], second[:, half:])
    assert not first[:, half:].any()


def test_unknown_features_are_refused_by_name() -> None:
    with pytest.raises(UnknownNameError, match="features"):
        make_features("cubic", np.zeros((3, 2)), 1, np.random.default_rng(0))
