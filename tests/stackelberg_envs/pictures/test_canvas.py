"""Pictures and text: what a person must be able to find in them."""

import numpy as np
import pytest

import stackelberg_envs as se
from stackelberg_envs.errors import ArgumentError
from stackelberg_envs.pictures import canvas as rendering
from stackelberg_envs.pictures import generic as rendering_generic
from stackelberg_envs.pictures import guided as rendering_guided

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
    env.renderer = "stackelberg_envs.pictures.canvas:nothing"
    env.reset(seed=0)
    with pytest.raises(ArgumentError, match="canvas:nothing"):
        env.render()


def test_every_glyph_is_five_dots_wide_and_every_used_character_has_one():
    for character, rows in rendering.FONT.items():
        assert len(bytes.fromhex(rows)) in (7, 9), character
        assert max(bytes.fromhex(rows)) < 32, character
    assert not set("play phase, step 1 of 200: (time limit) +-./|x|") - set(rendering.FONT)


# --- games of vectors ------------------------------------------------------------------------------------

CARTPOLE, PENDULUM = "stackelberg/GuidedCartPole-v0", "stackelberg/GuidedPendulum-v0"


def frame_of(spec_id, state, wind, phase="play"):
    return rendering.Frame(
        game=se.make_game(spec_id),
        x=None if phase == "commitment" else np.zeros(se.make_game(spec_id).commitment.shape),
        phase=phase,
        context=0,
        states=(state,),
        leader_actions=(None if wind is None else np.array([wind]),),
        played=3,
        leader_return=1.0,
        follower_returns=(2.0,),
        terminated=False,
        records=({},),
    )


def columns(picture, colour):
    """Return the columns in which a colour occurs."""
    return np.flatnonzero((picture == np.array(colour, np.uint8)).all(axis=2).any(axis=0))


def test_the_cart_is_where_it_is_and_the_target_is_marked():
    places = []
    for position in (-1.0, 0.0, 1.5):
        picture = rendering_guided.cartpole.pixels(frame_of(CARTPOLE, np.array([position, 0, 0.1, 0]), None))
        places.append(columns(picture, rendering.FOLLOWER).mean())
        target = columns(picture[rendering_guided.TRACK + 4 : rendering_guided.TRACK + 9], rendering.TARGET)
        middle = rendering_guided.WIDTH / 2
        assert target.min() == pytest.approx(middle + 0.25 * rendering_guided.PER_METRE, abs=2)
        assert target.max() == pytest.approx(middle + 0.75 * rendering_guided.PER_METRE, abs=2)
    np.testing.assert_allclose(np.diff(places), [rendering_guided.PER_METRE, 1.5 * rendering_guided.PER_METRE], atol=2)


def test_the_pole_leans_to_the_side_of_its_angle():
    for angle in (-0.2, 0.2):
        picture = rendering_guided.cartpole.pixels(frame_of(CARTPOLE, np.array([0, 0, angle, 0]), None))
        lean = columns(picture[150:200], rendering_guided.WOOD).mean() - rendering_guided.WIDTH / 2
        assert np.sign(lean) == np.sign(angle)


@pytest.mark.parametrize("wind", [-1.0, 0.5, 1.0])
def test_arrows_are_as_long_as_the_wind_is_strong(wind):
    picture = rendering_guided.cartpole.pixels(frame_of(CARTPOLE, np.zeros(4), wind))
    arrows = columns(picture[85:135], rendering.STRONGEST)
    assert np.ptp(arrows) == pytest.approx(rendering_guided.FULL_WIND * abs(wind), abs=6)
    calm = rendering_guided.cartpole.pixels(frame_of(CARTPOLE, np.zeros(4), 0.0))
    assert not columns(calm[85:135], rendering.STRONGEST).size
    assert f"{wind:+.3f}" in rendering_guided.cartpole.text(frame_of(CARTPOLE, np.zeros(4), wind))


def test_the_pendulum_hangs_on_the_side_its_sine_says():
    middle = rendering_guided.WIDTH / 2
    for angle in (0.8, -0.8, 2.5):
        state = np.array([np.cos(angle), np.sin(angle), 0.0])
        picture = rendering_guided.pendulum.pixels(frame_of(PENDULUM, state, None))
        assert np.sign(middle - columns(picture, rendering.FOLLOWER).mean()) == np.sign(np.sin(angle))


def test_wind_turns_the_pendulum_in_the_direction_of_its_arrow():
    # Upright, a positive wind adds to the angle, which grows to the left.
    upright = np.array([1.0, 0.0, 0.0])
    for wind in (-1.0, 1.0):
        picture = rendering_guided.pendulum.pixels(frame_of(PENDULUM, upright, wind))
        calm = rendering_guided.pendulum.pixels(frame_of(PENDULUM, upright, 0.0))
        changed = np.flatnonzero((picture[85:115] != calm[85:115]).any(axis=(0, 2)))
        assert np.sign(rendering_guided.WIDTH / 2 - changed.mean()) == wind


VECTORS = [name for name in se.registered_ids() if isinstance(se.make_game(name), se.BatchedGame)]


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
