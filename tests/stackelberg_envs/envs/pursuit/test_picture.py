"""The picture of a pursuit: what a person must be able to find in it."""

import numpy as np
import pytest

import stackelberg_envs as se
from stackelberg_envs.envs.pursuit import picture as picture_of
from stackelberg_envs.pictures import canvas as rendering
from tests.pictures import has

PURSUIT = "stackelberg/Pursuit-v0"
UP, RIGHT, LEFT = 1, 2, 4


def shown(mode, x=None, moves=(), **arguments):
    """Return what is shown after an announcement and some joint moves."""
    env = se.parallel_env(PURSUIT, render_mode=mode, **arguments)
    env.reset(seed=0)
    if x is not None:
        env.step({"leader_0": x})
    for joint in moves:
        env.step({f"follower_{i}": move for i, move in enumerate(joint)})
    return env.render()


def park_of(picture):
    """Return the part of a picture that shows the block."""
    size = 3 * picture_of.LARGEST_CELL
    return picture[picture_of.STRIP : picture_of.STRIP + size, rendering.MARGIN : rendering.MARGIN + size]


X = np.array([0.5, 0.0, 0.0, 0.2, 0.0, 0.0, 0.0, 0.0, 0.3])


def test_all_frames_of_an_episode_have_one_size():
    frames = [shown("rgb_array"), shown("rgb_array", X), shown("rgb_array", X, [(RIGHT, LEFT)])]
    assert {frame.shape for frame in frames} == {frames[0].shape}


def test_walls_movers_and_light_are_in_the_park_once_they_are_there():
    before, after = park_of(shown("rgb_array")), park_of(shown("rgb_array", X))
    for colour in (rendering.FOLLOWER, picture_of.EVADER, picture_of.LIGHT):
        assert not has(before, colour)
        assert has(after, colour)
    assert has(before, rendering.WALL)


def test_a_capture_is_a_star_until_the_next_step():
    caught = [(RIGHT, UP), (RIGHT, UP)]
    assert not has(park_of(shown("rgb_array", X, caught[:1])), rendering.STRONGEST)
    assert has(park_of(shown("rgb_array", X, caught)), rendering.STRONGEST)
    assert not has(park_of(shown("rgb_array", X, [*caught, (0, 0)])), rendering.STRONGEST)


@pytest.mark.parametrize("park", ["pair", "P" + "." * 13 + "E"])
def test_other_parks_fit(park):
    assert max(shown("rgb_array", np.zeros(len(park.replace("pair", "......")) + 1), park=park).shape) < 900


def test_the_text_tells_who_is_where_what_is_lit_and_captures():
    told = shown("ansi", X, [(RIGHT, UP)])
    assert ". 0 .\n. # e\n. . ." in told
    assert "light (0, 0): 0.500\nlight (1, 0): 0.200\nreward for a capture: 0.300" in told
    assert "caught at (0, 2)" in shown("ansi", X, [(RIGHT, UP), (RIGHT, UP)])
