"""Discrete toy: three states in which the leader must sometimes punish, at its own cost.

| | |
| --- | --- |
| id | `stackelberg/DiscreteToy-v1` |
| states S | 3: S, A, B |
| leader actions A | 2 |
| follower actions B | 3: s, a, b (towards the state of that name) |
| contexts K | 1 |
| commitment | a policy table f[s, a], shape (3, 2); only q = f(1 | A) matters |
| horizon | 150 |
| discounts | 0.99, 0.99 |
| temperature | 0.05 |

What x changes
    The leader's policy. The follower sees the leader's action before it acts.
Dynamics
    Deterministic, from S. In S, `a` leads to A and `b` to B. In A, when the leader plays 0, `s` leads to S
    and `b` to B; when it plays 1, every action leads to S. In B, `s` leads to S. All else stays.
Follower's reward
    1 for leaving S; ``reward`` for `b` in A when the leader plays 0; -1 in A when the leader plays 1.
Leader's reward
    1 when the follower goes from S to A.
End
    Only by the time limit.
What is known
    Exact optimum at reward 1: 34.992641 at q = 0.166456; at reward 2: 39.940211 at q = 0.502638.
Arguments
    ``reward`` (the papers' R), ``leader_discount``, ``follower_discount``, ``temperature``, ``horizon``.
Sources
    Kudo et al. (2026), arXiv 2603.14867, the discrete two-player Markov game (R1 and R2).
Version history
    v1: on the faces the leader's action is the table as one row, (6,). v0 makes the same game.
    v0: first version.
"""

from __future__ import annotations

import numpy as np

from stackelberg_envs.arrays import require_number
from stackelberg_envs.faces.best_known import known_facts
from stackelberg_envs.faces.registration import declare
from stackelberg_envs.games.commitments.policy_table import PolicyTable
from stackelberg_envs.games.tabular import TabularGame
from stackelberg_envs.games.transitions import Transition

STATES = ("S", "A", "B")
S, A, B = range(3)


def make_game(
    *,
    reward: float = 1.0,
    leader_discount: float = 0.99,
    follower_discount: float = 0.99,
    temperature: float = 0.05,
    horizon: int = 150,
) -> TabularGame:
    """Discrete toy as a tabular game.

    Parameters
    ----------
    reward
        The follower's reward for going from A to B while the leader plays 0.
    leader_discount, follower_discount
        Per step.
    temperature
        Weight of the follower's entropy, reward units.
    horizon
        Steps after which an episode is truncated.
    """
    reward = require_number(reward, "reward")
    landing = np.tile(np.arange(3)[:, None, None], (1, 2, 3))
    leader_reward, follower_reward = np.zeros((3, 2, 3)), np.zeros((3, 2, 3))
    landing[S, :, A], landing[S, :, B], landing[B, :, S] = A, B, S
    landing[A, 0] = (S, A, B)
    landing[A, 1] = S
    leader_reward[S, :, A] = 1.0
    follower_reward[S, :, A] = follower_reward[S, :, B] = 1.0
    follower_reward[A, 0, B] = reward
    follower_reward[A, 1] = -1.0
    setting = {
        "reward": reward,
        "leader_discount": leader_discount,
        "follower_discount": follower_discount,
        "temperature": temperature,
    }
    return TabularGame(
        transition=Transition.from_dense(np.eye(3)[landing]),
        leader_reward=leader_reward,
        follower_reward=follower_reward,
        initial=np.eye(3)[S],
        leader_discount=leader_discount,
        follower_discount=follower_discount,
        temperature=temperature,
        commitment=PolicyTable(3, 2),
        horizon=horizon,
        name="Discrete toy",
        facts={"states": STATES, **known_facts("stackelberg/DiscreteToy-v1", **setting)},
    )


FACES = declare(make_game)
raw_env, env, parallel_env, followers_env, follower_env, leader_env, vector_env = FACES
followers_aec_env, leader_vector_env = FACES.followers_aec_env, FACES.leader_vector_env
parallel_vector_env = FACES.parallel_vector_env
