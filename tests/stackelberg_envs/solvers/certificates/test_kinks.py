import numpy as np
import pytest

import stackelberg_envs as se
from stackelberg_envs.solvers.certificates.affine import affine_game
from stackelberg_envs.solvers.certificates.kinks import Kinks, bent_part, no_kinks, rewards_from_above
from tests.stackelberg_envs.solvers.certificates.small_games import S, both_signs, game_with


def test_rewards_on_a_box_are_above_and_exact_on_one_side():
    rng = np.random.default_rng(0)
    for _ in range(50):
        kinks = Kinks(np.array([0, 2]), rng.random(2), rng.standard_normal((2, 1, 2, 2)))
        reward = rng.standard_normal((2, 1, 2, 4))
        low = rng.uniform(0, 0.5, 3)
        high = low + rng.uniform(0, 0.5, 3)
        made = rewards_from_above(reward, kinks, low, high)
        inside = kinks.straddled(low, high).any()
        assert inside == (kinks.worst(low, high) >= 0)
        for z in rng.uniform(low, high, (20, 3)):
            ones = np.concatenate([[1.0], z])
            above = made @ ones - reward @ ones - bent_part(kinks, z)
            assert above.min() >= -1e-12
            assert inside or above.max() <= 1e-12


def test_a_kink_at_the_edge_is_not_inside():
    kinks = Kinks(np.array([1]), np.array([0.5]), -np.ones((1, 1, 1, 1)))
    assert kinks.worst(np.zeros(2), np.ones(2)) == 0
    assert kinks.worst(np.array([0.0, 0.5]), np.ones(2)) == -1
    assert kinks.worst(np.zeros(2), np.array([1.0, 0.5])) == -1
    assert no_kinks(1, 1, 1).worst(np.zeros(2), np.ones(2)) == -1


@pytest.mark.parametrize("price", [0.05, 0.4, -0.1])
def test_costs_of_both_signs_are_certified(price):
    game = game_with(both_signs(price))
    proven = se.certify(game, gap=0.002)
    assert proven.stopped_because == "gap reached"
    low, high = game.commitment.low, game.commitment.high
    grid = [np.array([a, b, 0, 0]) for a in np.linspace(low[0], high[0], 23) for b in np.linspace(low[1], high[1], 21)]
    best = max(se.solve(game, x).leader_value for x in [*grid, np.zeros(S)])
    assert best <= proven.upper_bound
    assert proven.value >= best - 1e-9


def test_the_bend_is_what_the_cost_says():
    kinks = affine_game(game_with(both_signs())).kinks
    np.testing.assert_allclose(kinks.places, [0.5 / 1.1, 0.2])
    np.testing.assert_allclose(kinks.bends[0, 0, 0], [-0.4 * 1.1, -0.4])
    assert affine_game(game_with(se.StateIncentive(-1.0, 1.0, np.ones(S)))).kinks.places.size == 0
