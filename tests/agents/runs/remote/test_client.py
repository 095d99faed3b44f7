"""A leader in a process of its own gives the same run, and every failure of the process is named."""

import importlib
import json
import os
import signal
import sys
import time

import numpy as np
import pytest

import agents
from agents.leaders import leader_class, leader_names
from agents.leaders.base import LEADERS
from agents.observing.brief import Information
from agents.runs.briefing import make_brief
from agents.runs.experiment import Experiment, ExperimentConfig
from agents.runs.remote.client import RemoteLeader
from stackelberg_envs.envs import discrete_toy_v1
from stackelberg_envs.errors import ArgumentError, InformationError, LeaderProcessError, StackelbergError
from tests.agents.runs.remote.leaders import BARRED, TROUBLED, made
from tests.games import BUILDING, first_served, weakly_interacting_game

TOY, ROOMS = "stackelberg/DiscreteToy-v1", "stackelberg/FourRooms-v0"


#: What only those load that work in a model of their own.
SOLVERS = tuple(f"stackelberg_envs.solvers.soft.{name}" for name in ("best_response", "evaluation", "hypergradient"))


#: One of each kind; a process takes a second to start.
QUICK = ("bchg", "certainty_equivalent", "cma_es", "zero_order")


def content(record):
    values = json.loads(record.to_json())
    del values["seconds"]
    return values


def remote_leaders():
    names = [name for name in leader_names() if leader_class(name).information <= Information.RESPONSE]
    return [name if name in QUICK else pytest.param(name, marks=pytest.mark.deep) for name in names]


@pytest.mark.parametrize("name", remote_leaders())
def test_a_run_with_the_leader_elsewhere_ends_with_the_same_bits_and_without_the_game(name, quick):
    options = {"leader": name, "updates": 4, "steps_per_update": 300, "seed": 2}
    options["leader_options"] = quick.get(name, {})
    game = first_served(name)
    here = agents.run(game, **options)
    experiment = Experiment(ExperimentConfig(game, leader_process=True, **options))
    try:
        while experiment.updates_done < 4:
            experiment.step()
        assert content(experiment.close("finished")) == content(here)
        loaded = experiment.leader.modules()
    finally:
        experiment.shut()
    assert "agents.leaders.base" in loaded
    assert not [module for module in loaded if module.startswith(BARRED)]
    assert experiment.leader._child.returncode == 0


@pytest.mark.parametrize("name", ["bchg", pytest.param("hpgd", marks=pytest.mark.deep)])
def test_as_published_no_solver_is_loaded_either(name):
    options = {"leader": name, "updates": 2, "steps_per_update": 300, "preset": "published"}
    experiment = Experiment(ExperimentConfig(first_served(name), leader_process=True, **options))
    try:
        experiment.step()
        loaded = experiment.leader.modules()
    finally:
        experiment.shut()
    assert not [module for module in loaded if module.startswith((*BARRED, *SOLVERS))]


@pytest.mark.parametrize("game", [TOY, pytest.param(ROOMS, marks=pytest.mark.deep)])
def test_such_a_run_can_be_resumed(game, tmp_path):
    def stop(state):
        if state.update == 3:
            raise KeyboardInterrupt

    options = {"updates": 6, "steps_per_update": 200}
    whole = agents.run(game, **options)
    agents.run(game, **options, leader_process=True, output=tmp_path, progress=stop)
    assert content(agents.run(resume=tmp_path)) == content(whole)


def remote(game=None, kind="bchg"):
    game = discrete_toy_v1.make_game() if game is None else game
    kind = leader_class(kind)
    brief = make_brief(game, kind.required_information(game.commitment, kind.Config()))
    return RemoteLeader(kind, brief, kind.Config(), np.random.default_rng(0))


def test_errors_of_the_leader_come_back_under_their_own_names():
    leader = remote()
    try:
        game = discrete_toy_v1.make_game()
        x = np.full((3, 2), (0.25, 0.75))
        seen = agents.collect(game, x, np.full((3, 2, 3), 1 / 3), steps=9, rng=0)
        with pytest.raises(ArgumentError, match="bchg: expected play under its last commitment"):
            leader.update(seen)
        np.testing.assert_array_equal(leader.commit(), np.full((3, 2), 0.5))  # it lives on
        with pytest.raises(InformationError, match="expected the follower's rewards, got none"):
            leader.update(
                agents.collect(game, leader.commit(), np.full((3, 2, 3), 1 / 3), steps=9).without("follower_reward")
            )
    finally:
        leader.close()
    leader.close()
    with pytest.raises(StackelbergError, match="expected one that runs, but it was closed"):
        leader.commit()


