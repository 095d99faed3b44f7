"""Small games of vectors for followers with networks, their exact responses, and quick followers."""

from dataclasses import dataclass

import numpy as np
from gymnasium.spaces import Box, MultiDiscrete

from agents.followers.action_values import ActionTable
from agents.followers.sac import Sac, SacConfig
from agents.followers.soft_dqn import SoftDqn, SoftDqnConfig
from stackelberg_envs.envs import bilevel_lqr_v1
from stackelberg_envs.games.samples import SampledCommitment, SampledEffect
from stackelberg_envs.games.vector import BatchStep, VectorGame

MOVES, TASTES = (-1, 0, 1), (0.3, -0.2)


class Bonus(SampledCommitment):
    """x[0] is paid for the second part of the action, x[1] is the probability that the leader acts."""

    changes = frozenset({"follower_reward", "leader_policy"})

    def __init__(self):
        super().__init__([-1.0, 0.0], [1.0, 1.0])

    def effect_at(self, x, samples):
        acts = samples.leader_action[:, 0]
        policy = np.log(np.where(acts > 0, x[1], 1.0 - x[1]))
        return SampledEffect(leader_policy=policy, follower_reward=x[0] * samples.follower_action[:, 1])


@dataclass(frozen=True, eq=False, kw_only=True)
class Line(VectorGame):
    """Five places on a line at distance ten. A step moves by -1, 0 or 1; at the right end the episode ends."""

    @property
    def state_space(self):
        return Box(-20.0, 20.0, (1,))

    @property
    def follower_action_space(self):
        return MultiDiscrete([3, 2])

    @property
    def leader_action_space(self):
        return Box(0.0, 1.0, (1,))

    def initial_states(self, rng, contexts):
        return 10.0 * rng.integers(-2, 3, size=(len(contexts), 1)).astype(float)

    def leader_actions(self, rng, x, states, contexts):
        return (rng.random((len(states), 1)) < x[1]).astype(float)

    def step(self, rng, x, states, contexts, leader_actions, follower_actions):
        place, acts = states[:, 0] / 10.0, leader_actions[:, 0]
        reward = pay(x, place, acts, np.asarray(TASTES)[contexts], follower_actions)
        # One move in five slips.
        moves = np.where(rng.random(len(states)) < 0.2, 0, np.asarray(MOVES)[follower_actions[:, 0]])
        following = np.clip(place + moves, -2, 2)
        return BatchStep(10.0 * following[:, None], acts, reward, place == 2)


def pay(x, place, acts, taste, actions):
    return taste * place * (1 - acts) + x[0] * actions[..., 1] - 0.3 * acts * actions[..., 0]


DEVIATION = 0.5


def mean_of_next(states, actions):
    return 0.9 * states + (actions[..., 0] - 1.0) - 0.2 * actions[..., 1]


@dataclass(frozen=True, eq=False, kw_only=True)
class Balance(Line):
    """A number with normal noise that is best kept at the taste: an action pays nothing now, only later."""

    def step(self, rng, x, states, contexts, leader_actions, follower_actions):
        made = super().step(rng, x, states, contexts, leader_actions, follower_actions)
        following = mean_of_next(states[:, 0], follower_actions) + DEVIATION * rng.standard_normal(len(states))
        reward = -0.3 * (states[:, 0] - np.asarray(TASTES)[contexts]) ** 2
        return BatchStep(following[:, None], made.leader_reward, reward, np.zeros(len(states), bool))

    def initial_states(self, rng, contexts):
        return 2.0 * rng.standard_normal((len(contexts), 1))


LINE = Line(
    commitment=Bonus(), leader_discount=0.8, follower_discount=0.8, temperature=0.2, horizon=30,
    context_probabilities=[0.5, 0.5],
)  # fmt: skip


BALANCE = Balance(
    commitment=Bonus(), leader_discount=0.8, follower_discount=0.8, temperature=0.2, horizon=30,
    context_probabilities=[0.5, 0.5],
)  # fmt: skip


X = np.array([0.1, 0.4])


def exact_policy(x=X):
    """Return the best response, shape (2, 5, 2, 6), by soft value iteration written out."""
    places, actions = np.arange(-2, 3), ActionTable(LINE.follower_action_space).actions
    q = np.zeros((2, 5, 2, 6))
    for _ in range(200):
        soft = 0.2 * np.log(np.exp(q / 0.2).sum(axis=-1))
        ahead = soft @ [1 - x[1], x[1]]
        for k in range(2):
            for i, place in enumerate(places):
                for b, action in enumerate(actions):
                    moved = ahead[k, np.clip(i + MOVES[action[0]], 0, 4)]
                    expected = 0.0 if place == 2 else 0.8 * (0.8 * moved + 0.2 * ahead[k, i])
                    for a in range(2):
                        q[k, i, a, b] = pay(x, place, a, TASTES[k], action) + expected
    weights = np.exp((q - q.max(axis=-1, keepdims=True)) / 0.2)
    return weights / weights.sum(axis=-1, keepdims=True)


def learned_policy(follower):
    k, place, acts = (grid.ravel() for grid in np.meshgrid(range(2), range(-2, 3), range(2), indexing="ij"))
    found = follower.policy.probabilities(10.0 * place[:, None].astype(float), acts[:, None].astype(float), k)
    return found.reshape(2, 5, 2, 6)


def distance(found, exact):
    """Return the total variation between two responses, a mean over what a follower may see."""
    return 0.5 * np.abs(found - exact).sum(axis=-1).mean()


def dqn(seed=0, **options):
    options = {"steps": 6_400, "updates": 10, "batch_size": 128, "learning_rate": 0.01, **options}
    return SoftDqn(SoftDqnConfig(**options), np.random.default_rng(seed))


def sac(seed=0, **options):
    options = {"steps": 6_400, "hidden": (32, 32), "updates": 5, "batch_size": 128, "quadratic": True, **options}
    return Sac(SacConfig(**options), np.random.default_rng(seed))


LQ = bilevel_lqr_v1.make_game()


GAIN = np.array([[-1.0, -2.0]])


QUICK = {"steps": 128, "copies": 8, "batch_size": 16, "hidden": (8,), "updates": 1}
