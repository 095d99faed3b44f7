"""Two roads: a commuter takes a bridge, which the leader charges for, or a slow road through a village."""

import numpy as np

import stackelberg_envs as se

PLACES = ["home", "bridge", "village", "work"]
HOME, BRIDGE, VILLAGE, WORK = range(4)


def make_game(*, slow: float = 0.5, patience: float = 0.2) -> se.TabularGame:
    """Two roads as a game of tables; `slow` is the chance that another step in the village is needed."""
    transition = np.zeros((4, 1, 2, 4))  # state, leader's action, follower's action, next state
    transition[HOME, 0, 0, BRIDGE] = transition[HOME, 0, 1, VILLAGE] = 1.0
    transition[BRIDGE, 0, :, WORK] = transition[WORK, 0, :, WORK] = 1.0
    transition[VILLAGE, 0, :] = slow * np.eye(4)[VILLAGE] + (1 - slow) * np.eye(4)[WORK]
    time = np.zeros((4, 1, 2))
    time[[BRIDGE, VILLAGE]] = 1.0
    crossings = np.zeros((4, 1, 2, 1))  # the last axis: one price
    crossings[BRIDGE] = 1.0
    return se.TabularGame(
        transition=transition,
        leader_reward=np.zeros((4, 1, 2)),
        follower_reward=-time,
        initial=np.eye(4)[HOME],
        terminal=np.eye(4)[WORK],
        leader_discount=0.99,
        follower_discount=0.99,
        temperature=patience,
        commitment=se.Transfer(crossings, 0.0, 3.0, names=["bridge toll"]),
        horizon=20,
        name="Two roads",
        facts={"states": PLACES},
    )


se.register("mine/TwoRoads-v0", make_game)
