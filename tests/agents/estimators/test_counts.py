"""Counts of recorded play against NumPy."""

import numpy as np
import pytest

from agents.estimators.counts import BehaviourEstimate, TabularCounts
from agents.runs.collection import collect
from stackelberg_envs.envs import discrete_toy_v1, random_tabular_v1
from stackelberg_envs.errors import InformationError
from stackelberg_envs.solvers.solving import solve

X = np.zeros(4)


def test_successor_lists_grow_and_count_right():
    game = random_tabular_v1.make_game(S=12, A=1, B=1, branching=11, temperature=1.0, seed=4)
    seen = collect(game, X, np.ones((12, 1, 1)), steps=20_000, rng=0)
    counts = TabularCounts((12, 1, 1))
    counts.observe(seen, {})
    table = np.zeros((12, 12))
    np.add.at(table, (seen.state, seen.next_state), 1.0)
    got = np.zeros((12, 12))
    np.add.at(got, (np.arange(12)[:, None], counts.successors[:, 0, 0]), counts.counts[:, 0, 0])
    assert counts.successors.shape[-1] > 4
    np.testing.assert_array_equal(got, table)


def test_rewards_are_summed_by_player_and_private_ones_are_refused_before_anything_is_counted():
    game = discrete_toy_v1.make_game(temperature=1.0)
    x = np.full((3, 2), 0.5)
    seen = collect(game, x, solve(game, x).response, episodes=20, rng=0)
    counts, index = TabularCounts((3, 2, 3)), (seen.joint_state, seen.leader_action, seen.follower_action)
    paid = np.random.default_rng(0).standard_normal((3, 2, 3))
    counts.observe(seen, {"leader": None, "follower": paid})
    for player, rewards in (("leader", seen.leader_reward), ("follower", seen.follower_reward - paid[index])):
        sums = np.zeros((3, 2, 3))
        np.add.at(sums, index, rewards)
        visits = np.maximum(counts.visits, 1.0)
        np.testing.assert_allclose(counts.mean_reward(player), sums / visits, atol=1e-12)
    np.testing.assert_allclose(
        counts.mean_reward("follower", paid), np.where(counts.visits > 0, sums / visits + paid, 0.0), atol=1e-12
    )
    before = counts.visits.copy()
    with pytest.raises(
        InformationError, match="expected the follower's rewards, got none; this game keeps them private"
    ):
        counts.observe(seen.without("follower_reward"), {"leader": None, "follower": None})
    np.testing.assert_array_equal(counts.visits, before)


@pytest.mark.parametrize("stationary", [True, False])
def test_where_the_commitment_sets_the_dynamics_only_the_present_ones_are_counted(stationary):
    game = discrete_toy_v1.make_game(temperature=1.0)
    x = np.full((3, 2), 0.5)
    plays = [collect(game, x, solve(game, x).response, steps=30, rng=seed) for seed in (0, 1)]
    counts, last = TabularCounts((3, 2, 3), stationary=stationary), TabularCounts((3, 2, 3))
    for seen in plays:
        counts.observe(seen, {})
    for seen in plays if stationary else plays[1:]:
        last.observe(seen, {})
    np.testing.assert_array_equal(counts.counts.sum(axis=-1), last.counts.sum(axis=-1))
    assert counts.visits.sum() == 60


def test_contexts_are_solved_one_by_one():
    game = random_tabular_v1.make_game(S=6, A=2, B=2, K=3, commitment="policy", seed=4)
    x = np.full((6, 2), 0.5)
    response = np.random.default_rng(0).dirichlet(np.ones(2), size=(18, 2))
    seen, policy = collect(game, x, response, steps=2_000, rng=0), np.full((18, 2), 0.5)
    reward = np.random.default_rng(1).standard_normal((18, 2, 2))
    values = []
    for num_contexts in (1, 3):
        counts = TabularCounts((18, 2, 2), num_contexts)
        counts.observe(seen, {})
        values.append(counts.evaluate(reward, policy, response, 0.9))
    np.testing.assert_allclose(*values, atol=1e-12)


def test_behaviour_is_counted_and_remembered_where_it_was_not_seen_again():
    game = discrete_toy_v1.make_game(temperature=1.0)
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
