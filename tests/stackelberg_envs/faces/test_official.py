"""The official tests of PettingZoo and Gymnasium, and SuperSuit's vector wrappers, over every face."""

import gymnasium
import numpy as np
import pytest
import supersuit
from gymnasium.utils.env_checker import check_env
from pettingzoo.test import api_test, parallel_api_test, parallel_seed_test, render_test, seed_test
from pettingzoo.test.state_test import state_test

import stackelberg_envs as se
from stackelberg_envs.faces.vector import FollowerVectorEnv

pytestmark = [
    # A MultiDiscrete action is right for a leader with one action per follower; the test knows no third kind.
    pytest.mark.filterwarnings("ignore:Action space for each agent probably should be:UserWarning"),
    # Incentives lie in [-0.2, 0]: their unit is the follower's reward, and rescaling is the learner's affair.
    pytest.mark.filterwarnings("ignore:.*we recommend using a symmetric and normalized space:UserWarning"),
    # Speeds have no bounds, here as in Gymnasium's own cart-pole.
    pytest.mark.filterwarnings("ignore:.*space (minimum|maximum) value is -?infinity:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*(minimum|maximum) (observation|state) space value is -?infinity:UserWarning"),
]


def test_pettingzoo_aec(make_sided):
    api_test(make_sided("raw_env"), num_cycles=60)
    api_test(make_sided("env"), num_cycles=60)
    seed_test(lambda: make_sided("env"), num_cycles=60)


def test_pettingzoo_parallel(make_sided):
    parallel_api_test(make_sided("parallel_env"), num_cycles=250)
    parallel_seed_test(lambda: make_sided("parallel_env"))


def test_pettingzoo_followers(make):
    parallel_api_test(make("followers_env"), num_cycles=250)
    parallel_seed_test(lambda: make("followers_env"))


def test_pettingzoo_state(make_sided):
    state_test(make_sided("env"), make_sided("parallel_env"), num_cycles=10)


def test_pettingzoo_render(make_sided, capsys):
    render_test(lambda render_mode: make_sided("env", render_mode=render_mode))
    assert "leader return" in capsys.readouterr().out


def test_gymnasium_views(make):
    check_env(make("follower_env", render_mode="rgb_array"), skip_render_check=True)
    check_env(make("leader_env"), skip_render_check=True)


@pytest.mark.parametrize("spec_id", se.registered_ids())
def test_gymnasium_makes_the_registered_views(spec_id, any_response):
    base, _, version = spec_id.rpartition("-")
    follower = gymnasium.make(f"{base}Follower-{version}")
    assert follower.observation_space.contains(follower.reset(seed=0)[0])
    leader = gymnasium.make(f"{base}Leader-{version}", **any_response(spec_id))
    leader.reset(seed=0)
    assert leader.step(leader.action_space.sample())[2]
    vector = gymnasium.make_vec(f"{base}Follower-{version}", num_envs=3)
    assert isinstance(vector.unwrapped, FollowerVectorEnv)
    assert vector.reset(seed=0)[0].shape == (3, *follower.observation_space.shape)


@pytest.mark.parametrize("spec_id", se.registered_ids())
def test_pettingzoo_makes_the_registered_faces(spec_id):
    pettingzoo = pytest.importorskip("pettingzoo", minversion="1.27")
    assert pettingzoo.make("parallel", spec_id).metadata["is_parallelizable"] is True
    assert pettingzoo.make("aec", spec_id).metadata["is_parallelizable"] is False


def run_vectorised(parallel, copies, steps=450):
    """Run SuperSuit's vector wrappers through several episodes; return the rewards."""
    envs = supersuit.pettingzoo_env_to_vec_env_v1(parallel)
    envs = supersuit.concat_vec_envs_v1(envs, copies, num_cpus=0, base_class="gymnasium")
    observations, _ = envs.reset(seed=3)
    envs.action_space.seed(3)
    paid = []
    for _ in range(steps):
        actions = np.array([envs.action_space.sample() for _ in range(envs.num_envs)])
        observations, rewards, terminated, truncated, _ = envs.step(actions)
        paid.append(rewards)
        assert observations.dtype == np.float32
    assert len(rewards) == len(observations) == len(terminated) == len(truncated)
    return np.array(paid)


def test_supersuit_vectorises_the_followers(make):
    assert np.isfinite(run_vectorised(make("followers_env"), copies=2)).all()


@pytest.mark.parametrize("spec_id", ["stackelberg/FourRooms-v0", "stackelberg/DiscreteToy-v1"])
def test_supersuit_vectorises_the_menu_when_action_spaces_are_padded(spec_id):
    # The wrapper wants equal spaces of all agents, so menu size and follower actions are padded to one.
    parallel = supersuit.pad_action_space_v0(se.parallel_env(spec_id, menu=6))
    assert np.isfinite(run_vectorised(parallel, copies=2)).all()
