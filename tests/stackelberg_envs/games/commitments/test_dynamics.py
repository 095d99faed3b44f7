"""Committed dynamics and the form they have to agree with."""

from dataclasses import replace

import numpy as np
import pytest

from stackelberg_envs.errors import CommitmentError, GameError
from stackelberg_envs.games.commitments.dynamics import DynamicsCommitment
from stackelberg_envs.games.trajectories import Samples
from tests.games import BUILDING


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"weights": 2 * BUILDING.numbers.weights}, r"weights: expected 2 at index \(0,\), .*, got 1"),
        ({"follower_input": 2 * BUILDING.numbers.follower_input}, r"follower_input: expected 0.2 at index \(0, 0\)"),
        ({"noise": 2 * BUILDING.numbers.noise}, r"noise: expected 0.0008 at index \(0, 0\), .*, got 0.0004"),
        ({"form": replace(BUILDING.form, price=0.2)}, r"price: expected 0.2, .*, got 0.1"),
    ],
)
def test_dynamics_that_differ_are_refused_with_both(given, match):
    held = {name: getattr(BUILDING.numbers, name) for name in ("weights", "follower_input", "noise")}
    arguments = {"form": BUILDING.form} | held | given
    commitment = DynamicsCommitment(**arguments, low=np.zeros(8), high=np.ones(8))
    with pytest.raises(GameError, match=match):
        BUILDING.replace(commitment=commitment)


def test_a_commitment_takes_the_numbers_that_are_replaced():
    other = replace(BUILDING.numbers, weights=2 * BUILDING.numbers.weights)
    game = BUILDING.replace(numbers=other)
    np.testing.assert_array_equal(game.commitment.weights, other.weights)
    still = BUILDING.replace(numbers=replace(BUILDING.numbers, noise=np.zeros((4, 4))))
    samples = Samples(np.zeros((1, 4)), np.zeros((1, 0)), np.zeros((1, 2)), np.zeros((1, 4)), np.zeros(1, np.int32))
    with pytest.raises(CommitmentError, match="noise: expected a positive definite covariance"):
        still.commitment.effect_at(np.zeros(8), samples)
