"""The first-order conditions against searches."""

import numpy as np
import pytest

import stackelberg_envs as se
from stackelberg_envs.envs.energy_pricing.pricing import best_surcharges, profit, searched_profit, shifts

ID = "stackelberg/EnergyPricing-v0"


@pytest.mark.parametrize("seed", range(4))
def test_no_surcharges_are_worth_more(seed):
    rng = np.random.default_rng(seed)
    demand, cost, tariff, k = rng.uniform(1, 3, 4), rng.uniform(0, 2, 4), 2.5, float(rng.uniform(0.5, 3))
    best = best_surcharges(demand, cost, k)
    assert best.sum() == pytest.approx(0.0, abs=1e-12)
    value = profit(best, shifts(best, k), demand, cost, tariff)
    flat = profit(np.zeros(4), np.zeros(4), demand, cost, tariff)
    assert value - flat == pytest.approx((best**2).sum() / k)
    for other in best + rng.normal(0, 0.3, (50, 4)):
        assert profit(other, shifts(other, k), demand, cost, tariff) < value


def test_a_search_within_a_search_finds_the_same():
    game = se.make_game(ID)
    assert searched_profit(game) == pytest.approx(game.facts["reference"]["value"], rel=1e-8)


def test_the_household_could_not_shift_better():
    price, rng = np.array([0.3, -0.2, 0.5]), np.random.default_rng(0)
    best = shifts(price, 2.0)
    assert best.sum() == pytest.approx(0.0)
    for other in rng.normal(0, 0.2, (50, 3)):
        moved = best + other - other.mean()
        assert price @ moved + moved @ moved > price @ best + best @ best
