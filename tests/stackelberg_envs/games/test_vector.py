"""What functions of a vector game return is checked."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete

import stackelberg_envs as se
from stackelberg_envs.errors import ConformityError, GameError
from stackelberg_envs.games.samples import SampledCommitment, SampledEffect
from stackelberg_envs.games.vector import BatchStep, VectorGame, call_game
from stackelberg_envs.play.rollout import rollout

ONE = np.zeros(1, np.int32)


class Price(SampledCommitment):
    """One price, paid by whoever takes action 1."""

    changes = frozenset({"follower_reward"})

    def effect_at(self, x, samples):
        return SampledEffect(follower_reward=-x[0] * samples.follower_action[:, 0])


@dataclass(frozen=True, eq=False, kw_only=True)
class Shop(VectorGame):
    """One number as the state; the follower buys (1) or not (0). `changed` replaces parts of a step."""

    changed: dict[str, Any] = field(default_factory=dict)
    by_number: bool = False
    first: Any = None

    @property
    def state_space(self):
        return Box(-10.0, 10.0, (1,), np.float32)

    @property
    def follower_action_space(self):
        return Discrete(2)

    def initial_states(self, rng, contexts):
        return np.zeros((len(contexts), 1)) if self.first is None else self.first

    def step(self, rng, x, states, contexts, leader_actions, follower_actions):
        if self.by_number:
            pay = [("kept", "bought")[b] for b in follower_actions]  # wants numbers, gets rows of one number
            assert pay
        bought = follower_actions[:, 0].astype(np.float64)
        step = {
            "next_state": np.clip(states + bought[:, None], -10, 10),
            "leader_reward": x[0] * bought,
            "follower_reward": (1.0 - x[0]) * bought,
            "terminated": np.zeros(len(states), np.bool_),
        }
        return BatchStep(**(step | self.changed)) if "whole" not in self.changed else self.changed["whole"]


class Buys:
    """A follower that always buys."""

    def sample(self, rng, states, leader_actions, contexts):
        return np.ones((len(states), 1), np.int64)


def shop(**changes):
    given = {"leader_discount": 0.9, "follower_discount": 0.9, "temperature": 0.1, "horizon": 5, "name": "Shop"}
    return Shop(commitment=Price(0.0, 1.0), **(given | changes))


def played(game):
    return rollout(game.under(np.array([0.5])), Buys(), np.random.default_rng(0), steps=10)


def test_discrete_actions_arrive_as_rows_of_one_integer():
    record = played(shop())
    assert record.follower_action.shape == (10, 1)
    np.testing.assert_allclose(record.leader_reward, 0.5)
    assert "follower_actions[:, 0]" in VectorGame.step.__doc__


def test_a_step_that_wants_numbers_is_told_what_it_was_given():
    match = (
        r"Shop: its step raised TypeError: .*; it was given x float64 of shape \(1,\), states float64 of shape "
        r"\(2, 1\), .*follower_actions int64 of shape \(2, 1\); follower_actions\[:, 0\] has one number a copy"
    )
    with pytest.raises(GameError, match=match):
        played(shop(by_number=True))


def test_the_conformity_suite_says_so_too():
    with pytest.raises(ConformityError, match=r"follower_actions\[:, 0\] has one number a copy"):
        se.check_game(shop(by_number=True))


WRONG = {
    "next_state": [np.zeros(2), np.zeros((2, 2)), np.zeros((2, 1), np.float32), np.full((2, 1), np.nan), None, [[0.0]]],
    "leader_reward": [np.zeros((2, 1)), 0.0, np.zeros(2, int), np.full(2, np.inf), np.ma.masked_equal(np.ones(2), 1)],
    "follower_reward": [np.zeros(3), np.array([None, 1.0]), np.zeros(2, complex)],
    "terminated": [False, np.zeros(2), np.zeros((2, 1), np.bool_)],
}


@pytest.mark.parametrize(("name", "bad"), [(name, bad) for name, values in WRONG.items() for bad in values])
def test_wrong_parts_of_a_step_are_named(name, bad):
    with pytest.raises(GameError, match=rf"Shop: step: {name}: expected "):
        played(shop(changed={name: bad}))


@pytest.mark.parametrize("bad", [None, (1, 2), {"next_state": 0}])
def test_what_is_no_step_is_refused(bad):
    with pytest.raises(GameError, match="Shop: expected its step to return a BatchStep, got "):
        played(shop(changed={"whole": bad}))


@pytest.mark.parametrize("bad", [np.zeros(2), np.zeros((1, 1)), [[0.0], [0.0]], np.full((2, 1), np.nan)])
def test_wrong_initial_states_are_named(bad):
    with pytest.raises(GameError, match="Shop: initial_states: expected "):
        played(shop(first=bad))


@pytest.mark.parametrize("face", ["parallel", "vector"])
def test_faces_check_what_they_are_given_too(face):
    game = shop(changed={"leader_reward": np.array([np.nan])})
    with pytest.raises(GameError, match="Shop: step: leader_reward: expected finite numbers"):
        if face == "parallel":
            env = se.parallel_env(game=game)
            env.reset(seed=0)
            for _ in range(3):
                env.step({agent: env.action_space(agent).sample() for agent in env.agents})
        else:
            env = se.vector_env(game=game, num_envs=1, commitment=[0.5])
            env.reset(seed=0)
            env.step(np.zeros((1, 1), np.int64))


def test_right_functions_pass_unchanged():
    game, rng = shop(), np.random.default_rng(0)
    states = call_game(game, "initial_states", rng, ONE)
    shown = call_game(game, "leader_actions", rng, np.array([0.5]), states, ONE)
    assert shown.shape == (1, 0)
    made = call_game(game, "step", rng, np.array([0.5]), states, ONE, shown, np.ones((1, 1), np.int64))
    assert made.next_state[0, 0] == 1.0
