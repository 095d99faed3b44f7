"""Each compiled loop of the soft solvers against a few lines of NumPy."""

import numpy as np
import pytest

from stackelberg_envs.envs import random_tabular_v1
from stackelberg_envs.solvers.soft import best_response, krylov, linear


@pytest.fixture
def game():
    parts = random_tabular_v1.make_game(S=6, A=2, B=3, K=2, terminal=1, commitment="policy", seed=4)
    return parts.primitives(np.full((6, 2), 0.5))


@pytest.fixture
def lists(game):
    return game.transition.successors, game.transition.probabilities


@pytest.fixture
def joint_policy(game):
    rng = np.random.default_rng(0)
    return game.leader_policy[:, :, None] * rng.dirichlet(np.ones(3), size=(12, 2))


@pytest.mark.parametrize("temperature", [0.0, 1e-3, 0.3, 10.0])
def test_soft_bellman_backup_equals_numpy(game, lists, temperature):
    values = np.random.default_rng(1).standard_normal(12)
    q, soft, out = np.empty((12, 2, 3)), np.empty((12, 2)), np.empty(12)
    residual, largest = best_response.soft_bellman_backup(
        game.follower_reward,
        *lists,
        game.leader_policy,
        game.continuing,
        0.9,
        temperature,
        values,
        q,
        soft,
        out,
    )
    ahead = game.continuing[:, None, None] * (game.transition.to_dense() @ values)
    expected = game.follower_reward + 0.9 * ahead
    np.testing.assert_allclose(q, expected, atol=1e-14)
    top = expected.max(axis=2)
    if temperature:
        top = top + temperature * np.log(np.exp((expected - top[:, :, None]) / temperature).sum(axis=2))
    np.testing.assert_allclose(soft, top, atol=1e-13)
    np.testing.assert_allclose(out, (game.leader_policy * top).sum(axis=1), atol=1e-13)
    assert residual == np.abs(out - values).max()
    assert largest == np.abs(out).max()


def test_policy_band_is_the_matrix_in_band_storage(game, lists, joint_policy):
    lower, upper = game.transition.band
    rows = np.full((12, 2 * lower + upper + 1), np.nan)
    linear._write_band(joint_policy, *lists, game.continuing, lower + upper, rows)
    matrix = game.continuing[:, None] * np.einsum("sab,sabt->st", joint_policy, game.transition.to_dense())
    expected = [
        [rows[t, lower + upper + s - t] if -upper <= s - t <= lower else 0.0 for t in range(12)] for s in range(12)
    ]
    np.testing.assert_allclose(expected, matrix, atol=1e-15)
    assert rows.sum() == pytest.approx(matrix.sum())


@pytest.mark.parametrize("temperature", [1e-3, 0.3, 10.0])
def test_gibbs_policy_equals_a_softmax(temperature):
    q = np.random.default_rng(2).standard_normal((4, 2, 3))
    out = np.empty(q.shape)
    values = q.max(axis=2)
    best_response.gibbs_policy(q, values, temperature, out)
    weights = np.exp((q - values[:, :, None]) / temperature)
    np.testing.assert_allclose(out, weights / weights.sum(axis=2, keepdims=True), atol=1e-15)


def test_policy_matrix_equals_numpy_block_by_block(game, lists, joint_policy):
    out = np.full((2, 6, 6), np.nan)
    linear._write_blocks(joint_policy, *lists, game.continuing, out)
    full = np.einsum("sab,sabt->st", joint_policy, game.transition.to_dense()) * game.continuing[:, None]
    np.testing.assert_allclose(out[0], full[:6, :6], atol=1e-15)
    np.testing.assert_allclose(out[1], full[6:, 6:], atol=1e-15)
    assert not full[:6, 6:].any()


def test_policy_matrix_data_lists_the_same_entries(game, lists, joint_policy):
    out = np.empty(lists[1].size)
    krylov._write_entries(joint_policy, lists[1], game.continuing, out)
    expected = game.continuing[:, None, None, None] * joint_policy[..., None] * lists[1]
    np.testing.assert_allclose(out, expected.ravel(), atol=1e-16)


def test_next_values_equals_numpy(game):
    values = np.random.default_rng(3).standard_normal(12)
    out = linear.next_values(game.transition, values)
    np.testing.assert_allclose(out, game.transition.to_dense() @ values, atol=1e-14)


def test_push_flow_is_the_adjoint_of_next_values(game):
    rng = np.random.default_rng(4)
    flow, values = rng.standard_normal((12, 2, 3)), rng.standard_normal(12)
    pushed = linear.push_flow(flow, game.transition, game.continuing)
    ahead = linear.next_values(game.transition, values)
    alive = game.continuing[:, None, None] * flow
    assert pushed @ values == pytest.approx((alive * ahead).sum(), rel=1e-12)
    np.testing.assert_allclose(pushed, np.einsum("sab,sabt->t", alive, game.transition.to_dense()), atol=1e-14)
