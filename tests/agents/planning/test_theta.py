"""Searches of theta: the objective, ascents and the search in parts."""

import numpy as np
import pytest

import stackelberg_envs as se
from agents.observing.brief import Information
from agents.planning.search import Ascent, Search, ascend
from agents.planning.theta import SearchConfig, ThetaObjective, Vertices, theta_search
from agents.runs.briefing import make_brief


def test_the_objective_is_the_oracles_value_and_gradient():
    game = se.make_game("stackelberg/FourRooms-v0", temperature=0.01)
    brief = make_brief(game, Information.MODEL)
    theta = np.random.default_rng(0).standard_normal(105)
    solution = se.solve(game, brief.parametrisation(theta))
    value, gradient = ThetaObjective(brief, game.primitives)(theta)
    assert value == pytest.approx(solution.leader_value, abs=1e-7)
    np.testing.assert_allclose(gradient, brief.parametrisation.vjp(theta, solution.gradient), rtol=1e-5, atol=1e-9)


def test_searching_ends_higher_than_one_ascent_where_that_ends_in_a_poor_optimum():
    game = se.make_game("stackelberg/FourRooms-v0", temperature=0.005)
    objective = ThetaObjective(make_brief(game, Information.MODEL), game.primitives)
    zeros = np.zeros(105)
    plain = ascend(objective, zeros, iterations=200)
    assert plain.value < 0.01
    config, rng = SearchConfig(), np.random.default_rng(0)
    ladder = [Ascent(zeros, (*config.ladder, 1.0), config.iterations)]
    down = Search(105, ladder, None, iterations=config.iterations).run(objective)
    assert down.value > 0.5
    vertices = Vertices(objective.unit, 2, iterations=100)
    starts = vertices.ascents([objective.value(vertices.point(i)) for i in range(len(vertices))])
    assert len(starts) == 6
    best = max(ascend(objective, start.point, iterations=start.left).value for start in starts)
    assert best > 0.5
    found = theta_search(config, rng, [zeros], objective.unit).run(objective)
    assert found.value >= max(plain.value, down.value, best) - 1e-3  # L-BFGS stops at slightly different points
    assert found.value == pytest.approx(objective(found.point)[0])


def test_start_scale_is_the_spread_of_random_starts():
    starts = []
    for scale in (1.0, 3.0):
        config = SearchConfig(random_starts=2, continuation_starts=0, vertex_starts=0, start_scale=scale)
        search = theta_search(config, np.random.default_rng(0), [], np.ones(5))
        starts.append([ascent.point for ascent in search._ascents])
    np.testing.assert_allclose(starts[1], 3.0 * np.array(starts[0]))
