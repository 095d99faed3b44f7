"""The official tests of PettingZoo and Gymnasium, and SuperSuit's vector wrappers, over every face."""

import gymnasium
import numpy as np
import pytest
import supersuit
from gymnasium.utils.env_checker import check_env
from pettingzoo.test import api_test, parallel_api_test, parallel_seed_test, render_test, seed_test
from pettingzoo.test.max_cycles_test import max_cycles_test
from pettingzoo.test.state_test import state_test

import stackelberg_envs as se
from stackelberg_envs.errors import ArgumentError
from stackelberg_envs.faces.vector import FollowerVectorEnv
from tests.environments import cut_after

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


def test_pettingzoo_render(make_sided, monkeypatch):
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    render_test(lambda render_mode: make_sided("env", render_mode=render_mode))
    env = make_sided("env", render_mode="ansi")
    env.reset(seed=0)
    assert "leader return" in env.render()


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


ROOMS, BUILDING, TAX = "stackelberg/FourRooms-v0", "stackelberg/BuildingThermal-v1", "stackelberg/TaxDesign-v0"
FORMS = {"normalize": True, "flatten_actions": True, "scale_rewards": True, "scale_observations": True}
#: SuperSuit's wrappers, by the words of their documentation, and the games on which they make sense.
PIPELINES = {
    "frame_skip_v0": (lambda env: supersuit.frame_skip_v0(env, 3), [ROOMS, BUILDING, TAX]),
    "clip_actions_v0": (supersuit.clip_actions_v0, [BUILDING]),
    "flatten_v0": (supersuit.flatten_v0, [ROOMS, BUILDING, TAX]),
    "pad_observations_v0": (supersuit.pad_observations_v0, [ROOMS, TAX]),
    "normalize_obs_v0": (supersuit.normalize_obs_v0, [ROOMS, BUILDING, TAX]),
    "black_death_v3": (supersuit.black_death_v3, [ROOMS, BUILDING]),
    "clip_reward_v0": (supersuit.clip_reward_v0, [TAX]),
    "frame_stack_v1": (lambda env: supersuit.frame_stack_v1(env, 2), [ROOMS]),
    "sticky_actions_v0": (lambda env: supersuit.sticky_actions_v0(env, 0.2), [ROOMS]),
    "delay_observations_v0": (lambda env: supersuit.delay_observations_v0(env, 2), [BUILDING]),
}


@pytest.mark.parametrize(("name", "spec_id"), [(name, each) for name, (_, ids) in PIPELINES.items() for each in ids])
def test_supersuits_pipelines(name, spec_id):
    wrap = PIPELINES[name][0]
    for face in (se.parallel_env, se.followers_env):
        parallel_api_test(wrap(face(spec_id, **cut_after(spec_id, 12), **FORMS)), num_cycles=40)
    if name not in ("black_death_v3", "pad_observations_v0"):
        env = wrap(se.follower_env(spec_id, **cut_after(spec_id, 12), **FORMS))
        env.reset(seed=0)
        over = False
        while not over:
            observation, _, terminated, truncated, _ = env.step(env.action_space.sample())
            assert env.observation_space.contains(observation)
            over = terminated or truncated


def test_supersuits_wrappers_stack_and_vectorise():
    both = se.parallel_env(ROOMS, menu=4, horizon=12)
    followers = se.followers_env(game=se.make_game(BUILDING, horizon=12).replace(num_followers=2), **FORMS)
    for parallel in (both, followers):
        wrapped = supersuit.frame_skip_v0(supersuit.normalize_obs_v0(supersuit.flatten_v0(parallel)), 2)
        assert np.isfinite(run_vectorised(wrapped, copies=2, steps=30)).all()


def test_frame_skip_draws_from_the_episodes_own_seed_and_leaves_its_stream_alone():
    env = se.parallel_env(ROOMS)
    env.reset(seed=7)
    first = env.np_random.integers(1000, size=5).tolist()
    before = env.step({"leader_0": np.zeros(104, np.float32), "follower_0": 1})[0]["follower_0"]
    env.reset(seed=7)
    assert env.np_random.integers(1000, size=5).tolist() == first
    env.np_random.random(50)
    after = env.step({"leader_0": np.zeros(104, np.float32), "follower_0": 1})[0]["follower_0"]
    np.testing.assert_array_equal(after, before)


class PerStep:
    """A module whose leader acts in every cycle, as PettingZoo's test of `max_cycles` takes for granted."""

    parallel_env = staticmethod(lambda **options: se.followers_env("stackelberg/DiscreteToy-v1", **options))
    env = staticmethod(lambda **options: se.env("stackelberg/DiscreteToy-v1", commitment="per_step", **options))


def test_max_cycles():
    max_cycles_test(PerStep)
    for cycles in (2, 4):
        env = se.parallel_env(ROOMS, max_cycles=cycles)
        env.reset(seed=0)
        for made in range(1, cycles + 1):
            *_, truncations, _ = env.step({"leader_0": np.zeros(104, np.float32), "follower_0": 1})
            assert truncations["leader_0"] == (made == cycles)
        assert env.session.played == cycles - 1
        aec = se.raw_env(ROOMS, max_cycles=cycles)
        aec.reset(seed=0)
        aec.step(np.zeros(104, np.float32))
        for _ in range(cycles):
            assert not aec.truncations["follower_0"]
            aec.step(1)
        assert aec.truncations["follower_0"]
    with pytest.raises(ArgumentError, match="max_cycles: expected at least 2, the first of which is the commitment"):
        se.parallel_env(ROOMS, max_cycles=1)
    with pytest.raises(ArgumentError, match="max_cycles: expected"):
        se.followers_env(ROOMS, max_cycles=0)
