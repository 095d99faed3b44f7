"""The batched environment of TorchRL; without the library only that its absence is told."""

import importlib
import sys

import numpy as np
import pytest

import stackelberg_envs as se
from stackelberg_envs.errors import ArgumentError, MissingExtraError, PhaseError

MODULE = "stackelberg_envs.clients.torchrl"
GAMES = {
    "stackelberg/FourRooms-v0": {"horizon": 20},
    "stackelberg/BuildingThermal-v1": {"normalize": True, "scale_rewards": True, "horizon": 20},
}


@pytest.fixture
def FollowerEnv():
    pytest.importorskip("torchrl", reason="TorchRL is not installed")
    return importlib.import_module(MODULE).FollowerEnv


def test_without_the_library_the_pip_line_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, MODULE, raising=False)
    with pytest.raises(MissingExtraError, match=r'pip install "torchrl>='):
        importlib.import_module(MODULE)


@pytest.mark.parametrize("id", GAMES)
def test_copies_play_the_episodes_of_single_environments(FollowerEnv, id):  # noqa: A002
    many = FollowerEnv(id, 3, **GAMES[id])
    many.set_seed(5)
    play = many.rollout(50, break_when_any_done=False)
    ended = 0
    for i in range(3):
        env = se.follower_env(id, **GAMES[id])
        observation, _ = env.reset(seed=5 + i)
        for t in range(50):
            row = play[i, t]
            np.testing.assert_array_equal(row["observation"], observation)
            observation, reward, terminated, truncated, _ = env.step(row["action"].numpy())
            told = row["next"]
            np.testing.assert_array_equal(told["observation"], observation)
            assert told["reward"].item() == np.float32(reward)
            assert (told["terminated"].item(), told["truncated"].item()) == (terminated, truncated)
            if terminated or truncated:
                ended += 1
                observation, _ = env.reset()
    assert ended >= 6


def test_torchrls_own_checker_passes(FollowerEnv):
    from torchrl.envs.utils import check_env_specs

    check_env_specs(FollowerEnv("stackelberg/TaxDesign-v0", 2, flatten_actions=True, horizon=5))


def test_episodes_begin_where_one_is_over_and_nowhere_else(FollowerEnv):
    import torch

    many = FollowerEnv("stackelberg/DiscreteToy-v1", 2, horizon=3)
    state = many.reset()
    state["_reset"] = torch.tensor([[True], [False]])
    with pytest.raises(PhaseError, match="copy 0 still plays"):
        many.reset(state)
    last = many.rollout(3, break_when_any_done=False)[:, -1]["next"]
    last["action"] = torch.zeros(2, dtype=torch.int64)
    with pytest.raises(PhaseError, match="reset of copy 0"):
        many.step(last)
    assert many.rollout(2).shape == (2, 2)  # a reset of all begins anew everywhere


def test_what_torchrl_does_not_take_is_refused_by_name(FollowerEnv):
    with pytest.raises(ArgumentError, match="autoreset"):
        FollowerEnv("stackelberg/FourRooms-v0", 2, autoreset="next_step")
    with pytest.raises(ArgumentError, match="flatten_actions=True"):
        FollowerEnv("stackelberg/TaxDesign-v0", 2)
