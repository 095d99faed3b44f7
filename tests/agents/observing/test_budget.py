"""The budget of a run: what is not said follows from what is."""

import pytest

from agents.observing.budget import budget_of
from stackelberg_envs.errors import ArgumentError


@pytest.mark.parametrize(
    ("steps", "updates", "steps_per_update", "preferred", "expected"),
    [
        (None, None, None, 1_000, (100, 1_000)),
        (None, None, None, 300, (333, 300)),
        (None, None, None, 12_000, (8, 12_500)),
        (None, None, None, 10**6, (1, 100_000)),
        (5_000, None, None, 300, (17, 294)),
        (None, 7, None, 300, (7, 1_000)),
        (None, None, 250, 300, (400, 250)),
        (None, None, 10**6, 300, (1, 10**6)),
        (999, None, 250, 300, (3, 250)),
        (1_000, 7, None, 300, (7, 142)),
        (None, 3, 5, 300, (3, 5)),
        (15, 3, 5, 300, (3, 5)),
    ],
)
def test_what_is_not_said_follows(steps, updates, steps_per_update, preferred, expected):
    found = budget_of(steps, updates, steps_per_update, preferred)
    assert found == expected
    if steps is not None:
        assert 0 <= steps - found.updates * found.steps_per_update < max(found)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((16, 3, 5), r"steps: expected updates x steps_per_update = 3 x 5 = 15, or one of the three less, got 16"),
        ((2, 3, None), r"steps: expected at least one for each of 3 updates, got 2"),
        ((4, None, 5), r"steps: expected at least steps_per_update = 5, got 4"),
    ],
)
def test_contradictions_are_refused(given, message):
    with pytest.raises(ArgumentError, match=message):
        budget_of(*given, preferred=1_000)
