"""The grid solution of tax design: a second method, finite differences, refinement."""

import numpy as np
import pytest
from scipy.special import logsumexp

from stackelberg_envs.envs import tax_design_v0
from stackelberg_envs.envs.tax_design import asset_grid, saving
from stackelberg_envs.envs.tax_design.economy import TaxProblem, asset_utility, every_action, welfare
from stackelberg_envs.envs.tax_design.solution import solve_tax
from stackelberg_envs.errors import ConvergenceError

GAME = tax_design_v0.make_game()
START = np.full(4, 0.3)
UNEVEN = np.array([0.7, 0.2, 1.1, 0.4])


def rates(count, seed):
    return np.random.default_rng(seed).uniform(0.02, 1.98, (count, 4))


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


def test_a_bound_that_cannot_be_reached_is_reported(monkeypatch):
    monkeypatch.setattr(saving, "MAX_NEWTON_STEPS", 2)
    with pytest.raises(ConvergenceError, match="reached"):
        GAME.solve(START)


def difference_quotient(game, x, step=1e-4):
    """Central differences, extrapolated once: the error is of fourth order in the step."""
    out = np.empty((2, len(x)))
    for row, width in zip(out, (step, 2 * step), strict=True):
        for d in range(len(x)):
            shift = width * np.eye(len(x))[d]
            row[d] = (game.solve(x + shift).leader_value - game.solve(x - shift).leader_value) / (2 * width)
    return (4 * out[0] - out[1]) / 3


@pytest.mark.parametrize("x", rates(20, 0))
def test_hypergradient_agrees_with_finite_differences(x):
    game = GAME.replace(nodes=4)
    gradient = game.solve(x).gradient
    assert np.abs(gradient - difference_quotient(game, x)).max() <= 1e-6 * np.abs(gradient).max()


@pytest.mark.parametrize(
    "changes",
    [{"temperature": 0.3}, {"leader_discount": 0.8, "follower_discount": 0.95}, {"count_debt": False}],
    ids=str,
)
def test_hypergradient_of_other_games(changes):
    game = tax_design_v0.make_game(nodes=4, **changes)
    gradient = game.solve(UNEVEN).gradient
    assert np.abs(gradient - difference_quotient(game, UNEVEN)).max() <= 1e-6 * np.abs(gradient).max()


def test_the_direct_gradient_holds_the_response_fixed():
    """With the temperature sky-high the response is all but even whatever the rates: nothing goes through it."""
    solution = GAME.replace(temperature=1e6).solve(UNEVEN)
    assert np.abs(solution.response_gradient).max() < 1e-4 * np.abs(solution.direct_gradient).max()
    ordinary = GAME.solve(UNEVEN)
    assert np.abs(ordinary.response_gradient).max() > 0.1 * np.abs(ordinary.direct_gradient).max()


def test_the_error_of_the_grid_falls_and_is_reported():
    exact = GAME.solve(UNEVEN, nodes=20)
    for nodes, bound in ((4, 1e-3), (6, 1e-5), (8, 1e-6), (12, 1e-7)):
        solution = GAME.solve(UNEVEN, nodes=nodes)
        error = abs(solution.leader_value - exact.leader_value)
        assert error < bound
        assert error < 2 * solution.grid_error + 1e-9
        assert abs(solution.follower_value - exact.follower_value) < 2 * solution.follower_grid_error + 1e-9


def test_default_grid_keeps_every_soft_value_to_a_millionth():
    """Between the nodes as well: the values of the finer grid are read where the coarser one has its nodes."""
    default, fine = (GAME.solve(UNEVEN, nodes=nodes) for nodes in (8, 16))
    for one, other in zip(default.types, fine.types, strict=True):
        problem, coefficients = other.saving.problem, other.saving.response.coefficients
        m = one.saving.problem.grid.nodes
        q = saving.group_values(problem, coefficients, m)
        values = problem.temperature * logsumexp(q / problem.temperature, axis=1) + asset_utility(GAME.households, m)
        error = np.abs(values - one.saving.response.values)
        assert error[np.abs(m) < 60].max() < 1e-6
        # Where debt is cut off the policy switches within a short way; values are in the hundreds there.
        assert error.max() < 5e-3


def test_interpolation_has_the_value_slope_and_curvature_of_the_smoothing():
    grid = asset_grid.make_grid(-100.0, 100.0, 5.0, 8)
    values = np.where(grid.nodes > 0, np.log1p(np.maximum(grid.nodes, 0) / 20), grid.nodes)
    coefficients = grid.smoothing @ values
    mean = np.random.default_rng(0).uniform(-100, 100, 50)
    rows = grid.weights * np.exp(-0.5 * ((grid.nodes - mean[:, None]) / 5) ** 2)
    exact = rows @ values / rows.sum(axis=1)
    assert np.abs(asset_grid.interpolate(grid, coefficients, mean) - exact).max() < 1e-6
    beyond = asset_grid.interpolate(grid, coefficients, np.array([-130.0, 100.0, 250.0]))
    assert beyond[1] == beyond[2]
    assert beyond[0] == asset_grid.interpolate(grid, coefficients, np.array([-100.0]))[0]


