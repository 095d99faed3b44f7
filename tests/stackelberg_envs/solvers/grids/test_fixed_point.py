"""Mixed iterates."""

import numpy as np
import pytest

from stackelberg_envs.errors import ConvergenceError
from stackelberg_envs.solvers.grids.fixed_point import fixed_point

RNG = np.random.default_rng(0)
CHAIN = RNG.dirichlet(np.ones(30), size=30)
REWARD = RNG.random(30)


def image(values):
    return REWARD + 0.99 * np.maximum(CHAIN @ values, CHAIN[::-1] @ values)


def found(tolerance=1e-9, most=2_000, start=0.0):
    return fixed_point(image, np.full(30, start), tolerance=tolerance, most=most, low=0.0, high=100.0)


def test_it_ends_at_the_fixed_point_wherever_it_starts():
    one, other = found(), found(start=100.0)
    np.testing.assert_allclose(one.values, other.values, atol=1e-6)
    np.testing.assert_allclose(image(one.values), one.values, atol=2e-9)
    assert one.residual <= 1e-9


def test_mixing_takes_far_fewer_sweeps_than_plain_iteration():
    assert found().sweeps < 60  # plain iteration: log(1e-9) / log(.99), some 2,000


def test_a_fixed_point_to_start_from_takes_one_sweep():
    values = found(1e-10).values
    assert fixed_point(image, values, tolerance=1e-9, most=1, low=0.0, high=100.0).sweeps == 1


def test_it_says_when_it_has_not_arrived():
    with pytest.raises(ConvergenceError, match="residual of at most 1e-09 within 3 sweeps"):
        found(most=3)
