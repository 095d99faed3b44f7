"""A committed gain and the form it has to agree with."""

from dataclasses import replace

import numpy as np
import pytest

from stackelberg_envs.errors import GameError
from stackelberg_envs.games.commitments.gain import GainCommitment
from stackelberg_envs.games.linear_forms import (
    LinearForm,
    LinearNumbers,
    QuadraticReward,
    free_dynamics,
)
from stackelberg_envs.games.linear_quadratic import LinearQuadraticGame


def numbers(**changes):
    given = {
        "weights": np.array([0.9, 0.1, -0.2, 0.7]),
        "follower_input": np.array([[0.0], [1.0]]),
        "leader_input": np.zeros((2, 1)),
        "noise": 0.01 * np.eye(2),
        "state_cost": np.eye(2),
        "action_cost": np.eye(1),
        "initial_mean": np.array([1.0, 0.0]),
        "initial_covariance": 0.1 * np.eye(2),
    }
    return LinearNumbers(**(given | changes))


def tank(reward=None, commitment=None, form=None, **changes):
    """Two states, one action of each player; the leader plays a gain."""
    commitment = GainCommitment((1, 2), 1.0, 0.1) if commitment is None else commitment
    form = LinearForm.of_gain(commitment, free_dynamics(2, 2), 1) if form is None else form
    return LinearQuadraticGame(
        form=form,
        numbers=numbers(**changes),
        reward=QuadraticReward(np.eye(2), np.eye(1)) if reward is None else reward,
        commitment=commitment,
        leader_discount=0.9,
        follower_discount=0.9,
        temperature=0.1,
        horizon=20,
    )


def test_the_form_of_a_gain_takes_everything_from_the_commitment():
    form = LinearForm.of_gain(GainCommitment((2, 3), 1.0, 0.5), np.zeros((1, 3, 3)), 1)
    K = np.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(form.gain(K), K)
    np.testing.assert_array_equal(form.leader_noise, 0.25 * np.eye(2))
    assert form.basis.shape == (1, 7, 3, 3)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"leader_noise": [[0.04]]}, r"leader_noise: expected 0.01 at index \(0, 0\), as .*noise=0.1.*, got 0.04"),
        ({"gains": np.zeros((3, 1, 2))}, r"gains: expected 1 at index \(1, 0, 0\), as GainCommitment"),
        ({"price": 0.5}, "form: by it x changes the leader_reward, but the commitment declares only"),
        ({"basis": np.ones((4, 3, 2, 2))}, "form: by it x changes the transition, but the commitment declares only"),
    ],
)
def test_a_gain_and_a_form_that_differ_are_refused_with_both(changes, match):
    with pytest.raises(GameError, match=match):
        tank(form=replace(tank().form, **changes))
