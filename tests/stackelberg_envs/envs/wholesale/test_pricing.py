"""The formula of the best wholesale price against a search within a search."""

import pytest

import stackelberg_envs as se
from stackelberg_envs.envs.wholesale.pricing import best_price, manufacturer_value, worth


def test_the_best_price_of_the_page():
    assert best_price(10.0, 1.0, 2.0) == (6.0, 2.0, 8.0)


@pytest.mark.parametrize(("intercept", "slope", "unit_cost"), [(10.0, 1.0, 2.0), (7.0, 0.5, 0.0), (3.0, 2.0, 2.5)])
def test_no_price_is_worth_more(intercept, slope, unit_cost):
    price, _, value = best_price(intercept, slope, unit_cost)
    assert worth(price, intercept, slope, unit_cost) == pytest.approx(value, rel=1e-4)
    for other in (0.9 * price, 1.1 * price):
        assert worth(other, intercept, slope, unit_cost) < value
    game = se.make_game("stackelberg/Wholesale-v0", intercept=intercept, slope=slope, unit_cost=unit_cost)
    assert manufacturer_value(game) == pytest.approx(game.facts["reference"]["value"], rel=1e-6)
