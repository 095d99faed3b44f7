"""The faces of a game: by name, and taken apart as modules of environments do."""

import pytest

import stackelberg_envs as se
from stackelberg_envs.errors import ArgumentError
from stackelberg_envs.faces.constructors import FACE_ENTRY_POINTS, Faces, load, options_of


def test_seven_are_taken_apart_and_all_are_there_by_name():
    faces = Faces(**{name: name for name in FACE_ENTRY_POINTS})
    seven = ["raw_env", "env", "parallel_env", "followers_env", "follower_env", "leader_env", "vector_env"]
    assert list(faces) == seven
    assert set(vars(faces)) == {*seven, "followers_aec_env", "leader_vector_env", "parallel_vector_env"}


@pytest.mark.parametrize("face", FACE_ENTRY_POINTS)
def test_every_face_is_a_function_of_the_package_and_says_what_it_takes(face):
    assert callable(getattr(se, face))
    assert "observe_commitment" in options_of(load(FACE_ENTRY_POINTS[face]))
    assert not {"game", "renderer", "name"} & options_of(load(FACE_ENTRY_POINTS[face]))


@pytest.mark.parametrize("entry_point", ["no_such_module:make", "json:nothing", "json"])
def test_an_entry_point_that_names_nothing_is_refused(entry_point):
    with pytest.raises(ArgumentError, match="entry point: expected 'module:name', got"):
        load(entry_point)
