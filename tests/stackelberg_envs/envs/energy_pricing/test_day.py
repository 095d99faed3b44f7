"""The day of a household: states, hours, and shifts that sum to zero."""

import numpy as np
import pytest

from stackelberg_envs.envs.energy_pricing.day import day, hour_of


@pytest.mark.parametrize(("hours", "n"), [(2, 1), (3, 4), (5, 2)])
def test_states_are_hours_and_what_was_shifted(hours, n):
    made = day(hours, n, 0.5)
    assert len(made.hour) == sum(2 * n * t + 1 for t in range(hours))
    for state, (hour, shifted) in enumerate(zip(made.hour, made.shifted, strict=True)):
        assert hour_of(state, n) == (hour, round(shifted / 0.5))


def test_every_day_sums_to_zero():
    made, rng = day(5, 3, 0.25), np.random.default_rng(0)
    for _ in range(50):
        state, total, hours = 0, 0.0, []
        for _ in range(5):
            action = int(rng.integers(7))
            hours.append(int(made.hour[state]))
            assert made.shifted[state] == pytest.approx(total)
            total += made.shift[state, action]
            state = int(made.transition.successors[state, 0, action, 0])
        assert hours == [0, 1, 2, 3, 4]
        assert total == pytest.approx(0.0)
