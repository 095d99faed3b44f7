"""Bilevel LQR: a leader's linear policy must steer a follower who pays for every move to a place off its way.

| | |
| --- | --- |
| id | `stackelberg/BilevelLqr-v1` |
| states | the plane |
| leader actions | a real number, around K s |
| follower actions | a real number; box [-25, 25], never clipped |
| contexts K | 1 |
| commitment | the gain K, shape (1, 2), entries in [-12, 12] |
| horizon | 100 |
| discounts | leader 0.99, follower 0.95 |
| temperature | 0.1 |

What x changes
    The leader's policy, a ~ N(K s, 0.001^2) with K = x. The follower sees the leader's action before it acts.
Dynamics
    s' = A s + B b + C a without noise, with A = [[0, 1], [0, 0]], B = (0, 0.1), C = (0.1, 0), from (1, 0).
Follower's reward
    -(s's + b^2), at the state before the move.
Leader's reward
    exp(-((s_1 + 0.8) / 0.2)^2 / 2 - (s_2 / 0.01)^2 / 2), at the state before the move.
End
    Only by the time limit. The leader's exact value counts the rewards up to there. The follower plans for endless
    play.
What is known
    J = 0.009417 at K = (0, 0), and 11.309047 at (-9.9615, -10.0), which is the best found. At K_2 = -10 the follower's
    actions have no effect on s_1. If |K_1| is also larger than 10.26, its cost is infinite whatever it does.
Arguments
    ``leader_discount``, ``follower_discount``, ``temperature``, ``horizon``, ``leader_noise``, ``action_bound``.
Sources
    Kudo et al. (2026), arXiv 2603.14867, the bilevel linear-quadratic regulator (LQREnv-v4).
Version history
    v1: on the faces the gain is one row, (2,); ``action_bound`` is 25. v0 makes the same game with 100.
    v0: first version.
"""

from __future__ import annotations

import numpy as np

from stackelberg_envs.faces.best_known import known_facts
from stackelberg_envs.faces.registration import declare
from stackelberg_envs.games.commitments.gain import GainCommitment
from stackelberg_envs.games.linear_forms import BumpReward, LinearForm, LinearNumbers, free_dynamics
from stackelberg_envs.games.linear_quadratic import LinearQuadraticGame

BOUND = 12.0
#: Exact responses stay within it under 98.7 % of the commitments on a grid of 25 x 25 (within 1 under 84 %). The others
#: lie around K_2 = -10, where what the follower does has less and less effect on s_1.
ACTION_BOUND = 25.0
#: Sizes of rewards per step, of a state and of the leader's action, in play of the best response.
TYPICAL = {"leader_reward": 1.0, "follower_reward": 10.0, "state": (1.0, 0.1), "leader_action": (BOUND,)}


def make_game(
    *,
    leader_discount: float = 0.99,
    follower_discount: float = 0.95,
    temperature: float = 0.1,
    horizon: int = 100,
    leader_noise: float = 1e-3,
    action_bound: float = ACTION_BOUND,
) -> LinearQuadraticGame:
    """Bilevel LQR as a vector game.

    Parameters
    ----------
    leader_discount, follower_discount
        Per step.
    temperature
        Weight of the follower's entropy, reward units.
    horizon
        Steps after which an episode is truncated, and which the leader's exact value counts.
    leader_noise
        Standard deviation of the leader's action around K s.
    action_bound
        Of the box [-action_bound, action_bound] of the follower's actions, which learners need; exact values know none.
    """
    commitment = GainCommitment((1, 2), BOUND, leader_noise)
    form = LinearForm.of_gain(commitment, free_dynamics(2, commitment.low.size), follower_action_size=1)
    numbers = LinearNumbers(
        weights=np.array([0.0, 1.0, 0.0, 0.0]),
        follower_input=np.array([[0.0], [0.1]]),
        leader_input=np.array([[0.1], [0.0]]),
        noise=np.zeros((2, 2)),
        state_cost=np.eye(2),
        action_cost=np.eye(1),
        initial_mean=np.array([1.0, 0.0]),
        initial_covariance=np.zeros((2, 2)),
    )
    setting = {
        "leader_discount": leader_discount,
        "follower_discount": follower_discount,
        "temperature": temperature,
        "horizon": horizon,
        "leader_noise": leader_noise,
    }
    return LinearQuadraticGame(
        form=form,
        numbers=numbers,
        reward=BumpReward(target=np.array([-0.8, 0.0]), width=np.array([0.2, 0.01])),
        commitment=commitment,
        leader_discount=leader_discount,
        follower_discount=follower_discount,
        temperature=temperature,
        horizon=horizon,
        action_bound=action_bound,
        name="Bilevel LQR",
        facts={"states": ("s_1", "s_2"), "typical": TYPICAL, **known_facts("stackelberg/BilevelLqr-v1", **setting)},
    )


FACES = declare(
    make_game, renderer="stackelberg_envs.envs.bilevel_lqr.picture:plane", earlier={0: {"action_bound": 100.0}}
)
raw_env, env, parallel_env, followers_env, follower_env, leader_env, vector_env = FACES
followers_aec_env, leader_vector_env = FACES.followers_aec_env, FACES.leader_vector_env
parallel_vector_env = FACES.parallel_vector_env
