"""Best known values computed again: what agrees, and each thing that may not."""

import dataclasses
import json

import numpy as np
import pytest

import agents
import stackelberg_envs as se
from agents.runs import verification as module
from agents.runs.summary import in_words
from agents.runs.verification import EPISODES, as_played, entry_in_words, entry_of, verify
from stackelberg_envs.errors import ArgumentError
from stackelberg_envs.faces.best_known import BestKnown, best_known
from stackelberg_envs.faces.references import Reference

TOY = "stackelberg/DiscreteToy-v1"
KNOWN = best_known(TOY, se.make_game(TOY).facts["setting"])


def with_entry(monkeypatch, **changes):
    monkeypatch.setattr(module, "entries", lambda: [dataclasses.replace(KNOWN, **changes)])


def test_a_right_entry_agrees_exactly_by_play_and_with_the_yardstick():
    told = []
    made = verify(TOY, seed=3, progress=told.append)
    assert made.disagreements == []
    assert made.better is None
    assert made.exact == pytest.approx(KNOWN.value, abs=1e-9)
    assert abs(made.played - made.episode) <= made.room < 0.01 * made.episode
    assert len(told) == made.found.starts


def test_an_earlier_id_is_verified_as_the_game_that_it_is():
    made = verify(TOY.replace("v1", "v0"), evaluations=50)
    assert made.exact == pytest.approx(KNOWN.value, abs=1e-9)
    assert made.disagreements == []


def test_a_value_that_is_not_that_of_the_commitment_disagrees(monkeypatch):
    with_entry(monkeypatch, value=KNOWN.value - 1.0)
    made = verify(TOY)
    assert "the commitment is worth 34.9926" in made.disagreements[0]
    assert "finds a better one" in made.disagreements[1]
    assert made.better.value == pytest.approx(KNOWN.value)


def test_a_commitment_that_is_not_the_best_is_replaced_by_an_entry(monkeypatch):
    x = np.full((3, 2), 0.5)
    value = se.solve(se.make_game(TOY), x).leader_value
    with_entry(monkeypatch, commitment=x, value=value)
    made = verify(TOY)
    assert [fault.partition(",")[0] for fault in made.disagreements] == ["the yardstick finds a better one"]
    text = entry_in_words(made.better)
    entry = json.loads(text.splitlines()[1])
    assert entry["arguments"] == KNOWN.arguments
    assert entry["value"] == made.found.value
    assert entry["found_by"] == "best_commitment, 5 of 5 starts"


def test_what_the_yardstick_does_not_find_is_said(monkeypatch):
    found = dataclasses.replace(verify(TOY).found, value=30.0)
    monkeypatch.setattr(module, "best_commitment", lambda *_, **__: found)
    assert verify(TOY).disagreements == ["the yardstick does not find it: the best of its 5 starts is 30"]


def test_play_of_another_game_is_told_from_its_exact_values():
    """Of 40 seeds none is off by chance: the probability of that is 1 - 40 / 10,000."""
    game = se.make_game(TOY)
    solution = se.solve(game, KNOWN.commitment)
    right = solution.episode.leader_value
    for seed in range(40):
        played, room = as_played(game, solution, seed)
        assert abs(played - right) <= room
    worse = se.solve(game, np.array([[0.5, 0.5], [0.87, 0.13], [0.5, 0.5]]))
    played, room = as_played(game, worse, 0)
    assert abs(played - right) > room
    assert EPISODES == 2_000


def test_vector_games_are_verified_too():
    assert verify("stackelberg/BuildingThermal-v1").disagreements == []


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        (TOY, {"temperature": 0.07}, "expected arguments for which a best value"),
        ("stackelberg/GuidedPendulum-v0", {}, "expected a game with an exact solution"),
    ],
)
def test_what_is_not_known_is_refused_before_any_work(name, arguments, message, monkeypatch):
    monkeypatch.setattr(module, "solve", None)
    with pytest.raises(ArgumentError, match=message):
        verify(name, **arguments)


def test_a_game_without_an_exact_solution_is_refused(monkeypatch):
    name = "stackelberg/GuidedPendulum-v0"
    game = se.make_game(name)
    entry = BestKnown(name, game.facts.get("setting"), 1.0, game.commitment.low, "by play", "2026-11-28", 0.1)
    monkeypatch.setattr(module, "entries", lambda: [entry])
    with pytest.raises(ArgumentError, match="expected a game with an exact solution"):
        verify(name)


def test_a_run_that_ends_above_the_best_known_value_offers_an_entry():
    game = se.make_game(TOY)
    record = agents.run(TOY, leader="exact", updates=40, steps_per_update=10)
    assert entry_of(record, game) is None
    below = dataclasses.replace(record, best_known=30.0)
    entry = entry_of(below, game)
    assert (entry.id, entry.value, entry.found_by) == (TOY, record.leader_value, "exact, seed 0")
    assert entry.arguments == KNOWN.arguments
    assert "It belongs into best_known.json" in entry_in_words(entry)
    assert "more than the best known value, 30.0000: it is a new one" in in_words(below)


def test_the_best_known_value_itself_is_no_new_one():
    game = se.make_game(TOY)
    record = agents.run(TOY, leader="exact", updates=40, steps_per_update=10, best_known=34.9926)
    assert entry_of(record, game) is None


def seven(game):
    """What another way finds for a game that claims to be worth 7."""
    return 7.0


@pytest.mark.parametrize(("claimed", "faults"), [(7.0, 0), (7.1, 1)])
def test_a_reference_value_is_computed_by_another_way(monkeypatch, claimed, faults):
    spec, fact = se.spec(TOY), Reference(claimed, "closed form", "temperature 0", "by hand").as_fact()
    game = spec.make().replace(facts={**spec.make().facts, "reference": fact})
    entry = dataclasses.replace(spec, make_game=lambda: game, reference=f"{__name__}:seven")
    monkeypatch.setattr(module, "spec", lambda _: entry)
    monkeypatch.setattr(module, "load", lambda name: globals()[name.rpartition(":")[2]])
    made = verify(TOY, evaluations=50)
    assert (made.reference, made.again) == (fact, 7.0)
    assert len([fault for fault in made.disagreements if "the reference value is 7, and not 7.1" in fault]) == faults
