"""The process of a leader, from inside."""

import importlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import agents
from agents.leaders.base import Leader
from agents.observing.brief import Information
from agents.runs.briefing import make_brief
from agents.runs.remote.client import RemoteLeader
from agents.runs.remote.host import Host
from stackelberg_envs.envs import four_rooms_v0
from stackelberg_envs.errors import LeaderProcessError
from tests.agents.runs.remote.leaders import TROUBLED, made


class Chatty(Leader):
    """Prints, as a leader should not; lives in a module that only the tests have."""

    information = Information.ACTIONS_ONLY
    Config = dict

    def commit(self):
        print("on standard output, where the messages are")  # noqa: T201
        return np.zeros(104)

    def update(self, trajectories):
        return {"steps": trajectories.num_steps}


def test_what_a_leader_prints_does_not_disturb_the_messages(capfd):
    game = four_rooms_v0.make_game()
    brief = make_brief(game, Information.ACTIONS_ONLY)
    leader = RemoteLeader(Chatty, brief, {}, np.random.default_rng(0))
    try:
        x = leader.commit()
        np.testing.assert_array_equal(x, np.zeros(104))
        assert leader.theta is None
        assert leader.update(agents.collect(game, x, np.full((104, 1, 4), 0.25), steps=7, rng=0)) == {"steps": 7.0}
    finally:
        leader.close()
    assert "where the messages are" in capfd.readouterr().err


def test_a_host_without_a_leader_says_so():
    answer = Host().answer({"do": "commit"})
    assert answer["error"] == "StackelbergError"
    assert "Traceback" in answer["traceback"]


@pytest.fixture
def troubled(tmp_path, monkeypatch):
    """A leader class in a module of its own that imports little."""
    (tmp_path / "troubled_leader.py").write_text(TROUBLED)
    monkeypatch.syspath_prepend(tmp_path)
    kind = importlib.import_module("troubled_leader").Troubled
    yield kind
    del sys.modules["troubled_leader"]


def test_the_process_knows_nothing_of_the_environment_that_it_does_not_need(monkeypatch, troubled):
    monkeypatch.setenv("SECRET", "swordfish")
    monkeypatch.setenv("API_TOKEN", "swordfish")
    leader = made(troubled, "tell")
    try:
        with pytest.raises(LeaderProcessError, match="PATH") as caught:
            leader.commit()
    finally:
        leader.close()
    assert "SECRET" not in str(caught.value)
    assert "TOKEN" not in str(caught.value)


PARENT = """
import sys, time
import numpy as np
from agents.observing.brief import Information
from agents.runs.briefing import make_brief
from agents.runs.remote.client import RemoteLeader
from stackelberg_envs.envs import four_rooms_v0
sys.path.insert(0, {folder!r})
from troubled_leader import Troubled
brief = make_brief(four_rooms_v0.make_game(), Information.ACTIONS_ONLY)
leader = RemoteLeader(Troubled, brief, Troubled.Config({do!r}), np.random.default_rng(0))
print(leader._child.pid, flush=True)
{after}
"""


@pytest.mark.parametrize("do", ["hang", "stop", pytest.param("wait", marks=pytest.mark.deep)])
def test_the_process_ends_with_its_parent(do, tmp_path):
    (tmp_path / "troubled_leader.py").write_text(TROUBLED)
    after = "leader.commit()" if do == "hang" else "time.sleep(60)"
    script = PARENT.format(folder=str(tmp_path), do="hang", after=after)
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as parent:
        child = int(parent.stdout.readline())
        if do == "stop":
            os.kill(child, signal.SIGSTOP)
        parent.kill()
    deadline = time.monotonic() + 5.0
    while is_running(child):
        assert time.monotonic() < deadline, "an orphan"
        time.sleep(0.02)


def is_running(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
