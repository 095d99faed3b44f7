"""Simulators of games of one's own."""

import numpy as np
import pytest
from gymnasium.spaces import Box

import stackelberg_envs as se
from stackelberg_envs.errors import ArgumentError
from stackelberg_envs.play.session import Session
from stackelberg_envs.play.simulators import Nothing
from stackelberg_envs.play.tabular import TabularSimulator

FOUR_ROOMS, TOY = "stackelberg/FourRooms-v0", "stackelberg/DiscreteToy-v1"


class Drift:
    """A simulator with real-valued states and actions: what later games will bring."""

    def __init__(self):
        self.follower_action_space = Box(-1.0, 1.0, (1,), np.float32)
        self.leader_action_space = None
        self.state_bounds = (np.full(2, -9, np.float32), np.full(2, 9, np.float32))
        self.leader_action_bounds = (np.zeros(0, np.float32), np.zeros(0, np.float32))
        self.rng = None

    def nothing(self):
        return Nothing(np.zeros(2), np.zeros(0), np.zeros(1))

    def seed(self, seed):
        if seed is not None or self.rng is None:
            self.rng = np.random.default_rng(seed)

    def commit(self, x):
        self.x = x

    def reset(self, num_followers):
        return 0, [self.rng.normal(size=2) for _ in range(num_followers)]

    def leader_action(self, state):
        raise NotImplementedError

    def check_follower_action(self, action):
        return np.clip(np.asarray(action, dtype=float), -1, 1)

    def check_leader_action(self, action):
        raise NotImplementedError

    def step(self, state, leader_action, follower_action):
        return np.clip(state + follower_action, -9, 9), 1.0, float(-(state**2).sum()), False

    def write_state(self, row, previous, state):
        row[:2] = state

    def write_leader_action(self, row, start, previous, action):
        raise NotImplementedError


def test_a_simulator_of_another_kind_plugs_in():
    from stackelberg_envs.faces.observations import Observer

    session = Session(se.make_game(TOY, horizon=3), simulator=Drift(), num_followers=2)
    observer = Observer(session, "none")
    session.reset(0)
    observer.restart()
    session.commit(np.full((3, 2), 0.5))
    observer.begin_play()
    session.play([[0.5], [0.1]])
    observer.update()
    np.testing.assert_allclose(observer.follower(1)[:2], session.states[1], rtol=1e-6)
    assert session.leader_reward == 1.0
    assert observer.space.contains(observer.leader())


def test_games_of_other_kinds_need_a_simulator():
    with pytest.raises(ArgumentError, match="TabularGame"):
        Session(object())
    assert TabularSimulator(se.make_game(TOY)).leader_action_space.n == 2
