"""Returns less what first states explain."""

import numpy as np
import pytest

import agents
import stackelberg_envs as se
from agents.estimators.common_starts import CommonStarts

BUILDING = se.make_game("stackelberg/BuildingThermal-v1")


def play(x, rng, episodes=3):
    return agents.collect(BUILDING, x, BUILDING.solve(x).policy, episodes=episodes, rng=rng)


def test_what_is_left_is_far_nearer_to_the_value_and_centred_on_it():
    rng, x, first = np.random.default_rng(0), np.full(8, 0.5), CommonStarts()
    for _ in range(60):
        first.value(play(x, rng), 0.9)
    plays = [play(x, rng) for _ in range(60)]
    raw = np.array([each.mean_return(0.9) for each in plays])
    left = np.array([first.value(each, 0.9) for each in plays])
    assert left.std() < 0.3 * raw.std()
    # The mean over many first states is the same up to what is left of the noise: 5 standard errors of the raw one.
    assert abs(left.mean() - raw.mean()) < 5 * raw.std() / np.sqrt(60)


def test_it_is_the_mean_return_while_there_is_little_play():
    seen = play(np.full(8, 0.5), np.random.default_rng(0))
    assert CommonStarts().value(seen, 0.9) == pytest.approx(seen.mean_return(0.9))


def test_play_without_a_whole_episode_counts_as_it_is():
    x = np.full(8, 0.5)
    cut = agents.collect(BUILDING, x, BUILDING.solve(x).policy, steps=30, rng=0)
    assert CommonStarts().value(cut, 0.9) == pytest.approx(cut.mean_return(0.9))
