"""Play in environments that nobody looks into is written down as play of games is."""

import numpy as np
import pytest
from gymnasium.envs.toy_text import FrozenLakeEnv
from gymnasium.spaces import Box
from gymnasium.wrappers import TimeLimit

import stackelberg_envs as se
from stackelberg_envs.errors import ArgumentError, GameError
from stackelberg_envs.play.rollout import rollout
from tests.environments import Always, Ladder, Pair, Slide

BONUS = se.StateIncentive(0.0, 1.0, np.ones(3))
UNIT = Box(0.0, 1.0, (1,), np.float64)


def rng():
    return np.random.default_rng(0)


def unchanged(env, x):
    return env


def test_an_episode_ends_with_a_visit_of_one_more_state():
    game = se.wrap_commitment(lambda: Ladder(start=5), None, BONUS, leader_reward=lambda step: step.observation - 5)
    seen = rollout(game.under([0.25, 0.5, 0.75]), Always(1), rng(), episodes=2)
    assert seen.num_states == 4
    np.testing.assert_array_equal(seen.state, [0, 1, 2, 3] * 2)
    np.testing.assert_array_equal(seen.next_state, [1, 2, 3, 3] * 2)
    np.testing.assert_array_equal(seen.follower_action[:3], [1, 1, 1])
    np.testing.assert_allclose(seen.follower_reward, [0.25, 0.5, 1.75, 0.0] * 2)
    np.testing.assert_allclose(seen.leader_reward, [0, 1, 2, 0] * 2)
    np.testing.assert_array_equal(seen.offsets, [0, 4, 8])
    assert seen.terminated.all() and seen.whole.all()


def test_play_that_a_budget_cuts_is_not_whole_and_play_at_a_limit_is():
    game = se.wrap_commitment(Ladder, None, BONUS)
    for steps, whole in ((3, [False]), (4, [True]), (6, [True, False])):
        seen = rollout(game.under(np.zeros(3)), Always(1), rng(), steps=steps)
        assert seen.num_steps == steps
        assert seen.whole.tolist() == whole
    stays = rollout(game.replace(horizon=5).under(np.zeros(3)), Always(0), rng(), steps=7)
    assert (stays.whole.tolist(), stays.terminated.any()) == ([True, False], False)
    limited = se.wrap_commitment(lambda: TimeLimit(Ladder(), 2), None, BONUS)
    assert rollout(limited.under(np.zeros(3)), Always(0), rng(), episodes=1).whole.tolist() == [True]


def test_vectors_are_written_as_they_are():
    game = se.wrap_commitment(Slide, unchanged, UNIT, horizon=3)
    seen = rollout(game.under([0.5]), Always(np.array([-0.5], np.float32)), rng(), episodes=1)
    assert seen.state.shape == seen.follower_action.shape == (3, 1)
    np.testing.assert_allclose(seen.state[:, 0], [1.0, 0.5, 0.0])
    np.testing.assert_allclose(seen.leader_reward, [-0.25, 0.0, -0.25])


def test_each_agent_of_a_pettingzoo_environment_plays_an_episode_of_its_own():
    game = se.wrap_commitment(
        Pair, None, se.Incentive(-1.0, 1.0, (1, 1, 2)), leader_reward=lambda step: step.agent == "b"
    )
    seen = rollout(game.under(np.array([[[0.5, -0.5]]])), Always(1), rng(), episodes=1)
    np.testing.assert_array_equal(seen.lengths, [3, 5])  # the visits of the end among them
    np.testing.assert_allclose(seen.follower_reward, [0.5, 0.5, 0.0, 10.5, 10.5, 10.5, 10.5, 0.0])
    np.testing.assert_allclose(seen.leader_reward, [0, 0, 0, 1, 1, 1, 1, 0])
    assert seen.mean_return(1.0) == 2.0


def test_what_a_commitment_adds_to_the_leaders_reward_is_paid():
    tolls = se.Transfer(np.ones((3, 1, 2, 1)), 0.0, 1.0, share=0.5)
    seen = rollout(se.wrap_commitment(Ladder, None, tolls).under([0.5]), Always(1), rng(), episodes=1)
    np.testing.assert_allclose(seen.leader_reward, [0.25, 0.25, 1.25, 0.0])
    np.testing.assert_allclose(seen.follower_reward, [-0.5, -0.5, 0.5, 0.0])


def test_play_is_worth_what_the_table_of_the_same_environment_says():
    """Mean return of 500 episodes, at 4.5 standard errors: one false alarm in 150,000 seeds."""
    bonus, kiosk = se.StateIncentive(0.0, 0.1, np.ones(16)), np.eye(16)[8]
    table = se.from_gymnasium(FrozenLakeEnv(), leader_reward=kiosk, commitment=bonus, horizon=40)
    lake = se.wrap_commitment(
        FrozenLakeEnv, None, bonus, leader_reward=lambda step: kiosk[step.observation], horizon=40
    )
    x = np.linspace(0.0, 0.1, 16)
    solution = se.solve(table, x)
    seen = rollout(lake.under(x), Always(table=solution.response), rng(), episodes=500)
    returns = seen.returns(0.99)
    error = returns.std() / np.sqrt(len(returns))
    assert abs(returns.mean() - solution.episode.leader_value) < 4.5 * error < 0.6


def test_equal_generators_give_equal_play():
    game = se.wrap_commitment(lambda: Ladder(slip=0.5), None, BONUS).under(np.zeros(3))
    table = np.full((3, 1, 2), 0.5)
    first, again = (rollout(game, Always(table=table), rng(), steps=50) for _ in range(2))
    np.testing.assert_array_equal(first.state, again.state)


def test_what_cannot_act_or_is_no_number_is_refused():
    game = se.wrap_commitment(Ladder, None, BONUS, leader_reward=lambda step: step.height)
    with pytest.raises(ArgumentError, match=r"follower: expected a response with act\(observation, rng\), got ndarray"):
        rollout(game.under(np.zeros(3)), np.ones((4, 1, 2)), rng(), episodes=1)
    with pytest.raises(GameError, match="Ladder: its leader_reward raised AttributeError"):
        rollout(game.under(np.zeros(3)), Always(1), rng(), episodes=1)

    class Broken(Ladder):
        def step(self, action):
            return 0, float("nan"), False, False, {}

    with pytest.raises(GameError, match="Broken: expected finite rewards, got nan"):
        rollout(se.wrap_commitment(Broken, None, BONUS).under(np.zeros(3)), Always(1), rng(), episodes=1)
