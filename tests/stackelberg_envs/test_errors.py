"""The error tree: one base class, and built-in classes for callers who know no better."""

import pickle

import pytest

from stackelberg_envs import errors

LEAVES = {
    "GameError": ValueError,
    "CommitmentError": ValueError,
    "ActionError": ValueError,
    "ArgumentError": ValueError,
    "ConformityError": AssertionError,
    "PhaseError": RuntimeError,
    "InstabilityError": ValueError,
    "LeaderProcessError": RuntimeError,
    "ConvergenceError": RuntimeError,
    "UnknownNameError": KeyError,
    "InformationError": PermissionError,
    "OutputError": OSError,
    "MissingExtraError": ImportError,
}


@pytest.mark.parametrize(("name", "builtin"), LEAVES.items())
def test_each_error_is_ours_and_a_builtin_and_keeps_its_message(name, builtin):
    error = getattr(errors, name)("expected this, got that, here")
    assert isinstance(error, errors.StackelbergError)
    assert isinstance(error, builtin)
    assert str(error) == "expected this, got that, here"
    assert str(pickle.loads(pickle.dumps(error))) == str(error)  # noqa: S301 (our own bytes)


def test_the_tree_in_the_docstring_is_complete():
    drawn = {word for word in errors.__doc__.split() if word.endswith("Error") and word in LEAVES}
    assert drawn == set(LEAVES) == set(errors.__all__) - {"StackelbergError", "unknown_name"}


def test_unknown_names_come_with_the_nearest_ones():
    error = errors.unknown_name("environment", "four_room", ["four_rooms", "toy"])
    assert str(error) == "unknown environment 'four_room'; did you mean 'four_rooms'?"


def test_unknown_names_without_a_near_one_list_all():
    assert str(errors.unknown_name("leader", "zzz", ["b", "a"])) == "unknown leader 'zzz'; known: 'a', 'b'"


def test_the_spectral_radius_survives_a_trip_to_another_process():
    error = pickle.loads(pickle.dumps(errors.InstabilityError("unstable", 1.25)))  # noqa: S301 (our own bytes)
    assert error.spectral_radius == 1.25
