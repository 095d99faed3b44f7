"""Responses that play for the leader's view."""

from dataclasses import fields, replace

import numpy as np
import pytest
from gymnasium.spaces import Box

import stackelberg_envs as se
from stackelberg_envs.errors import ActionError, ArgumentError
from stackelberg_envs.faces.gymnasium_views import LeaderEnv
from tests.stackelberg_envs.faces.ladder import BATCHED, CARTPOLE, Ladder, ladder, recast


def test_the_leader_is_paid_what_its_response_earns_it():
    class Up:
        def sample(self, rng, states, leader_actions, contexts):
            assert states.shape == (2, 1)
            assert leader_actions.shape == (2, 0)
            assert contexts.tolist() == [1, 1]
            return np.zeros((2, 1), np.int64)

    game = ladder(num_followers=2).replace(context_probabilities=np.array([0.0, 1.0]))
    env = LeaderEnv(game, response=lambda game, x: Up(), discounted=False)
    env.reset(seed=0)
    _, reward, terminated, truncated, info = env.step([0.0])
    assert (terminated, truncated, info["steps"]) == (True, False, 5)
    assert reward == pytest.approx(5 * np.mean([state[0] for state in env.session.states]))


def test_finished_followers_are_not_asked():
    asked = []

    class Climb:
        def sample(self, rng, states, leader_actions, contexts):
            asked.append(len(states))
            return (states >= 3).astype(np.int64)

    spread = type("Spread", (Ladder,), {"initial_states": lambda game, rng, k: np.array([[3.5], [2.5], [2.0]])})
    env = LeaderEnv(recast(ladder(num_followers=3), spread), response=lambda game, x: Climb())
    env.reset(seed=0)
    env.step([0.0])
    assert asked == [3, 2, 2, 2, 2]


def test_a_game_without_an_exact_response_asks_for_one():
    with pytest.raises(ArgumentError, match=r"response: expected a function \(game, x\) .*'Guided cart-pole'"):
        se.leader_env(CARTPOLE)
    env = se.leader_env(CARTPOLE, response=lambda game, x: np.zeros(3))
    env.reset(seed=0)
    with pytest.raises(ArgumentError, match=r"expected an object with sample\(.*got ndarray"):
        env.step(np.zeros(5))

    class Wide:
        def sample(self, rng, states, leader_actions, contexts):
            return np.zeros((len(states), 2))

    env = se.leader_env(CARTPOLE, response=lambda game, x: Wide())
    env.reset(seed=0)
    with pytest.raises(ArgumentError, match="its sample: expected shape"):
        env.step(np.zeros(5))


def one_sided(low, high):
    """A cart-pole whose follower acts in a box, and a policy that leaves it."""
    space = Box(np.array([low], np.float32), np.array([high], np.float32))

    class Cart(type(se.make_game(CARTPOLE))):
        follower_action_space = space

        def step(game, rng, x, states, contexts, leader_actions, follower_actions):
            kept = super().step(rng, x, states, contexts, leader_actions, np.zeros(follower_actions.shape, np.int64))
            return replace(kept, follower_reward=follower_actions[:, 0].copy())

    class Normal:
        def sample(self, rng, states, leader_actions, contexts):
            return rng.standard_normal((len(states), 1))

    base = se.make_game(CARTPOLE, horizon=8)
    return Cart(**{item.name: getattr(base, item.name) for item in fields(base)}), Normal()


@pytest.mark.parametrize(("low", "high"), [(0.0, np.inf), (-np.inf, 0.0), (-1e-9, 1e-9)])
def test_what_is_played_lies_in_the_space_of_actions(low, high):
    """Also where the box is open on one side, or narrow: nothing is clipped to it."""
    import agents

    game, policy = one_sided(low, high)
    x = np.zeros(game.commitment.shape)
    outside = -5.0 if low == 0.0 else 5.0 if high == 0.0 else 1e-8
    single = se.follower_env(game=game)
    single.reset(seed=0)
    vector = se.vector_env(game=game, num_envs=2)
    vector.reset(seed=0)
    leader = se.leader_env(game=game, response=lambda game, x: policy)
    leader.reset(seed=0)
    for play in (
        lambda: single.step(np.array([outside])),
        lambda: vector.step(np.array([[outside], [0.0]])),
        lambda: leader.step(x),
        lambda: agents.collect(game, x, policy, steps=50, rng=0),
    ):
        with pytest.raises(ActionError, match="expected a value in"):
            play()


@pytest.mark.parametrize("spec_id", [name for name in BATCHED if se.make_game(name).has_solution])
def test_the_exact_response_is_the_default(spec_id):
    game = se.make_game(spec_id)
    env = se.leader_env(spec_id)
    env.reset(seed=0)
    x = game.facts.get("best_commitment", 0.5 * (game.commitment.low + game.commitment.high))
    assert env.session.num_followers == game.num_followers
    observation, reward, terminated, _, info = env.step(np.asarray(x))
    assert terminated
    assert np.isfinite(reward)
    assert info["steps"] == game.horizon
    assert env.observation_space.contains(observation)


FOUR_ROOMS, TOY = "stackelberg/FourRooms-v0", "stackelberg/DiscreteToy-v1"


#: Deterministic play: the leader's policy is pure, so the dynamics leave nothing to chance.
PURE = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])


def test_the_response_is_the_one_to_the_context():
    game = se.random_tabular(K=3, A=1, B=3, horizon=4)
    by_context = np.zeros(game.array_shape)
    for k in range(3):
        by_context[k, ..., k] = 1.0
    env = se.leader_env("stackelberg/RandomTabular-v1", game=game, response=lambda game, x: by_context)
    seen = set()
    for seed in range(12):
        env.reset(seed=seed)
        context = env.step(np.zeros(4))[-1]["context"]
        assert env.session.records[0]["follower_action"] == context
        seen.add(context)
    assert seen == {0, 1, 2}


def test_a_response_that_is_no_policy_is_refused():
    for wrong in (np.ones((3, 2, 3)), np.ones((2, 3))):
        env = se.leader_env(TOY, response=lambda game, x, wrong=wrong: wrong)
        env.reset(seed=0)
        with pytest.raises(ArgumentError, match="response"):
            env.step(PURE)
