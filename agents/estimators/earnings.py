"""What commitments of a game of tables have earned, and which of them surely earn more than another one.

A plan is as good as the model it was made in. What it earned when it was played owes nothing to any model, so a plan
that earned less than another commitment, by more than chance, is none to end with.

That holds of a follower that has settled. While it still learns, what a commitment earned is the answer to something
else. It shows where commitments that are announced again earn otherwise than before; then none is held for worse.

Letters: N commitments, P entries of each.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import OutputError

from ..learning.optimizers import length
from ..state import stateful
from ..state.stateful import Stateful

__all__ = ["Earnings"]

#: Standard errors of a difference that are no chance: even the luckiest of hundreds of equal commitments rarely comes
#: so far, 3 times in 100,000 for each one.
SURE = 4.0
#: Differences below this part of the largest mean are rounding.
ROUNDING = 1e-9
#: Commitments that are kept: the first one, the latest one, and the best of the others.
MOST = 64
#: The spread of returns under one commitment counts beside that of all, which counts as so many episodes.
POOLED = 4.0


class Earnings(Stateful):
    """Commitments that were played, with the numbers, the means and the spreads of their returns.

    Parameters
    ----------
    size
        P.
    """

    state_fields = stateful.fields(
        points=stateful.Array(lambda self: (None, self.points.shape[1])),
        _counts=stateful.Array((None,), low=1.0),
        _means=stateful.Array((None,)),
        _spreads=stateful.Array((None,), low=0.0),
        _repeats=stateful.Count(),
        _between=stateful.Number(low=0.0),
        _inner=stateful.Number(low=0.0),
        _free=stateful.Number(low=0.0),
    )

    def __init__(self, size: int) -> None:
        self.points = np.empty((0, size))
        #: Numbers of episodes, mean returns, and standard deviations of returns, shape (N,) each.
        self._counts, self._means, self._spreads = (np.empty(0) for _ in range(3))
        #: Times that a commitment came again; roots of the sums of squares of changes then, and of returns around the
        #: mean of their own play; and how many returns the latter have beyond those means.
        self._repeats, self._between, self._inner, self._free = 0, 0.0, 0.0, 0.0

    def check_state(self, loaded: dict[str, Any], where: str) -> None:
        """Raise OutputError unless there is as much of each commitment."""
        if len({len(loaded[name]) for name in ("points", "_counts", "_means", "_spreads")}) > 1:
            raise OutputError(f"{where}: expected as many numbers as commitments, got others")

    def add(self, point: Array, returns: Array) -> None:
        """Note the returns of episodes under a commitment, of shapes (P,) and (number of episodes,)."""
        n, mean = float(len(returns)), float(returns.mean())
        spread = length(returns - mean) / np.sqrt(n)
        self._inner, self._free = float(np.hypot(self._inner, np.sqrt(n) * spread)), self._free + n - 1.0
        known = self.like(point)
        if known.any():
            i = int(np.argmax(known))
            before, was, around = self._counts[i], self._means[i], self._spreads[i]
            total = before + n
            between = np.sqrt(before * n / total) * abs(mean - was)
            self._repeats, self._between = self._repeats + 1, float(np.hypot(self._between, between))
            spread = np.hypot(np.hypot(np.sqrt(before) * around, np.sqrt(n) * spread), between) / np.sqrt(total)
            self._counts[i], self._means[i], self._spreads[i] = total, (before * was + n * mean) / total, spread
            return
        self.points = np.vstack([self.points, point])
        self._counts, self._means = np.append(self._counts, n), np.append(self._means, mean)
        self._spreads = np.append(self._spreads, spread)
        if len(self.points) > MOST:
            kept = np.arange(MOST + 1) != 1 + int(np.argmin(self._means[1:-1]))
            self.points, self._counts = self.points[kept], self._counts[kept]
            self._means, self._spreads = self._means[kept], self._spreads[kept]

    def like(self, point: Array) -> NDArray[np.bool_]:
        """Return which of the commitments this one is, shape (N,)."""
        return np.asarray((self.points == point).all(axis=1))

    def nearest(self, point: Array) -> Array:
        """Return the commitment that was played nearest to this one; itself where none was."""
        if not len(self.points):
            return point
        return np.asarray(self.points[np.argmin(np.abs(self.points - point).max(axis=1))])

    def better_than(self, point: Array) -> Array | None:
        """Return the commitment that surely earns most, where one surely earns less than it; else None."""
        if not len(self.points):
            return None
        best, behind = self.judged()
        return self.points[best] if behind[self.like(point)].any() else None

    def judged(self) -> tuple[int, NDArray[np.bool_]]:
        """Return which commitment surely earns most, and which surely earn less than that one, shape (N,).

        None does while commitments that came again earned otherwise than before: the follower still learns. The mean
        square of such changes is that of single returns else, with a relative standard error of sqrt(2 / repeats).
        """
        counts, spreads, steady = self._counts, self._spreads, True
        again, rounding = float((counts - 1.0).sum()), ROUNDING * float(np.abs(self._means).max(initial=0.0))
        if self._repeats and self._free:
            allowed = np.sqrt(1.0 + SURE * np.sqrt(2.0 / self._repeats)) * self._inner / np.sqrt(self._free)
            steady = self._between / np.sqrt(self._repeats) <= allowed + rounding
        if not again or not steady:
            return int(np.argmax(self._means)), np.zeros(len(counts), dtype=np.bool_)
        pooled = length(np.sqrt(counts) * spreads) / np.sqrt(again)
        own = np.hypot(np.sqrt(counts) * spreads, np.sqrt(POOLED) * pooled) / np.sqrt(counts - 1.0 + POOLED)
        errors = own / np.sqrt(counts)
        best = int(np.argmax(self._means - SURE * errors))
        chance = SURE * np.hypot(errors, errors[best]) + rounding
        return best, self._means[best] - self._means > chance
