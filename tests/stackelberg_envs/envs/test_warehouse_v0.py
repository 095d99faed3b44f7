"""The warehouse: its steps, rewards, sizes, and the numbers of its page."""

import numpy as np
import pytest

import stackelberg_envs as se
from stackelberg_envs.errors import ArgumentError, GameError
from stackelberg_envs.play.rollout import rollout
from stackelberg_envs.solvers.solving import solve

WAREHOUSE = "stackelberg/Warehouse-v0"
LINE = "P.D"


def test_a_robot_loads_unloads_and_is_paid():
    game = se.make_game(WAREHOUSE, floor=LINE, slip=0.0, energy=0.1)
    assert game.shape == (6, 1, 4)
    kernel = game.transition.to_dense()[:, 0]
    fetch, bring = range(3), range(3, 6)
    assert kernel[fetch[2], 3, fetch[1]] == 1.0  # left
    assert kernel[fetch[0], 1, bring[0]] == 1.0  # loads, whatever it does
    assert kernel[bring[0], 1, bring[1]] == 1.0  # right
    assert kernel[bring[2], 3, fetch[2]] == 1.0  # unloads
    np.testing.assert_array_equal(game.leader_reward[:, 0, 0], [0, 0, 0, 0, 0, 1])
    np.testing.assert_allclose(game.follower_reward[:, 0, 0], [-0.1] * 5 + [0.9])
    assert game.initial[fetch[2]] == 1.0


def test_the_hard_robot_delivers_as_often_as_the_way_is_long():
    # Two moves, a step to load, two moves, a step to unload.
    game = se.make_game(WAREHOUSE, floor=LINE, slip=0.0, temperature=1e-4, discount=0.9)
    value = solve(game, np.zeros(game.commitment.shape)).leader_value
    assert value == pytest.approx(0.9**5 / (1 - 0.9**6), abs=1e-6)


def test_people_cost_the_leader_only():
    quiet, busy = (se.make_game(WAREHOUSE, floor=plan, slip=0.0, danger=0.3) for plan in ("P.D", "P!D"))
    np.testing.assert_array_equal(quiet.follower_reward, busy.follower_reward)
    np.testing.assert_allclose((quiet.leader_reward - busy.leader_reward)[:, 0, 0], [0, 0.3, 0, 0, 0.3, 0])


def test_costs_by_aisle_and_by_cell_are_the_same_where_an_aisle_costs_evenly():
    by_aisle, by_cell = (se.make_game(WAREHOUSE, costs=costs) for costs in ("aisles", "cells"))
    rng = np.random.default_rng(0)
    costs, closed = rng.uniform(0, 0.5, 7), rng.uniform(0, 1, 14)
    names = [name for name in by_cell.commitment.names if name.startswith("cost")]
    floor = by_cell.facts["floor"]
    places = zip(floor.aisle, floor.cells, strict=True)
    spread = [costs[a] if a >= 0 else 0.0 for a, (r, c) in places if f"cost ({r}, {c})" in names]
    values = [
        solve(game, np.concatenate([part, closed])).leader_value
        for game, part in ((by_aisle, costs), (by_cell, spread))
    ]
    assert values[0] == pytest.approx(values[1], rel=1e-9)


@pytest.mark.parametrize("floor", ["small", "medium"])
def test_the_hypergradient_is_that_of_differences(floor):
    game = se.make_game(WAREHOUSE, floor=floor, max_cost=0.4)
    rng = np.random.default_rng(3)
    x = rng.uniform(0.05, 0.3, game.commitment.shape)
    direction = rng.normal(size=x.shape)
    direction /= np.abs(direction).max()
    up, down = (solve(game, x + step * direction).leader_value for step in (1e-5, -1e-5))
    assert solve(game, x).gradient @ direction == pytest.approx((up - down) / 2e-5, rel=1e-5, abs=1e-6)


def test_numbers_of_the_page():
    game = se.make_game(WAREHOUSE)
    assert solve(game, np.zeros(21)).leader_value == pytest.approx(0.659737, abs=1e-6)
    closed = np.zeros(21)
    closed[[13, 14]] = 1.0
    assert solve(game, closed).leader_value == pytest.approx(1.708928, abs=1e-6)
    assert game.facts["best_known"] == pytest.approx(1.730371, abs=1e-6)


def test_what_is_played_is_worth_what_is_solved():
    # One false alarm in 147,000: 4.5 standard errors; 0.97**400 of the value is left.
    game = se.make_game(WAREHOUSE, horizon=400)
    x = game.facts["best_commitment"]
    played = rollout(game.under(x), solve(game, x).response, np.random.default_rng(5), episodes=1_000)
    returns = played.returns(0.97)
    error = returns.std(ddof=1) / np.sqrt(len(returns))
    assert abs(returns.mean() - game.facts["best_known"]) < 4.5 * error + 1e-4


@pytest.mark.parametrize(
    ("changes", "error", "match"),
    [
        ({"costs": "rooms"}, ArgumentError, "costs: expected 'aisles' or 'cells', got 'rooms'"),
        ({"floor": "PD"}, GameError, "floor: expected an aisle, which the leader sets the cost of, got none"),
        ({"floor": "PD", "costs": "cells"}, GameError, "floor: expected a cell that is no station"),
        ({"floor": "P.#D"}, GameError, "got D at row 0, column 3"),
        ({"num_robots": 0}, ArgumentError, "num_robots: expected an integer of at least 1, got 0"),
        ({"slip": 1.5}, GameError, "slip: expected"),
        ({"danger": -1.0}, ArgumentError, "danger: expected"),
        ({"max_cost": 0.0}, GameError, "max_cost: expected"),
        ({"discount": 1.0}, GameError, "discount: expected"),
    ],
)
def test_what_makes_no_warehouse_is_refused(changes, error, match):
    with pytest.raises(error, match=match):
        se.make_game(WAREHOUSE, **changes)
