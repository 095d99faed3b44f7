"""Floor plans: what is read from text, and what is refused with its place."""

import numpy as np
import pytest

from stackelberg_envs.envs.warehouse.floor import FLOORS, read_floor
from stackelberg_envs.errors import GameError

PLAN = "P.#\n#.D\n#!#"


def test_cells_stations_and_moves():
    floor = read_floor(PLAN)
    assert floor.cells.tolist() == [[0, 0], [0, 1], [1, 1], [1, 2], [2, 1]]
    assert (floor.picks, floor.drops) == ((0,), (3,))
    assert floor.people.tolist() == [False, False, False, False, True]
    # Up, right, down, left; shelves and walls stop a move.
    assert floor.landing.tolist() == [[0, 1, 0, 0], [1, 1, 2, 0], [1, 3, 4, 2], [3, 3, 3, 2], [2, 4, 4, 4]]


def test_aisles_are_runs_between_shelves():
    floor = read_floor("small")
    assert floor.aisle_names[3] == "(1, 2) to (3, 2)"
    assert len(floor.aisle_names) == 7
    inside = [tuple(cell) for cell, aisle in zip(floor.cells.tolist(), floor.aisle, strict=True) if aisle == 3]
    assert inside == [(1, 2), (2, 2), (3, 2)]
    assert floor.along[3].tolist() == [2, 0]
    assert floor.along[floor.aisle_names.index("(0, 1) to (0, 1)")].tolist() == [1, 3]
    stations = [*floor.picks, *floor.drops]
    assert (floor.aisle[stations] == -1).all()


@pytest.mark.parametrize(
    ("name", "size", "states"), [("small", (5, 5), 57), ("medium", (13, 23), 1730), ("large", (31, 37), 8565)]
)
def test_floors_of_the_package(name, size, states):
    floor = read_floor(name)
    assert (len(floor.rows), len(floor.rows[0])) == size
    assert len(floor.cells) * (len(floor.picks) + len(floor.drops)) == states
    assert set(FLOORS) == {"small", "medium", "large"}


@pytest.mark.parametrize(
    ("plan", "match"),
    [
        ("", "floor: expected a plan as text, or one of small, medium, large, got ''"),
        (3, "floor: expected a plan as text"),
        ("tiny", r"floor: expected letters # \. ! P D, got 't' at row 0, column 0"),
        ("P.D\n..", r"floor: expected rows of 3 letters, as the first has, got 2 in row 1: '\.\.'"),
        ("P.D\n.x.", "floor: expected letters .*, got 'x' at row 1, column 1"),
        ("P..", "floor: expected a station D, where goods are dropped, got none"),
        ("D..", "floor: expected a station P, where goods are picked up, got none"),
        ("##", "floor: expected stations P and D, got nothing but shelves"),
        ("P.D\n###\n.P.", "got P at row 2, column 1, which nothing joins to P at row 0, column 0"),
        ("P.#D", "got D at row 0, column 3, which nothing joins to P at row 0, column 0"),
    ],
)
def test_what_is_no_plan_is_refused_with_the_place(plan, match):
    with pytest.raises(GameError, match=match):
        read_floor(plan)


def test_empty_lines_around_a_plan_do_not_count():
    np.testing.assert_array_equal(read_floor(f"\n{PLAN}\n").cells, read_floor(PLAN).cells)
