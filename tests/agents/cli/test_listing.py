"""One line for each environment, leader and follower."""

import json
import subprocess
import sys

from agents.cli.main import main
from agents.followers import follower_names
from agents.leaders import leader_names
from stackelberg_envs.faces.registration import registered_ids, spec
from tests.agents.cli.words import ROOMS


def test_each_item_has_one_line_of_eighty_columns(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["list"]) == 0
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert max(map(len, lines)) <= 80
    for name in (*registered_ids(), *leader_names(), *follower_names()):
        [line] = [line for line in lines if line.split()[:1] == [name]]
        assert len(line) > 40
    [rooms] = [line for line in lines if line.startswith(ROOMS)]
    assert rooms == f"{ROOMS}        Four-Rooms: a leader pays a walker to come ..."


def test_a_wide_terminal_shows_whole_summaries(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "400")
    assert main(["list"]) == 0
    out = capsys.readouterr().out
    assert " ..." not in out
    assert spec(ROOMS).summary in out


def test_leaders_are_listed_with_what_they_see(capsys):
    assert main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    sees = {
        line.split()[0]: line.split()[1] for line in lines if line.split()[:1] in ([name] for name in leader_names())
    }
    assert (sees["bchg"], sees["naive"], sees["certainty_equivalent"], sees["exact"]) == ("0-1", "0", "1", "4")
    assert "  1 REWARDS_OBSERVED: states, actions, its own reward and the follower's" in lines


SUMMARIES = """
import json
from agents.followers import follower_class, follower_names
from agents.leaders import leader_class, leader_names
from stackelberg_envs.docstrings import docstring_of, summary_of
from stackelberg_envs.faces.registration import registered_ids, spec
kinds = [*map(leader_class, leader_names()), *map(follower_class, follower_names())]
games = [spec(name) for name in registered_ids() if name.startswith("stackelberg/")]
found = [[summary_of(kind) for kind in kinds], [[game.summary, docstring_of(game.make_game)] for game in games]]
"""


def test_descriptions_are_there_without_docstrings():
    here = {}
    exec(SUMMARIES, here)  # noqa: S102 - the same lines in this process
    code = SUMMARIES + "print(json.dumps(found))"
    done = subprocess.run([sys.executable, "-OO", "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == here["found"]
    assert all(here["found"][0])
