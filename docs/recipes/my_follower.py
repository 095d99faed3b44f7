"""Lazy: goes a part of the way from what it did to what is best for it."""

from dataclasses import dataclass

import numpy as np

import agents
from agents.options import Options, Share
from agents.state import stateful
from stackelberg_envs.solvers.soft import soft_best_response


@dataclass(frozen=True)
class MyFollowerConfig(Options):
    """Options; whoever gives them, they are held to their types and ranges."""

    share: Share = 0.5


@agents.register_follower("my_follower")
class MyFollower(agents.Follower):
    """A slow best response in games of tables."""

    Config = MyFollowerConfig
    # The random generator and the policy are in agents.Follower already; there is nothing to add.
    state_fields = stateful.fields()

    def learn(self, view):
        best = soft_best_response(view.primitives).policy
        last = self.policy if self.learned else np.full_like(best, 1 / best.shape[-1])
        self.policy = (1 - self.config.share) * last + self.config.share * best
        return 0  # environment steps that it took
