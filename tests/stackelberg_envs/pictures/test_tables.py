"""The picture of matrix games: what a person must be able to find in it."""

import numpy as np

from stackelberg_envs.pictures import canvas
from tests.pictures import has, shown

MATRIX, X = "stackelberg/Matrix-v0", np.array([0.25, 0.75, 0.0], np.float32)


def test_both_tables_the_commitment_and_the_choice_are_shown():
    before = shown(MATRIX, "rgb_array", matrix="maintain")
    announced = shown(MATRIX, "rgb_array", X, matrix="maintain")
    chosen = shown(MATRIX, "rgb_array", X, steps=1, matrix="maintain")
    over = shown(MATRIX, "rgb_array", X, steps=2, matrix="maintain")
    assert before.shape == announced.shape == chosen.shape == over.shape
    bar, frame = np.array(canvas.STRONGEST), np.array(canvas.FOLLOWER)
    assert len({each.tobytes() for each in (before, announced, chosen, over)}) == 4
    assert not (before[124:230, :190] == bar).all(axis=2).any()
    assert (announced[124:230, :190] == bar).all(axis=2).any()
    blue = [int((each == frame).all(axis=2).sum()) for each in (announced, chosen)]
    assert blue[1] > blue[0] + 500
    assert has(over, canvas.STRONGEST)


def test_the_text_says_what_each_answer_is_worth():
    lines = shown(MATRIX, "ansi", X, steps=2, matrix="maintain").splitlines()
    assert "commitment: maintain 0.250, exploit 0.750, leave 0.000" in lines
    assert "answer trust: leader +27.500, follower +3.750 <- best answer <- chosen" in lines
    assert lines[-1].startswith("drawn: ")
    assert "not announced yet" in shown(MATRIX, "ansi", matrix="maintain")
