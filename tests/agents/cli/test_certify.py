"""Certificates by the command line."""

import pytest

from agents.cli.main import main
from tests.agents.cli.words import ROOMS, TOY, refused

SMALL = ["stackelberg/RandomTabular-v1", "--set", "S=3", "--set", "B=2", "--set", "D=1", "--gap", "0.02"]


@pytest.mark.parametrize(
    ("words", "value", "bound"),
    [
        (SMALL, "J = 10.754969", "No commitment is worth more than 10."),
        ([*SMALL, "--temperature", "0"], "J = 10.282325", "No commitment is worth more than 10.28"),
        pytest.param(
            [TOY, "--gap", "0.001"],
            "J = 34.99264",
            "No commitment is worth more than 35.0",
            marks=pytest.mark.deep,
        ),
    ],
    ids=["small", "temperature 0", "toy"],
)
def test_a_bound_that_is_near_enough_ends_with_0(words, value, bound, capsys):
    assert main(["certify", *words]) == 0
    out = capsys.readouterr().out
    assert f"Best commitment found: {value}" in out
    assert bound in out
    assert "stopped because: gap reached" in out


def test_a_bound_that_is_not_ends_with_1(capsys):
    assert main(["certify", "stackelberg/RandomTabular-v1", "--set", "S=5", "--time-limit", "0"]) == 1
    assert "stopped because: time" in capsys.readouterr().out


def test_where_nothing_was_proven_it_says_so(capsys):
    assert main(["certify", *SMALL, "--temperature", "0", "--time-limit", "0"]) == 1
    out = capsys.readouterr().out
    assert "Nothing is proven yet of what others are worth" in out
    assert "inf" not in out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["certify", TOY, "--temperature", "0.1"], "temperature: expected 0"),
        (["certify", TOY, "--method", "simplex"], "method: expected 'boxes'"),
        (["certify", ROOMS], "free entries of the commitment"),
        (["certify", "stackelberg/BilevelLqr-v1"], "expected a tabular game"),
        (["certify", TOY, "--gap", "-1"], "--gap"),
        (["certify", TOY, "--processes", "0"], "--processes"),
        (["certify"], "required: ID"),
    ],
)
def test_what_is_wrong_is_refused_in_one_line(words, says, capsys):
    assert says in refused(capsys, *words)
