"""Turns of PettingZoo's AEC interface."""

import numpy as np
import pytest

import stackelberg_envs as se
from stackelberg_envs.errors import ArgumentError

FOUR_ROOMS, TOY = "stackelberg/FourRooms-v0", "stackelberg/DiscreteToy-v1"


def test_per_step_turns_of_the_aec_face_go_leader_followers_leader():
    env = se.env(TOY, commitment="per_step", horizon=3)
    env.reset(seed=0)
    turns = []
    for agent in env.agent_iter():
        *_, terminated, truncated, _ = env.last()
        turns.append(agent)
        env.step(None if terminated or truncated else 1)
    assert turns == ["leader_0", "follower_0"] * 4
    with pytest.raises(ArgumentError, match="leader actions"):
        se.parallel_env(FOUR_ROOMS, commitment="per_step")


def aec_story(env, x, actions):
    """Return (follower's rewards, leader's return, observations) of one AEC episode."""
    env.reset(seed=11)
    rewards, leader, seen = [], 0.0, []
    actions = iter(actions)
    for agent in env.agent_iter():
        observation, reward, terminated, truncated, _ = env.last()
        if agent == "leader_0":
            leader += reward
        else:
            rewards.append(reward)
            seen.append(observation)
        over = terminated or truncated
        env.step(None if over else x if agent == "leader_0" else next(actions))
    return rewards[1:], leader, seen


@pytest.mark.parametrize("spec_id", [FOUR_ROOMS, TOY, "stackelberg/RandomTabular-v1"])
def test_aec_and_parallel_tell_one_story(spec_id):
    space = se.make_game(spec_id).commitment.space
    space.seed(5)
    x = space.sample()
    actions = np.random.default_rng(5).integers(3, size=300).tolist()
    env = se.parallel_env(spec_id)
    env.reset(seed=11)
    observations, *_ = env.step({"leader_0": x})
    rewards, leader, seen = [], 0.0, [observations["follower_0"]]
    for action in actions:
        observations, paid, *_ = env.step({"follower_0": action})
        rewards.append(paid["follower_0"])
        leader += paid["leader_0"]
        seen.append(observations["follower_0"])
        if not env.agents:
            break
    # The same commitment in its own shape.
    shaped = x.reshape(se.make_game(spec_id).commitment.shape)
    got_rewards, got_leader, got_seen = aec_story(se.env(spec_id), shaped, actions)
    assert got_rewards == rewards
    assert got_leader == pytest.approx(leader)
    np.testing.assert_array_equal(got_seen, seen)
