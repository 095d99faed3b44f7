"""The grid solution of tax design: a second method, finite differences, refinement."""

import numpy as np
import pytest
from scipy.special import logsumexp

from stackelberg_envs.envs import tax_design_v0
from stackelberg_envs.envs.tax_design import saving
from stackelberg_envs.envs.tax_design.economy import TaxProblem, asset_utility, every_action
from stackelberg_envs.envs.tax_design.solution import solve_tax

GAME = tax_design_v0.make_game()


START = np.full(4, 0.3)


UNEVEN = np.array([0.7, 0.2, 1.1, 0.4])


def rates(count, seed):
    return np.random.default_rng(seed).uniform(0.02, 1.98, (count, 4))


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


def test_groups_hold_every_action_once_and_move_alike():
    actions = every_action(GAME.rules)
    assert len(actions.order) == 1250
    assert len(actions.first) == 130
    assert len(np.unique(actions.order, axis=0)) == 1250
    np.testing.assert_array_equal(actions.hours, actions.group_hours[actions.group])
    np.testing.assert_allclose(actions.consumption.sum(axis=1), actions.group_spending[actions.group])
    shuffled = np.random.default_rng(0).permutation(1250)
    np.testing.assert_array_equal(actions.number(actions.order[shuffled]), shuffled)


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


def test_a_solution_is_shown_in_a_line():
    assert len(repr(GAME.solve(START))) < 120
