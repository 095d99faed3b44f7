"""Pictures of the linear-quadratic games: what a person must be able to find in them."""

import numpy as np
import pytest

import stackelberg_envs as se
from stackelberg_envs.pictures import canvas as rendering
from stackelberg_envs.pictures import linear as rendering_linear

MODULES = pytest.mark.parametrize("module", [se.bilevel_lqr_v0, se.building_thermal_v0], ids=lambda m: m.__name__)
X = np.array([1, 0, 1, 1, 0, 0.778, 1, 1], np.float32)


def shown(module, mode, x=None, actions=(), **kwargs):
    env = module.parallel_env(render_mode=mode, **kwargs)
    env.reset(seed=0)
    if x is not None:
        env.step({"leader_0": x})
    for action in actions:
        env.step({"leader_0": x, "follower_0": np.asarray(action, np.float32)})
    return env.render()


def has(picture, colour):
    return bool((picture == np.array(colour, np.uint8)).all(axis=2).any())


@MODULES
def test_all_frames_of_an_episode_have_one_size(module):
    x = module.make_game().commitment.low.ravel().astype(np.float32)
    x = X if len(x) == 8 else 0 * x
    still = np.zeros(module.make_game().follower_action_space.shape)
    sizes = {shown(module, "rgb_array", *rest).shape for rest in ((), (x,), (x, [still]), (x, [still] * 3))}
    assert len(sizes) == 1
    assert max(sizes.pop()[:2]) < 720


def test_the_plane_shows_target_follower_and_its_last_move():
    x = np.array([-2.0, 3.0], np.float32)
    before, after = (shown(se.bilevel_lqr_v0, "rgb_array", x, actions) for actions in ((), [[0.0]]))
    target = rendering.blend(rendering.WHITE, rendering.TARGET, 0.6)
    move = rendering.blend(rendering.WHITE, rendering.FOLLOWER, 0.5)
    assert has(before, rendering.FOLLOWER) and has(before, target) and not has(before, move)
    assert has(after, move)
    row, column = map(round, rendering_linear._place((1.0, 0.0)))
    np.testing.assert_array_equal(before[row, column], rendering.FOLLOWER)


def test_the_plane_says_when_there_is_no_best_response():
    steady, lost = (shown(se.bilevel_lqr_v0, "rgb_array", np.array([k, -10.0], np.float32)) for k in (-9.9, -12.0))
    assert has(lost, rendering.STRONGEST) and not has(steady, rendering.STRONGEST)


def test_what_is_out_of_sight_is_drawn_on_the_border():
    picture = shown(se.bilevel_lqr_v0, "rgb_array", np.zeros(2, np.float32), [[100.0], [100.0]])
    assert has(picture, rendering.FOLLOWER)


def test_the_building_shows_insulation_and_airflow():
    picture = shown(se.building_thermal_v0, "rgb_array", X)
    size, door = rendering_linear.ZONE, rendering_linear.DOORWAY
    corners = rendering_linear.CORNERS
    for zone, insulated in ((0, True), (1, False)):
        top, left = corners[zone]
        colour = picture[round(top - 6), round(left + 20)]
        assert (tuple(colour) == rendering.STRONGEST) == insulated
    top, left = corners[0]
    # Link 0 is shut, link 2 is open to its full width.
    assert tuple(picture[round(top + size / 4), round(left + size + door / 2)]) == rendering.WALL
    top, left = corners[3]
    assert tuple(picture[round(top + size / 4), round(left + size + door / 2)]) == rendering_linear.AIR


def test_the_building_hides_what_is_not_announced():
    picture = shown(se.building_thermal_v0, "rgb_array")
    top, left = rendering_linear.CORNERS[0]
    assert tuple(picture[round(top - 6), round(left + 20)]) == rendering.PAPER


def test_rooms_are_red_when_hot_and_blue_when_cold():
    hot, cold = rendering_linear._shade(5.0, 10.0), rendering_linear._shade(-5.0, 10.0)
    assert hot[0] > hot[2] and cold[2] > cold[0]
    assert rendering_linear._shade(0.0, 10.0) == rendering.WHITE


def test_the_text_names_the_zones():
    text = shown(se.building_thermal_v0, "ansi", X)
    assert "zone 0" in text and "zone 3" in text and "commitment" in text
