"""The dynamic duopoly: its exact solution against a linear-quadratic one, and what threats are worth."""

import numpy as np
import pytest

import stackelberg_envs as se
from stackelberg_envs.envs.dynamic_duopoly.adjustment import best_constant_output
from stackelberg_envs.errors import GameError

ID = "stackelberg/DynamicDuopoly-v0"


def linear_quadratic(facts, base, rise, temperature, discount=0.9):
    """J of outputs base + rise k against a follower of any stock with errors, by a Riccati iteration and moments."""
    margin, cost = facts["choke_price"] - facts["unit_cost"], facts["adjustment_cost"]
    bend = slope = 0.0
    for _ in range(2000):
        spread = cost + discount * bend
        bend, slope = (
            2.0 * (1.0 + rise) + cost - cost**2 / spread,
            margin - base + cost * discount * slope / spread,
        )
    spread = cost + discount * bend
    mean, variance, total = facts["stocks"][facts["start"]], 0.0, 0.0
    for t in range(600):
        square = mean**2 + variance
        paid = (margin - base) * base + ((margin - base) * rise - (1.0 + rise) * base) * mean
        total += discount**t * (paid - (1.0 + rise) * rise * square)
        mean = (cost * mean + discount * slope) / spread
        variance = (cost / spread) ** 2 * variance + temperature / spread
    return total


@pytest.mark.parametrize(("base", "rise"), [(2000.0, 0.0), (1500.0, 0.0), (1200.0, 0.5), (2600.0, -0.4)])
def test_values_are_those_of_the_linear_quadratic_limit(base, rise):
    game = se.make_game(ID, rule="by_stock")
    x = base + rise * game.facts["stocks"]
    assert se.solve(game, x).leader_value == pytest.approx(
        linear_quadratic(game.facts, base, rise, game.temperature), rel=1e-6
    )
    if not rise:
        assert se.solve(se.make_game(ID), [base]).leader_value == pytest.approx(
            se.solve(game, x).leader_value, rel=1e-12
        )


def test_the_best_constant_output_is_the_closed_form():
    game = se.make_game(ID, start=30)
    output, value = best_constant_output(4000.0, 1500.0, 4.0, 0.9, 0.9)
    solution = se.solve(game, [output])
    assert solution.leader_value == pytest.approx(value, rel=1e-7)
    assert abs(solution.gradient[0]) < 1e-3
    for other in (output - 50.0, output + 50.0):
        assert se.solve(game, [other]).leader_value < value


def test_a_finer_grid_comes_nearer_to_the_limit():
    apart = []
    for stocks in (7, 25, 49):
        game = se.make_game(ID, stocks=stocks)
        apart.append(abs(se.solve(game, [2000.0]).leader_value - game.facts["reference"]["value"]))
    assert apart[1] < 0.01 * apart[0]
    assert apart[2] < 1e-5 * apart[1]


def test_a_threat_keeps_the_competitor_out():
    game = se.make_game(ID, rule="by_stock")
    outputs = np.full(49, 5000.0)
    outputs[:2] = 2000.0
    value = se.solve(game, outputs).leader_value
    assert 1.6 * se.make_game(ID).facts["reference"]["value"] < value < 40e6
    assert value <= game.facts["best_known"] < 40e6


def test_play_pays_what_the_page_says():
    env = se.parallel_env(ID)
    env.reset(seed=0)
    env.step({"leader_0": np.array([2000.0], np.float32)})
    paid = [env.step({"follower_0": stock})[1] for stock in (10, 20, 20)]
    assert [rewards["leader_0"] for rewards in paid] == [4e6, 3e6, 2e6]
    assert [rewards["follower_0"] for rewards in paid] == [-2.0 * 500.0**2, 1500.0 * 500.0 - 2.0 * 500.0**2, 1e6]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"choke_price": 0.0}, "choke_price: expected a number greater than 0"),
        ({"unit_cost": 5000.0}, "unit_cost: expected less than the choke price 5000"),
        ({"adjustment_cost": 0.0}, "adjustment_cost: expected a number greater than 0"),
        ({"stocks": 1}, "stocks: expected an integer of at least 2"),
        ({"start": 49}, "start: expected the number of a stock, 0 to 48, got 49"),
        ({"rule": "monthly"}, "rule: expected 'constant' or 'by_stock', got 'monthly'"),
        ({"follower_discount": 1.0}, "follower_discount: expected a number in"),
    ],
)
def test_what_is_no_dynamic_duopoly_is_refused(arguments, words):
    with pytest.raises(GameError, match=words):
        se.make_game(ID, **arguments)
