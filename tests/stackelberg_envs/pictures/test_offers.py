"""The picture of games of one step: curves, likelihood and the choice."""

import numpy as np
import pytest

from stackelberg_envs.pictures import canvas
from tests.pictures import columns, has, shown

WHOLESALE = "stackelberg/Wholesale-v0"
X = np.array([6.0], np.float32)


def test_curves_come_with_the_commitment_and_the_choice_with_the_step():
    before, announced, over = (
        shown(WHOLESALE, "rgb_array"),
        *(shown(WHOLESALE, "rgb_array", X, steps=n) for n in (0, 1)),
    )
    assert before.shape == announced.shape == over.shape
    for colour in (canvas.STRONGEST, canvas.FOLLOWER):
        assert not has(before, colour)
        assert len(columns(announced, colour)) > 50
    # Action 0 is chosen: at the left edge of the plot.
    plot = (announced[90:330] != over[90:330]).any(axis=2)
    assert 70 < np.flatnonzero(plot.any(axis=0)).min() < 85


@pytest.mark.parametrize(
    ("spec_id", "x", "line"),
    [
        (WHOLESALE, [6.0], "best quantity 2: leader +8, follower +4"),
        ("stackelberg/Duopoly-v0", [2000.0], "best output 1000: leader +2e+06, follower +1e+06"),
        ("stackelberg/PostedPrice-v0", [0.0], "best units bought 1: leader +0"),
    ],
)
def test_the_text_says_what_is_best_and_what_was_chosen(spec_id, x, line):
    text = shown(spec_id, "ansi", np.array(x, np.float32), steps=1)
    assert line in text
    assert "chosen " in text
    assert "not announced yet" in shown(spec_id, "ansi")
