"""Small games for the tests of best responses."""

import numpy as np

from stackelberg_envs.envs import random_tabular_v1
from stackelberg_envs.games.commitments.policy_table import PolicyTable
from stackelberg_envs.games.tabular import TabularGame

SIZES = {"S": 5, "A": 2, "B": 3, "commitment": "policy"}


def primitives(seed=0, x=None, **changes):
    game = random_tabular_v1.make_game(**({"seed": seed} | SIZES | changes))
    S, A, _ = game.shape
    return game.primitives(np.full((S, A), 1.0 / A) if x is None else x)


def one_state(rewards, leader_rewards=None, temperature=0.5, discount=0.9):
    """One state that leads to itself, one leader action."""
    B = len(rewards)
    leader = np.zeros(B) if leader_rewards is None else leader_rewards
    game = TabularGame(
        transition=np.ones((1, 1, B, 1)),
        leader_reward=np.reshape(leader, (1, 1, B)),
        follower_reward=np.reshape(rewards, (1, 1, B)),
        initial=[1.0],
        leader_discount=discount,
        follower_discount=discount,
        temperature=temperature,
        commitment=PolicyTable(1, 1),
    )
    return game.primitives([[1.0]])
