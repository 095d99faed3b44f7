"""Pictures and text: what a person must be able to find in them."""

import numpy as np
import pytest

import stackelberg_envs as se
from stackelberg_envs import rendering
from stackelberg_envs.errors import ArgumentError

FOUR_ROOMS, TOY = "stackelberg/FourRooms-v0", "stackelberg/DiscreteToy-v0"
X = np.zeros(104)
X[20] = -0.2


def shown(spec_id, mode, x=None, steps=0, **kwargs):
    env = se.parallel_env(spec_id, render_mode=mode, **kwargs)
    env.reset(seed=0)
    if x is not None:
        env.step({"leader_0": x})
    for _ in range(steps):
        env.step(dict.fromkeys(env.agents, 0))
    return env.render()


def has(picture, colour):
    return bool((picture == np.array(colour, np.uint8)).all(axis=2).any())


def cell(picture, row, column):
    """Return the colour in the corner of a cell, where no mark is drawn."""
    size = rendering.CELL
    return picture[rendering.STRIP + row * size + 5, rendering.MARGIN + column * size + 5]


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
    floor = rendering._floor(se.make_game(FOUR_ROOMS))
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


def test_generic_games_show_states_policy_and_shown_action():
    table = np.array([[0.25, 0.75], [1.0, 0.0], [0.5, 0.5]])
    text = shown(TOY, "ansi", table)
    assert "[S] A B" in text
    assert "(0.25, 0.75)" in text
    picture = shown(TOY, "rgb_array", table)
    assert has(picture, rendering.FOLLOWER)
    assert has(picture, rendering.STRONGEST)


@pytest.mark.parametrize("S", [1, 200, 2000])
def test_games_of_any_size_are_drawn(S):
    env = se.follower_env("stackelberg/RandomTabular-v0", S=S, render_mode="rgb_array")
    env.reset(seed=0)
    assert has(env.render(), rendering.FOLLOWER)


def test_human_mode_prints_at_every_step(capsys):
    env = se.follower_env(TOY, render_mode="human")
    env.reset(seed=0)
    env.step(0)
    printed = capsys.readouterr().out
    assert "step 0 of 150" in printed
    assert "step 1 of 150" in printed


def test_no_mode_no_picture():
    env = se.raw_env(TOY)
    env.reset(seed=0)
    assert env.render_mode is None
    assert env.render() is None


def test_drawing_changes_nothing():
    walks = []
    for mode in (None, "rgb_array"):
        env = se.parallel_env(FOUR_ROOMS, render_mode=mode)
        env.reset(seed=1)
        env.step({"leader_0": X})
        walk = []
        for _ in range(20):
            env.render()
            env.step({"follower_0": 1})
            walk.append(env.session.states[0])
        walks.append(walk)
    assert walks[0] == walks[1]


def test_a_renderer_that_is_none_is_named():
    env = se.four_rooms_v0.parallel_env(render_mode="ansi")
    env.renderer = "stackelberg_envs.rendering:nothing"
    env.reset(seed=0)
    with pytest.raises(ArgumentError, match="rendering:nothing"):
        env.render()


def test_every_glyph_is_five_dots_wide_and_every_used_character_has_one():
    for character, rows in rendering.FONT.items():
        assert len(bytes.fromhex(rows)) in (7, 9), character
        assert max(bytes.fromhex(rows)) < 32, character
    assert not set("play phase, step 1 of 200: (time limit) +-./|x|") - set(rendering.FONT)
