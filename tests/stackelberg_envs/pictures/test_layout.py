"""Where states stand in a picture."""

import numpy as np
import pytest

from stackelberg_envs.pictures.layout import hops, in_the_unit_square, places, places_around


def grid(rows, columns):
    """Return which cells of a map are neighbours, and the cells."""
    cells = np.argwhere(np.ones((rows, columns)))
    return np.abs(cells[:, None] - cells[None]).sum(axis=2) == 1, cells


def test_hops_are_counted_along_links_either_way():
    linked = np.zeros((4, 4), dtype=bool)
    linked[0, 1] = linked[2, 1] = True
    assert hops(linked).tolist() == [[0, 1, 2, 3], [1, 0, 1, 3], [2, 1, 0, 3], [3, 3, 3, 0]]


@pytest.mark.parametrize(("rows", "columns"), [(1, 9), (3, 3), (4, 4), (5, 8)])
def test_a_map_unfolds(rows, columns):
    linked, cells = grid(rows, columns)
    points = places(hops(linked)) * np.maximum(1, [rows - 1, columns - 1])
    links = np.linalg.norm(points[:, None] - points[None], axis=2)[linked]
    assert links.max() < 3.0 * links.min()
    ends = np.linalg.norm(points[0] - points[-1])
    assert ends > 0.5 * np.abs(cells[-1] - cells[0]).max() * links.mean()


def test_a_ring_is_a_ring_in_whatever_order_its_nodes_come():
    linked = np.zeros((4, 4), dtype=bool)
    for i, j in ((0, 1), (1, 3), (3, 2), (2, 0)):
        linked[i, j] = True
    points = places(hops(linked))
    apart = np.linalg.norm(points[:, None] - points[None], axis=2)
    assert apart[linked].max() < 0.9 * min(apart[0, 3], apart[1, 2])


def test_points_fill_the_unit_square():
    for points in (places(hops(grid(3, 4)[0])), places_around(5)):
        assert points.min() >= 0.0
        assert points.max() <= 1.0
    assert in_the_unit_square(np.array([[3.0, 7.0], [5.0, 7.0]])).tolist() == [[0.0, 0.5], [1.0, 0.5]]
    assert places(np.zeros((1, 1))).tolist() == [[0.5, 0.5]]
    assert places_around(1).tolist() == [[0.5, 0.5]]
