"""Returns of episodes, less what their first states explain: those are luck, and no commitment moves them.

The regression is over all play, on features of the first states: quadratic ones, and as many cosines in random
directions as there is play for (Rahimi and Recht, "Random Features for Large-Scale Kernel Machines", 2007). Returns and
features both count less their mean under the same commitment, so what one commitment is worth more than another is left
as it is. A part of the returns that hangs on both stays in.

Letters: N commitments, M episodes, W state size, F features.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import OutputError

from ..observing.trajectories import Trajectories
from ..state import stateful
from ..state.stateful import Stateful
from .regression import Whitening, quadratic_features

__all__ = ["CommonStarts"]

#: Episodes that each feature needs before any is subtracted, and that each cosine needs.
EPISODES_PER_FEATURE, EPISODES_PER_COSINE = 4, 8
#: Cosines at most, and the mean length of their directions among whitened states.
COSINES, STEEPNESS = 300, 4.3
#: Latest episodes that are kept.
MOST = 20_000
#: Ridge of the regression, relative to its diagonal.
RIDGE = 1e-4
#: The regression is made anew whenever episodes have grown by this factor.
REFIT = 1.1
#: The spread of episodes under one commitment counts beside that of all, which counts as so many episodes.
POOLED = 4


class CommonStarts(Stateful):
    """The first states and returns of the play so far, and under which commitment each was."""

    state_fields = stateful.fields(
        _states=stateful.Array(lambda self: (None, None), optional=True),
        _returns=stateful.Array(lambda self: (None,), optional=True),
        _lengths=stateful.List(stateful.Count()),
        _fitted=stateful.Count(),
    )

    def __init__(self) -> None:
        self._states: Array | None = None
        self._returns: Array | None = None
        self._lengths: list[int] = []
        #: How many of the latest commitments the regression was made with when it was made last.
        self._fitted = 0
        self._regression: _Regression | None = None
        self._explained = np.empty(0)

    def check_state(self, loaded: dict[str, Any], where: str) -> None:
        """Raise OutputError unless there is a first state and a return of each episode."""
        sizes = {len(loaded[name]) for name in ("_states", "_returns") if loaded.get(name) is not None}
        if sizes - {sum(loaded["_lengths"])} or (loaded["_lengths"] and not sizes):
            raise OutputError(f"{where}: expected a first state and a return of each episode, got others")
        if loaded["_fitted"] > len(loaded["_lengths"]):
            raise OutputError(f"{where}: expected a regression on play that is there, got one on more")

    def value(self, play: Trajectories, discount: float) -> float:
        """Return the mean return of play under one commitment, from average first states; the play is remembered."""
        self.add(play, discount)
        return float(self._left()[-self._lengths[-1] :].mean())

    def add(self, play: Trajectories, discount: float) -> None:
        """Remember play under one commitment; without a whole episode, its return so far."""
        returns, begun = play.returns(discount), play.state[play.offsets[:-1]]
        states = begun[play.whole] if play.whole.any() else begun[:1]
        known = self._states is not None and self._returns is not None
        self._states = np.concatenate([self._states, states]) if known else states
        self._returns = np.concatenate([self._returns, returns]) if known else returns
        self._lengths = [*self._lengths, len(states)]
        if sum(self._lengths) > MOST:
            self._forget()
        if len(self._lengths) >= REFIT * self._fitted:
            self._fitted, self._regression = len(self._lengths), None  # made when it is asked for

    def judged(self) -> tuple[Array, Array]:
        """Return values of the latest commitments, from average first states, and their variances, shape (N,) each."""
        left, sizes = self._left(), np.array(self._lengths)
        begins = np.cumsum([0, *sizes[:-1]])
        means = np.add.reduceat(left, begins) / sizes
        squares = (left - np.repeat(means, sizes)) ** 2
        each = np.add.reduceat(squares, begins)
        pooled = squares.sum() / max(1, len(left) - len(sizes))
        return means, (each + POOLED * pooled) / (sizes - 1 + POOLED) / sizes

    def _left(self) -> Array:
        """Return what is left of all returns, shape (M,)."""
        assert self._states is not None and self._returns is not None  # noqa: S101 - the caller has play
        if self._regression is None:
            seen = sum(self._lengths[: self._fitted])
            self._regression = _Regression.of(
                self._states[:seen], self._returns[:seen], np.array(self._lengths[: self._fitted])
            )
            self._explained = np.empty(0)
        new = self._regression(self._states[len(self._explained) :])
        self._explained = np.concatenate([self._explained, new])
        return np.asarray(self._returns - self._explained)

    def _forget(self) -> None:
        """Keep the latest commitments: a quarter goes at once, and the regression is made anew."""
        assert self._states is not None and self._returns is not None  # noqa: S101 - the caller has play
        gone, N = 0, 0
        while gone <= MOST // 4 and len(self._lengths) - 1 > N:
            gone, N = gone + self._lengths[N], N + 1
        self._states, self._returns, self._lengths = self._states[gone:], self._returns[gone:], self._lengths[N:]
        self._fitted = 0


@dataclass(frozen=True, eq=False)
class _Regression:
    """What first states explain of returns; nothing while there is little play.

    Attributes
    ----------
    whitening
        Of first states.
    mix, shift
        Directions of cosines, shape (W, C), and where they begin, shape (C,).
    centre, weights
        Of features, shape (F,): the mean, and what each explains.
    """

    whitening: Whitening
    mix: Array
    shift: Array
    centre: Array
    weights: Array

    @classmethod
    def of(cls, states: Array, returns: Array, lengths: NDArray[np.int64]) -> _Regression:
        """Fit it to episodes, of which `lengths` were under each commitment."""
        whitening, spare = Whitening.of(states), len(returns) - len(lengths)
        W, cosines = states.shape[1], min(COSINES, spare // EPISODES_PER_COSINE)
        rng = np.random.default_rng(0)
        mix = rng.standard_normal((W, cosines)) * STEEPNESS / np.sqrt(W)
        found = cls(whitening, mix, rng.uniform(0.0, 2.0 * np.pi, cosines), np.zeros(0), np.zeros(0))
        rows = found.features(states)
        if spare < EPISODES_PER_FEATURE * rows.shape[1]:
            return cls(whitening, mix[:, :0], mix[0, :0], np.zeros(0), np.zeros(0))
        features, centred = _within(rows, lengths), _within(returns[:, None], lengths)[:, 0]
        normal = features.T @ features
        normal[np.diag_indices_from(normal)] *= 1.0 + RIDGE
        weights = np.linalg.lstsq(normal, features.T @ centred, rcond=None)[0]
        return cls(whitening, mix, found.shift, np.asarray(rows.mean(axis=0)), np.asarray(weights))

    def features(self, states: Array) -> Array:
        """Return them, shape (M, F)."""
        z = self.whitening(states)
        return np.concatenate([quadratic_features(z)[:, 1:], np.cos(z @ self.mix + self.shift)], axis=1)

    def __call__(self, states: Array) -> Array:
        """Return what states explain, beyond average ones, shape (M,)."""
        if not self.weights.size:
            return np.zeros(len(states))
        return np.asarray((self.features(states) - self.centre) @ self.weights)


def _within(rows: Array, lengths: NDArray[np.int64]) -> Array:
    """Return rows of shape (M, .) less their mean under each commitment."""
    means = np.add.reduceat(rows, np.cumsum([0, *lengths[:-1]])) / lengths[:, None]
    return np.asarray(rows - np.repeat(means, lengths, axis=0))
