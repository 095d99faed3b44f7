"""Data in TOML: what is written is what is read."""

import tomllib

import pytest

from agents.runs.toml_files import refuse_code, toml_of
from stackelberg_envs.errors import ArgumentError


def test_what_is_written_is_read_again():
    data = {
        "whole": 3,
        "number": 1e-7,
        "yes": True,
        "text": 'a "quoted" \\ ä\n\u2028',
        "list": [1, [2.5, "b"]],
        "empty": [],
        "inline": {"a key": {"deep": False}, "nothing": {}},
        "rows": [{"x": 1, "y": {"z": [1, 2]}}, {"x": 2}],
    }
    assert tomllib.loads(toml_of(data)) == data


def test_nothing_is_no_value():
    with pytest.raises(ArgumentError, match="got None"):
        toml_of({"a": None})


def test_code_is_found_wherever_it_is():
    refuse_code({"a": ["fine", {"b": "mine:Class"}]}, ("mine",), "here")
    with pytest.raises(ArgumentError, match=r"here\.a\[1\]\.b: 'mine\.sub:Class' would import the module 'mine\.sub'"):
        refuse_code({"a": ["fine", {"b": "mine.sub:Class"}]}, ("mine",), "here")
