"""The households' policy over groups against a few lines of NumPy."""

import numpy as np
import pytest

from stackelberg_envs import jit
from stackelberg_envs.envs.tax_design.group_policy import GroupPolicy, draw_groups, group_log_probabilities


@pytest.fixture
def saving():
    """Assets, and the policy of a saving problem: five groups, W in three pieces on [-2, 2]."""
    rng = np.random.default_rng(11)
    pieces = rng.standard_normal((3, 6))
    arrays = 2 * rng.standard_normal(5), rng.standard_normal(5), pieces
    return rng.uniform(-2, 2, 40), GroupPolicy(*arrays, -2.0, 2.0, 0.9, 0.3)


def gibbs_of_groups(assets, displacement, rewards, pieces, low, high, discount, temperature):
    place = (np.clip(assets[:, None] + displacement, low, high) - low) * len(pieces) / (high - low)
    n = np.minimum(place.astype(int), len(pieces) - 1)
    ahead = (pieces[n] * (place - n)[:, :, None] ** np.arange(6)).sum(axis=2)
    weights = np.exp((rewards + discount * ahead) / temperature)
    return weights / weights.sum(axis=1, keepdims=True)


def test_log_probabilities_of_groups_equal_numpy(saving):
    assets, policy = saving
    expected = gibbs_of_groups(assets, *policy)
    for g in range(5):
        out = np.empty(40)
        group_log_probabilities(np.full(40, g), assets, policy, out)
        np.testing.assert_allclose(np.exp(out), expected[:, g], atol=1e-12)


def test_groups_are_drawn_by_the_inverse_of_their_distribution(saving):
    assets, policy = saving
    u, out = np.random.default_rng(12).random(40), np.empty(40, np.int64)
    draw_groups(u, assets, policy, out)
    reached = np.cumsum(gibbs_of_groups(assets, *policy), axis=1)
    np.testing.assert_array_equal(out, (reached < u[:, None]).sum(axis=1))


def test_groups_in_slices_are_those_in_one(monkeypatch):
    rng = np.random.default_rng(2)
    assets, uniforms = rng.random(50), rng.random(50)
    policy = GroupPolicy(rng.random(5), rng.random(5), rng.random((4, 6)), 0.0, 1.0, 0.9, 3.0)

    def draw():
        out, logarithms = np.zeros(50, dtype=np.int64), np.zeros(50)
        draw_groups(uniforms, assets, policy, out)
        group_log_probabilities(out, assets, policy, logarithms)
        return out, logarithms

    whole = draw()
    monkeypatch.setattr(jit, "SLICE", 7)
    for one, other in zip(draw(), whole, strict=True):
        np.testing.assert_array_equal(one, other)
    assert len(np.unique(whole[0])) == 5
