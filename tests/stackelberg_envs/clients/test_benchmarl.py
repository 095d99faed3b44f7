"""The task of BenchMARL; without the library only that its absence is told."""

import importlib
import sys

import numpy as np
import pytest

import stackelberg_envs as se
from stackelberg_envs.errors import ArgumentError, MissingExtraError

MODULE = "stackelberg_envs.clients.benchmarl"


@pytest.fixture
def StackelbergTask():
    pytest.importorskip("benchmarl", reason="BenchMARL is not installed")
    return importlib.import_module(MODULE).StackelbergTask


def test_without_the_library_the_pip_line_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "benchmarl", None)
    monkeypatch.setitem(sys.modules, "benchmarl.environments.common", None)
    monkeypatch.delitem(sys.modules, MODULE, raising=False)
    with pytest.raises(MissingExtraError, match=r'pip install "benchmarl>='):
        importlib.import_module(MODULE)


@pytest.mark.filterwarnings("ignore:PettingZoo in TorchRL:UserWarning")
def test_leader_and_followers_are_two_groups(StackelbergTask):
    task = StackelbergTask("stackelberg/DiscreteToy-v1", menu=4, horizon=3)
    env = task.get_env_fun(1, False, 0, "cpu")()
    assert task.group_map(env) == {"leader": ["leader_0"], "follower": ["follower_0"]}
    assert task.supports_discrete_actions() and not task.supports_continuous_actions()
    assert task.max_steps(env) == 4 == env.rollout(10).shape[0]
    assert set(task.observation_spec(env).keys(True, True)) == {("leader", "observation"), ("follower", "observation")}
    assert set(task.action_spec(env).keys(True, True)) == {("leader", "action"), ("follower", "action")}


def test_followers_play_alone(StackelbergTask):
    task = StackelbergTask("stackelberg/BuildingThermal-v1", leads=False, normalize=True)
    assert task.group_map(None) == {"follower": ["follower_0"]}
    assert task.supports_continuous_actions()


@pytest.mark.parametrize("id", ["stackelberg/DiscreteToy-v1", "stackelberg/BuildingThermal-v1"])
def test_a_follower_alone_steps_in_many_copies_at_once(StackelbergTask, id):  # noqa: A002
    forms = {"normalize": True, "horizon": 3}
    task = StackelbergTask(id, leads=False, **forms)
    env = task.get_env_fun(5, False, 7, "cpu")()
    assert env.batch_size == (5,)
    assert set(task.observation_spec(env).keys(True, True)) == {("follower", "observation")}
    assert task.observation_spec(env)["follower", "observation"].shape[0] == 1
    played = env.rollout(3)
    single = se.follower_env(id, **forms)
    for i in range(5):
        seen, _ = single.reset(seed=7 + i)
        for t in range(3):
            np.testing.assert_array_equal(played["follower", "observation"][i, t, 0], seen)
            seen, reward, *_ = single.step(played["follower", "action"][i, t, 0].numpy())
            assert played["next", "follower", "reward"][i, t, 0].item() == pytest.approx(reward, rel=1e-6)
    assert played["next", "done"][:, -1].all()


def test_what_benchmarl_does_not_take_is_refused_by_name(StackelbergTask):
    with pytest.raises(ArgumentError, match="pass menu=k"):
        StackelbergTask("stackelberg/DiscreteToy-v1")
    with pytest.raises(ArgumentError, match="flatten_actions=True"):
        StackelbergTask("stackelberg/TaxDesign-v0", menu=4)
