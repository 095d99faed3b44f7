"""The picture of the warehouse: what a person must be able to find in it."""

import numpy as np
import pytest

import stackelberg_envs as se
from stackelberg_envs.envs.warehouse import picture as picture_of
from stackelberg_envs.pictures import canvas as rendering
from tests.pictures import has, shown

WAREHOUSE = "stackelberg/Warehouse-v0"
X = np.zeros(21)
X[3], X[14] = 0.5, 1.0


def floor_of(picture):
    """Return the part of a picture that shows the small floor."""
    size = 5 * picture_of.LARGEST_CELL
    return picture[picture_of.STRIP : picture_of.STRIP + size, rendering.MARGIN : rendering.MARGIN + size]


def test_all_frames_of_an_episode_have_one_size():
    frames = [shown(WAREHOUSE, "rgb_array"), *(shown(WAREHOUSE, "rgb_array", X, n) for n in (0, 3))]
    assert {frame.shape for frame in frames} == {frames[0].shape}


def test_shelves_people_stations_and_robots_are_on_the_floor():
    floor = floor_of(shown(WAREHOUSE, "rgb_array", X, 1))
    for colour in (rendering.WALL, picture_of.PEOPLE, rendering.TARGET, rendering.GOAL, rendering.FOLLOWER):
        assert has(floor, colour)


def test_costs_and_closed_ways_are_shown_once_they_are_announced():
    before, after = (floor_of(shown(WAREHOUSE, "rgb_array", x)) for x in (None, X))
    for colour in (rendering.STRONGEST, picture_of.CLOSED):
        assert not has(before, colour)
        assert has(after, colour)


@pytest.mark.parametrize("floor", ["medium", "large"])
def test_large_floors_fit(floor):
    picture = shown(WAREHOUSE, "rgb_array", floor=floor, num_robots=2)
    assert max(picture.shape) < 900


def test_the_text_tells_where_robots_go_and_what_is_announced():
    told = shown(WAREHOUSE, "ansi", X)
    assert "robot 0: at (4, 2), fetches at" in told
    assert "cost (1, 2) to (3, 2): 0.500" in told
    assert "closed (1, 2) to (3, 2) backwards: 1.000" in told
    game = se.make_game(WAREHOUSE)
    assert "closed" not in shown(WAREHOUSE, "ansi", np.zeros(game.commitment.shape))
