"""The follower's policy as it is counted."""

import numpy as np

from agents.estimators import BehaviourEstimate
from agents.runs.collection import collect
from stackelberg_envs.envs import discrete_toy_v0
from stackelberg_envs.solvers.solving import solve


def test_behaviour_is_counted_and_remembered_where_it_was_not_seen_again():
    game = discrete_toy_v0.make_game(temperature=1.0)
    x = np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
    first = collect(game, x, solve(game, x).response, episodes=20, rng=0)
    second = collect(game, x, np.tile([0.0, 0.0, 1.0], (3, 2, 1)), episodes=1, rng=0)
    estimate = BehaviourEstimate((3, 2, 3), prior_visits=1.0)
    before = estimate.update(first).copy()
    after = estimate.update(second)
    counts = np.bincount(first.follower_action[first.state == 1], minlength=3)
    np.testing.assert_allclose(before[1, 0], counts / counts.sum())
    np.testing.assert_array_equal(after[1, 0], before[1, 0])  # state A is never visited when S always goes to B
    assert after[0, 0, 2] > before[0, 0, 2]
    np.testing.assert_allclose(estimate.policy[:, 1], 1 / 3)  # leader action 1 was never seen
