"""Rows of probabilities: normalised, or refused with their state."""

import numpy as np
import pytest

from stackelberg_envs.errors import CommitmentError
from stackelberg_envs.games.commitments.policy_table import PolicyTable

S, A, B, K = 4, 2, 3, 2


def test_policy_rows_off_by_rounding_are_normalised():
    table = np.full((S, 3), 1 / 3, dtype=np.float32)
    np.testing.assert_allclose(PolicyTable(S, 3).check(table).sum(axis=1), 1.0, rtol=1e-15)


def test_a_policy_row_of_zeros_becomes_uniform():
    table = np.zeros((2, 4))
    table[1, 2] = 1
    np.testing.assert_array_equal(PolicyTable(2, 4).check(table), [[0.25] * 4, [0, 0, 1, 0]])


def test_a_negative_policy_entry_is_refused_with_its_state():
    table = np.full((S, 2), 0.5)
    table[2] = (1.5, -0.5)
    table[3] = (-1, 2)
    with pytest.raises(CommitmentError, match=r"expected a value in \[0, 1\], got 1\.5 at index \(2, 0\)"):
        PolicyTable(S, 2).check(table)
    table[2] = (-0.1, 1)
    with pytest.raises(CommitmentError, match=r"expected a value in \[0, 1\], got -0\.1 at index \(2, 0\)"):
        PolicyTable(S, 2).check(table)


def test_a_policy_row_of_another_sum_is_refused_with_its_state():
    table = np.full((S, 2), 0.5)
    table[1] = 0.4
    with pytest.raises(CommitmentError, match=r"rows that sum to one, got a sum of 0\.8 at row 1"):
        PolicyTable(S, 2).check(table)


def test_projection_of_a_policy_normalises_its_rows():
    found = PolicyTable(3, 2).project([[0.2, 0.2], [-1, 0.3], [-1, -1]])
    np.testing.assert_allclose(found, [[0.5, 0.5], [0, 1], [0.5, 0.5]])
