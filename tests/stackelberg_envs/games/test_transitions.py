"""Successor lists and dense kernels are the same thing twice."""

import numpy as np
import pytest

from stackelberg_envs.errors import GameError
from stackelberg_envs.games.transitions import Transition


@pytest.fixture
def kernel():
    rng = np.random.default_rng(0)
    dense = rng.dirichlet(np.ones(4), size=(4, 2, 3))
    dense[0, 0] = np.eye(4)[[1, 2, 3]]  # rows of different lengths
    dense[1, 1, 2] = (0, 0.25, 0, 0.75)
    return dense


def test_a_dense_kernel_survives_compression(kernel):
    np.testing.assert_allclose(Transition.from_dense(kernel).to_dense(), kernel, rtol=1e-15)


def test_a_sparse_kernel_is_compressed_to_its_longest_row():
    assert Transition.from_dense(np.eye(5)[np.zeros((5, 1, 2), dtype=int)]).successors.shape == (5, 1, 2, 1)


def test_successors_named_twice_add_up():
    lists = Transition.from_lists(np.zeros((1, 1, 1, 2), dtype=int), [[[[0.5, 0.5]]]])
    assert lists.to_dense() == pytest.approx(1.0)


@pytest.mark.parametrize("K", [1, 2, 3])
def test_joint_lists_are_block_diagonal(kernel, K):
    dense = Transition.from_dense(kernel).joint(K).to_dense()
    assert dense.shape == (4 * K, 2, 3, 4 * K)
    for k in range(K):
        block = slice(4 * k, 4 * k + 4)
        np.testing.assert_allclose(dense[block, ..., block], kernel, rtol=1e-15)
    assert dense.sum() == pytest.approx(4 * K * 6)


def test_joint_lists_of_different_contexts_keep_their_own(kernel):
    both = np.stack([kernel, kernel[::-1]])
    transition = Transition.from_dense(both)
    assert transition.num_contexts == 2
    dense = transition.joint(2).to_dense()
    np.testing.assert_allclose(dense[4:, ..., 4:], kernel[::-1], rtol=1e-15)


def test_arrays_are_frozen_copies(kernel):
    before = kernel.copy()
    transition = Transition.from_dense(kernel)
    kernel[:] = 0
    np.testing.assert_allclose(transition.to_dense(), before)
    with pytest.raises(ValueError, match="read-only"):
        transition.probabilities[0] = 0


def test_lists_given_by_the_user_are_copied():
    successors = np.zeros((1, 1, 1, 1), dtype=np.int32)
    transition = Transition.from_lists(successors, np.ones((1, 1, 1, 1)))
    successors[:] = 7
    assert transition.successors.max() == 0


def test_the_first_row_of_a_wrong_sum_is_named(kernel):
    kernel[2, 1, 0] *= 0.5
    kernel[3, 0, 0] *= 0.5
    match = r"got a sum of 0\.5 \(first at state 2, leader action 1, follower action 0\)"
    with pytest.raises(GameError, match=match):
        Transition.from_dense(kernel)
    with pytest.raises(GameError, match=r"first at context 1, state 2, leader action 1, follower action 0"):
        Transition.from_dense(np.stack([np.full(kernel.shape, 0.25), kernel]))


@pytest.mark.parametrize("shape", [(3, 1, 2, 4), (3, 3), (1, 1, 1, 1, 1, 1), (0, 1, 1, 0)])
def test_kernels_of_other_shapes_are_refused(shape):
    with pytest.raises(GameError, match=r"transition: expected shape \(\[K,\] S, A, B, S\), got"):
        Transition.from_dense(np.ones(shape))


def test_negative_probabilities_are_refused(kernel):
    kernel[1, 0, 0] = (1.5, -0.5, 0, 0)
    with pytest.raises(GameError, match=r"expected probabilities, got -0\.5 at index \(1, 0, 0, 1\)"):
        Transition.from_dense(kernel)


@pytest.mark.parametrize("state", [-1, 2])
def test_successors_that_are_no_states_are_refused(state):
    match = rf"successors: expected states in 0\.\.1, got {state} at index \(1, 0, 0, 0\)"
    with pytest.raises(GameError, match=match):
        Transition.from_lists([[[[0]]], [[[state]]]], np.ones((2, 1, 1, 1)))


def test_successors_that_are_no_integers_are_refused():
    with pytest.raises(GameError, match=r"successors: expected integers, got float64"):
        Transition.from_lists(np.full((2, 1, 1, 1), 0.5), np.ones((2, 1, 1, 1)))


def test_lists_of_different_shapes_are_refused():
    with pytest.raises(GameError, match=r"of one shape .* got \(1, 1, 1, 1\) and \(1, 1, 1, 2\)"):
        Transition.from_lists(np.zeros((1, 1, 1, 1), dtype=int), np.ones((1, 1, 1, 2)))


def test_lists_built_by_hand_can_be_checked():
    wrong = Transition(np.full((1, 1, 1, 1), 3, dtype=np.int32), np.ones((1, 1, 1, 1)))
    with pytest.raises(GameError, match=r"P\.successors: expected states in 0\.\.0, got 3"):
        wrong.check("P")
