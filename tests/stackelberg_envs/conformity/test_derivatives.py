"""A stated derivative of a commitment over tables is held to differences."""

import numpy as np
import pytest

import stackelberg_envs as se
from stackelberg_envs.conformity.derivatives import MAX_ENTRIES, check_vjp
from stackelberg_envs.errors import ConformityError

SHAPES = {"follower_reward": (3, 1, 2), "leader_reward": (3, 1, 2)}


class Wrong(se.StateIncentive):
    """Forgets a minus sign."""

    def vjp(self, x, cotangents):
        return -super().vjp(x, cotangents)


class Flat(se.StateIncentive):
    """Returns another shape."""

    def vjp(self, x, cotangents):
        return super().vjp(x, cotangents)[:2]


def checked(commitment):
    x = commitment.project(np.full(commitment.shape, 0.5))
    values = {"follower_reward": np.ones((3, 1, 2))}
    check_vjp(commitment, x, SHAPES, values, np.random.default_rng(0))


def test_right_derivatives_pass_and_wrong_ones_are_named():
    checked(se.StateIncentive(0.0, 1.0, np.ones(3)))
    with pytest.raises(ConformityError, match=r"commitment\.vjp agrees with finite differences: error .* follower_rew"):
        checked(Wrong(0.0, 1.0, np.ones(3)))
    with pytest.raises(ConformityError, match=r"commitment\.vjp returns the shape of x"):
        checked(Flat(0.0, 1.0, np.ones(3)))


def test_large_commitments_are_left_alone():
    checked(Wrong(0.0, 1.0, np.ones(MAX_ENTRIES + 1)))
