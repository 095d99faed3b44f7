"""What followers are shown of a commitment and of the state."""

import numpy as np

import stackelberg_envs as se

FOUR_ROOMS, TOY = "stackelberg/FourRooms-v0", "stackelberg/DiscreteToy-v1"


def committed(spec_id, x, seed=0, **kwargs):
    env = se.parallel_env(spec_id, **kwargs)
    env.reset(seed=seed)
    return env, env.step({"leader_0": x})


def test_the_leader_action_shown_is_the_one_that_pays():
    env, (observations, *_) = committed(TOY, np.array([[0.5, 0.5], [0.3, 0.7], [0.5, 0.5]]), seed=1)
    game, layout = env.game, env.observation_layout
    seen = {0: 0, 1: 0}
    while env.agents:
        shown = int(observations["follower_0"][layout["leader_action"]].argmax())
        state = int(observations["follower_0"][layout["state"]].argmax())
        observations, rewards, _, _, infos = env.step({"follower_0": (state + 1) % 3})
        assert infos["follower_0"]["leader_action"] == shown
        assert rewards["follower_0"] == game.follower_reward[state, shown, (state + 1) % 3]
        seen[shown] += 1
    assert min(seen.values()) > 30


def test_local_observations_show_the_row_of_the_own_state():
    x = np.array([[0.1, 0.9], [0.2, 0.8], [0.3, 0.7]])
    env, (observations, *_) = committed(TOY, x, observe_commitment="local")
    for action in (1, 2, 0, 1, 0, 2):
        state = int(observations["follower_0"][env.observation_layout["state"]].argmax())
        seen = observations["follower_0"][env.observation_layout["commitment"]]
        np.testing.assert_array_equal(seen, x[state].astype(np.float32))
        observations, *_ = env.step({"follower_0": action})


def test_local_falls_back_to_all_where_a_commitment_has_no_rows():
    env = se.parallel_env("stackelberg/RandomTabular-v1", observe_commitment="local")
    assert env.observation_layout["commitment"] == slice(22, 26)


def test_many_states_are_shown_as_one_number():
    env = se.parallel_env("stackelberg/RandomTabular-v1", S=1200)
    observations, _ = env.reset(seed=0)
    observations, *_, infos = env.step({"leader_0": np.zeros(4)})
    assert env.observation_layout["state"] == slice(0, 1)
    assert observations["follower_0"][0] == np.float32(infos["follower_0"]["next_state"] / 1199)
