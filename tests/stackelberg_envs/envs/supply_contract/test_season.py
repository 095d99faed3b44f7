"""The season: expectations against drawn demand, and the owner of both against search over all order-up-to levels."""

import itertools

import numpy as np
import pytest

from stackelberg_envs.envs.supply_contract.season import Season, binomial, centralised_value, expected

SEASON = Season(2, 3, binomial(4), 10.0, 3.0, 1.0, 0.5)


def test_people_come_half_of_the_time():
    demand = binomial(4)
    np.testing.assert_allclose(demand, np.array([1, 4, 6, 4, 1]) / 16)
    many = binomial(5_000)
    assert many.sum() == pytest.approx(1.0, rel=1e-12)
    # Stirling's formula, of which the next term is a part of 1 / 20,000.
    assert many.max() == pytest.approx(np.sqrt(2 / (np.pi * 5_000)), rel=1e-4)


def test_what_is_expected_is_the_mean_over_demand():
    ordered, sold, left, landing, chances = expected(SEASON)
    stock, order = 1, 1
    assert ordered[stock, order] == 1
    demand, came = SEASON.demand, np.arange(5)
    assert sold[stock, order] == pytest.approx(demand @ np.minimum(came, 2))
    assert left[stock, order] == pytest.approx(demand @ np.maximum(2 - came, 0))
    np.testing.assert_allclose(
        sold + left, (ordered + np.array([0, 1, 2, 3, 0, 1, 2, 3, 0])[:, None]) * (sold + left > 0)
    )
    assert chances[stock, order] @ np.arange(4) == pytest.approx(left[stock, order])
    assert landing[stock, order].tolist() == [4, 5, 6, 7]
    assert (landing[4:8] == 8).all()
    np.testing.assert_allclose(chances.sum(axis=-1), 1.0)
    assert (ordered[3] == 0).all()  # nothing fits


def test_no_rule_earns_more_than_the_owner_of_both():
    ordered, sold, left, _, chances = expected(SEASON)
    profit = SEASON.price * sold - SEASON.cost * ordered - SEASON.holding * left
    values = []
    for second in itertools.product(range(4), repeat=4):
        end = [profit[4 + stock, b] + SEASON.salvage * left[4 + stock, b] for stock, b in enumerate(second)]
        values += [profit[0, first] + chances[0, first] @ end for first in range(4)]
    assert centralised_value(SEASON) == pytest.approx(max(values))
