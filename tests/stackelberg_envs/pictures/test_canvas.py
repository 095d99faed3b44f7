"""Pictures and text: what a person must be able to find in them."""

import numpy as np
import pytest

import stackelberg_envs as se
from stackelberg_envs.errors import ArgumentError
from stackelberg_envs.pictures import canvas as rendering
from stackelberg_envs.pictures import generic as rendering_generic
from tests.pictures import has, shown

FOUR_ROOMS, TOY = "stackelberg/FourRooms-v0", "stackelberg/DiscreteToy-v0"
X = np.zeros(104)
X[20] = -0.2


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
    env.renderer = "stackelberg_envs.pictures.canvas:nothing"
    env.reset(seed=0)
    with pytest.raises(ArgumentError, match="canvas:nothing"):
        env.render()


# --- canvas ----------------------------------------------------------------------------------------------


def drawn(*calls, height=40, width=200):
    """Return where a canvas is not paper after some calls of its methods."""
    canvas = rendering.Canvas(height, width)
    for name, *arguments in calls:
        getattr(canvas, name)(*arguments)
    picture = canvas.finish()
    assert (picture.shape, picture.dtype) == ((height, width, 3), np.uint8)
    return (picture != np.array(rendering.PAPER, np.uint8)).any(axis=2)


def extent(marks):
    """Return first row, last row, first column and last column of what was drawn."""
    rows, columns = marks.any(axis=1).nonzero()[0], marks.any(axis=0).nonzero()[0]
    return rows[0], rows[-1], columns[0], columns[-1]


INK = rendering.INK


@pytest.mark.parametrize("size", [rendering.SMALL, rendering.TEXT, rendering.LARGE])
def test_words_begin_where_they_are_put_with_capitals_of_the_size(size):
    top, bottom, left, _ = extent(drawn(("text", 8, 20, "HEX", INK, size)))
    assert abs(top - 8) <= 1
    assert abs(bottom + 1 - (8 + rendering.CAPITALS * size)) <= 1.5
    assert 20 <= left <= 23


def test_words_stand_to_the_side_of_their_anchor():
    reach = {name: extent(drawn(("text", 8, 100, "HOH", INK, 17, name)))[2:] for name in ("left", "middle", "right")}
    width = reach["left"][1] - reach["left"][0]
    assert abs(reach["right"][1] - 100) <= 3
    assert abs(sum(reach["middle"]) / 2 - 100) <= 1
    assert all(abs(last - first - width) <= 1 for first, last in reach.values())


def test_every_character_that_pictures_use_has_a_mark_of_its_own():
    used = "play phase, step 1 of 200: (time limit) +-./|x|[]<>=;'%_"
    marks = {letter: drawn(("text", 8, 20, letter, INK, 24)) for letter in set(used) - {" "}}
    assert all(mark.any() for mark in marks.values())
    assert len({mark.tobytes() for mark in marks.values()}) == len(marks)


def test_shapes_have_the_extent_they_are_given():
    assert extent(drawn(("rectangle", 5, 10, 20, 50, INK))) == (5, 24, 10, 59)
    frame = drawn(("frame", 5, 10, 20, 50, INK, 2))
    assert extent(frame) == (5, 24, 10, 59)
    assert not frame[7:23, 12:58].any()
    assert extent(drawn(("disc", (20, 50), 10, INK))) == (10, 29, 40, 59)
    assert extent(drawn(("ellipse", (20, 50), 10, 60, INK))) == (15, 24, 20, 79)
    line = extent(drawn(("line", (20, 20), (20, 120), 6, INK)))
    assert np.abs(np.subtract(line, (17, 22, 17, 122))).max() <= 1
    star = drawn(("star", (20, 50), 15, INK))
    assert extent(star)[0] == 5
    assert star[20, 50]
    assert not star[8, 40]


def test_what_has_no_area_or_lies_outside_is_left_out():
    assert not drawn(("rectangle", 5, 10, 0, 50, INK), ("rectangle", 5, 10, 20, 0.1, INK)).any()
    assert not drawn(("rectangle", -50, -50, 20, 20, INK), ("line", (-90, -90), (-50, -80), 3, INK)).any()
    assert not drawn(("arrow", (20, 20), (20, 21), 4, INK)).any()


# --- games of vectors ------------------------------------------------------------------------------------

VECTORS = [name for name in se.registered_ids() if isinstance(se.make_game(name), se.VectorGame)]


@pytest.mark.parametrize("spec_id", VECTORS)
def test_the_frames_of_an_episode_have_one_size(spec_id):
    for followers in (1, 3):
        game = se.make_game(spec_id).replace(num_followers=followers)
        env = se.parallel_env(spec_id, render_mode="rgb_array", game=game)
        env.reset(seed=0)
        env.action_space("follower_0").seed(0)
        sizes = {env.render().shape}
        env.step({"leader_0": env.action_space("leader_0").sample()})
        for _ in range(3):
            sizes.add(env.render().shape)
            if env.agents:
                env.step(dict.fromkeys(env.agents, env.action_space("follower_0").sample()))
        assert len(sizes) == 1
        assert max(sizes.pop()[:2]) <= 720
        env.render_mode = "ansi"
        assert "step 3 of" in env.render()


@pytest.mark.parametrize("spec_id", VECTORS)
def test_any_game_of_vectors_can_be_drawn_without_a_picture_of_its_own(spec_id):
    env = se.follower_env(spec_id)
    env.reset(seed=0)
    picture = rendering.draw(env.session, rendering.GENERIC_RENDERER, "rgb_array")
    assert has(picture, rendering.FOLLOWER)
    text = rendering.draw(env.session, rendering.GENERIC_RENDERER, "ansi")
    assert f"{env.session.states[0][0]:+.3f}" in text
    assert ("the leader plays" in text) == (env.game.leader_action_space is not None)


def test_gauges_show_where_a_value_lies():
    gauge = rendering_generic.Gauge("x", 3.0, 2.0, 4.0, rendering.INK)
    assert gauge.share == 0.5
    bent = [gauge._replace(value=value, low=-np.inf, high=np.inf).share for value in (-1e9, 0.0, 1.0, 1e9)]
    assert bent == pytest.approx([0.0, 0.5, 0.75, 1.0], abs=1e-6)
    assert gauge._replace(low=3.0, high=3.0).share == 0.5
