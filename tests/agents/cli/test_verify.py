"""Best known values by the command line, and runs that end above them."""

import dataclasses
import json

import numpy as np
import pytest

import stackelberg_envs as se
from agents.cli.main import main
from agents.runs import verification
from stackelberg_envs.faces import registration
from stackelberg_envs.faces.best_known import best_known
from tests.agents.cli.words import TOY, refused

KNOWN = best_known(TOY, se.make_game(TOY).facts["setting"])


def test_what_agrees_ends_with_0(capsys):
    assert main(["verify", TOY, "--set", "horizon=20", "--seed", "2"]) == 0
    out = capsys.readouterr().out
    for line in ("Known: J = 34.992641, by best_commitment", "Exact: 34.992641", "By play: ", "0.0001 false alarms"):
        assert line in out
    assert "Yardstick: 34.992641, the end of 5 of 5 starts" in out
    assert out.endswith("Everything agrees.\n")


def test_what_disagrees_ends_with_1_and_offers_the_entry(capsys, monkeypatch):
    x = np.full((3, 2), 0.5)
    worse = dataclasses.replace(KNOWN, commitment=x, value=se.solve(se.make_game(TOY), x).leader_value)
    monkeypatch.setattr(verification, "entries", lambda: [worse])
    assert main(["verify", TOY, "--evaluations", "1"]) == 1
    out = capsys.readouterr().out
    assert "Disagrees: the yardstick finds a better one, worth 34.9926" in out
    assert "agrees." not in out
    assert json.loads(out.splitlines()[-1])["arguments"] == KNOWN.arguments


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["verify", TOY, "--set", "temperature=0.07"], "expected arguments for which a best value"),
        (["verify", "stackelberg/DiscreteTy-v0"], "did you mean"),
        (["verify", TOY, "--seed", "-1"], "--seed"),
        (["verify"], "required: ID"),
    ],
)
def test_what_is_wrong_is_refused_in_one_line(words, says, capsys):
    assert says in refused(capsys, *words)


def test_a_run_that_ends_above_the_best_known_value_says_so_and_offers_the_entry(capsys, monkeypatch):
    facts = se.make_game(TOY).facts
    make_game = se.spec(TOY).make_game
    told = {**facts, "best_known": 30.0}
    spec = dataclasses.replace(se.spec(TOY), make_game=lambda **options: make_game(**options).replace(facts=told))
    monkeypatch.setitem(registration._SPECS, TOY, spec)
    assert main(["run", TOY, "--leader", "exact", "--updates", "40", "--steps-per-update", "5"]) == 0
    out = capsys.readouterr().out
    assert "New best known value: J = 34.9926" in out
    entry = json.loads(next(line for line in out.splitlines() if line.startswith("{")))
    assert entry["found_by"] == "exact, seed 0"
    assert entry["arguments"] == KNOWN.arguments
