"""What commitments earned: merged means and spreads, and what is no chance. Seeds are fixed."""

import numpy as np
import pytest

from agents.estimators.earnings import MOST, Earnings
from stackelberg_envs.errors import OutputError

A, B, C = np.array([0.0, 1.0]), np.array([0.5, 0.5]), np.array([1.0, 0.0])


def test_parts_of_play_add_up_to_the_whole():
    returns = np.random.default_rng(0).standard_normal(30) * 1e200  # squares would have no number
    parts, whole = Earnings(2), Earnings(2)
    for part in np.split(returns, [3, 4, 20]):
        parts.add(A, part)
    whole.add(A, returns)
    for name in ("_counts", "_means", "_spreads"):
        np.testing.assert_allclose(getattr(parts, name), getattr(whole, name), rtol=1e-12)
    assert parts._spreads[0] == pytest.approx(1e200 * np.std(returns / 1e200))


def test_what_surely_earns_less_is_told_from_chance():
    earned, rng = Earnings(2), np.random.default_rng(1)
    assert earned.better_than(A) is None
    earned.add(A, np.array([-1e9]))
    earned.add(B, np.array([0.0]))
    assert earned.better_than(A) is None  # single episodes say nothing of chance
    earned = Earnings(2)
    earned.add(A, rng.standard_normal(100))
    earned.add(B, 0.2 + rng.standard_normal(100))  # 1.4 standard errors
    assert earned.better_than(A) is None
    earned.add(C, 2.0 + rng.standard_normal(100))
    for point in (A, B):
        np.testing.assert_array_equal(earned.better_than(point), C)
    assert earned.better_than(C) is None
    assert earned.better_than(np.array([0.3, 0.7])) is None  # never played


def test_hundreds_of_equal_commitments_hold_none_for_worse():
    # 64 kept of 300, 20 episodes each: by chance alone about one such run in a thousand has one.
    earned, rng = Earnings(1), np.random.default_rng(2)
    for i in range(300):
        earned.add(np.array([float(i)]), rng.standard_normal(20))
    assert not earned.judged()[1][0]


def test_the_first_and_the_latest_stay_when_the_worst_go():
    earned = Earnings(1)
    for i, mean in enumerate([-9.0, *np.linspace(0.0, 1.0, MOST), -5.0]):
        earned.add(np.array([float(i)]), np.array([mean, mean]))
    assert len(earned.points) == MOST
    assert {0.0, float(MOST + 1)} <= set(earned.points.ravel())
    assert 1.0 not in earned.points


def test_a_state_whose_parts_do_not_fit_is_refused():
    earned = Earnings(2)
    earned.add(A, np.zeros(3))
    tree = earned.state_dict()
    tree["_means"] = np.zeros(2)
    with pytest.raises(OutputError, match="expected as many numbers as commitments"):
        Earnings(2).load_state_dict(tree)


def test_the_nearest_that_was_played_is_by_the_largest_coordinate():
    earned = Earnings(2)
    np.testing.assert_array_equal(earned.nearest(B), B)
    for point in (A, B, C):
        earned.add(point, np.zeros(2))
    np.testing.assert_array_equal(earned.nearest(np.array([0.7, 0.2])), B)
    np.testing.assert_array_equal(earned.nearest(np.array([0.9, 0.2])), C)


def test_nothing_is_held_for_worse_while_the_follower_still_learns():
    # What A earns falls as the follower learns; by chance alone 1 run in 1,000 would be taken for that.
    rng, settled, learns = np.random.default_rng(3), Earnings(2), Earnings(2)
    for k in range(6):
        for earned, mean in ((settled, 10.0), (learns, 10.0 - k)):
            earned.add(A, mean + rng.standard_normal(20))
            earned.add(B, rng.standard_normal(20))
    np.testing.assert_array_equal(settled.better_than(B), A)
    assert learns.better_than(B) is None
