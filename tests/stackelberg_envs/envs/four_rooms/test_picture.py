"""The picture of Four-Rooms: what a person must be able to find in it."""

import numpy as np

import stackelberg_envs as se
from stackelberg_envs.envs.four_rooms import picture as picture_of
from stackelberg_envs.pictures import canvas as rendering
from tests.pictures import has, shown

FOUR_ROOMS = "stackelberg/FourRooms-v0"
X = np.zeros(104)
X[20] = -0.2


def cell(picture, row, column):
    """Return the colour in the corner of a cell, where no mark is drawn."""
    size = picture_of.CELL
    return picture[picture_of.STRIP + row * size + 5, rendering.MARGIN + column * size + 5]


def test_four_rooms_shows_walls_doors_places_and_incentives():
    picture = shown(FOUR_ROOMS, "rgb_array", X)
    assert picture.dtype == np.uint8
    assert 500 < min(picture.shape[:2]) <= max(picture.shape[:2]) < 720
    for colour in (rendering.WALL, rendering.DOOR, rendering.GOAL, rendering.TARGET, rendering.FOLLOWER):
        assert has(picture, colour)
    row, column = map(int, se.four_rooms_v0.CELLS[20])
    np.testing.assert_array_equal(cell(picture, row, column), rendering.STRONGEST)
    row, column = map(int, se.four_rooms_v0.CELLS[21])
    np.testing.assert_array_equal(cell(picture, row, column), rendering.WHITE)
    np.testing.assert_array_equal(cell(picture, 0, 0), rendering.WALL)


def test_there_are_four_doors():
    floor = picture_of._floor(se.make_game(FOUR_ROOMS))
    assert {place for place in floor.state_of if floor.is_door(*place)} == {(3, 6), (6, 2), (7, 9), (10, 6)}


def test_incentives_are_not_shown_before_they_are_announced():
    picture = shown(FOUR_ROOMS, "rgb_array")
    row, column = map(int, se.four_rooms_v0.CELLS[20])
    np.testing.assert_array_equal(cell(picture, row, column), rendering.WHITE)
    assert "commitment phase" in shown(FOUR_ROOMS, "ansi")


def test_the_follower_is_where_it_is():
    text = shown(FOUR_ROOMS, "ansi", X, steps=5).splitlines()
    env = se.parallel_env(FOUR_ROOMS)
    env.reset(seed=0)
    env.step({"leader_0": X})
    for _ in range(5):
        env.step({"follower_0": 0})
    row, column = map(int, se.four_rooms_v0.CELLS[env.session.states[0]])
    assert text[2 + row].split()[column] == "F"
    assert text[0] == "play phase, step 5 of 200"
