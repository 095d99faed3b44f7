import numpy as np

from stackelberg_envs.solvers.certificates.boxes import feasible, feasible_centre, within_limits

NO_LIMITS = np.empty((0, 4))


def test_rows_of_probabilities_shrink_a_box():
    groups = np.array([0, 0, -1], dtype=np.int32)
    low, high, centre, radii = np.array([0.5, 0.25, 0.0]), np.ones(3), np.empty(3), np.empty(3)
    assert feasible_centre(low, high, groups, NO_LIMITS, centre, radii)
    np.testing.assert_allclose(high, [0.75, 0.5, 1.0])
    assert centre[:2].sum() <= 1.0 + 1e-15
    assert (np.abs(high - centre) <= radii).all()
    assert not feasible_centre(np.array([0.6, 0.5, 0.0]), np.ones(3), groups, NO_LIMITS, centre, radii)


def test_limits_shrink_a_box_and_lose_nothing():
    rng = np.random.default_rng(3)
    shrunk = empty = 0
    for _ in range(200):
        limits = rng.uniform(-2, 2, (2, 4))
        low = rng.uniform(0, 0.7, 3)
        high = low + 0.3
        points = rng.uniform(low, high, (100, 3))
        within = [point for point in points if feasible(point, limits)]
        volume = np.prod(high - low)
        there = within_limits(low, high, limits)
        empty += not there
        assert there or not within
        for point in within:
            assert (low <= point).all()
            assert (point <= high).all()
        shrunk += there and np.prod(high - low) < 0.99 * volume
    assert empty > 10
    assert shrunk > 10
