"""Leaders that go wrong, each in its way, for tests of what looks after them."""

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import agents
from agents.options import Options


@dataclass(frozen=True)
class AwkwardConfig(Options):
    """Options of all of them."""

    #: A folder that the leader may write to.
    folder: str = ""


class Awkward(agents.Leader):
    """Announces the same commitment for ever."""

    information, Config = agents.Information.ACTIONS_ONLY, AwkwardConfig

    def commit(self):
        return self.brief.parametrisation(np.zeros(self.brief.parametrisation.size))

    def update(self, trajectories):
        return {}


class Raises(Awkward):
    """Fails in its second update."""

    def update(self, trajectories):
        if hasattr(self, "_again"):
            raise ValueError("no idea")
        self._again = True
        sys.stdout.write("an update\n")
        return {}


class Nan(Awkward):
    """Announces what is no number."""

    def commit(self):
        return super().commit() * np.nan


class WrongShape(Awkward):
    """Announces too few numbers."""

    def commit(self):
        return super().commit().ravel()[:1]


class Slow(Awkward):
    """Takes a tenth of a second for an update."""

    def update(self, trajectories):
        time.sleep(0.1)
        return {}


class Stuck(Awkward):
    """Never ends its update."""

    def update(self, trajectories):
        time.sleep(3_600)
        return {}


class Hungry(Awkward):
    """Asks for more memory than it may have."""

    def update(self, trajectories):
        self._food = np.ones(2**31 // 8)
        return {}


class Dies(Awkward):
    """Ends its process."""

    def update(self, trajectories):
        os._exit(9)


class DiesOnce(Awkward):
    """Ends its process the first time."""

    def update(self, trajectories):
        mark = Path(self.config.folder) / "died"
        if not mark.exists():
            mark.touch()
            os._exit(9)
        return {}
