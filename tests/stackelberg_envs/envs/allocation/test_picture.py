"""The picture of an allocation: who wants what, what is sent, and what is given."""

import numpy as np

import stackelberg_envs as se
from stackelberg_envs.envs.allocation import picture as picture_of
from stackelberg_envs.pictures import canvas
from tests.pictures import has, shown

ID = "stackelberg/Allocation-v0"
X = np.array([[0.9, 0.1, 0.0], [0.0, 1.0, 0.0], [0.0, 0.3, 0.7]]).ravel()


def test_all_frames_have_one_size_and_links_come_with_the_mechanism():
    frames = [shown(ID, "rgb_array"), *(shown(ID, "rgb_array", X, n) for n in (0, 1, 2))]
    assert {frame.shape for frame in frames} == {(picture_of.HEIGHT, picture_of.WIDTH, 3)}
    # Message 1 surely brings item 1.
    assert [has(frame, canvas.STRONGEST) for frame in frames] == [False, True, True, True]


def test_an_item_that_was_wanted_is_green():
    seen = {}
    for seed in range(8):
        env = se.parallel_env(ID, render_mode="rgb_array")
        env.reset(seed=seed)
        env.step({"leader_0": np.eye(3).ravel().astype(np.float32)})
        for _ in range(2):
            env.step({"follower_0": 1})
        seen[env.session.context] = has(env.render(), canvas.TARGET)
    assert seen == {0: False, 1: True, 2: False}


def test_links_are_as_likely_as_the_answer():
    row, column = 235, 200  # half-way from type 1 to message 1
    assert tuple(shown(ID, "rgb_array", X)[row, column]) == canvas.FOLLOWER


def test_the_text_tells_the_mechanism_and_what_happened():
    assert "not announced yet" in shown(ID, "ansi")
    text = shown(ID, "ansi", X, 2)
    assert "message 2: item 0 0.000, item 1 0.300, item 2 0.700" in text
    assert "sent message 0, got item" in text


def test_many_types_are_drawn_as_far_as_there_is_room():
    x = np.eye(40)[[3, 5]].ravel()
    picture = shown(ID, "rgb_array", x, 2, num_types=40, num_messages=2)
    assert picture.shape == (picture_of.HEIGHT, picture_of.WIDTH, 3)
