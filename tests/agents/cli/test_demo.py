"""The demonstration is a run like any other."""

import json
import shlex

import pytest

from agents.cli import demo, run_game
from agents.cli.main import command_parser, main
from agents.cli.values import words_of
from tests.agents.cli.words import ROOMS


@pytest.fixture
def small_demo(monkeypatch):
    monkeypatch.setattr(demo, "DEMO", {**demo.DEMO, "updates": 3, "steps_per_update": 200})


def test_the_demo_explains_itself_and_prints_a_command_that_repeats_it(tmp_path, capsys, small_demo):
    assert main(["demo", "--output", str(tmp_path / "demo")]) == 0
    out = capsys.readouterr().out
    assert "sees only trajectories" in out
    assert "Leader return is what the leader earns" in out
    assert (tmp_path / "demo" / "run.png").exists()
    command = out.strip().splitlines()[-1].strip()
    assert command.startswith(f"stackelberg run {ROOMS} ")
    again = command.replace(str(tmp_path / "demo"), str(tmp_path / "again"))
    assert main(shlex.split(again)[1:]) == 0
    first, second = (json.loads((tmp_path / name / "record.json").read_text()) for name in ("demo", "again"))
    for part in (first, second):
        del part["seconds"]
    assert first == second


def test_the_demo_has_no_options_of_its_own():
    assert demo.DEMO == {"game": ROOMS}


def test_the_demo_is_the_run_it_declares():
    options = command_parser().parse_args(words_of(demo.DEMO))
    _, _, arguments = run_game._checked_run(options)
    assert options.id == demo.DEMO["game"]
    for name, value in demo.DEMO.items():
        if name != "game":
            assert arguments[name] == value
