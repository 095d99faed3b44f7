"""Loops that are cut into slices, so that a signal can be heeded, do what they did in one."""

import numpy as np
import pytest

from agents import kernels
from agents.estimators import unrolled
from stackelberg_envs import kernels as shared
from stackelberg_envs.envs import random_tabular_v0

GAME = random_tabular_v0.make_game(S=5, A=2, B=3, K=2, terminal=1, commitment="policy", seed=4)
PLAY = GAME.primitives(np.full((5, 2), 0.5))
SHAPE = PLAY.follower_reward.shape
LISTS = PLAY.transition.successors, PLAY.transition.probabilities


def learned(name, rng, steps=300):
    q, visits = np.zeros(SHAPE), np.zeros(SHAPE)
    fixed = (np.cumsum(PLAY.initial), PLAY.leader_policy, PLAY.follower_reward, *LISTS, PLAY.continuing, 7)
    episodes = getattr(kernels, name)(rng, *fixed, 0.9, 0.3, 0.05, 0.1, steps, visits, q)
    return episodes, q, visits, rng.random()


def recorded():
    rng = np.random.default_rng(3)
    z, a, b, u = (rng.integers(size, size=200).astype(np.int32) for size in (*SHAPE, SHAPE[0]))
    ends = rng.random(200) < 0.1
    return z, a, b, u, ends, rng.standard_normal(200)


def critics():
    *steps, ends, rewards = recorded()
    behaviour, bonus = np.full(SHAPE, 1 / 3), np.full(SHAPE, 0.1)
    table, values = np.zeros(SHAPE), np.zeros(SHAPE[0])
    fixed = (PLAY.leader_policy, behaviour, bonus, 0.9)
    error = kernels.evaluate_behaviour(*steps, ends, rewards, *fixed, 0.01, 3, np.empty(SHAPE), table, values)
    return error, table, values


def counted(places):
    *steps, ends, _ = recorded()
    successors, counts = np.zeros((*SHAPE, places), dtype=np.int32), np.zeros((*SHAPE, places))
    return kernels.record_successors(*steps, ends, 3, successors, counts), successors, counts


def swept():
    plan = unrolled.unrolled_plan(PLAY, 20, unrolled.WarmStart.zeros(SHAPE[0]))
    return plan.given.occupancy, plan.given.state_flow, plan.leader.q, plan.best.q, plan.best.policy


@pytest.mark.parametrize(
    "do",
    [
        lambda: learned("soft_q_learning", np.random.default_rng(1)),
        lambda: learned("expected_sarsa", np.random.default_rng(1)),
        critics,
        lambda: counted(2),
        lambda: counted(10),
        swept,
    ],
)
def test_slices_of_any_size_give_the_same_bits(do, monkeypatch):
    whole = do()
    for size in (1, 7, 199, 200):
        monkeypatch.setattr(shared, "SLICE", size)
        monkeypatch.setattr(unrolled, "LARGEST_WORK", size)
        for one, other in zip(do(), whole, strict=True):
            np.testing.assert_array_equal(one, other)
