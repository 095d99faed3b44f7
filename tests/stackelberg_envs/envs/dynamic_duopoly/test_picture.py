"""The picture of a dynamic duopoly: what a person must be able to find in it."""

import numpy as np

import stackelberg_envs as se
from stackelberg_envs.pictures.canvas import FOLLOWER, INK, STRONGEST
from tests.pictures import has, shown

DYNAMIC = "stackelberg/DynamicDuopoly-v0"
X = np.array([2000.0])


def test_all_frames_of_an_episode_have_one_size():
    frames = [shown(DYNAMIC, "rgb_array"), *(shown(DYNAMIC, "rgb_array", X, n) for n in (0, 1, 5))]
    assert len({frame.shape for frame in frames}) == 1


def test_output_stock_and_price_have_their_colours():
    picture = shown(DYNAMIC, "rgb_array", X, 2)
    assert all(has(picture, colour) for colour in (STRONGEST, FOLLOWER, INK))
    assert not has(shown(DYNAMIC, "rgb_array"), STRONGEST)


def test_the_text_tells_what_both_sell_and_the_price():
    assert "no output is announced yet" in shown(DYNAMIC, "ansi")
    env = se.parallel_env(DYNAMIC, render_mode="ansi", rule="by_stock")
    env.reset(seed=0)
    env.step({"leader_0": np.linspace(4800.0, 0.0, 49, dtype=np.float32)})
    env.step({"follower_0": 10})
    told = env.render()
    assert "leader sells 3800, follower 500, at a price of 700" in told
    assert "stock changed from 0 to 500" in told
