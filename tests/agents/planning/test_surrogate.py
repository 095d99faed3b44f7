"""A Gaussian process over the cube, against its formulas written out."""

import numpy as np
import pytest
import scipy

from agents.planning import surrogate as module
from agents.planning.surrogate import Surrogate, fit_surrogate

RNG = np.random.default_rng(0)
POINTS, LENGTHS, SIZE = RNG.random((12, 2)), np.array([0.4, 0.9]), 2.0
VALUES, VARIANCES = 5.0 + np.sin(4.0 * POINTS[:, 0]), RNG.uniform(0.01, 0.1, 12)


def kernel(one, other):
    r = np.sqrt(5.0) * np.linalg.norm((one[:, None] - other) / LENGTHS, axis=2)
    return SIZE**2 * (1.0 + r + r**2 / 3.0) * np.exp(-r)


def test_what_it_expects_and_does_not_know_is_the_normal_distribution_given_the_values():
    places, found = RNG.random((5, 2)), Surrogate.of(POINTS, VALUES, VARIANCES, LENGTHS, SIZE)
    covariance = kernel(POINTS, POINTS) + np.diag(VARIANCES + module.ROUGH * SIZE**2)
    inverse, cross = np.linalg.inv(covariance), kernel(places, POINTS)
    mean = inverse.sum(axis=0) @ VALUES / inverse.sum()
    expected, unknown = found.known(places)
    np.testing.assert_allclose(expected, mean + cross @ inverse @ (VALUES - mean), rtol=1e-8)
    np.testing.assert_allclose(unknown**2, SIZE**2 - np.einsum("mi,ij,mj->m", cross, inverse, cross), rtol=1e-6)


def test_the_slope_of_the_likelihood_is_its_derivative():
    logs = np.array([-0.5, 0.3, 0.4])
    arguments = POINTS, VALUES, VARIANCES, 0.1
    slope = module._unlikely(logs, *arguments)[1]
    found = scipy.optimize.approx_fprime(logs, lambda at: module._unlikely(at, *arguments)[0], 1e-6)
    # The mean is the best one for each length, so it adds no slope of its own.
    np.testing.assert_allclose(slope, found, rtol=1e-3, atol=1e-3)


def test_lengths_are_short_along_what_matters():
    points = np.random.default_rng(1).random((60, 2))
    lengths, size = fit_surrogate(points, np.sin(9.0 * points[:, 0]), np.full(60, 1e-3))
    assert 4.0 * lengths[0] < lengths[1]
    assert 0.2 < size < 5.0


def test_equal_values_are_no_error():
    lengths, size = fit_surrogate(POINTS, np.zeros(12), VARIANCES)
    assert Surrogate.of(POINTS, np.zeros(12), VARIANCES, lengths, size).known(POINTS)[0] == pytest.approx(0.0)
