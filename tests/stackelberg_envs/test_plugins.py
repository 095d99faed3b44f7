"""Installed packages are found by their entry points, when somebody asks for a name that nobody else knows."""

import json
import subprocess
import sys

import pytest

GAMES = """
import stackelberg_envs as se
from stackelberg_envs.envs.discrete_toy_v1 import make_game
print("loaded games")
se.register("plugged/Toy-v0", make_game)
"""
PLAYERS = """
import agents
from agents.followers.soft_value_iteration import SoftValueIteration
from agents.leaders.random_search import RandomSearch, RandomSearchConfig
print("loaded players")

def leaders():
    @agents.register_leader("plugged_leader")
    class Plugged(RandomSearch):
        pass

def followers():
    @agents.register_follower("plugged_follower")
    class Plugged(SoftValueIteration):
        pass
"""
POINTS = """
[stackelberg_envs.environments]
games = plugged.games
broken = plugged.nowhere

[stackelberg.leaders]
mine = plugged.players:leaders

[stackelberg.followers]
mine = plugged.players:followers
"""


@pytest.fixture
def installed(tmp_path):
    """Return a function that runs code where a package with entry points is installed, and returns what it printed."""
    (tmp_path / "plugged").mkdir()
    info = tmp_path / "plugged-1.0.dist-info"
    info.mkdir()
    files = {
        tmp_path / "plugged" / "__init__.py": "",
        tmp_path / "plugged" / "games.py": GAMES,
        tmp_path / "plugged" / "players.py": PLAYERS,
        info / "METADATA": "Metadata-Version: 2.1\nName: plugged\nVersion: 1.0\n",
        info / "entry_points.txt": POINTS,
    }
    for path, text in files.items():
        path.write_text(text)

    def run(code):
        code = f"import sys; sys.path.append({str(tmp_path)!r})\nimport stackelberg_envs as se, agents\n{code}"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        return done.stdout, done.stderr

    return run


def test_a_name_that_nobody_knows_is_looked_for_in_installed_packages(installed):
    out, _ = installed(
        "print(se.make_game('plugged/Toy-v0').shape)\n"
        "record = agents.run('plugged/Toy-v0', leader='plugged_leader', follower='plugged_follower', updates=2,\n"
        "                    steps_per_update=50)\n"
        "print(record.leader, record.follower, record.status)"
    )
    assert out.splitlines() == [
        "loaded games",
        "(3, 2, 3)",
        "loaded players",
        "plugged_leader plugged_follower finished",
    ]


def test_nothing_is_loaded_for_what_is_known(installed):
    out, _ = installed(
        "se.registered_ids(); se.make_game('stackelberg/DiscreteToy-v1'); agents.leader_names()\n"
        "from agents.leaders import leader_class; leader_class('cma_es')\n"
        "print('plugged' in sys.modules)"
    )
    assert out == "False\n"


def test_a_package_that_fails_is_named_and_hides_no_other(installed):
    _, error = installed("se.make_game('plugged/Other-v0')")
    assert "unknown environment 'plugged/Other-v0'; did you mean 'plugged/Toy-v0'" in error
    assert "entry point 'broken' of plugged failed (ModuleNotFoundError" in error


@pytest.mark.parametrize("word", ["evil:plugged/Toy-v0", "plugged.games:plugged/Toy-v0"])
def test_an_id_from_a_file_imports_no_module_that_it_names(installed, word):
    _, error = installed(
        f"from stackelberg_envs.faces.registration import stored_spec\nstored_spec({json.dumps(word)})"
    )
    assert f"unknown environment '{word}'" in error
