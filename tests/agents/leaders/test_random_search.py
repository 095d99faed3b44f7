import numpy as np
import pytest

import agents
from agents.leaders.random_search import RandomSearch, RandomSearchConfig
from agents.observing.brief import Information
from agents.runs.briefing import make_brief
from stackelberg_envs.envs import discrete_toy_v1
from stackelberg_envs.errors import ArgumentError
from tests.games import TOY_OPTIMUM


def make(**options):
    brief = make_brief(discrete_toy_v1.make_game(), Information.ACTIONS_ONLY)
    return RandomSearch(brief, RandomSearchConfig(**options), np.random.default_rng(0))


@pytest.mark.parametrize("reward", [1.0, 2.0])
def test_it_comes_near_the_optimum_of_the_toy(reward):
    game = discrete_toy_v1.make_game(reward=reward)
    records = [
        agents.run(game, leader="random_search", updates=150, steps_per_update=1_500, seed=seed, evaluate_every=0)
        for seed in range(5)
    ]
    assert np.median([record.leader_value for record in records]) > 0.98 * TOY_OPTIMUM[reward]


@pytest.mark.parametrize(("local", "centre", "spread"), [(1.0, 1.0, 0.2), (0.0, 0.0, 3.0)])
def test_draws_are_near_the_best_or_from_everywhere(local, centre, spread):
    leader = make(local=local, step=0.2, scale=3.0, start=[1.0] * 6)
    draws = np.array([leader.following(0.0)[0] for _ in range(3_000)])
    # 18,000 normal numbers: five standard errors of mean and standard deviation.
    assert abs(draws.mean() - centre) < 5 * spread / np.sqrt(draws.size)
    assert abs(draws.std() - spread) < 5 * spread / np.sqrt(2 * draws.size)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scale": 0.0}, "scale: expected a number greater than 0"),
        ({"step": -1.0}, "step: expected a number greater than 0"),
        ({"local": 1.1}, "local: expected a probability, got 1.1"),
        ({"start": "middle"}, "start: expected 'zeros', 'random' or an array of finite numbers, got 'middle'"),
    ],
)
def test_bad_options_are_refused_by_name(options, message):
    with pytest.raises(ArgumentError, match=message):
        make(**options)
