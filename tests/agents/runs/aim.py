"""A game of vectors in closed form, with its follower."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from gymnasium.spaces import Box

import agents
from agents.followers.exact import Exact
from agents.leaders.base import GradientConfig, GradientLeader
from agents.state import stateful
from stackelberg_envs.errors import InstabilityError
from stackelberg_envs.games.samples import SampledCommitment, SampledEffect
from stackelberg_envs.games.vector import BatchStep, VectorGame

#: Beyond this the follower of the small game has no finite response.
LIMIT = 3.0


class Aim(SampledCommitment):
    """The follower is paid for acting near x: r_F = -(b - x)^2."""

    changes = frozenset({"follower_reward"})

    def __init__(self):
        super().__init__([-5.0], [5.0])

    def effect_at(self, x, samples):
        return SampledEffect(follower_reward=-((samples.follower_action[:, 0] - x[0]) ** 2))


@dataclass(frozen=True)
class Normal:
    mean: float
    variance: float

    def sample(self, rng, states, leader_actions, contexts):
        return self.mean + np.sqrt(self.variance) * rng.standard_normal((len(states), 1))

    def log_prob(self, states, leader_actions, contexts, actions):
        return -0.5 * (np.log(2 * np.pi * self.variance) + (actions[:, 0] - self.mean) ** 2 / self.variance)


@dataclass(frozen=True)
class Answer:
    x: np.ndarray
    leader_value: float
    policy: Normal
    gradient: np.ndarray
    follower_value: float = 0.0
    direct_gradient: np.ndarray = 0.0
    response_gradient: np.ndarray = 0.0


@dataclass(frozen=True, eq=False, kw_only=True)
class AimGame(VectorGame):
    """One state; the leader wants b = 1, and pays 1 - (b - 1)^2 a step; each step ends the episode with p = `ends`."""

    ends: float = 0.0
    suggested_follower: ClassVar[str] = "aimed"

    @property
    def state_space(self):
        return Box(-np.inf, np.inf, (2,), np.float32)

    @property
    def follower_action_space(self):
        return Box(-10.0, 10.0, (1,), np.float32)

    def initial_states(self, rng, contexts):
        return rng.standard_normal((len(contexts), 2))

    def step(self, rng, x, states, contexts, leader_actions, follower_actions):
        b = follower_actions[:, 0]
        over = rng.random(len(states)) < self.ends
        return BatchStep(rng.standard_normal(states.shape), 1 - (b - 1) ** 2, -((b - x[0]) ** 2), over)

    def solve(self, x):
        if x[0] > LIMIT:
            raise InstabilityError(f"x: expected at most {LIMIT}, got {x[0]}", 1.0 + x[0] - LIMIT)
        variance = self.temperature / 2
        weight = (1 - self.leader_discount**self.horizon) / (1 - self.leader_discount)
        value = weight * (1 - (x[0] - 1) ** 2 - variance)
        return Answer(x, float(value), Normal(float(x[0]), variance), weight * -2 * (x - 1))


class Aimed(Exact):
    """Exact in the small game."""

    state_fields = stateful.fields()


class Jumpy(GradientLeader):
    """Always wants more, by a lot."""

    information = agents.Information.ACTIONS_ONLY
    kinds = frozenset({"vector"})
    Config = GradientConfig

    def gradient(self, trajectories):
        return np.ones(1), {}


def small_game(**changes):
    settings = {"leader_discount": 0.9, "follower_discount": 0.5, "temperature": 0.1, "horizon": 20}
    return AimGame(commitment=Aim(), name="aim", **{**settings, **changes})
