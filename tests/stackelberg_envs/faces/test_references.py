"""Reference values are plain data with a status that everybody knows."""

import json

import pytest

import stackelberg_envs as se
from stackelberg_envs.errors import ArgumentError
from stackelberg_envs.faces.references import STATUSES, Reference


@pytest.mark.parametrize("status", STATUSES)
def test_a_reference_is_plain_data(status):
    fact = Reference(3.5, status, "temperature 0", "by hand").as_fact()
    assert json.loads(json.dumps(fact)) == fact
    assert fact["status"] == status


def test_an_unknown_status_is_refused():
    with pytest.raises(ArgumentError, match=r"status: expected one of 'closed form', .*, got 'sure'"):
        Reference(3.5, "sure", "temperature 0", "by hand")


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("Wholesale", {}),
        ("Wholesale", {"temperature": 0.01}),
        ("Wholesale", {"slope": 7.0}),
        ("Duopoly", {}),
        ("Duopoly", {"temperature": 2e4}),
        ("PostedPrice", {}),
        ("PostedPrice", {"temperature": 0.04}),
    ],
)
def test_a_formula_is_that_of_the_game_where_it_says_so(name, arguments):
    """By a second method: a search of the game itself."""
    game = se.make_game(f"stackelberg/{name}-v0", **arguments)
    assert "this temperature" in game.facts["reference"]["meaning"]
    found = se.best_commitment(game, evaluations=300, seed=0)
    assert found.value == pytest.approx(game.facts["reference"]["value"], rel=1e-5)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("Wholesale", {"temperature": 2.0}),
        ("Wholesale", {"quantities": 5}),
        ("Wholesale", {"unit_cost": 9.9}),
        ("Duopoly", {"temperature": 1e6}),
        ("Duopoly", {"outputs": 5}),
        ("PostedPrice", {"temperature": 0.5}),
        ("PostedPrice", {"values": 7}),
    ],
)
def test_where_it_is_not_it_says_that_it_is_of_a_follower_without_errors(name, arguments):
    game = se.make_game(f"stackelberg/{name}-v0", **arguments)
    assert "without errors" in game.facts["reference"]["meaning"]
    value = game.facts["reference"]["value"]
    assert abs(se.best_commitment(game, evaluations=300, seed=0).value / value - 1.0) > 0.005
