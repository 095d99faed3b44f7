"""The saving problem of one type: soft best response on a grid."""

import numpy as np
import pytest

from stackelberg_envs.envs import tax_design_v0
from stackelberg_envs.envs.tax_design import asset_grid, saving
from stackelberg_envs.errors import ConvergenceError

GAME = tax_design_v0.make_game()


START = np.full(4, 0.3)


UNEVEN = np.array([0.7, 0.2, 1.1, 0.4])


def all_actions_method(game, x, k, nodes):
    """Soft value iteration over all 1,250 actions, each with its own reward and transition rows at the nodes.

    It shares the nodes with the solution under test, and nothing else: no interpolation, no Newton steps, no adjoint.
    Returns both values at the initial distribution.
    """
    grid = asset_grid.make_grid(-100.0, 100.0, 5.0, nodes)
    m, w = grid.nodes, grid.weights
    i, j1, j2, j3 = (part.ravel() for part in np.indices((10, 5, 5, 5)))
    hours, goods = 0.89 * i, 1.25 * np.stack([j1, j2, j3], axis=1)
    preference = tax_design_v0.PREFERENCES[k]
    consumed = np.prod((goods / (1 + x[1:])) ** preference, axis=1)
    utility = np.where(m > 0, np.log(1 + np.maximum(m, 0) / 20), m)
    reward = utility[:, None] - 0.1 * hours**2 + consumed
    revenue = (x[1:] * goods / (1 + x[1:])).sum(axis=1) + x[0] * hours
    social = 15 * (goods / (1 + x[1:])).mean(axis=1) / 5 + 5 * np.log(1 + revenue)
    leader = social + np.minimum(m, 0)[:, None]
    move, which = np.unique(((1 - x[0]) * hours - goods.sum(axis=1)).round(12), return_inverse=True)
    mean = np.clip(m[:, None] + move, -100, 100)
    rows = w * np.exp(-0.5 * ((m - mean[:, :, None]) / 5) ** 2)
    rows /= rows.sum(axis=2, keepdims=True)
    gamma, temperature = game.follower_discount, game.temperature
    values = np.zeros(len(m))
    for _ in range(260):
        q = reward + gamma * (rows @ values)[:, which]
        highest = q.max(axis=1)
        values = highest + temperature * np.log(np.exp((q - highest[:, None]) / temperature).sum(axis=1))
    policy = np.exp((q - values[:, None]) / temperature)
    by_move = policy @ np.eye(len(move))[which]
    onward = (by_move[:, None, :] @ rows)[:, 0]
    leader_values = np.linalg.solve(np.eye(len(m)) - game.leader_discount * onward, (policy * leader).sum(axis=1))
    initial = w * np.exp(-0.25 * m**2)
    initial /= initial.sum()
    return initial @ leader_values, initial @ values


@pytest.mark.parametrize(("x", "k", "temperature"), [(START, 0, 0.1), (UNEVEN, 1, 0.1), (UNEVEN, 0, 0.3)])
def test_values_agree_with_soft_value_iteration_over_all_actions(x, k, temperature):
    game = GAME.replace(temperature=temperature)
    one = game.solve(x, nodes=6).types[k].saving
    leader, follower = all_actions_method(game, x, k, 6)
    assert one.leader_value == pytest.approx(leader, abs=2e-5)
    assert one.follower_value == pytest.approx(follower, abs=2e-6)


def test_the_soft_best_response_is_a_fixed_point_to_its_tolerance():
    exact, rough = (GAME.solve(UNEVEN, tolerance=tolerance) for tolerance in (1e-10, 1e-2))
    for one, other in zip(exact.types, rough.types, strict=True):
        assert one.saving.response.error < 2e-10
        difference = np.abs(one.saving.response.values - other.saving.response.values).max()
        assert difference <= other.saving.response.error


def test_a_start_from_nearby_saves_steps_and_ends_in_the_same_place():
    cold, near = GAME.solve(UNEVEN), GAME.solve(1.02 * UNEVEN)
    warm = GAME.solve(UNEVEN, start=near.values)
    assert warm.leader_value == pytest.approx(cold.leader_value, abs=1e-8)
    for one, other in zip(warm.types, cold.types, strict=True):
        assert one.saving.response.steps < other.saving.response.steps


def test_it_goes_on_where_only_rounding_is_missing_at_the_tolerance():
    rough = max(one.saving.response.policy_error for one in GAME.solve(UNEVEN, tolerance=1e-4).types)
    fine = GAME.solve(UNEVEN, tolerance=float(np.nextafter(rough, 0.0)))
    assert max(one.saving.response.policy_error for one in fine.types) < rough


def test_a_bound_that_cannot_be_reached_is_reported(monkeypatch):
    monkeypatch.setattr(saving, "MAX_NEWTON_STEPS", 2)
    with pytest.raises(ConvergenceError, match="reached"):
        GAME.solve(START)


def test_a_tolerance_that_the_grid_cannot_reach_is_refused():
    x = np.full(4, 0.3)
    with pytest.raises(ConvergenceError, match=r"expected an error of at most 1\.0e-13 of every probability"):
        GAME.solve(x, tolerance=1e-13)
    assert max(one.saving.response.policy_error for one in GAME.solve(x, tolerance=0.0).types) < 1e-9
