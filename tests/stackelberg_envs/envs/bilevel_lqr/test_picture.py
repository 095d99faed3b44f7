"""The picture of the bilevel LQR: what a person must be able to find in it."""

import numpy as np

from stackelberg_envs.envs.bilevel_lqr import picture as picture_of
from stackelberg_envs.pictures import canvas as rendering
from tests.pictures import has, shown

PLANE = "stackelberg/BilevelLqr-v1"


def test_the_plane_shows_target_follower_and_its_last_move():
    x = np.array([-2.0, 3.0], np.float32)
    before, after = (shown(PLANE, "rgb_array", x, actions=actions) for actions in ((), [[0.0]]))
    target = rendering.blend(rendering.WHITE, rendering.TARGET, 0.6)
    move = rendering.blend(rendering.WHITE, rendering.FOLLOWER, 0.5)
    assert has(before, rendering.FOLLOWER) and has(before, target) and not has(before, move)
    assert has(after, move)
    row, column = map(round, picture_of._place((1.0, 0.0)))
    np.testing.assert_array_equal(before[row, column], rendering.FOLLOWER)


def test_the_plane_says_when_there_is_no_best_response():
    steady, lost = (shown(PLANE, "rgb_array", np.array([k, -10.0], np.float32)) for k in (-9.9, -12.0))
    assert has(lost, rendering.STRONGEST) and not has(steady, rendering.STRONGEST)


def test_what_is_out_of_sight_is_drawn_on_the_border():
    picture = shown(PLANE, "rgb_array", np.zeros(2, np.float32), actions=[[100.0], [100.0]], action_bound=100.0)
    assert has(picture, rendering.FOLLOWER)
