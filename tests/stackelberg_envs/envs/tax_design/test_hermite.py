"""Reading and scattering of interpolated values against a few lines of NumPy."""

import numpy as np

from stackelberg_envs.envs.tax_design.hermite import scatter_terms


def test_scattered_terms_equal_numpy():
    rng = np.random.default_rng(13)
    first, amount = rng.integers(0, 7, (4, 5)), rng.standard_normal((4, 5))
    weights = tuple(rng.standard_normal((3, 4, 5)))
    out, expected = scatter_terms(first, weights, amount, 9), np.zeros((4, 9))
    for term, weight in enumerate(weights):
        np.add.at(expected, (np.arange(4)[:, None], first + term), amount * weight)
    np.testing.assert_allclose(out, expected)
