"""The picture of a contract: bonuses, the way that outcomes took, and the effort."""

import numpy as np

from stackelberg_envs.envs.contract import picture as picture_of
from stackelberg_envs.pictures import canvas
from tests.pictures import has, shown

ID = "stackelberg/Contract-v0"
X = np.array([0.1, 0.7, 0.25])


def test_all_frames_have_one_size_and_bonuses_come_with_the_contract():
    frames = [shown(ID, "rgb_array", num_stages=2), *(shown(ID, "rgb_array", X, n, num_stages=2) for n in range(4))]
    assert {frame.shape for frame in frames} == {(picture_of.HEIGHT, picture_of.WIDTH, 3)}
    assert [has(frame, canvas.STRONGEST) for frame in frames] == [False, True, True, True, True]


def test_the_agent_stands_where_outcomes_led():
    # Effort 0 never succeeds: down, and down again.
    places = picture_of._places(2)
    for steps, node in ((0, 0), (1, 2), (2, 6)):
        picture = shown(ID, "rgb_array", X, steps, num_stages=2)
        row, column = (round(at) for at in places[node])
        assert (picture[row + 10, column] == np.array(canvas.FOLLOWER, np.uint8)).all()


def test_long_jobs_are_drawn_without_words():
    assert not has(shown(ID, "rgb_array", np.full(31, 0.3), num_stages=5), canvas.STRONGEST)


def test_the_text_tells_the_contract_the_history_and_the_effort():
    assert "not announced yet" in shown(ID, "ansi")
    text = shown(ID, "ansi", X, 1, num_stages=2)
    assert "bonus at start +0.100, bonus at S +0.700, bonus at F +0.250" in text
    assert "history: F" in text
    assert "effort 0 at start" in text
