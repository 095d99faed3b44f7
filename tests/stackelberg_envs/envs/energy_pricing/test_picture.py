"""The picture of energy pricing: prices, habits, and the loads of the hours that are over."""

import itertools

import numpy as np

import stackelberg_envs as se
from stackelberg_envs.envs.energy_pricing import picture as picture_of
from stackelberg_envs.pictures import canvas
from tests.pictures import columns, has, shown

ID = "stackelberg/EnergyPricing-v0"
X = np.array([-0.6, -0.4, 0.1, -0.2, 0.9, 0.2])


def test_loads_come_hour_by_hour():
    env = se.parallel_env(ID, render_mode="rgb_array")
    env.reset(seed=0)
    seen = [env.render()]
    env.step({"leader_0": X.astype(np.float32)})
    while env.agents:
        seen.append(env.render())
        env.step({"follower_0": 13})
    seen.append(env.render())
    assert {frame.shape for frame in seen} == {(picture_of.HEIGHT, picture_of.WIDTH, 3)}
    # Beside the word "load", which is blue, too.
    blue = [(columns(frame[:, 60:], canvas.FOLLOWER)).size for frame in seen]
    assert blue[0] == blue[1] == 0
    assert all(later - sooner == 50 for sooner, later in itertools.pairwise(blue[1:]))


def test_prices_come_with_the_commitment():
    # The word "price" is orange, too.
    before, after = shown(ID, "rgb_array"), shown(ID, "rgb_array", X)
    assert not has(before[:, 60:], canvas.STRONGEST)
    assert columns(after[:, 60:], canvas.STRONGEST).size > 500


def test_the_text_tells_prices_and_loads():
    assert "not announced yet" in shown(ID, "ansi")
    text = shown(ID, "ansi", X, 2)
    # Action 0 is the largest shift to other hours.
    assert "hour 1: price 2.600, usually 1.40, load -1.00" in text
    assert "hour 2: price 3.100, usually 2.00\n" in text
    assert "used 4.80 less than usual so far" in text
    text = shown(ID, "ansi", X, 6)
    assert "hour 5: price 3.200, usually 2.20, load 14.20" in text
    assert "all that was shifted has been used" in text


def test_many_hours_are_drawn_without_numbers():
    x = np.linspace(-0.2, 0.2, 24)
    picture = shown(ID, "rgb_array", x, 3, demand=[1.0] * 24, cost=[1.0] * 24, max_surcharge=0.2)
    assert picture.shape == (picture_of.HEIGHT, picture_of.WIDTH, 3)
