"""The formula of the best constant output, against backward induction and a search that know no formula."""

import numpy as np
import pytest

import stackelberg_envs as se
from stackelberg_envs.envs.dynamic_duopoly.adjustment import best_constant_output, leader_value, remaining_part

DYNAMIC = "stackelberg/DynamicDuopoly-v0"


@pytest.mark.parametrize("cost", [1e-3, 0.5, 4.0, 1e3])
@pytest.mark.parametrize("discount", [0.0, 0.3, 0.99])
def test_the_remaining_part_is_the_smaller_root(cost, discount):
    rho = remaining_part(cost, discount)
    assert 0.0 < rho <= 1.0
    left = discount * cost * rho**2 - (2.0 * discount + cost + discount * cost) * rho + cost
    assert left == pytest.approx(0.0, abs=1e-12 * (1.0 + cost))
    if discount:
        other = np.roots([discount * cost, -(2.0 * discount + cost + discount * cost), cost]).real
        assert rho == pytest.approx(other.min(), rel=1e-9)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"start": 30},
        {"adjustment_cost": 0.3, "leader_discount": 0.7},
        {"adjustment_cost": 50.0, "follower_discount": 0.5, "start": 10},
        {"choke_price": 9.0, "unit_cost": 1.0, "temperature": 0.1},
    ],
)
def test_no_constant_output_earns_more(changes):
    game = se.make_game(DYNAMIC, **changes)
    assert leader_value(game) == pytest.approx(game.facts["reference"]["value"], rel=1e-8)


def test_limits_of_the_cost_of_adjustment():
    margin, static, alone = 4000.0, 2e6, 4e6
    free, dear = (best_constant_output(margin, 0.0, cost, 0.9, 0.9)[1] for cost in (1e-9, 1e9))
    assert free == pytest.approx(10.0 * static + static, rel=1e-6)
    assert dear == pytest.approx(10.0 * alone, rel=1e-3)
