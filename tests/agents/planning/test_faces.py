"""Closed sets of commitments: coordinates, slopes at edges, and a search that ends there."""

import numpy as np
import pytest

import stackelberg_envs as se
from agents.observing.brief import Information
from agents.planning.faces import FaceObjective, FaceSearchConfig, face_search, faces_of
from agents.runs.briefing import make_brief
from tests.games import ROOMS, TOY, toll_game

GAMES = {"budget": se.make_game(ROOMS), "table": se.make_game(TOY), "box": toll_game()}


@pytest.fixture(params=GAMES)
def brief(request):
    return make_brief(GAMES[request.param], Information.MODEL)


def test_points_and_commitments_belong_together(brief):
    faces, rng = faces_of(brief), np.random.default_rng(0)
    for point in (*faces.corners(8, rng)[:8], faces.inside(rng), faces.moved(faces.inside(rng), rng)):
        x = faces.commitment(point)
        np.testing.assert_allclose(brief.commitment.check(x), x, atol=1e-12)
        np.testing.assert_allclose(faces.point(x), faces.plain(point), atol=1e-12)
        np.testing.assert_allclose(faces.commitment(faces.plain(0.5 * point)).shape, x.shape)


def test_the_slope_is_that_of_differences_at_edges_too(brief):
    faces, rng = faces_of(brief), np.random.default_rng(1)
    objective = FaceObjective(brief, faces, brief.model.primitives)
    point = faces.moved(faces.inside(rng), rng)
    point[:2] = (0.0, 0.7)
    value, slope = objective(point)
    assert objective.value(point) == pytest.approx(value)
    for i in range(3):
        step = np.zeros(faces.size)
        step[i] = 1e-6
        rise = (objective.value(point + step) - value) / 1e-6
        assert slope[i] == pytest.approx(rise, rel=1e-3, abs=1e-4 * np.abs(slope).max())


def test_all_vertices_are_looked_at_where_there_are_few():
    few = {"budget": 105, "box": 64}
    for name, count in few.items():
        corners = faces_of(make_brief(GAMES[name], Information.MODEL)).corners(128, np.random.default_rng(0))
        assert len(np.unique(corners, axis=0)) == count
    drawn = faces_of(make_brief(GAMES["budget"], Information.MODEL)).corners(10, np.random.default_rng(0))
    assert drawn.shape == (10, 105)
    assert set(np.unique(drawn)) == {0.0, 1.0}


def test_a_search_comes_to_the_best_known_commitments():
    game = se.make_game(ROOMS, slip=0.44, temperature=0.005)
    brief = make_brief(game, Information.MODEL)
    faces, rng = faces_of(brief), np.random.default_rng(0)
    objective, known = FaceObjective(brief, faces, game.primitives), [np.full(faces.size, 0.5)]
    for _ in range(2):
        known = [face_search(faces, FaceSearchConfig(), rng, known).run(objective).point]
    # The best known is 1.6227; searches in logits end at 1.54.
    assert objective.value(known[0]) > 1.62
    assert (faces.plain(known[0]) == 0.0).sum() > 50


def test_a_projection_leads_into_the_commitments_own_set():
    rows = faces_of(make_brief(GAMES["table"], Information.MODEL, "projection"))
    assert rows.commitment(np.full(6, 0.9)) == pytest.approx(0.5)
    box = faces_of(make_brief(GAMES["budget"], Information.MODEL, "projection"))
    assert box.size == 104
