"""Leaders in trouble, and boxes of them."""

import numpy as np

from agents.observing.brief import Information
from agents.runs.briefing import make_brief
from agents.runs.remote.client import RemoteLeader
from stackelberg_envs.envs import four_rooms_v0

#: What a leader must not even have loaded.
BARRED = (
    "stackelberg_envs.games.tabular",
    "stackelberg_envs.games.vector",
    "stackelberg_envs.games.contexts",
    "stackelberg_envs.games.linear_quadratic",
    "stackelberg_envs.games.discretised",
    "stackelberg_envs.solvers.solution",
    "stackelberg_envs.solvers.responses",
    "stackelberg_envs.solvers.soft.accuracy",
    "stackelberg_envs.solvers.linear_quadratic",
    "stackelberg_envs.play",
    "stackelberg_envs.pictures",
    "stackelberg_envs.faces",
    "stackelberg_envs.envs",
    "stackelberg_envs.conformity",
    "gymnasium.envs",
    "pettingzoo",
    "agents.runs.collection",
    "agents.runs.experiment",
    "agents.followers",
)


TROUBLED = """
import os, signal, sys, time
from contextlib import suppress
from dataclasses import dataclass
import numpy as np
from agents.state import stateful
from agents.observing.brief import Information
from agents.leaders.base import Leader
from agents.options import Options

@dataclass(frozen=True)
class Config(Options):
    do: str = "nothing"

class Troubled(Leader):
    "Does what its configuration says when it is to commit."
    information = Information.ACTIONS_ONLY
    Config = Config
    state_fields = stateful.fields()

    def commit(self):
        getattr(self, self.config.do)()
        return np.zeros(104)

    def update(self, trajectories):
        return {}

    def nothing(self):
        pass

    def hang(self):
        while True:
            sum(range(1_000))

    def sleep(self):
        time.sleep(1_000)

    def fall(self):
        raise ValueError("no good")

    def leave(self):
        sys.exit(3)

    def die(self):
        os._exit(4)

    def crash(self):
        os.kill(os.getpid(), signal.SIGSEGV)

    def flood(self):
        self.write((2**60).to_bytes(8, "little"))

    def babble(self):
        self.write((5).to_bytes(8, "little") + b"12345")

    def write(self, data):
        # The host's own descriptors are among the first.
        for descriptor in range(3, 40):
            with suppress(OSError):
                os.write(descriptor, data)

    def tell(self):
        raise ValueError(repr(sorted(os.environ)))

    def numb(self):
        os.kill(os.getpid(), signal.SIGSTOP)
"""


def made(kind, do, **options):
    brief = make_brief(four_rooms_v0.make_game(), Information.ACTIONS_ONLY)
    return RemoteLeader(kind, brief, kind.Config(do), np.random.default_rng(0), **options)
