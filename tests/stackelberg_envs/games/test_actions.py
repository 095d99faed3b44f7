"""Actions of a space: what is legal, and what is refused with its place."""

import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, MultiDiscrete

from stackelberg_envs.conformity.vector_games import UniformPolicy
from stackelberg_envs.errors import ActionError, GameError
from stackelberg_envs.games.actions import action_bounds, checked_actions, no_actions, require_action_space

SPACES = [Box(-2.0, 2.0, (2,)), MultiDiscrete([3, 4], start=[0, 1]), Discrete(3, start=1)]


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_what_a_space_samples_is_legal(space):
    space.seed(0)
    bounds = action_bounds(space)
    for _ in range(50):
        sample = space.sample()
        checked = checked_actions([sample], 1, bounds, "action")
        np.testing.assert_array_equal(checked.ravel(), np.ravel(sample))
        assert checked.dtype == no_actions(bounds, 1).dtype
    policy = UniformPolicy(space).sample(np.random.default_rng(0), np.zeros((500, 1)), None, None)
    np.testing.assert_array_equal(checked_actions(policy, 500, bounds, "action"), policy)
    if space is not SPACES[0]:
        assert (policy.min(axis=0).tolist(), policy.max(axis=0).tolist()) == tuple(b.tolist() for b in bounds)


@pytest.mark.parametrize(
    ("space", "bad", "match"),
    [
        (SPACES[0], [[0.0, 2.1]], r"a: expected a value in \[-2, 2\], got 2.1 at index \(1,\)"),
        (SPACES[0], [[-2.1, 0.0]], r"got -2.1 at index \(0,\)"),
        (SPACES[0], [[2.00001, 0.0]], "expected a value"),
        (SPACES[0], [[0.0, np.inf]], "expected a value"),
        (SPACES[0], [[0.0, np.nan]], "expected a value"),
        (SPACES[0], [[0.0]], r"a: expected shape \(1, 2\), got shape \(1, 1\)"),
        (SPACES[0], [["x", "y"]], "a: expected numbers"),
        (SPACES[0], [[0.0, [1.0]]], "a: expected shape"),
        (SPACES[0], [None], "a: expected shape"),
        (SPACES[1], [[0, 0]], r"a: expected a value in \[1, 4\], got 0"),
        (SPACES[1], [[0.0, 1.0]], "a: expected integers"),
        (SPACES[2], [0], r"a: expected a value in \[1, 3\]"),
        (SPACES[2], [1.5], "a: expected integers"),
        (SPACES[2], [True], "a: expected integers"),
    ],
)
def test_what_is_illegal_is_refused_with_its_place(space, bad, match):
    with pytest.raises(ActionError, match=match):
        checked_actions(bad, 1, action_bounds(space), "a")


def test_rounding_of_float32_is_forgiven_and_mended():
    space = Box(-0.1, 0.1, (1,))
    checked = checked_actions([[0.10000002]], 1, action_bounds(space), "a")
    assert checked[0, 0] == float(space.high[0])
    unbounded = action_bounds(Box(-np.inf, np.inf, (1,)))
    assert checked_actions([[1e30]], 1, unbounded, "a")[0, 0] == 1e30


def test_spaces_of_other_kinds_are_refused():
    for odd in (Dict({}), Box(-1, 1, (2, 2)), "space"):
        with pytest.raises(GameError, match="follower_action_space: expected"):
            require_action_space(odd, "follower_action_space")
