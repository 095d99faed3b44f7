"""Recorded preferences: classes of answers against all pairs of answers, and derivatives against differences."""

import numpy as np
import pytest

from stackelberg_envs.envs.preference_design import preferences
from stackelberg_envs.games.commitments.base import finite_difference_vjp
from stackelberg_envs.games.cotangents import Cotangents

#: Three answers, of which the last two differ in nothing but their order.
COUNTS = np.array([[1, 0], [1, 1], [1, 1]])
LIKING = np.array([[0.0, 1.0, 1.0], [0.5, -1.0, -1.0]])
SHARES = np.array([0.5, 0.3, 0.2])
FOUND = preferences.recorded(COUNTS, LIKING, SHARES)
X = np.array([0.3, -0.7])


def test_answers_that_nobody_tells_apart_are_one_class():
    assert len(FOUND.counts) == 2
    assert FOUND.class_of[1] == FOUND.class_of[2] != FOUND.class_of[0]
    np.testing.assert_allclose(FOUND.share[FOUND.class_of], [0.5, 0.5, 0.5])
    one, other = FOUND.class_of[:2]
    assert FOUND.preferred[0, one, other] == pytest.approx(1 / (1 + np.exp(1.0)))
    np.testing.assert_allclose(FOUND.preferred + FOUND.preferred.transpose(0, 2, 1), 1.0)


def test_the_log_likelihood_is_that_of_two_answers_side_by_side():
    found = preferences.log_likelihood(FOUND, X)[:, FOUND.class_of]
    for k, first in np.ndindex(2, 3):
        expected = 0.0
        for second in range(3):
            p = 1 / (1 + np.exp(LIKING[k, second] - LIKING[k, first]))
            q = 1 / (1 + np.exp(-(COUNTS[first] - COUNTS[second]) @ X))
            expected += SHARES[second] * (p * np.log(q) + (1 - p) * np.log(1 - q))
        assert found[k, first] == pytest.approx(expected)


def test_no_sigmoid_overflows():
    np.testing.assert_array_equal(preferences.sigmoid(np.array([-1e9, 0.0, 1e9])), [0.0, 0.5, 1.0])


def test_the_derivative_is_that_of_differences():
    sends = np.array([[False, True], [False, True], [True, True]])
    commitment = preferences.PreferenceLikelihood(-1.0, 1.0, FOUND, sends, 4)
    rng = np.random.default_rng(0)
    cotangents = Cotangents(leader_reward=rng.normal(size=(2, 4, 1, 2)))
    expected = finite_difference_vjp(commitment, X, cotangents)
    np.testing.assert_allclose(commitment.vjp(X, cotangents), expected, atol=1e-8)
    paid = commitment.effect(X).leader_reward
    assert (paid[:, 3] == 0).all()
    assert (paid[:, :2, 0, 0] == 0).all()
    np.testing.assert_array_equal(paid[:, 2, 0, 0], paid[:, 2, 0, 1])


def test_the_fit_is_where_no_direction_is_likelier():
    fit = preferences.recorded_fit(FOUND, -5.0, 5.0)
    weight = np.tile(FOUND.share, (2, 1)) / 2
    # The first word is in every answer, so that its weight says nothing and stays where it began.
    np.testing.assert_allclose(preferences.slope(FOUND, fit, weight), 0.0, atol=1e-12)
    assert fit[0] == 0.0
    np.testing.assert_array_equal(preferences.recorded_fit(FOUND, -1e-3, 1e-3), np.clip(fit, -1e-3, 1e-3))
