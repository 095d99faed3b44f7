"""`stackelberg_envs.agents` is our package, whoever else is called `agents`."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SAME = "assert first is second, (first, second)\n"
#: All that crosses from one process to another by the name of a class, or names a module in a file.
END_TO_END = """
import json, pickle, sys
import mine
from pathlib import Path
import stackelberg_envs as se
from stackelberg_envs.agents import followers

def stop(state):
    if state.update == 2:
        raise KeyboardInterrupt

agents, folder = se.agents, Path("run")
short = {"game": "stackelberg/DiscreteToy-v1", "steps_per_update": 50}
whole = agents.run(**short, leader="random_search", updates=4)
agents.run(**short, leader="random_search", updates=4, output=folder, progress=stop)
resumed = agents.run(resume=folder)
elsewhere = agents.run(**short, leader="random_search", updates=4, leader_process=True)
own = agents.run(**short, leader="mine", updates=2, leader_process=True)
follower = followers.follower_class("soft_value_iteration")
print(json.dumps({
    "values": [each.leader_value for each in (whole, resumed, elsewhere)],
    "own": own.leader,
    "pickled": pickle.loads(pickle.dumps(follower)) is follower,
    "loaded": agents.load_record(folder).leader,
    "agents": sys.modules["agents"].VALUE if "agents" in sys.modules else None,
}))
"""
MINE = """
import dataclasses
from stackelberg_envs.agents import Information, Leader, register_leader

@dataclasses.dataclass(frozen=True)
class Config:
    pass

@register_leader("mine")
class Mine(Leader):
    information, Config = Information.ACTIONS_ONLY, Config
    def commit(self):
        return self.brief.parametrisation(0 * self.rng.normal(size=self.brief.parametrisation.size))
    def update(self, trajectories):
        return {}
"""


def run(code, *path, cwd=None, warnings="error"):
    """Run code in a process that finds modules in these folders first, then ours; return what it prints."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, (*path, ROOT)))}
    command = [sys.executable, "-W", warnings, "-P", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=cwd)
    assert not done.returncode, done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def foreign(tmp_path):
    """A folder with another package named `agents`, which has a module of a name that ours has, too."""
    package = tmp_path / "foreign" / "agents"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("VALUE = 'foreign'\n")
    (package / "registry.py").write_text("VALUE = 'foreign'\n")
    return package.parent


@pytest.mark.parametrize(
    "code",
    [
        "import agents as first\nimport stackelberg_envs.agents as second\n",
        "import stackelberg_envs.agents as first\nimport agents as second\n",
        "import stackelberg_envs as se, agents as first\nsecond = se.agents\n",
        "import agents.leaders.bchg as first\nimport stackelberg_envs.agents.leaders.bchg as second\n",
        "import stackelberg_envs.agents.leaders.bchg as first\nimport agents.leaders.bchg as second\n",
        "from stackelberg_envs.agents.leaders import base as first\nfrom agents.leaders import base as second\n",
    ],
)
def test_both_names_are_one_package_whichever_comes_first(code):
    run(code + SAME + "assert getattr(first, '__spec__').name == first.__name__")


def test_the_long_name_leaves_the_short_one_to_whoever_has_it(foreign):
    code = (
        "import stackelberg_envs.agents.registry as ours, agents.registry as theirs, agents\n"
        "assert theirs.VALUE == agents.VALUE == 'foreign' and ours.Registry"
    )
    run(code, foreign)


@pytest.mark.parametrize("first", ["", "import agents, agents.registry\n"])
def test_everything_works_beside_another_package_of_that_name(first, foreign, tmp_path):
    (tmp_path / "mine.py").write_text(MINE)
    found = json.loads(run(first + END_TO_END, foreign, tmp_path, cwd=tmp_path))
    assert len(set(found["values"])) == 1
    assert found["own"] == "mine"
    assert found["pickled"]
    assert found["loaded"] == "random_search"
    assert found["agents"] == ("foreign" if first else None)


def test_the_command_works_beside_another_package_of_that_name(foreign):
    code = "import sys; sys.argv[1:] = ['show', 'leader:bchg']; import stackelberg_envs_command as it; it.main()"
    assert "bchg" in run(code, foreign)
    assert "bchg" in run(code)


def test_the_command_shows_its_help_without_games():
    code = (
        "import sys, atexit; sys.argv[1:] = ['--help']; import stackelberg_envs_command as it\n"
        "atexit.register(lambda: print({'stackelberg_envs', 'numpy', 'rich'} & set(sys.modules)))\n"
        "it.main()"
    )
    assert run(code).splitlines()[-1] == "set()"


@pytest.mark.parametrize("order", ["import agents, stackelberg_envs", "import stackelberg_envs, agents"])
def test_a_package_that_was_installed_under_the_short_name_is_pointed_out(order, foreign):
    installed = foreign.rename(foreign.with_name("site-packages"))
    said = run(order, installed, warnings="default").splitlines()
    assert len(said) == 1
    assert said[0].startswith(f"<string>:1: UserWarning: `import agents` gives {installed}")
    assert said[0].endswith("; the agents of stackelberg-envs are `stackelberg_envs.agents`")
    run("import stackelberg_envs.agents, agents", installed)


def test_a_folder_of_the_users_own_is_no_surprise(foreign):
    run("import agents, stackelberg_envs", foreign)
