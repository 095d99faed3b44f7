"""Loops that are cut into slices, so that a signal can be heeded, do what they did in one."""

import numpy as np
import pytest

import agents
from agents.estimators import critics, unrolled
from agents.estimators.counts import EvaluationTask, TabularCounts
from agents.followers.expected_sarsa import expected_sarsa
from agents.followers.soft_q_learning import soft_q_learning
from agents.followers.tabular import LearningTask
from stackelberg_envs import jit
from stackelberg_envs.envs import random_tabular_v1
from stackelberg_envs.play.rollout import GameTables

GAME = random_tabular_v1.make_game(S=5, A=2, B=3, K=2, terminal=1, commitment="policy", seed=4)
PLAY = GAME.primitives(np.full((5, 2), 0.5))
SHAPE = PLAY.follower_reward.shape
LISTS = PLAY.transition.successors, PLAY.transition.probabilities


def learned(learn, steps=300):
    rng, q, visits = np.random.default_rng(1), np.zeros(SHAPE), np.zeros(SHAPE)
    task = LearningTask(PLAY.follower_reward, 0.9, 0.3, 0.05, 0.1)
    episodes = learn(rng, GameTables.of(PLAY, 7), task, steps, visits, q)
    return episodes, q, visits, rng.random()


def evaluated():
    x = np.full((5, 2), 0.5)
    seen = agents.collect(GAME, x, np.full(SHAPE, 1 / 3), steps=200, rng=3)
    critic = critics.ExpectedSarsaCritic(SHAPE, 0.9)
    bonus = np.full(SHAPE, 0.1)
    task = EvaluationTask(seen, "leader", PLAY.leader_policy, np.full(SHAPE, 1 / 3), bonus)
    return critic.update(task), critic.q


def counted(places):
    seen = agents.collect(GAME, np.full((5, 2), 0.5), np.full(SHAPE, 1 / 3), steps=200, rng=3)
    table = TabularCounts(SHAPE, 2)
    table.successors, table.counts = np.zeros((*SHAPE, places), dtype=np.int32), np.zeros((*SHAPE, places))
    table.observe(seen, {"leader": None})
    return table.successors, table.counts, table.visits, table.leader_reward


def swept():
    solution = unrolled.unrolled_solution(PLAY, 20, unrolled.WarmStart.zeros(SHAPE[0]))
    return solution.given.occupancy, solution.given.state_flow, solution.leader.q, solution.best.q, solution.best.policy


@pytest.mark.parametrize(
    "do",
    [
        lambda: learned(soft_q_learning),
        lambda: learned(expected_sarsa),
        evaluated,
        lambda: counted(1),
        lambda: counted(10),
        swept,
    ],
)
def test_slices_of_any_size_give_the_same_bits(do, monkeypatch):
    whole = do()
    for size in (1, 7, 199, 200):
        monkeypatch.setattr(jit, "SLICE", size)
        monkeypatch.setattr(unrolled, "LARGEST_WORK", size)
        for one, other in zip(do(), whole, strict=True):
            np.testing.assert_array_equal(one, other)
