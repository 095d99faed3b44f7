"""The counted model of a tabular game: how it fills what was seen rarely or never."""

import numpy as np
import pytest

import agents
import stackelberg_envs as se
from agents.estimators.models.counted import ObservedModel
from agents.observing.brief import Information
from agents.runs.briefing import make_brief


@pytest.mark.parametrize("shrinkage", [0.5, 4.0])
def test_shrinkage_is_the_weight_of_the_average_over_the_followers_actions(shrinkage):
    game, x = se.make_game("stackelberg/DiscreteToy-v0", temperature=1.0), np.full((3, 2), 0.5)
    seen = agents.collect(game, x, se.solve(game, x).response, steps=100, rng=0)
    model = ObservedModel(make_brief(game, Information.REWARDS_OBSERVED), shrinkage=shrinkage)
    model.observe(seen)
    visits, sums = np.zeros(game.shape), np.zeros(game.shape)
    where = seen.state, seen.leader_action, seen.follower_action
    np.add.at(visits, where, 1.0)
    np.add.at(sums, where, seen.leader_reward)
    mean = sums.sum(axis=2, keepdims=True) / np.maximum(visits.sum(axis=2, keepdims=True), 1.0)
    expected = (sums + shrinkage * mean) / (visits + shrinkage)
    np.testing.assert_allclose(model.primitives(x).leader_reward.reshape(game.shape), expected, atol=1e-12)
