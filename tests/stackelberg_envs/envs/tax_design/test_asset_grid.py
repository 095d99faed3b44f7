"""The grid of assets: interpolation and quadrature."""

import numpy as np
import pytest

from stackelberg_envs.envs.tax_design import asset_grid


def test_interpolation_has_the_value_slope_and_curvature_of_the_smoothing():
    grid = asset_grid.make_grid(-100.0, 100.0, 5.0, 8)
    values = np.where(grid.nodes > 0, np.log1p(np.maximum(grid.nodes, 0) / 20), grid.nodes)
    coefficients = grid.smoothing @ values
    mean = np.random.default_rng(0).uniform(-100, 100, 50)
    rows = grid.weights * np.exp(-0.5 * ((grid.nodes - mean[:, None]) / 5) ** 2)
    exact = rows @ values / rows.sum(axis=1)
    assert np.abs(asset_grid.interpolate(grid, coefficients, mean) - exact).max() < 1e-6
    beyond = asset_grid.interpolate(grid, coefficients, np.array([-130.0, 100.0, 250.0]))
    assert beyond[1] == beyond[2]
    assert beyond[0] == asset_grid.interpolate(grid, coefficients, np.array([-100.0]))[0]


def test_pieces_are_the_interpolation():
    grid = asset_grid.make_grid(-100.0, 100.0, 5.0, 5)
    coefficients = np.random.default_rng(1).standard_normal(len(grid.smoothing))
    mean = np.random.default_rng(2).uniform(-100, 100, 200)
    place = (mean + 100) / grid.spacing
    n = place.astype(int)
    polynomials = asset_grid.pieces(grid, coefficients)[n]
    expected = (polynomials * (place - n)[:, None] ** np.arange(6)).sum(axis=1)
    np.testing.assert_allclose(asset_grid.interpolate(grid, coefficients, mean), expected, rtol=1e-9, atol=1e-9)


def test_grid_integrates_and_rows_are_distributions():
    grid = asset_grid.make_grid(-100.0, 100.0, 5.0, 8)
    assert grid.weights.sum() == pytest.approx(200.0)
    rows = grid.smoothing.reshape(-1, 3, len(grid))
    np.testing.assert_allclose(rows[:, 0].sum(axis=1), 1.0)
    np.testing.assert_allclose(rows[:, 1:].sum(axis=2), 0.0, atol=1e-12)