def test_pieces_are_the_interpolation():
    grid = asset_grid.make_grid(-100.0, 100.0, 5.0, 5)
    coefficients = np.random.default_rng(1).standard_normal(len(grid.smoothing))
    mean = np.random.default_rng(2).uniform(-100, 100, 200)
    place = (mean + 100) / grid.spacing
    n = place.astype(int)
    polynomials = asset_grid.pieces(grid, coefficients)[n]
    expected = (polynomials * (place - n)[:, None] ** np.arange(6)).sum(axis=1)
    np.testing.assert_allclose(asset_grid.interpolate(grid, coefficients, mean), expected, rtol=1e-9, atol=1e-9)


def test_grid_integrates_and_rows_are_distributions():
    grid = asset_grid.make_grid(-100.0, 100.0, 5.0, 8)
    assert grid.weights.sum() == pytest.approx(200.0)
    rows = grid.smoothing.reshape(-1, 3, len(grid))
    np.testing.assert_allclose(rows[:, 0].sum(axis=1), 1.0)
    np.testing.assert_allclose(rows[:, 1:].sum(axis=2), 0.0, atol=1e-12)


def test_groups_hold_every_action_once_and_move_alike():
    actions = every_action(GAME.rules)
    assert len(actions.order) == 1250
    assert len(actions.first) == 130
    assert len(np.unique(actions.order, axis=0)) == 1250
    np.testing.assert_array_equal(actions.hours, actions.group_hours[actions.group])
    np.testing.assert_allclose(actions.consumption.sum(axis=1), actions.group_spending[actions.group])
    shuffled = np.random.default_rng(0).permutation(1250)
    np.testing.assert_array_equal(actions.number(actions.order[shuffled]), shuffled)


def test_welfare_by_hand():
    """8.01 hours at t_0 = .5, five of good 1 at VAT .25: four are enjoyed, one is paid in tax."""
    x = np.array([0.5, 0.25, 0.0, 0.0])
    value = welfare(GAME.rules, x, np.array([8.01]), np.array([[5.0, 0.0, 0.0]]))
    assert value[0] == pytest.approx(15 * (4 / 3) / 5 + 5 * np.log(1 + 1.0 + 4.005))


def test_values_at_the_published_start_and_contribution_of_both_types():
    solution = GAME.solve(START)
    assert solution.leader_value == pytest.approx(28.735778, abs=2e-6)
    np.testing.assert_allclose(solution.type_values, [28.179666, 29.291891], atol=2e-6)
    assert solution.leader_value == pytest.approx(solution.type_values.mean())


def test_solution_of_the_function_is_that_of_the_game():
    made = solve_tax(TaxProblem(GAME.rules, GAME.households, 0.9, 0.9, 0.1, horizon=200), START, nodes=8)
    assert made.leader_value == GAME.solve(START).leader_value


def test_who_must_pay_for_work_does_not_and_cannot_leave_debt():
    solution = GAME.solve([1.2, 0.1, 0.6, 1.5])
    assert solution.leader_value == pytest.approx(-51.41, abs=0.005)
    hours = np.mean(
        [one.saving.response.policy @ every_action(GAME.rules).group_hours for one in solution.types], axis=0
    )
    assert hours[np.abs(solution.types[0].saving.problem.grid.nodes) < 95].max() < 0.25


def test_who_cannot_fall_deeper_into_debt_spends_and_three_units_above_works():
    """At the best rates for temperature 0.1."""
    one, actions = GAME.solve((0.63849, 0.0, 0.0, 0.0)).types[0].saving, every_action(GAME.rules)
    at = [np.abs(one.problem.grid.nodes - assets).argmin() for assets in (-100.0, -97.0)]
    spending, hours = one.response.policy[at] @ actions.group_spending, one.response.policy[at] @ actions.group_hours
    assert spending[0] > 14 and hours[0] < 1
    assert spending[1] < 0.1 and hours[1] > 7.5


@pytest.mark.parametrize("x", [np.full(4, 0.3), np.array([0.7, 0.2, 1.1, 0.4])])
def test_tax_solutions_state_the_error_of_their_grid(x):
    solution, fine = GAME.solve(x), GAME.solve(x, nodes=20)
    assert abs(solution.leader_value - fine.leader_value) <= solution.leader_value_error < 1e-5
    assert abs(solution.follower_value - fine.follower_value) <= solution.follower_value_error < 1e-5
    assert np.abs(solution.gradient - fine.gradient).max() <= solution.gradient_error < 1e-4
    assert 0 < solution.policy_error < 1e-2
    assert solution.value_error == max(solution.leader_value_error, solution.follower_value_error)


def test_a_tolerance_that_the_grid_cannot_reach_is_refused():
    x = np.full(4, 0.3)
    with pytest.raises(ConvergenceError, match=r"expected an error of at most 1\.0e-13 of every probability"):
        GAME.solve(x, tolerance=1e-13)
    assert max(one.saving.response.policy_error for one in GAME.solve(x, tolerance=0.0).types) < 1e-9


def test_a_solution_is_shown_in_a_line():
    assert len(repr(GAME.solve(START))) < 120
