"""Closed sets of commitments: coordinates, slopes at edges, and a search that ends there."""

import numpy as np
import pytest

import stackelberg_envs as se
from agents.observing.brief import Information
from agents.planning.sets import SetObjective, SetSearchConfig, reached_set, set_search
from agents.runs.briefing import make_brief
from tests.games import ROOMS, TOY, toll_game

GAMES = {"budget": se.make_game(ROOMS), "table": se.make_game(TOY), "box": toll_game()}


@pytest.fixture(params=GAMES)
def brief(request):
    return make_brief(GAMES[request.param], Information.MODEL)


def test_the_slope_is_that_of_differences_at_edges_too(brief):
    points, rng = reached_set(brief), np.random.default_rng(1)
    objective = SetObjective(brief, points, brief.model.primitives)
    point = points.neighbours(points.inside(rng))[-1]
    point[:2] = (0.0, 0.7)
    value, slope = objective(point)
    assert objective.value(point) == pytest.approx(value)
    for i in range(3):
        step = np.zeros(points.size)
        step[i] = 1e-6
        rise = (objective.value(point + step) - value) / 1e-6
        assert slope[i] == pytest.approx(rise, rel=1e-3, abs=1e-4 * np.abs(slope).max())


def test_a_search_comes_to_the_best_known_commitments():
    game = se.make_game(ROOMS, slip=0.44, temperature=0.005)
    brief = make_brief(game, Information.MODEL)
    points, rng = reached_set(brief), np.random.default_rng(0)
    objective, known = SetObjective(brief, points, game.primitives), [np.full(points.size, 0.5)]
    for _ in range(2):
        known = [set_search(points, SetSearchConfig(), rng, known).run(objective).point]
    # The best known is 1.6227; searches in logits end at 1.54.
    assert objective.value(known[0]) > 1.62
    assert (points.plain(known[0]) == 0.0).sum() > 50


def test_searches_leave_the_hill_that_the_best_vertices_stand_on():
    # Ascents from the best of vertices and draws alone end .06 of the way lower, search after search.
    game = se.random_tabular(S=100, A=2, B=2, D=8, seed=1506)
    points = reached_set(make_brief(game, Information.MODEL))
    objective, rng = (
        SetObjective(make_brief(game, Information.MODEL), points, game.primitives),
        np.random.default_rng(5),
    )
    known = [points.point(np.zeros(8))]
    for _ in range(4):
        search = set_search(points, SetSearchConfig(), rng, known)
        search.run(objective)
        ends = [end for end in search.ends if end.scale == 1.0]
        known = [end.point for end in sorted(ends, key=lambda end: -end.value)[:4]]
    assert objective.value(known[0]) == pytest.approx(5.1812, abs=1e-3)


def test_a_projection_leads_into_the_commitments_own_set():
    rows = reached_set(make_brief(GAMES["table"], Information.MODEL, "projection"))
    assert rows.commitment(rows.plain(np.full(6, 0.9))) == pytest.approx(0.5)
    box = reached_set(make_brief(GAMES["budget"], Information.MODEL, "projection"))
    assert box.size == 104
