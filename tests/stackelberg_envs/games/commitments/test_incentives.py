"""Incentives, costs and features pay where they say."""

import numpy as np

from stackelberg_envs.games.commitments.incentives import IncentiveCost, LinearFeatures, StateIncentive


def test_state_incentive_pays_where_it_says():
    effect = StateIncentive(-1, 1, where=[[1, 0], [0, 2]]).effect(np.array([0.5, -1.0]))
    np.testing.assert_array_equal(effect.follower_reward[:, :, 0, 0], [[0.5, 0.0], [0.0, -2.0]])


def test_cost_is_price_times_the_sum_of_sizes():
    cost = IncentiveCost([-1, -1], 1, price=3.0, where=[0, 1])
    effect = cost.effect(np.array([0.5, -0.25]))
    np.testing.assert_allclose(effect.leader_reward[:, 0, 0], [0.0, -2.25])


def test_features_are_weighted_and_added():
    features = np.arange(12.0).reshape(1, 2, 3, 2)
    effect = LinearFeatures(features, -1, 1).effect(np.array([1.0, -1.0]))
    np.testing.assert_array_equal(effect.follower_reward, -np.ones((1, 2, 3)))
