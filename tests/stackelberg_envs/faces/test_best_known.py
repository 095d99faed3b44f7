"""The file of best known commitments: plain data, worth what it says, and facts of the games of its settings alone."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

import stackelberg_envs as se
from agents.benchmark.submission import read_submission
from stackelberg_envs.errors import GameError
from stackelberg_envs.faces import best_known as module
from stackelberg_envs.faces.best_known import FILE, BestKnown, as_entry, best_known, entries, known_facts, read
from tests.games import interacting_game
from tests.house import ROOT

TOY, ROOMS = "stackelberg/DiscreteToy-v1", "stackelberg/FourRooms-v0"
ENTRIES = entries()


def game_of(entry):
    """Return the game of an entry; its arguments are the game's own."""
    return se.make_game(entry.id, **entry.arguments)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: f"{entry.id.partition('/')[2]}-{ENTRIES.index(entry)}")
def test_every_entry_is_worth_what_it_says_and_is_a_fact_of_its_game(entry):
    arguments = dict(entry.arguments)
    game = game_of(entry)
    assert game.facts["setting"] == arguments
    assert game.facts["best_known"] == entry.value
    np.testing.assert_array_equal(game.facts["best_commitment"], entry.commitment)
    if game.has_solution and not entry.id.startswith("stackelberg/TaxDesign"):  # which takes longer: its own tests
        value = se.solve(game, entry.commitment).leader_value
        assert value == pytest.approx(entry.value, rel=1e-7, abs=1e-9)


def test_settings_are_told_apart_by_what_the_value_depends_on_only():
    assert se.make_game(TOY, horizon=9).facts["best_known"] == se.make_game(TOY).facts["best_known"]
    assert "best_known" not in se.make_game(TOY, temperature=0.06).facts
    assert se.make_game(ROOMS, follower_slip=0.33, goals=[[1, 9]]).facts["best_known"] > 0.6
    assert "best_known" not in se.make_game(ROOMS, penalty=2.0).facts


def test_numbers_that_are_equal_make_one_setting():
    assert best_known(TOY, se.make_game(TOY).facts["setting"]) is best_known(
        TOY, se.make_game(TOY, reward=1).facts["setting"]
    )


def test_nobody_on_the_leaderboard_is_above_the_best_known_value():
    folder, found = ROOT / "docs" / "leaderboard" / "entries", {}
    for archive in sorted(folder.glob("*.zip")):
        for record in read_submission(archive).records:
            if record.result is not None and record.result.leader_value is not None and record.result.is_exact:
                setting = record.job.game, json.dumps(record.job.game_arguments)
                found[setting] = max(found.get(setting, -np.inf), record.result.leader_value)
    assert found
    for (spec_id, arguments), value in found.items():
        known = se.spec(spec_id).make(**json.loads(arguments)).facts["best_known"]
        assert value <= known + 1e-6 * abs(known)


def test_a_commitment_outside_the_bounds_is_not_the_best_one():
    setting = se.make_game("stackelberg/TaxDesign-v0").facts["setting"]
    assert "best_known" in known_facts("stackelberg/TaxDesign-v0", high=2.0, **setting)
    assert "best_known" not in known_facts("stackelberg/TaxDesign-v0", high=0.5, **setting)


def test_an_entry_is_read_as_it_was_written(tmp_path):
    made = BestKnown("mine/Game-v0", {"a": [1, 0.5]}, 2.5, np.array([[0.1, 1 / 3]]), "by hand", "2026-11-28", 0.1)
    path = tmp_path / "known.json"
    path.write_text(json.dumps([as_entry(made)]))
    (found,) = read(path)
    assert as_entry(found) == as_entry(made)
    assert found.standard_error == 0.1
    assert "standard_error" not in as_entry(ENTRIES[0])
    assert found.status == "best known"
    assert as_entry(replace(made, status="closed form"))["status"] == "closed form"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "expected a readable file"),
        ("{}", "expected a list"),
        ("[1]", "entry 0"),
        ('[{"id": "a"}]', "entry 0"),
        (json.dumps([{**as_entry(ENTRIES[0]), "value": None}]), "entry 0"),
        (json.dumps([{**as_entry(ENTRIES[0]), "value": float("nan")}]), "entry 0"),
        (json.dumps([{**as_entry(ENTRIES[0]), "more": 1}]), "entry 0"),
        (json.dumps([{**as_entry(ENTRIES[0]), "status": "sure"}]), "entry 0: expected a status among closed form"),
        (json.dumps([as_entry(ENTRIES[0]), {**as_entry(ENTRIES[0]), "arguments": 3}]), "entry 1"),
    ],
)
def test_a_damaged_file_is_refused_with_the_place(tmp_path, text, message):
    path = tmp_path / "known.json"
    path.write_text(text)
    with pytest.raises(GameError, match=message):
        read(path)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(GameError, match="expected a readable file"):
        read(tmp_path / "nowhere.json")


def test_importing_the_package_does_not_read_the_file():
    code = f"import sys, stackelberg_envs; sys.exit({module.__name__!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert FILE.is_file()


@pytest.mark.parametrize("name", [TOY, "stackelberg/TaxDesign-v0", "stackelberg/BilevelLqr-v1"])
def test_what_is_known_of_a_game_is_not_known_of_one_with_other_values(name):
    known = {"setting", "best_known", "best_commitment"}
    game = se.make_game(name)
    assert known <= game.facts.keys()
    warm = game.replace(temperature=2 * game.temperature)
    assert warm.facts.keys() == game.facts.keys() - known - {"reference"}
    assert game.replace(num_followers=1, name="mine").facts["best_known"] == game.facts["best_known"]
    assert game.replace(temperature=0.3, facts={"best_known": 2.0}).facts == {"best_known": 2.0}


def test_games_of_interacting_followers_forget_it_too():
    game = interacting_game(facts={"best_known": 1.0, "reference": {"value": 1.0}, "states": "abcd"})
    assert game.replace(zero_sum=False, temperature=0.5).facts == {"states": "abcd"}
    assert game.replace(horizon=3, name="mine").facts == game.facts
