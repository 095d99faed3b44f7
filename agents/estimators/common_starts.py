"""Returns of episodes, less what their first states explain: those are luck, and no commitment moves them.

The regression is over all play, on quadratic features of the first states. Returns and features both count less their
mean under the same commitment, so what one commitment is worth more than another is left as it is. A part of the
returns that hangs on both stays in.

Letters: M episodes, F features.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import OutputError

from ..observing.trajectories import Trajectories
from ..state import stateful
from ..state.stateful import Stateful
from .regression import Whitening, quadratic_features

__all__ = ["CommonStarts"]

#: Episodes that each feature needs before any is subtracted.
EPISODES_PER_FEATURE = 4
#: Latest episodes that are kept.
MOST = 20_000
#: Ridge of the regression, relative to its diagonal.
RIDGE = 1e-6


class CommonStarts(Stateful):
    """The first states and returns of the play so far, and under which commitment each was."""

    state_fields = stateful.fields(
        _states=stateful.Array(lambda self: (None, None), optional=True),
        _returns=stateful.Array(lambda self: (None,), optional=True),
        _lengths=stateful.List(stateful.Count()),
    )

    def __init__(self) -> None:
        self._states: Array | None = None
        self._returns: Array | None = None
        self._lengths: list[int] = []

    def check_state(self, loaded: dict[str, Any], where: str) -> None:
        """Raise OutputError unless there is a first state and a return of each episode."""
        sizes = {len(loaded[name]) for name in ("_states", "_returns") if loaded.get(name) is not None}
        if sizes - {sum(loaded["_lengths"])} or (loaded["_lengths"] and not sizes):
            raise OutputError(f"{where}: expected a first state and a return of each episode, got others")

    def value(self, play: Trajectories, discount: float) -> float:
        """Return the mean return of play under one commitment, from average first states; the play is remembered."""
        returns, states = play.returns(discount), play.state[play.offsets[:-1]][play.whole]
        mean = float(returns.mean())
        if not len(states):
            return mean
        known = self._states is not None and self._returns is not None
        self._states = np.concatenate([self._states, states]) if known else states
        self._returns = np.concatenate([self._returns, returns]) if known else returns
        self._lengths = [*self._lengths, len(states)]
        self._forget()
        rows = quadratic_features(Whitening.of(self._states)(self._states))
        if len(rows) < EPISODES_PER_FEATURE * rows.shape[1]:
            return mean
        features, centred = self._within(rows), self._within(self._returns[:, None])[:, 0]
        normal = features.T @ features
        normal[np.diag_indices_from(normal)] *= 1.0 + RIDGE
        weights = np.linalg.lstsq(normal, features.T @ centred, rcond=None)[0]
        return mean - float((rows[-len(states) :].mean(axis=0) - rows.mean(axis=0)) @ weights)

    def _forget(self) -> None:
        """Keep the latest commitments."""
        assert self._states is not None and self._returns is not None  # noqa: S101 - the caller has play
        while sum(self._lengths) > MOST and len(self._lengths) > 1:
            gone, *self._lengths = self._lengths
            self._states, self._returns = self._states[gone:], self._returns[gone:]

    def _within(self, rows: Array) -> Array:
        """Return rows of shape (M, .) less their mean under each commitment."""
        begins = np.cumsum([0, *self._lengths[:-1]])
        means = np.add.reduceat(rows, begins) / np.array(self._lengths)[:, None]
        return np.asarray(rows - np.repeat(means, self._lengths, axis=0))
