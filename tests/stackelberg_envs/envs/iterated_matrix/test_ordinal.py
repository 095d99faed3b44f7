"""The twelve games are all there are, and their values are those of all pairs of strategies and of planning."""

import itertools

import numpy as np
import pytest

import stackelberg_envs as se
from stackelberg_envs.envs.iterated_matrix.ordinal import ORDINAL, best_pair, payoffs, planned_value, total


def test_there_are_twelve_and_no_two_are_the_same_but_for_names_of_actions():
    games = {name: ranks for name, (ranks, _) in ORDINAL.items()}
    kinds = {min(ranks, ranks[::-1]) for ranks in games.values()}
    assert len(kinds) == len(games) == 12
    assert kinds == {min(ranks, ranks[::-1]) for ranks in itertools.permutations((1, 2, 3, 4))}


@pytest.mark.parametrize("name", ORDINAL)
def test_all_pairs_of_strategies_give_the_written_value(name):
    found = best_pair(name)
    assert found.value == ORDINAL[name][1]
    paid, own = payoffs(name)
    assert total(paid, found.leader, found.follower) == found.value
    others = itertools.product((0, 1), repeat=5)
    assert total(own, found.leader, found.follower) == max(total(own, found.leader, each) for each in others)


@pytest.mark.parametrize("name", ORDINAL)
def test_a_follower_that_plans_plays_the_same(name):
    assert planned_value(se.make_game("stackelberg/IteratedMatrix-v0", matrix=name)) == ORDINAL[name][1]


def test_payoffs_are_symmetric_with_mean_zero():
    for name in ORDINAL:
        leader, follower = payoffs(name)
        np.testing.assert_array_equal(leader, follower.T)
        assert leader.sum() == 0.0
