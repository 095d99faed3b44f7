"""Checks at the door: what is refused, with which words, and what is left untouched."""

import numpy as np
import pytest

from stackelberg_envs import arrays
from stackelberg_envs.errors import ArgumentError, CommitmentError, GameError


def test_float32_is_converted_and_the_original_stays():
    given = np.ones((2, 2), dtype=np.float32)
    array = arrays.as_float(given, "x")
    array[0, 0] = 5
    assert array.dtype == np.float64
    assert given[0, 0] == 1


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_the_first_number_that_is_not_finite_is_named(bad):
    with pytest.raises(GameError, match=rf"reward: expected finite numbers, got {bad} at index \(1, 0\)"):
        arrays.as_float([[0, 1], [bad, bad]], "reward")


@pytest.mark.parametrize("bad", ["many", [[1, 2], [3]], object()])
def test_what_is_no_array_of_numbers_is_refused(bad):
    with pytest.raises(CommitmentError, match=r"x: expected numbers, got (str|list|object)"):
        arrays.as_float(bad, "x", CommitmentError)


def test_shapes_that_would_do_are_listed():
    with pytest.raises(GameError, match=r"x: expected shape \(2,\) or \(3, 2\), got \(4,\)"):
        arrays.require_shape(np.zeros(4), [(2,), (3, 2)], "x")


def test_rows_off_by_rounding_are_normalised_without_touching_the_argument():
    rows = np.array([[0.5, 0.5 + 5e-7], [0.25, 0.75]])
    before = rows.copy()
    normal = arrays.require_rows_sum_to_one(rows, "x")
    np.testing.assert_allclose(normal.sum(axis=1), 1.0, rtol=1e-15)
    assert (rows == before).all()


def test_the_first_row_that_does_not_sum_to_one_is_named():
    rows = np.full((2, 3, 2), 0.5)
    rows[1, 2] = rows[1, 1] = 0.45
    match = r"x: expected rows that sum to one, got a sum of 0\.9 \(first at state 1, leader action 1\)"
    with pytest.raises(GameError, match=match):
        arrays.require_rows_sum_to_one(rows, "x", axes=("state", "leader action"))


def test_a_single_row_needs_no_place():
    with pytest.raises(GameError, match=r"got a sum of 2$"):
        arrays.require_rows_sum_to_one(np.ones(2), "x")


def test_a_negative_probability_is_named():
    with pytest.raises(GameError, match=r"x: expected probabilities, got -0.5 at index \(0, 1\)"):
        arrays.require_rows_sum_to_one(np.array([[1.5, -0.5]]), "x")


@pytest.mark.parametrize("bad", [1, 1.0, 1.5, -0.1, np.nan, np.inf, "0.9", None, [0.9]])
def test_discounts_outside_zero_to_one_are_refused(bad):
    with pytest.raises(GameError, match=r"gamma: expected a number in \[0, 1\), per play step, got "):
        arrays.require_discount(bad, "gamma")


@pytest.mark.parametrize("good", [0, 0.0, 0.999, np.float32(0.5)])
def test_discounts_are_returned_as_floats(good):
    assert type(arrays.require_discount(good, "gamma")) is float


@pytest.mark.parametrize("bad", [0, -1.0, np.nan, np.inf, "1", None])
def test_what_must_be_positive_is(bad):
    with pytest.raises(GameError, match="temperature: expected a number greater than 0, got "):
        arrays.require_positive(bad, "temperature")


@pytest.mark.parametrize("bad", [0, -1, 1.0, True, "3", None])
def test_counts_are_integers_from_the_least_one(bad):
    with pytest.raises(ArgumentError, match="S: expected an integer of at least 1, got "):
        arrays.require_count(bad, "S")


def test_frozen_arrays_refuse_writes():
    array = arrays.frozen(np.zeros(3))
    with pytest.raises(ValueError, match="read-only"):
        array[0] = 1
