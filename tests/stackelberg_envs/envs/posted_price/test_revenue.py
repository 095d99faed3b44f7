"""The revenue of the best price, by integration and search."""

import pytest

from stackelberg_envs.envs.posted_price.revenue import best_revenue


def test_a_quarter_is_the_most():
    assert best_revenue(None) == pytest.approx(0.25, abs=1e-7)
