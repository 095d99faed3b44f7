"""A leader in a process of its own: the same bits, and nothing of the game in that process."""

import io
import json
import os
import signal
import time

import numpy as np
import pytest

import agents
from agents.brief import Information
from agents.experiment import Experiment, ExperimentConfig, make_brief
from agents.leaders import leader_class, leader_names
from agents.leaders.base import Leader
from agents.remote import RemoteLeader, _exactly, _Host
from stackelberg_envs.commitments import Effect, FunctionCommitment
from stackelberg_envs.envs import discrete_toy_v0, four_rooms_v0
from stackelberg_envs.errors import ArgumentError, InformationError, StackelbergError

TOY, ROOMS = "stackelberg/DiscreteToy-v0", "stackelberg/FourRooms-v0"
#: What a leader must not even have loaded.
BARRED = ("stackelberg_envs.games", "stackelberg_envs.oracles", "stackelberg_envs.simulation",
          "stackelberg_envs.adapters", "stackelberg_envs.envs",
          "agents.collection", "agents.experiment", "agents.followers")  # fmt: skip


def content(record):
    values = json.loads(record.to_json())
    del values["seconds"]
    return values


def remote_leaders():
    return [name for name in leader_names() if leader_class(name).information <= Information.RESPONSE]


def first_served(leader):
    try:
        Experiment(ExperimentConfig(TOY, leader=leader))
    except ArgumentError:
        return ROOMS
    return TOY


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


@pytest.mark.parametrize("game", [TOY, ROOMS])
def test_such_a_run_can_be_resumed(game, tmp_path):
    def stop(state):
        if state.update == 3:
            raise KeyboardInterrupt

    options = {"updates": 6, "steps_per_update": 200}
    whole = agents.run(game, **options)
    agents.run(game, **options, leader_process=True, output=tmp_path, progress=stop)
    assert content(agents.run(resume=tmp_path)) == content(whole)


def remote(game=None, kind="bchg"):
    game = discrete_toy_v0.make_game() if game is None else game
    kind = leader_class(kind)
    brief = make_brief(game, kind.needs(game.commitment))
    return RemoteLeader(kind, brief, kind.Config(), np.random.default_rng(0))


def test_errors_of_the_leader_come_back_under_their_own_names():
    leader = remote()
    try:
        game = discrete_toy_v0.make_game()
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


def test_what_cannot_be_sent_is_named():
    game = discrete_toy_v0.make_game()
    box = FunctionCommitment(
        lambda x: Effect(leader_policy=x), np.zeros((3, 2)), np.ones((3, 2)), frozenset({"leader_policy"})
    )
    brief = make_brief(game, Information.REWARDS_OBSERVED)
    kind = leader_class("bchg")
    with pytest.raises(ArgumentError, match=r"brief'\]\.commitment\.function: expected .* got <function .*<lambda>"):
        RemoteLeader(
            kind, brief.__class__(**{**vars(brief), "commitment": box}), kind.Config(), np.random.default_rng(0)
        )

    class Local(kind):
        pass

    with pytest.raises(ArgumentError, match="expected a leader in a module of its own"):
        RemoteLeader(Local, brief, kind.Config(), np.random.default_rng(0))


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


def test_a_host_without_a_leader_says_so_and_a_cut_message_is_an_end():
    answer = _Host().answer({"do": "commit"})
    assert answer["error"] == "StackelbergError"
    with pytest.raises(EOFError, match="the pipe was closed"):
        _exactly(io.BytesIO(b"abc"), 8)
