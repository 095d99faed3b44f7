"""The naive leader: where it does not get."""

import numpy as np
import pytest

import agents
from agents.leaders import leader_class
from stackelberg_envs.envs import discrete_toy_v1
from tests.games import TOY_OPTIMUM

of_seeds = pytest.mark.parametrize("seeds", [range(3), pytest.param(range(10), marks=pytest.mark.deep)], ids=len)


def toy_values(leader, reward, seeds, **options):
    game = discrete_toy_v1.make_game(reward=reward)
    records = [
        agents.run(game, leader=leader, updates=150, steps_per_update=1_500, seed=seed, evaluate_every=0, **options)
        for seed in seeds
    ]
    assert all(record.observed_steps == 225_000 for record in records)
    return np.array([record.leader_value for record in records])


@of_seeds
@pytest.mark.parametrize("reward", [1.0, 2.0])
def test_one_ascent_does_not_get_far(reward, seeds):
    published = leader_class("naive").presets["published"]
    assert (toy_values("naive", reward, seeds, leader_options=published) < 0.5 * TOY_OPTIMUM[reward]).all()
