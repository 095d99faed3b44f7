"""Followers learn from rewards that contain what a commitment adds."""

import numpy as np
import pytest
from pettingzoo.test import parallel_api_test

import stackelberg_envs as se
from tests.environments import Ladder, Pair


def test_a_gymnasium_environment_pays_the_bonus_of_the_state_it_acted_in():
    game = se.wrap_commitment(lambda: Ladder(start=5), None, se.StateIncentive(0.0, 1.0, np.ones(3)))
    env = game.under([0.25, 0.5, 0.75]).make()
    env.reset(seed=0)
    rewards = [env.step(1)[1] for _ in range(3)]
    assert rewards == pytest.approx([0.25, 0.5, 1.75])
    assert env.reset(seed=1)[0] == 5
    assert env.step(0)[1] == pytest.approx(0.25)


def test_a_pettingzoo_environment_pays_each_agent_its_own():
    game = se.wrap_commitment(Pair, None, se.Incentive(-1.0, 1.0, (1, 1, 2)))
    env = game.under(np.array([[[0.5, -0.5]]])).make()
    env.reset(seed=0)
    assert env.step({"a": 0, "b": 1})[1] == {"a": 0.5, "b": 10.5}
    parallel_api_test(env, num_cycles=10)
