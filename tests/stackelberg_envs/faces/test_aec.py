"""Turns of PettingZoo's AEC interface."""

import numpy as np
import pytest
from pettingzoo.utils.conversions import aec_to_parallel

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


@pytest.mark.parametrize("followers", [1, 2])
def test_a_leader_is_paid_at_a_turn_of_its_own(followers):
    game, x = se.make_game(TOY, horizon=20).replace(num_followers=followers), np.tile([0.8, 0.2], 3)
    paid, turns = {}, {}
    for mode in ("once", "episode"):
        env = se.raw_env(game=game, commitment=mode)
        env.reset(seed=4)
        paid[mode], turns[mode] = dict.fromkeys(env.possible_agents, 0.0), []
        env.step(x)
        while env.agents and not env.truncations[env.agent_selection]:
            agent = env.agent_selection
            env.step(x if agent == "leader_0" else 1)
            turns[mode].append((agent, env.rewards["leader_0"]))
            for name, reward in env.rewards.items():
                paid[mode][name] += reward
        assert env.agent_selection == "leader_0"
    assert paid["episode"] == pytest.approx(paid["once"])
    assert paid["once"]["leader_0"] > 0
    assert turns["episode"][-1] == ("leader_0", pytest.approx(paid["once"]["leader_0"]))
    assert not any(reward for _, reward in turns["episode"][:-1])
    assert len(turns["episode"]) == len(turns["once"]) + 1
    with pytest.raises(ArgumentError, match="commitment: expected 'once' or 'per_step', got 'episode'"):
        se.parallel_env(game=game, commitment="episode")


def test_followers_alone_in_turn_play_what_they_play_all_at_once():
    game, x = se.make_game(TOY, horizon=20).replace(num_followers=2), np.tile([0.8, 0.2], 3)
    together, turns = se.followers_env(game=game, commitment=x), se.followers_aec_env(game=game)
    together.reset(seed=4)
    turns.reset(seed=4, options={"commitment": x})
    while together.agents:
        for action in (1, 2):
            turns.step(action)
        observations, rewards, terminations, truncations, infos = together.step({"follower_0": 1, "follower_1": 2})
        for agent, observation in observations.items():
            np.testing.assert_array_equal(turns.observe(agent), observation)
        assert turns.rewards == rewards
        assert (turns.terminations, turns.truncations) == (terminations, truncations)
        assert turns.infos == infos


@pytest.mark.parametrize("followers", [1, 2])
def test_pettingzoo_makes_the_parallel_form_of_followers_in_turn(followers):
    game = se.make_game(TOY, horizon=12).replace(num_followers=followers)
    converted, own = aec_to_parallel(se.followers_aec_env(game=game)), se.followers_env(game=game)
    converted.reset(seed=3)
    own.reset(seed=3)
    while own.agents:
        actions = dict.fromkeys(own.agents, 1)
        first, second = converted.step(actions), own.step(actions)
        assert first[1:4] == second[1:4]
        for agent, observation in second[0].items():
            np.testing.assert_array_equal(first[0][agent], observation)
