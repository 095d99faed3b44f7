"""Memory and copies of the game for followers with networks."""

import numpy as np

from agents.followers.deep import episode_steps
from agents.followers.experience import Copies, Replay
from tests.agents.followers.deep_games import LINE, X


def test_the_replay_memory_keeps_the_latest():
    replay = Replay(5)
    for i in range(4):
        replay.add({"reward": np.array([2.0 * i, 2.0 * i + 1])})
    assert len(replay) == 5
    assert replay.rows["reward"].dtype == np.float32
    drawn = replay.sample(np.random.default_rng(0), 300)["reward"]
    assert sorted(set(drawn)) == [3, 4, 5, 6, 7]
    replay.clear()
    assert len(replay) == 0
    replay.add({"reward": np.array([9.0])})
    assert set(replay.sample(np.random.default_rng(0), 20)["reward"]) == {9}


def test_copies_record_what_happens_and_begin_anew():
    rng = np.random.default_rng(3)
    follower_like = EvenMoves()
    copies = Copies(LINE, 50, 7, rng)
    copies.announce(LINE, X, rng)
    cut = 0
    for _ in range(30):
        before, clocks = copies.states.copy(), copies.clocks.copy()
        rows = copies.step(LINE, X, follower_like, rng)
        np.testing.assert_array_equal(rows["state"], before)
        over = rows["terminated"] | (clocks + 1 >= 7)
        np.testing.assert_array_equal(rows["terminated"], before[:, 0] == 20)
        np.testing.assert_array_equal(copies.states[~over], rows["next_state"][~over])
        np.testing.assert_array_equal(copies.leader_actions[~over], rows["next_leader_action"][~over])
        np.testing.assert_array_equal(copies.clocks, np.where(over, 0, clocks + 1))
        cut += (over & ~rows["terminated"]).sum()
    assert cut > 50


class EvenMoves:
    def sample(self, rng, states, leader_actions, contexts):
        return rng.integers([3, 2], size=(len(states), 2))


def test_copies_begin_anew_where_the_discount_has_faded():
    assert episode_steps(LINE, None) == 21  # 0.8^21 < 0.01 < 0.8^20
    assert episode_steps(LINE, 3) == 3
    assert episode_steps(LINE.replace(follower_discount=0.99), None) == LINE.horizon
    assert episode_steps(LINE.replace(follower_discount=0.0), None) == LINE.horizon
