"""Features of states."""

from __future__ import annotations

import numpy as np
import pytest

from agents.estimators.state_features import FEATURES, make_features
from stackelberg_envs.errors import UnknownNameError


@pytest.mark.parametrize("name", [name for name in FEATURES if name != "network"])
def test_contexts_have_blocks_of_their_own(name: str) -> None:
    states = np.random.default_rng(0).standard_normal((50, 2))
    features = make_features(name, states, 2, np.random.default_rng(1))
    first, second = (features(states, np.full(50, k, dtype=np.int32)) for k in (0, 1))
    half = first.shape[1] // 2
    np.testing.assert_array_equal(first[:, :half], second[:, half:])
    assert not first[:, half:].any()


def test_unknown_features_are_refused_by_name() -> None:
    with pytest.raises(UnknownNameError, match="features"):
        make_features("cubic", np.zeros((3, 2)), 1, np.random.default_rng(0))
