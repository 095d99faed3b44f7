"""Rows of a policy that states share, and states in which the leader does nothing."""

import numpy as np
import pytest

import stackelberg_envs as se
from stackelberg_envs.errors import GameError
from stackelberg_envs.games.commitments.base import finite_difference_vjp
from stackelberg_envs.games.cotangents import Cotangents

CLASSES = [1, 0, -1, 1, 0]


def test_states_of_a_class_share_its_row_and_idle_ones_play_the_first_action():
    x = np.array([[0.1, 0.2, 0.7], [0.5, 0.5, 0.0]])
    policy = se.TiedPolicy(CLASSES, 3).effect(x).leader_policy
    np.testing.assert_array_equal(policy[[0, 3]], x[[1, 1]])
    np.testing.assert_array_equal(policy[[1, 4]], x[[0, 0]])
    np.testing.assert_array_equal(policy[2], [1.0, 0.0, 0.0])


@pytest.mark.parametrize("contexts", [1, 2])
def test_its_derivative_is_that_of_differences(contexts):
    rng = np.random.default_rng(0)
    commitment = se.TiedPolicy(CLASSES, 3)
    x, weights = rng.dirichlet(np.ones(3), 2), rng.normal(size=(contexts * 5, 3))
    summed = Cotangents(leader_policy=weights.reshape(contexts, 5, 3).sum(axis=0))
    found = commitment.vjp(x, Cotangents(leader_policy=weights))
    np.testing.assert_allclose(found, finite_difference_vjp(commitment, x, summed), atol=1e-7)


def test_a_class_for_each_state_is_a_policy_table():
    game = se.make_game("stackelberg/DiscreteToy-v1")
    tied = game.replace(commitment=se.TiedPolicy([0, 1, 2], 2))
    x = np.array([[0.5, 0.5], [0.8, 0.2], [0.3, 0.7]])
    assert se.solve(tied, x).leader_value == se.solve(game, x).leader_value
    np.testing.assert_array_equal(se.solve(tied, x).gradient, se.solve(game, x).gradient)


def test_the_gradient_sums_over_the_states_of_a_class():
    game = se.make_game("stackelberg/DiscreteToy-v1")
    tied, x = game.replace(commitment=se.TiedPolicy([0, 0, 0], 2)), np.array([[0.8, 0.2]])
    np.testing.assert_allclose(
        se.solve(tied, x).gradient, se.solve(game, np.repeat(x, 3, axis=0)).gradient.sum(axis=0, keepdims=True)
    )


@pytest.mark.parametrize(
    ("classes", "words"),
    [
        ([], "classes"),
        ([[0]], "expected a class of each state"),
        ([0.5], "classes: expected integers"),
        ([0, -2], "expected 0, 1, ... or -1, got -2 at state 1"),
        ([0, 2], "expected a state of each class, got none of class 1"),
        ([0, 10**12], "expected a state of each class, got none of class 1"),
        ([-1, -1], "expected a state of each class, got none of class 0"),
    ],
)
def test_what_are_no_classes_is_refused(classes, words):
    with pytest.raises(GameError, match=words):
        se.TiedPolicy(classes, 2)
