"""The picture of preference design: what a person must be able to find in it."""

import numpy as np
import pytest

import stackelberg_envs as se
from stackelberg_envs.envs.preference_design import picture as picture_of
from stackelberg_envs.pictures import canvas as rendering
from tests.pictures import has, shown

PREFERENCES = "stackelberg/PreferenceDesign-v0"
X = np.array([1.0, -0.5, 0.25, -2.0])
SEND = 4


def test_all_frames_of_an_episode_have_one_size():
    frames = [shown(PREFERENCES, "rgb_array"), *(shown(PREFERENCES, "rgb_array", X, n) for n in (0, 1, 5))]
    assert {frame.shape for frame in frames} == {frames[0].shape}


def test_words_that_are_said_are_cards_of_their_colour():
    before, after = (shown(PREFERENCES, "rgb_array", X, n)[picture_of.CARDS_TOP + 5] for n in (0, 1))
    assert not (before == picture_of.COLOURS[0]).all(axis=1).any()
    assert (after == picture_of.COLOURS[0]).all(axis=1).sum() == picture_of.CARD


def test_weights_are_bars_and_gauges_are_drawn_once_something_is_said():
    assert not has(shown(PREFERENCES, "rgb_array", X), rendering.TARGET)
    picture = shown(PREFERENCES, "rgb_array", X, 1)
    assert has(picture, rendering.TARGET)
    assert has(picture, rendering.STRONGEST)
    for d, colour in enumerate(picture_of.COLOURS):
        row = picture[picture_of.BARS_TOP + d * picture_of.BAR + 30, 500:]
        assert (row == colour).all(axis=1).sum() == pytest.approx(96 * abs(X[d]) / 2, abs=2)


def test_the_text_tells_prompt_answer_and_model():
    assert "reward model: not announced yet" in shown(PREFERENCES, "ansi")
    env = se.parallel_env(PREFERENCES, render_mode="ansi")
    env.reset(seed=1)
    env.step({"leader_0": X})
    for action in (2, 0, SEND):
        env.step({"follower_0": action})
    told = env.render()
    assert "answer: praise fact (sent)" in told
    assert "prompt: a " in told
    assert "reward model: fact +1.000, caveat -0.500, praise +0.250, filler -2.000" in told


def test_people_and_model_judge_by_what_is_recorded():
    game = se.make_game(PREFERENCES)
    found = game.facts["preferences"]
    for node in range(1, 20):
        people, model = picture_of.judged(found, 0, node, np.zeros(4))
        assert model == pytest.approx(0.5)
        assert 0 < people < 1
    one_fact, four_facts = 1, 85
    assert picture_of.judged(found, 0, one_fact, X)[0] > 0.7 > 0.5 > picture_of.judged(found, 0, four_facts, X)[0]