def test_a_leader_process_that_dies_ends_the_run_with_a_record(tmp_path):
    experiments = []

    def kill(state):
        if state.update == 2:
            [leader] = [item for item in experiments if isinstance(item, RemoteLeader)]
            os.kill(leader._child.pid, signal.SIGKILL)
            time.sleep(0.1)

    start = RemoteLeader.__init__

    def noted(self, *arguments):
        experiments.append(self)
        start(self, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RemoteLeader, "__init__", noted)
        with pytest.raises(StackelbergError, match=r"leader process: ended with exit code -9 while asked to"):
            agents.run(TOY, updates=5, steps_per_update=50, leader_process=True, output=tmp_path, progress=kill)
    record = agents.load_record(tmp_path)
    assert record.status == "failed"
    assert record.commitment is not None
    assert len(record.curve["leader_value"]) == 2


def test_leaders_that_see_the_game_are_refused_by_name():
    with pytest.raises(InformationError, match=r"leader 'exact': expected one of at most level RESPONSE.* got MODEL"):
        agents.run(TOY, leader="exact", leader_process=True)


@pytest.fixture
def troubled(tmp_path, monkeypatch):
    """A leader class in a module of its own that imports little."""
    (tmp_path / "troubled_leader.py").write_text(TROUBLED)
    monkeypatch.syspath_prepend(tmp_path)
    kind = importlib.import_module("troubled_leader").Troubled
    yield kind
    del sys.modules["troubled_leader"]


@pytest.mark.parametrize(
    ("do", "message", "note"),
    [
        ("fall", "leader process: ValueError: no good", "in fall"),
        ("leave", "leader process: SystemExit: 3", "in leave"),
        pytest.param("die", "ended with exit code 4 while asked to commit", None, marks=pytest.mark.deep),
        ("crash", "ended with exit code -11 while asked to commit", "in crash"),
        (
            "flood",
            r"expected a message of at most \d+,\d+ bytes, got one that announces 1,152,921,504,606,846,976",
            None,
        ),
        pytest.param("babble", "leader process: expected what this library wrote", None, marks=pytest.mark.deep),
        ("hang", r"expected an answer within 1 seconds \(timeout\) when asked to commit, got none", "in hang"),
        pytest.param("sleep", "expected an answer within 1 seconds", "in sleep", marks=pytest.mark.deep),
        pytest.param("numb", "expected an answer within 1 seconds", None, marks=pytest.mark.deep),
    ],
)
def test_every_failure_of_the_process_is_named_and_shows_where_it_was(do, message, note, troubled):
    leader = made(troubled, do, timeout=1.0)
    try:
        start = time.monotonic()
        with pytest.raises(StackelbergError, match=message) as caught:
            leader.commit()
        assert time.monotonic() - start < 4.0
        if note is not None:
            assert note in "".join(caught.value.__notes__)
        if do not in ("fall", "leave"):
            assert leader._child.poll() is not None
    finally:
        leader.close()


def test_a_run_whose_leader_hangs_ends_with_an_error_and_a_record(tmp_path, monkeypatch, troubled):
    monkeypatch.setitem(LEADERS.classes, "troubled", (troubled,))
    options = {"leader": "troubled", "leader_options": {"do": "hang"}, "leader_process": True, "timeout": 0.5}
    options |= {"updates": 2, "output": tmp_path / "run"}
    with pytest.raises(LeaderProcessError, match=r"within 0\.5 seconds \(timeout\)"):
        agents.run(ROOMS, **options)
    record = agents.load_record(tmp_path / "run")
    assert record.status == "failed"
    assert "LeaderProcessError: leader process: expected an answer" in record.error
    for wrong in (0, -1.0, "long", True):
        with pytest.raises(ArgumentError, match="timeout"):
            agents.run(ROOMS, **{**options, "timeout": wrong})


def test_leaders_of_games_of_vectors_may_be_elsewhere_too():
    short = {"leader": "zero_order", "updates": 2, "steps_per_update": 50, "evaluate_every": 0}
    found = [agents.run(BUILDING, leader_process=apart, **short).commitment for apart in (False, True)]
    assert np.array_equal(*found)


def test_leaders_of_followers_that_affect_each_other_may_be_elsewhere_too():
    short = {"leader": "bchg", "updates": 3, "steps_per_update": 50, "evaluate_every": 0}
    found = [agents.run(weakly_interacting_game(), leader_process=apart, **short).commitment for apart in (False, True)]
    assert np.array_equal(*found)
