"""The vector environment of stable-baselines3; without the library only that its absence is told."""

import importlib
import sys

import numpy as np
import pytest

import stackelberg_envs as se
from stackelberg_envs.errors import ArgumentError, MissingExtraError, PhaseError

MODULE = "stackelberg_envs.clients.sb3"
GAMES = {"stackelberg/FourRooms-v0": {"horizon": 20}, "stackelberg/BuildingThermal-v1": {"normalize": True}}


@pytest.fixture
def VecEnv():
    pytest.importorskip("stable_baselines3", reason="the extra sb3 is not installed")
    return importlib.import_module(MODULE).VecEnv


def test_without_the_library_the_pip_line_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "stable_baselines3", None)
    monkeypatch.setitem(sys.modules, "stable_baselines3.common.vec_env.base_vec_env", None)
    monkeypatch.delitem(sys.modules, MODULE, raising=False)
    with pytest.raises(MissingExtraError, match=r'pip install "stackelberg-envs\[sb3\]"'):
        importlib.import_module(MODULE)


@pytest.mark.parametrize("id", GAMES)
def test_copies_play_the_episodes_of_single_environments(VecEnv, id):  # noqa: A002
    options = GAMES[id]
    many = VecEnv(id, 3, **options)
    single = [se.follower_env(id, **options) for _ in range(3)]
    many.seed(5)
    expected = [env.reset(seed=5 + i)[0] for i, env in enumerate(single)]
    np.testing.assert_array_equal(many.reset(), expected)
    many.action_space.seed(0)
    ended = 0
    for _ in range(130):
        actions = np.array([many.action_space.sample() for _ in range(3)])
        seen, rewards, over, infos = many.step(actions)
        for i, env in enumerate(single):
            observation, reward, terminated, truncated, info = env.step(actions[i])
            assert (rewards[i], over[i]) == (np.float32(reward), terminated or truncated)
            assert infos[i]["follower_reward"] == pytest.approx(info["follower_reward"], rel=1e-12)
            if over[i]:
                ended += 1
                np.testing.assert_array_equal(infos[i]["terminal_observation"], observation)
                assert infos[i]["TimeLimit.truncated"] == (truncated and not terminated)
                observation, _ = env.reset()
            np.testing.assert_array_equal(seen[i], observation)
    assert ended >= 3


def test_a_commitment_is_put_in_force_at_a_reset(VecEnv):
    many = VecEnv("stackelberg/DiscreteToy-v1", 2, horizon=5)
    many.set_options({"commitment": [[0.25, 0.75]] * 3})
    many.seed(0)
    seen = many.reset()
    np.testing.assert_allclose(seen[:, many.vector.observation_layout["commitment"]], [[0.25, 0.75] * 3] * 2)
    many.set_options([{"commitment": [[0.25, 0.75]] * 3}, {}])
    with pytest.raises(ArgumentError, match="the same for all copies"):
        many.reset()


def test_what_it_does_not_have_is_refused_by_name(VecEnv):
    with pytest.raises(ArgumentError, match="autoreset"):
        VecEnv("stackelberg/FourRooms-v0", 2, autoreset="next_step")
    with pytest.raises(ArgumentError, match="normalize=True"):
        VecEnv("stackelberg/BuildingThermal-v1", 2)
    many = VecEnv("stackelberg/FourRooms-v0", 2)
    with pytest.raises(PhaseError, match="step_async"):
        many.step_wait()
    with pytest.raises(ArgumentError, match="'horizon'"):
        many.set_attr("horizon", 3)
    with pytest.raises(ArgumentError, match="'close'"):
        many.env_method("close")
    assert many.get_attr("num_envs", [0]) == [2]
    assert many.env_is_wrapped(object) == [False, False]
    many.close()


def test_copies_have_the_masks_of_single_environments(VecEnv):
    many = VecEnv("stackelberg/TollRouting-v0", 3, network="braess")
    assert not VecEnv("stackelberg/FourRooms-v0", 2).has_attr("action_masks")
    single = [se.follower_env("stackelberg/TollRouting-v0", network="braess") for _ in range(3)]
    many.seed(2)
    many.reset()
    for i, env in enumerate(single):
        env.reset(seed=2 + i)
    assert many.has_attr("action_masks")
    kinds = set()
    for _ in range(12):
        masks = many.env_method("action_masks")
        np.testing.assert_array_equal(masks, [env.action_masks() for env in single])
        np.testing.assert_array_equal(many.env_method("action_masks", indices=[1]), masks[1:2])
        kinds |= set(map(bytes, masks))
        actions = np.array([mask.argmax() for mask in masks])
        many.step(actions)
        for env, action in zip(single, actions, strict=True):
            _, _, terminated, truncated, _ = env.step(action)
            if terminated or truncated:
                env.reset()
    assert len(kinds) > 1


def test_an_algorithm_trains_in_it(VecEnv):
    from stable_baselines3 import PPO

    model = PPO("MlpPolicy", VecEnv("stackelberg/TaxDesign-v0", 4, horizon=8), n_steps=8, batch_size=32, device="cpu")
    model.learn(64)
    assert model.num_timesteps == 64
