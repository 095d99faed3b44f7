"""Corridor: a shop owner offers bonuses to a walker, who is on the way to somewhere else.

What x changes
    The walker is paid ``x[place]`` in every place but the last, and the leader pays all of x when it arrives.
Dynamics
    Five places in a row. The walker stays where it is or goes one to the right.
End
    The last place is terminal: it pays when it is visited. Otherwise after 50 steps.
What is known
    Nothing yet.
Arguments
    ``bonus``.
Sources
    None: an example to copy.
Version history
    v0: first version.
"""

import numpy as np

import stackelberg_envs as se
from stackelberg_envs.faces.registration import declare


def make_game(*, bonus: float = 0.3) -> se.TabularGame:
    """Corridor as a tabular game, with bonuses of up to `bonus` per step."""
    stay, move = np.eye(5), np.eye(5, k=1)
    move[-1, -1] = 1.0
    shop, goal = np.eye(5)[2], np.eye(5)[4]
    pay = [se.StateIncentive(0.0, bonus, where=1 - goal), se.IncentiveCost(0.0, bonus, price=1.0, where=goal)]
    rewards = {"leader_reward": np.outer(shop, [1, 1])[:, None], "follower_reward": np.outer(goal, [1, 1])[:, None]}
    discounts = {"leader_discount": 0.95, "follower_discount": 0.95}
    steps = {"transition": np.stack([stay, move], axis=1)[:, None], "initial": np.eye(5)[0], "terminal": goal}
    return se.TabularGame(**steps, **rewards, **discounts, temperature=0.05, horizon=50, commitment=se.Joint(*pay))


FACES = declare(make_game)
raw_env, env, parallel_env, followers_env, follower_env, leader_env, vector_env = FACES
