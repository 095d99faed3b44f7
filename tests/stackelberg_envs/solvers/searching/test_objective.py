"""Exact values and gradients in the coordinates of the set, for tables and vectors."""

import numpy as np
import pytest

import stackelberg_envs as se
from stackelberg_envs.errors import ArgumentError
from stackelberg_envs.solvers.searching.objective import Objective, values_of
from tests.games import interacting_game

GAMES = ("stackelberg/FourRooms-v0", "stackelberg/DiscreteToy-v1", "stackelberg/BuildingThermal-v1")


@pytest.mark.parametrize("spec_id", [*GAMES, "followers who affect each other"])
@pytest.mark.parametrize("scale", [1.0, 3.0])
def test_values_are_those_of_solve_and_gradients_their_derivatives(spec_id, scale):
    game = se.make_game(spec_id) if "/" in spec_id else interacting_game()
    objective = Objective(game)
    u = objective.points.inside(np.random.default_rng(0))
    value, slope = objective(u, scale)
    there = game.replace(temperature=scale * game.temperature)
    assert value == pytest.approx(se.solve(there, objective.points.commitment(u)).leader_value, rel=1e-6, abs=1e-9)
    way = objective.points.vertex(np.random.default_rng(1)) - u
    rise = (objective(u + 1e-5 * way, scale)[0] - value) / 1e-5
    assert slope @ way == pytest.approx(rise, rel=1e-2, abs=1e-4 * abs(value))


def test_a_commitment_without_a_finite_response_is_worth_less_than_all_others():
    game = se.make_game("stackelberg/BilevelLqr-v1")
    objective = Objective(game)
    value, slope = objective(objective.points.point(np.array([[-12.0, -10.0]])))
    assert value == -np.inf
    assert not slope.any()
    assert objective.low == np.inf


def test_the_range_is_that_of_values_at_the_true_temperature():
    objective = Objective(se.make_game("stackelberg/DiscreteToy-v1"))
    rng = np.random.default_rng(0)
    values = [objective(objective.points.inside(rng))[0] for _ in range(5)]
    objective(objective.points.inside(rng), 50.0)
    assert objective.range == pytest.approx(max(values) - min(values))
    assert objective.evaluations == 6


@pytest.mark.parametrize("game", [se.make_game("stackelberg/GuidedCartPole-v0"), "toy"])
def test_games_without_an_exact_solution_are_refused(game):
    with pytest.raises(ArgumentError, match="expected a game whose exact solution is known"):
        values_of(game)
