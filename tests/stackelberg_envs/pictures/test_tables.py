"""The picture of matrix games: what a person must be able to find in it."""

import numpy as np

from stackelberg_envs.pictures import canvas
from stackelberg_envs.pictures.tables import CELL_HEIGHT, MOST, TOP
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


def test_rows_that_are_not_shown_count_in_what_answers_are_worth():
    leader, follower = np.zeros((10, 9)), np.zeros((10, 9))
    leader[9, 8], follower[9, 8] = 6.0, 4.0
    given = {"leader_payoff": leader.tolist(), "follower_payoff": follower.tolist()}
    x = np.zeros(10, np.float32)
    x[[0, 9]] = 0.5
    lines = shown(MATRIX, "ansi", x, **given).splitlines()
    assert "answer column 8: leader +3.000, follower +2.000 <- best answer" in lines
    # The last row of the tables is what is shown of payoffs; below it stand the words on what is not.
    whole, cut = shown(MATRIX, "rgb_array", x, **given), TOP + MOST * CELL_HEIGHT + 50
    few = {name: np.array(table)[:8, :8].tolist() for name, table in given.items()}
    assert (whole[cut : cut + 20, :200] != shown(MATRIX, "rgb_array", x[:8] * 2, **few)[cut : cut + 20, :200]).any()


def test_with_several_rounds_the_best_answer_is_that_of_this_round():
    x = np.tile(np.array([0.5, 0.5], np.float32), (5, 1))
    text = shown("stackelberg/IteratedMatrix-v0", "ansi", x)
    assert "answer D: leader -1.000, follower +0.500 <- best in this round" in text
    assert "seen: start" in text
