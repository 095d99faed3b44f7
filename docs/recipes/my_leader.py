"""Hill climbing: try a random change of the commitment, and keep it if it pays more."""

from dataclasses import dataclass

import numpy as np

import agents
from agents.options import Options, Positive
from agents.state import stateful


@dataclass(frozen=True)
class MyLeaderConfig(Options):
    """Options; whoever gives them, they are held to their types and ranges."""

    step: Positive = 0.5


@agents.register_leader("my_leader")
class MyLeader(agents.Leader):
    """Hill climbing on observed returns."""

    information, Config = agents.Information.ACTIONS_ONLY, MyLeaderConfig
    # What a checkpoint holds: all that changes from one update to the next.
    state_fields = stateful.fields(best=stateful.Array(), trial=stateful.Array(), highest=stateful.Number())

    def __init__(self, brief, config, rng):
        super().__init__(brief, config, rng)
        self.best = self.trial = np.zeros(brief.parametrisation.size)
        self.highest = -np.inf

    def commit(self):
        return self.brief.parametrisation(self.trial)

    def update(self, trajectories):
        observed = trajectories.mean_return(self.brief.leader_discount)
        if observed > self.highest:
            self.best, self.highest = self.trial, observed
        self.trial = self.best + self.config.step * self.rng.normal(size=self.best.size)
        return {"best_observed": self.highest}
