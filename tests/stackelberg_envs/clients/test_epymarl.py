"""What EPyMARL's wrapper `gymma` relies on: `gymnasium.make` by a key, tuples, rewards in a list, numbers in infos."""

import gymnasium
import numpy as np
import pytest
from gymnasium.wrappers import TimeLimit

import stackelberg_envs as se
from stackelberg_envs.clients.epymarl import KEY, TupleEnv
from stackelberg_envs.errors import ActionError, ArgumentError

TOY, TAX = "stackelberg/DiscreteToy-v1", "stackelberg/TaxDesign-v0"
OPTIONS = {"menu": 4, "horizon": 3}


def test_rounds_are_those_of_the_parallel_form():
    env, single = gymnasium.make(KEY, game_id=TOY, **OPTIONS), se.parallel_env(TOY, **OPTIONS)
    agents = single.possible_agents
    assert env.unwrapped.n_agents == len(agents) == 2
    assert [space.n for space in env.action_space] == [single.action_space(agent).n for agent in agents]
    seen, info = TimeLimit(env, max_episode_steps=10).reset(seed=3)
    expected, _ = single.reset(seed=3)
    for played in range(1, 5):
        assert isinstance(seen, tuple)
        assert env.observation_space.contains(seen)
        for row, agent in zip(seen, agents, strict=True):
            np.testing.assert_array_equal(row, expected[agent])
        seen, rewards, terminated, truncated, info = env.step([1, 2])
        expected, paid, *_ = single.step({"leader_0": 1, "follower_0": 2})
        assert rewards == [paid[agent] for agent in agents]
        assert (terminated, truncated, info) == (False, played == 4, {"episode_limit": played == 4})


def test_an_end_of_the_game_is_no_limit():
    env = gymnasium.make(KEY, game_id="stackelberg/FourRooms-v0", leads=False, flatten_actions=True)
    env.reset(seed=0)
    env.action_space.seed(0)
    over = cut = False
    while not (over or cut):
        _, rewards, over, cut, info = env.step(env.action_space.sample())
    assert len(rewards) == 1
    assert info == {"episode_limit": not over}


def test_a_picture_is_drawn():
    env = gymnasium.make(KEY, game_id=TOY, render_mode="rgb_array", **OPTIONS)
    env.reset(seed=0)
    assert env.render().dtype == np.uint8
    env.close()


def test_what_epymarl_does_not_take_is_refused_by_name():
    with pytest.raises(ArgumentError, match="pass menu=k"):
        gymnasium.make(KEY, game_id=TOY)
    with pytest.raises(ArgumentError, match="flatten_actions=True"):
        gymnasium.make(KEY, game_id=TAX, leads=False)


@pytest.mark.parametrize("bad", [[0], [0, 0, 0], None, 3, [4, 0], ["a", 0], [np.nan, 0]])
def test_what_is_not_one_action_for_each_agent_is_refused(bad):
    env = TupleEnv(TOY, **OPTIONS)
    env.reset(seed=0)
    with pytest.raises(ActionError, match=r"expected (one|an) action"):
        env.step(bad)
