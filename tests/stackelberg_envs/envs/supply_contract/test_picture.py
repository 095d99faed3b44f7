"""The picture of a supply contract: what a person must be able to find in it."""

import numpy as np

import stackelberg_envs as se
from stackelberg_envs.envs.supply_contract import picture as picture_of
from stackelberg_envs.pictures import canvas as rendering
from tests.pictures import has, shown

CONTRACT = "stackelberg/SupplyContract-v0"
X = np.array([4.0, 1.5, 0.25])


def test_all_frames_of_an_episode_have_one_size():
    frames = [shown(CONTRACT, "rgb_array"), *(shown(CONTRACT, "rgb_array", X, n) for n in (0, 1, 4, 5))]
    assert {frame.shape for frame in frames} == {(picture_of.HEIGHT, picture_of.WIDTH, 3)}


def test_houses_goods_and_money_have_their_colours():
    picture = shown(CONTRACT, "rgb_array", X)
    for colour in (rendering.STRONGEST, rendering.FOLLOWER, rendering.GOAL, rendering.DOOR, picture_of.MONEY):
        assert has(picture, colour)


def test_what_is_left_stands_on_the_shelves():
    env = se.parallel_env(CONTRACT, render_mode="rgb_array")
    env.reset(seed=3)
    env.step({"leader_0": X})
    env.step({"follower_0": 10})
    stock = int(env.session.states[0]) % 11
    assert stock > 0
    row = env.render()[picture_of.TOP + 56 + picture_of.BOX - 4]
    boxes = (row == np.array(rendering.DOOR, np.uint8)).all(axis=1).sum()
    assert boxes == min(stock, 5) * picture_of.BOX


def test_the_text_tells_the_week_the_stock_and_the_contract():
    assert "no contract is announced yet" in shown(CONTRACT, "ansi")
    env = se.parallel_env(CONTRACT, render_mode="ansi")
    env.reset(seed=3)
    env.step({"leader_0": X})
    env.step({"follower_0": 6})
    stock = int(env.session.states[0]) % 11
    told = env.render()
    assert f"stock {stock} of 10" in told
    assert f"had 0, ordered 6, sold {6 - stock}" in told
    assert "wholesale price 4.000, buy-back price 1.500, revenue share 0.250" in told
    for _ in range(4):
        env.step({"follower_0": 0})
    assert "weeks over: 4 of 4" in env.render()
