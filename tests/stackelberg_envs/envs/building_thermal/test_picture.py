"""The picture of the building: what a person must be able to find in it."""

import numpy as np

from stackelberg_envs.envs.building_thermal import picture as picture_of
from stackelberg_envs.pictures import canvas as rendering
from tests.pictures import shown

X = np.array([1, 0, 1, 1, 0, 0.778, 1, 1], np.float32)


def test_the_building_shows_insulation_and_airflow():
    picture = shown("stackelberg/BuildingThermal-v1", "rgb_array", X)
    size, door = picture_of.ZONE, picture_of.DOORWAY
    corners = picture_of.CORNERS
    for zone, insulated in ((0, True), (1, False)):
        top, left = corners[zone]
        colour = picture[round(top - 6), round(left + 20)]
        assert (tuple(colour) == rendering.STRONGEST) == insulated
    top, left = corners[0]
    # Link 0 is shut, link 2 is open to its full width.
    assert tuple(picture[round(top + size / 4), round(left + size + door / 2)]) == rendering.WALL
    top, left = corners[3]
    assert tuple(picture[round(top + size / 4), round(left + size + door / 2)]) == picture_of.AIR


def test_the_building_hides_what_is_not_announced():
    picture = shown("stackelberg/BuildingThermal-v1", "rgb_array")
    top, left = picture_of.CORNERS[0]
    assert tuple(picture[round(top - 6), round(left + 20)]) == rendering.PAPER


def test_rooms_are_red_when_hot_and_blue_when_cold():
    hot, cold = picture_of._shade(5.0, 10.0), picture_of._shade(-5.0, 10.0)
    assert hot[0] > hot[2] and cold[2] > cold[0]
    assert picture_of._shade(0.0, 10.0) == rendering.WHITE


def test_the_text_names_the_zones():
    text = shown("stackelberg/BuildingThermal-v1", "ansi", X)
    assert "zone 0" in text and "zone 3" in text and "commitment" in text
