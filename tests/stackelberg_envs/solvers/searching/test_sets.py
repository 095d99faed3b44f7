"""Coordinates of closed sets: back and forth, derivatives in every chart, vertices and neighbours inside the set."""

import numpy as np
import pytest

import stackelberg_envs as se
from stackelberg_envs.solvers.searching.sets import Box, Budget, Rows, set_of

LOW = np.array([-1.0, 0.0, 2.0])
COMMITMENTS = {
    "box": se.LinearFeatures(np.ones((2, 1, 2, 3)), LOW, [1.0, 0.0, 5.0]),
    "rows": se.PolicyTable(3, 4),
    "budget": se.StateIncentive(np.full(5, -0.2), 0.0, np.ones(5), parametrisation="softmax_budget"),
}
KINDS = {"box": Box, "rows": Rows, "budget": Budget}


@pytest.fixture(params=COMMITMENTS)
def case(request):
    commitment = COMMITMENTS[request.param]
    points = set_of(commitment)
    assert type(points) is KINDS[request.param]
    return commitment, points


def drawn(points, rng):
    u, v = points.inside(rng), points.vertex(rng)
    return [u, v, points.crossed(u, v, rng), *points.neighbours(u), *points.neighbours(v)]


def test_every_point_is_an_admissible_commitment_and_comes_back(case):
    commitment, points = case
    for u in drawn(points, np.random.default_rng(0)):
        x = points.commitment(u)
        np.testing.assert_allclose(commitment.check(x), x, atol=1e-12)
        np.testing.assert_allclose(points.point(x), u, atol=1e-12)


def test_charts_are_boxes_and_their_slopes_are_derivatives(case):
    _, points = case
    rng, weights = np.random.default_rng(1), np.random.default_rng(2).standard_normal(points.size)
    for u in drawn(points, rng):
        chart = points.chart(u)
        np.testing.assert_allclose(chart.point(chart.y), u, atol=1e-12)
        y = np.clip(chart.y, 0.1, 0.9)  # also where the shares are more than all
        for i in range(len(y)):
            step = 1e-6 * np.eye(len(y))[i]
            rise = (chart.point(y + step) - chart.point(y - step)) @ weights / 2e-6
            total = chart.point(y).reshape(getattr(points, "rows", 1), -1)
            assert total.min() >= 0
            assert chart.slope(y, weights)[i] == pytest.approx(rise, abs=1e-6)


def test_any_point_of_the_unit_cube_stands_for_one_of_the_set(case):
    _, points = case
    rng, weights = np.random.default_rng(6), np.random.default_rng(7).standard_normal(points.size)
    for u in drawn(points, rng):
        np.testing.assert_allclose(points.plain(u), u, atol=1e-12)
    v = rng.random(points.size)
    v[:2] = (0.0, 0.7)  # at an edge the slope is the one inwards
    slope = points.plain_slope(v, weights)
    for i in range(points.size):
        rise = (points.plain(v + 1e-7 * np.eye(points.size)[i]) - points.plain(v)) @ weights / 1e-7
        assert slope[i] == pytest.approx(rise, abs=1e-5)
    assert set_of(COMMITMENTS["rows"]).plain(np.zeros(12)) == pytest.approx(0.25)


def test_all_vertices_are_given_where_there_are_few():
    rng = np.random.default_rng(8)
    for name, count in {"box": 4, "rows": 64, "budget": 6}.items():
        points = set_of(COMMITMENTS[name])
        vertices = points.vertices(64, rng)
        assert len(np.unique(vertices, axis=0)) == len(vertices) == count
        assert all((points.plain(u) == u).all() for u in vertices)
        few = points.vertices(3, rng)
        assert few.shape == (3, points.size)
        assert set(np.unique(few)) == {0.0, 1.0}


def test_slopes_by_the_commitment_become_slopes_by_the_point(case):
    _, points = case
    rng = np.random.default_rng(3)
    u, v = points.inside(rng), points.inside(rng)
    dx = rng.standard_normal(points.commitment(u).shape)
    rise = ((points.commitment(v) - points.commitment(u)) * dx).sum()
    assert points.slope(dx) @ (v - u) == pytest.approx(rise, abs=1e-12)


def test_a_neighbour_of_a_budget_moves_a_part_of_it_and_of_a_table_one_row():
    budget, rows = set_of(COMMITMENTS["budget"]), set_of(COMMITMENTS["rows"])
    rng = np.random.default_rng(5)
    assert all(v.sum() == pytest.approx(1) and v.min() >= 0 for v in budget.neighbours(budget.inside(rng)))
    u = rows.inside(rng).reshape(3, 4)
    assert all((v.reshape(3, 4) != u).any(axis=1).sum() == 1 for v in rows.neighbours(u.ravel()))


def test_a_budget_that_is_overspent_is_shared():
    points = set_of(COMMITMENTS["budget"])
    np.testing.assert_allclose(points.point(np.full(5, -0.2)), [0.2] * 5 + [0.0])


def test_a_joint_commitment_has_the_set_of_its_first_part():
    assert isinstance(set_of(se.make_game("stackelberg/FourRooms-v0").commitment), Budget)
