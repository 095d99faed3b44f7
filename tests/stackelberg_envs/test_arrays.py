"""Checks at the door: what is refused, with which words, and what is left untouched."""

import numpy as np
import pytest
import scipy.sparse

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


LADEN = {
    "masked": np.ma.masked_equal([1.0, -999.0], -999.0),
    "masked inside a list": [np.ma.masked_equal([1.0, -999.0], -999.0), [0.0, 1.0]],
    "complex": np.array([1.0 + 0j]),
    "complex numbers in a list": [1.0, 2j],
    "durations": np.array([1], dtype="timedelta64[D]"),
    "dates": np.array(["2020-01-01"], dtype="datetime64[D]"),
    "objects": np.array([1.0, None], dtype=object),
    "numbers as objects": np.array([1.0, 2.0], dtype=object),
    "text": ["1", "2"],
    "bytes": [b"1"],
    "records": np.zeros(2, dtype=[("a", float)]),
    "ragged": [[1.0, 2.0], [3.0]],
    "sparse": scipy.sparse.eye(2),
    "an integer beyond 64 bits": 10**30,
    "integers beyond 64 bits": [10**30, 1],
    "beyond what can be squared": [1e200],
    "wider than float64": np.array([np.longdouble("1e4000")]) if np.finfo(np.longdouble).maxexp > 1024 else [np.inf],
    "a flag": True,
    "nothing": None,
    "a dict": {"a": 1.0},
    "a set": {1.0},
}


@pytest.mark.parametrize("kind", LADEN)
@pytest.mark.parametrize("error", [GameError, CommitmentError, ArgumentError])
def test_what_would_lose_its_meaning_is_refused(kind, error):
    with pytest.raises(error, match=r"^x: expected "):
        arrays.as_float(LADEN[kind], "x", error)


def test_an_array_of_a_class_of_its_own_is_refused():
    class Metres(np.ndarray):
        """An array with a unit."""

    with pytest.raises(GameError, match=r"x: expected numbers in a plain array, got Metres; convert it first"):
        arrays.as_float(np.ones(2).view(Metres), "x")


def test_arrays_of_flags_are_ones_and_zeros_unless_values_are_meant():
    flags = np.array([True, False])
    np.testing.assert_array_equal(arrays.as_float(flags, "x"), [1.0, 0.0])
    with pytest.raises(CommitmentError, match=r"x: expected numbers, got True and False"):
        arrays.as_float(flags, "x", CommitmentError, booleans=False)


@pytest.mark.parametrize("bad", [[1.0], [True], ["1"], [2**70], np.ma.masked_equal([1, 2], 2), np.uint64([2**64 - 1])])
def test_what_are_no_integers_are_refused(bad):
    with pytest.raises(GameError, match=r"^x: expected integers|^x: expected numbers in a plain array"):
        arrays.as_integers(bad, "x")


@pytest.mark.parametrize("bad", ["no", "", [], 0, 1, None, np.array(True)])
def test_flags_are_true_or_false(bad):
    with pytest.raises(ArgumentError, match=r"verbose: expected True or False, got "):
        arrays.require_flag(bad, "verbose")


def test_flags_of_numpy_are_flags():
    assert arrays.require_flag(np.bool_(False), "verbose") is False


@pytest.mark.parametrize("bad", [True, 10**30, 10**400, 1e200, 1 + 0j, np.datetime64("2020-01-01"), [1.0]])
def test_numbers_are_numbers(bad):
    for check in (arrays.require_number, arrays.require_positive):
        with pytest.raises(GameError, match=r"^x: expected "):
            check(bad, "x")
    with pytest.raises(GameError, match=r"^temperature: expected "):
        arrays.require_temperature(bad)
    with pytest.raises(ArgumentError, match=r"^x: expected "):
        arrays.require_at_least(bad, 0.0, "x")


@pytest.mark.parametrize("bad", [5e-324, 1e-310, 1e-200])
def test_temperatures_by_which_nothing_can_be_divided_are_refused(bad):
    with pytest.raises(GameError, match=r"temperature: expected at least 1e-150, in reward units, got "):
        arrays.require_temperature(bad)


@pytest.mark.parametrize("bad", [2**63, 10**400])
def test_counts_have_a_greatest_number(bad):
    with pytest.raises(ArgumentError, match=r"S: expected an integer of at most "):
        arrays.require_count(bad, "S")


def test_what_nobody_else_can_write_to_is_not_copied():
    kept = arrays.frozen(np.ones(3))
    assert arrays.own(kept) is kept
    mine = np.ones(3)
    view = mine[:]
    view.flags.writeable = False
    copied = arrays.own(view)
    mine[0] = 5.0
    assert copied[0] == 1.0


def test_facts_are_copied_at_any_depth():
    cells = np.zeros(2)
    given = {"cells": cells, "map": [cells, {"inner": cells}]}
    facts = arrays.own_facts(given)
    cells[0] = 5.0
    given["map"].append("more")
    assert facts["cells"][0] == facts["map"][0][0] == facts["map"][1]["inner"][0] == 0.0
    assert len(facts["map"]) == 2
    with pytest.raises(GameError, match=r"facts: expected a dict"):
        arrays.own_facts([1])


@pytest.mark.parametrize(
    ("kind", "expected"), [(np.float32, np.float32), (np.float64, np.float64), (np.int64, np.float64)]
)
def test_a_ratio_keeps_the_precision_and_is_zero_where_nothing_divides(kind, expected):
    found = arrays.ratio(np.array([[1, 2, 3]], kind), np.array([[2], [0]], kind))
    np.testing.assert_array_equal(found, [[0.5, 1.0, 1.5], [0.0, 0.0, 0.0]])
    assert found.dtype == expected


def test_messages_have_one_line_whatever_came():
    with pytest.raises(GameError) as refused:
        arrays.require_positive(np.zeros((2, 2)), "slope")
    assert str(refused.value) == "slope: expected a number greater than 0, got array([[0., 0.], [0., 0.]])"
