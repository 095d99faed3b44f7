from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pytest
from msgspec import Meta

from stackelberg_envs.errors import ArgumentError, OutputError
from stackelberg_envs.validation import checked, checked_path, hints_of, shown, words_for

Positive = Annotated[float, Meta(gt=0)]
Count = Annotated[int, Meta(ge=1, le=100)]
Start = Literal["zeros", "random"] | list[float]


@pytest.mark.parametrize(
    ("value", "hint", "found"),
    [
        (1, float, 1.0),
        (np.float32(0.5), float, 0.5),
        (np.float64(0.5), Positive, 0.5),
        (np.int64(3), int, 3),
        (np.uint8(3), Count, 3),
        (np.bool_(True), bool, True),
        (np.str_("zeros"), Start, "zeros"),
        (np.array([1.0, 2.0]), Start, [1.0, 2.0]),
        (np.array([1, 2], dtype=np.int32), tuple[float, ...], (1.0, 2.0)),
        ((1, np.float64(2.0)), list[float], [1.0, 2.0]),
        (None, Positive | None, None),
        (10**30, int, 10**30),
        ({"a": np.float64(1.0)}, dict[str, Any], {"a": 1.0}),
    ],
)
def test_what_is_meant_is_taken_as_pythons_own(value, hint, found):
    got = checked(value, hint, "it")
    assert got == found
    assert type(got) is type(found)


@pytest.mark.parametrize(
    ("value", "hint", "message"),
    [
        (True, float, "it: expected a finite number, got True"),
        (np.bool_(True), int, "it: expected an integer, got "),
        ("0.1", float, "it: expected a finite number, got '0.1'"),
        (float("nan"), Positive, "it: expected a number greater than 0, got nan"),
        (np.float64("inf"), float, "it: expected a finite number, got "),
        (10**400, float, "it: expected a finite number, got 1000"),
        pytest.param(10**5000, float, "it: expected a finite number, got an integer of 16610 bits", id="long"),
        (0.0, Positive | None, "it: expected a number greater than 0, got 0.0"),
        ("no", Positive | None, "it: expected a number greater than 0 or None, got 'no'"),
        (3.0, int, "it: expected an integer, got 3.0"),
        (0, Count, "it: expected an integer of at least 1, got 0"),
        (10**30, Count, r"it: expected an integer in \[1, 100\], got 1000"),
        ("", bool, "it: expected True or False, got ''"),
        (1, bool, "it: expected True or False, got 1"),
        ("x", Start, "it: expected 'zeros', 'random' or a list of numbers, got 'x'"),
        ([1.0, float("nan")], Start, r"it: expected 'zeros', 'random' or a list of numbers, got \[1.0, nan\]"),
        ([1.0, "a"], list[float], r"it: expected a list of numbers, got \[1.0, 'a'\] \(at \[1\]\)"),
        ({}, Start, "got {}"),
        (range(3), list[float], r"got range\(0, 3\)"),
        ({0.5, 0.1}, list[float], "it: expected a list of numbers, got {"),
        ([1.0, 2.0, 3.0], tuple[float, float], r"it: expected a list of 2 numbers, got \[1.0, 2.0, 3.0\]"),
        (np.ma.masked_array([1.0], mask=True), list[float], "it: expected a list of numbers, got"),
        (np.timedelta64(3, "s"), int, "it: expected an integer, got"),
        (np.array(["a"]), list[float], "it: expected a list of numbers, got"),
        ("\ud800", Start, "it: expected 'zeros', "),
        (3, str, "it: expected a word, got 3"),
        ([1], dict[str, Any], r"it: expected a dict, got \[1\]"),
        ({3: 3}, dict[str, Any], "it: expected a dict, got {3: 3}"),
    ],
)
def test_what_is_not_is_refused_with_what_was_expected_and_what_came(value, hint, message):
    with pytest.raises(ArgumentError, match=message):
        checked(value, hint, "it")


class Hostile:
    def __repr__(self):
        raise RuntimeError("no")

    def __getattr__(self, name):
        raise RuntimeError("no")


def test_strangers_objects_are_refused_whatever_they_do():
    with pytest.raises(ArgumentError, match="it: expected a dict, got <Hostile instance"):
        checked(Hostile(), dict[str, Any], "it")


def test_what_cannot_be_checked_is_let_through():
    array = np.zeros(2)
    assert checked(3, int | np.ndarray, "it") == 3
    assert checked(array, np.ndarray, "it") is array
    assert checked(array, np.ndarray | None, "it") is array
    assert checked(len, Callable[[int], int], "it") is len
    assert checked({1}, set[int], "it") == {1}
    with pytest.raises(ArgumentError, match="it: expected ndarray, got 3"):
        checked(3, np.ndarray, "it")


def test_words_for_people():
    assert words_for(Annotated[float, Meta(ge=0, lt=1)]) == "a number in [0, 1)"
    assert words_for(Sequence[Positive]) == "a list of numbers greater than 0"
    assert words_for(tuple[Literal["a", "b"], ...]) == "a list of words among 'a', 'b'"
    assert words_for(Annotated[tuple[int, ...], Meta(min_length=1)]) == "a list of integers, at least one"


def test_what_came_is_shown_in_at_most_a_line():
    for value in (
        "a\nb" * 1_000,
        list(range(10_000)),
        np.zeros((300, 300)),
        np.zeros((2, 2)),
        {i: [i] * 50 for i in range(99)},
        10**5_000,
    ):
        assert len(shown(value)) < 300
        assert "\n" not in shown(value)


def test_annotations_that_cannot_be_read_are_none_and_spoil_no_other():
    @dataclass
    class Config:
        rate: "Positive" = 0.1
        other: "NoSuchThing" = 0  # type: ignore[name-defined] # noqa: F821

    assert hints_of(Config) == {"rate": Positive, "other": Any}


def test_paths():
    assert checked_path("a/b", "it") == Path("a/b")
    assert checked_path(Path("a"), "it") == Path("a")
    for value in (3, None, "", b"a", "a\0b", "\ud800", True):
        with pytest.raises(OutputError, match="it: expected a path"):
            checked_path(value, "it", OutputError)
