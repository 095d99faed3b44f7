"""A small game of vectors for tests of sessions and views."""

from dataclasses import fields

import numpy as np
from gymnasium.spaces import Box, Discrete

import stackelberg_envs as se
from stackelberg_envs.games.samples import SampledCommitment, SampledEffect
from stackelberg_envs.games.vector import BatchStep, VectorGame

CARTPOLE, PENDULUM = "stackelberg/GuidedCartPole-v0", "stackelberg/GuidedPendulum-v0"


BATCHED = [name for name in se.registered_ids() if isinstance(se.make_game(name), VectorGame)]


class Weight(SampledCommitment):
    """x pays the follower for its action."""

    changes = frozenset({"follower_reward"})

    def __init__(self):
        super().__init__(-1.0, 1.0, (1,))

    def effect_at(self, x, samples):
        return SampledEffect(follower_reward=x[0] * samples.follower_action[:, 0])


class Ladder(VectorGame):
    """Climbs by a Discrete action, from a step its context names; over at 4. The leader has no actions."""

    @property
    def state_space(self):
        return Box(np.array([2.0], np.float32), np.array([9.0], np.float32))

    @property
    def follower_action_space(self):
        return Discrete(3)

    def initial_states(self, rng, contexts):
        return 2.0 + contexts[:, None] + 0.25 * rng.random((len(contexts), 1))

    def step(self, rng, x, states, contexts, leader_actions, follower_actions):
        climbed = states + follower_actions
        return BatchStep(climbed, states[:, 0] * 1.0, x[0] * follower_actions[:, 0], climbed[:, 0] >= 4.0)


def recast(game, kind):
    """Return a game of another class with the same numbers."""
    return kind(**{item.name: getattr(game, item.name) for item in fields(game)})


def ladder(**changes):
    return Ladder(
        commitment=Weight(),
        leader_discount=0.9,
        follower_discount=0.9,
        temperature=0.1,
        horizon=5,
        context_probabilities=np.array([0.25, 0.75]),
        **changes,
    )
