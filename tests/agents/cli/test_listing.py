"""One line for each environment, leader and follower."""

import json
import os
import re
import subprocess
import sys

from agents.cli.main import main
from agents.followers import follower_names
from agents.leaders import leader_names
from stackelberg_envs.faces.registration import registered_ids, spec
from tests.agents.cli.words import ROOMS


def tables(capsys):
    """Return title -> first word -> line of each table."""
    assert main(["list"]) == 0
    out = capsys.readouterr().out
    assert max(len(line.rstrip()) for line in out.splitlines()) <= int(os.environ["COLUMNS"])
    parts = re.split(r"^(Environments|Leaders|Followers) *\n", out, flags=re.MULTILINE)[1:]
    lines = [part.partition("\n\n")[0].splitlines()[1:] for part in parts[1::2]]
    return {title: {line.split()[0]: line for line in part} for title, part in zip(parts[::2], lines, strict=True)}


def test_each_item_has_one_line_of_eighty_columns(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    found = tables(capsys)
    assert list(found["Environments"]) == registered_ids()
    assert list(found["Leaders"])[: len(leader_names())] == leader_names()
    assert list(found["Followers"]) == follower_names()
    column = max(map(len, registered_ids())) + 2
    assert found["Environments"][ROOMS].rstrip() == f"{ROOMS:{column}}A leader sets charges on a map, so that a ..."
    # Where the words before the colon are not the name in the id they stay.
    assert "Random games of any size" in found["Environments"]["stackelberg/RandomTabular-v1"]
    assert not any(line.endswith("...") for part in ("Leaders", "Followers") for line in found[part].values())


def test_a_wide_terminal_shows_whole_summaries(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "400")
    assert main(["list"]) == 0
    out = capsys.readouterr().out
    assert " ..." not in out
    assert spec(ROOMS).summary.partition(": a leader ")[2] in out


def test_leaders_are_listed_with_what_they_see(capsys):
    found = tables(capsys)["Leaders"]
    sees = {name: found[name].split()[1] for name in leader_names()}
    assert (sees["bchg"], sees["naive"], sees["certainty_equivalent"], sees["exact"]) == ("0-1", "0", "1", "4")
    assert found["1"] == "  1 REWARDS_OBSERVED: states, actions, its own reward and the follower's"


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
