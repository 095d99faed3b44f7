"""Where play begins: the first states of all episodes seen, which no commitment moves."""

from __future__ import annotations

import numpy as np

from ..observing.trajectories import Trajectories
from ..state import stateful
from ..state.stateful import Stateful

__all__ = ["FirstStates"]

#: The latest that are kept.
MOST = 2_000


class FirstStates(Stateful):
    """First states of episodes under any commitments.

    Parameters
    ----------
    state_size
        W.

    Attributes
    ----------
    states
        Shape (M, W).
    contexts
        Shape (M,).
    """

    state_fields = stateful.fields(
        states=stateful.Array((None, None)), contexts=stateful.Array((None,), dtype=(np.int32, np.int64), low=0)
    )

    def __init__(self, state_size: int) -> None:
        self.states, self.contexts = np.empty((0, state_size)), np.empty(0, np.int32)

    def add(self, play: Trajectories) -> None:
        """Keep where the episodes of play began."""
        self.states = np.concatenate([self.states, play.state[play.offsets[:-1]]])[-MOST:]
        self.contexts = np.concatenate([self.contexts, play.context])[-MOST:]
