from dataclasses import replace

import numpy as np
import pytest

from stackelberg_envs.games.transitions import Transition
from stackelberg_envs.solvers.equilibrium.logit import logit_equilibrium
from stackelberg_envs.solvers.equilibrium.sensitivity import (
    evaluate_joint,
    own_reactions,
    reactions,
    transition_cotangent,
)
from tests.stackelberg_envs.solvers.equilibrium.markov_arrays import random_arrays

GAMES = {
    "two": random_arrays(),
    "three": random_arrays(sizes=(2, 3, 2)),
    "masked": random_arrays(masked=True, temperature=0.1),
    "zero_sum": random_arrays(zero_sum=True),
}


def solved(game, start=None):
    found = logit_equilibrium(game, start=start)
    return found, evaluate_joint(game, found.policies, game.leader_reward, game.leader_discount)


def central(of, step):
    return (of(step) - of(-step)) / (2.0 * step)


@pytest.mark.parametrize("name", GAMES)
def test_derivatives_through_the_fixed_point_are_those_of_finite_differences(name):
    game = GAMES[name]
    found, leader = solved(game)
    by_rewards = found.at.joint_weights(reactions(found.at, leader))
    rng = np.random.default_rng(5)
    change = rng.normal(size=by_rewards.shape)
    if game.zero_sum:
        change[1] = -change[0]

    def by_reward(step):
        return solved(replace(game, follower_rewards=game.follower_rewards + step * change), found.q)[1].value

    assert (by_rewards * change).sum() == pytest.approx(central(by_reward, 1e-5), rel=1e-6)
    lists = game.transition
    moved = rng.normal(size=lists.probabilities.shape)
    moved -= moved.mean(axis=-1, keepdims=True)

    def by_transition(step):
        changed = Transition(lists.successors, lists.probabilities + step * moved)
        return solved(replace(game, transition=changed), found.q)[1].value

    slope = transition_cotangent(found.at, leader, by_rewards, game.leader_discount)
    assert (slope * moved).sum() == pytest.approx(central(by_transition, 1e-5), rel=1e-6)
    paid = rng.normal(size=game.leader_reward.shape)

    def by_own(step):
        return solved(replace(game, leader_reward=game.leader_reward + step * paid), found.q)[1].value

    assert (leader.by_reward * paid).sum() == pytest.approx(central(by_own, 1e-2), rel=1e-9)


def test_leaving_the_others_answers_out_is_another_number():
    found, leader = solved(GAMES["two"])
    alone, whole = own_reactions(found.at, leader), reactions(found.at, leader)
    assert np.abs(alone - whole).max() > 0.1 * np.abs(whole).max()
