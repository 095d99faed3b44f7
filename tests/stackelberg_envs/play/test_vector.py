"""Sessions of games of vectors."""

import copy
import pickle

import numpy as np
import pytest
from gymnasium.spaces import Box, Dict

import stackelberg_envs as se
from stackelberg_envs.errors import ActionError, ArgumentError, GameError, PhaseError
from stackelberg_envs.play.session import DONE, PLAY, Session, simulator_of
from stackelberg_envs.play.vector import VectorSimulator, draw_contexts
from tests.stackelberg_envs.faces.ladder import CARTPOLE, PENDULUM, Ladder, ladder, recast


def test_a_session_of_vectors_tells_its_story_in_records():
    session = Session(ladder())
    assert isinstance(session.simulator, VectorSimulator)
    session.reset(0)
    first = session.records[0]
    assert (first["state"].tolist(), first["next_state"].tolist()) == ([0.0], [0.0])
    assert (first["leader_action"].shape, first["follower_action"], first["context"]) == ((0,), -1, -1)
    session.commit([0.5])
    started = session.records[0]
    assert started["next_state"][0] >= 2.0 + started["context"]
    session.play([1])
    record = session.records[0]
    np.testing.assert_array_equal(record["state"], started["next_state"])
    assert record["next_state"][0] == record["state"][0] + 1
    assert (record["follower_action"], record["follower_reward"]) == (1, 0.5)
    assert record["leader_reward"] == record["state"][0]
    assert {key: np.shape(value) for key, value in first.items()} == {
        key: np.shape(value) for key, value in record.items()
    }


def test_the_step_that_ends_an_episode_says_so():
    session = Session(ladder())
    session.reset(3)
    session.commit([0.0])
    session.play([2])
    assert session.phase == DONE
    assert session.terminated
    assert session.records[0]["terminal"] == 1


def test_arrays_in_records_cannot_be_written_to():
    session = Session(se.make_game(CARTPOLE))
    session.reset(0)
    session.commit(np.zeros(5))
    session.play([[0.1]])
    for key in ("state", "next_state", "leader_action", "follower_action"):
        with pytest.raises(ValueError, match="read-only"):
            session.records[0][key][0] = 7.0


def test_streams_start_with_a_seed_and_go_on_without_one():
    walks = []
    for _ in range(2):
        session = Session(se.make_game(CARTPOLE), num_followers=2)
        for seed in (4, None):
            session.reset(seed)
            session.commit(np.zeros(5))
            session.play([[0.5], [-0.5]])
            walks.append(np.array([*session.states, *np.pad(session.leader_actions, ((0, 0), (0, 3)))]))
    np.testing.assert_array_equal(walks[0], walks[2])
    np.testing.assert_array_equal(walks[1], walks[3])
    assert (walks[0] != walks[1]).any()
    assert (walks[0][0] != walks[0][1]).any()
    with pytest.raises(PhaseError, match="seed"):
        VectorSimulator(se.make_game(CARTPOLE)).reset(1)


@pytest.mark.parametrize("twin", [copy.deepcopy, lambda session: pickle.loads(pickle.dumps(session))])  # noqa: S301
def test_twins_continue_equally_in_the_middle_of_an_episode(twin):
    session = Session(se.make_game(CARTPOLE))
    session.reset(1)
    session.commit(np.full(5, 0.3))
    session.play([[0.2]])
    other = twin(session)
    for each in (session, other):
        each.play([[0.1]])
        each.play([[-0.1]])
    np.testing.assert_array_equal(session.states[0], other.states[0])
    np.testing.assert_array_equal(session.leader_actions[0], other.leader_actions[0])


def test_the_leader_of_a_per_step_session_blows_what_it_chose():
    session = Session(se.make_game(PENDULUM), per_step=True)
    session.reset(0)
    session.lead([np.array([0.7], np.float32)])
    session.play([[0.0]])
    assert session.records[0]["leader_action"][0] == pytest.approx(0.7)
    for bad in ([1.5], [np.nan], "no", [0.1, 0.2], None):
        with pytest.raises(ActionError, match="leader action: expected"):
            session.lead([bad])
    with pytest.raises(ArgumentError, match="only configures"):
        Session(ladder(), per_step=True)


def test_contexts_are_drawn_by_their_probabilities():
    # 20,000 draws; 5 standard deviations: false-alarm rate 6e-7.
    drawn = draw_contexts(ladder(), np.random.default_rng(0), 20_000)
    assert abs((drawn == 1).mean() - 0.75) < 5 * np.sqrt(0.75 * 0.25 / 20_000)


def test_followers_share_the_context():
    session = Session(ladder(), num_followers=6)
    session.reset(0)
    contexts = set()
    for _ in range(20):
        session.reset()
        session.commit([0.0])
        assert {int(state[0]) - 2 for state in session.states} == {session.context}
        contexts.add(session.context)
    assert contexts == {0, 1}


def test_other_kinds_of_games_are_refused_by_name():
    with pytest.raises(ArgumentError, match="TabularGame or a VectorGame, got dict"):
        simulator_of({})
    for spaces in ({"follower_action_space": Dict({})}, {"leader_action_space": Box(-1, 1, (2, 2))}):
        odd = type("Odd", (Ladder,), {name: property(lambda game, s=space: s) for name, space in spaces.items()})
        with pytest.raises(GameError, match="action_space: expected a Box"):
            VectorSimulator(recast(ladder(), odd))


def test_sessions_of_vector_games_end_by_their_horizon():
    session = Session(se.make_game(PENDULUM, horizon=4))
    session.reset(0)
    session.commit(np.zeros(4))
    while session.phase == PLAY:
        session.play([[0.0]])
    assert (session.played, session.truncated) == (4, True)
