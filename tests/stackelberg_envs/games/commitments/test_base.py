"""What all commitments have in common: effects that fit, checks, projection, derivatives by differences."""

import numpy as np
import pytest

from stackelberg_envs.errors import GameError
from stackelberg_envs.games.commitments.base import Effect
from stackelberg_envs.games.commitments.joint import Joint
from stackelberg_envs.games.commitments.policy_table import PolicyTable
from tests.games import small_game


def doubled(x):
    """No policy where the first entry is large; that is not where the game tries a commitment once."""
    return Effect(leader_policy=x * (2.0 if x[0, 0] > 0.9 else 1.0))


class Doubled(PolicyTable):
    def effect(self, x):
        return doubled(x)


class Together(Joint):
    def effect(self, x):
        return doubled(x)


def test_the_librarys_own_always_fit():
    assert PolicyTable(3, 2).always_fits
    assert Joint(PolicyTable(3, 2)).always_fits


@pytest.mark.parametrize("commitment", [Doubled(3, 2), Together(PolicyTable(3, 2)), Joint(Doubled(3, 2))])
def test_effects_of_subclasses_are_checked_at_every_x(commitment):
    x = np.array([[1.0, 0.0], [0.5, 0.5], [0.5, 0.5]])
    with pytest.raises(GameError, match="its leader_policy: expected rows that sum to one"):
        _ = small_game(commitment=commitment).under(x).primitives
