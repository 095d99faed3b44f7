"""Random tabular games have the shapes that are asked for."""

import numpy as np
import pytest

from stackelberg_envs.envs import random_tabular_v1
from stackelberg_envs.errors import ArgumentError


def test_random_tabular_has_the_shapes_asked_for():
    game = random_tabular_v1.make_game(S=7, A=3, B=2, K=2, branching=5, terminal=2, D=6)
    assert game.array_shape == (2, 7, 3, 2)
    assert game.transition.successors.shape == (7, 3, 2, 5)
    assert game.commitment.shape == (6,)
    np.testing.assert_array_equal(game.terminal, [[0, 0, 0, 0, 0, 1, 1]] * 2)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"S": 0}, "S: expected an integer of at least 1, got 0"),
        ({"branching": 0}, "branching: expected an integer"),
        ({"commitment": "tax"}, "commitment: expected 'features' or 'policy', got 'tax'"),
        ({"terminal": 20}, r"terminal: expected a number of states in 0\.\.19, got 20"),
    ],
)
def test_random_tabular_refuses_what_makes_no_game(changes, match):
    with pytest.raises(ArgumentError, match=match):
        random_tabular_v1.make_game(**changes)
