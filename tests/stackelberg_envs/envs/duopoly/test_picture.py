"""The picture of a duopoly: with one follower what outputs pay, with several what each has done."""

import numpy as np

import stackelberg_envs as se
from stackelberg_envs.pictures.canvas import FOLLOWER
from tests.pictures import has

DUOPOLY = "stackelberg/Duopoly-v0"


def test_one_follower_sees_what_outputs_pay():
    env = se.parallel_env(DUOPOLY, render_mode="ansi")
    env.reset(seed=0)
    env.step({"leader_0": np.array([2000.0], np.float32)})
    assert "best output 1000" in env.render()


def test_several_are_told_one_by_one():
    told, drawn = (se.parallel_env(DUOPOLY, num_followers=3, render_mode=mode) for mode in ("ansi", "rgb_array"))
    for env in (told, drawn):
        env.reset(seed=0)
        env.step({"leader_0": np.array([2000.0], np.float32)})
        env.step({f"follower_{i}": 10 + i for i in range(3)})
    assert "followers did: 10, 11, 12" in told.render()
    assert has(drawn.render(), FOLLOWER)
