"""Densities whose logarithm is linear between nodes."""

import numpy as np
import pytest
import scipy

from stackelberg_envs.solvers.grids.line_density import (
    draws,
    log_densities,
    log_integral,
    log_integral_and_slopes,
    quick_exp,
)

LOW, STEP = -2.0, 0.5
#: Flat, gentle, steep both ways, and a jump of hundreds.
ROWS = [
    np.zeros(9),
    np.linspace(0, 1, 9),
    np.linspace(0, 60, 9),
    3.0 * np.cos(np.arange(9.0)),
    400.0 * (np.arange(9) > 4),
]


def dense(q):
    """Return many actions and the exponent there."""
    b = np.linspace(LOW, LOW + STEP * (len(q) - 1), 200_001)
    return b, np.interp(b, LOW + STEP * np.arange(len(q)), q)


@pytest.mark.parametrize("q", ROWS)
def test_the_integral_is_that_of_the_exponent_as_it_is_between_nodes(q):
    b, exponent = dense(q)
    expected = exponent.max() + np.log(scipy.integrate.trapezoid(np.exp(exponent - exponent.max()), b))
    assert log_integral(q, np.empty(9), STEP) == pytest.approx(expected, abs=2e-5)


@pytest.mark.parametrize("q", ROWS)
def test_slopes_are_the_derivative_of_the_integral(q):
    slopes, size = np.empty(9), 1e-3
    assert log_integral_and_slopes(q, np.empty(9), slopes, STEP) == pytest.approx(log_integral(q, np.empty(9), STEP))
    for i in range(9):
        higher, lower = (log_integral(q + side * size * np.eye(9)[i], np.empty(9), STEP) for side in (1, -1))
        assert slopes[i] == pytest.approx((higher - lower) / (2 * size), abs=1e-3)
    assert slopes.sum() == pytest.approx(1.0)


@pytest.mark.parametrize("q", ROWS)
def test_densities_integrate_to_one(q):
    b, _ = dense(q)
    density = np.exp(log_densities(np.tile(q, (len(b), 1)), b, LOW, STEP))
    assert scipy.integrate.trapezoid(density, b) == pytest.approx(1.0, abs=2e-5)


@pytest.mark.parametrize("q", ROWS)
def test_draws_invert_the_distribution_function(q):
    b, exponent = dense(q)
    weights = np.exp(exponent - exponent.max())
    below = scipy.integrate.cumulative_trapezoid(weights, b, initial=0.0) / scipy.integrate.trapezoid(weights, b)
    levels = np.linspace(0.001, 0.999, 500)
    drawn = draws(np.tile(q, (500, 1)), levels, LOW, STEP)
    np.testing.assert_allclose(np.interp(drawn, b, below), levels, atol=2e-4)


def test_the_quick_exponential_is_one():
    x = -np.linspace(0, 20, 1001)
    np.testing.assert_allclose([quick_exp(value) for value in x], np.exp(x), rtol=2e-7)
    assert 0.0 <= quick_exp(-1e6) < 1e-27
