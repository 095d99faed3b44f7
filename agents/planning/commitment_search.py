"""A search over a box of commitments by noisy values: draws, a few arms, and the best of them.

Points are drawn evenly first. Each arm begins at one of the best of them, apart from the others, and has the points
that it asked for. The values of all points nearby make a surrogate, and the next point is one that may be better than
all, by what this surrogate says and does not know. Fewer arms go on after a while, and one at last, which now and then
looks everywhere. The end goes to points that are surely as good as possible, and only what was played is recommended:
what a surrogate says of places where nobody was may be far off.

Letters: n points that were played, D coordinates of the unit cube, k arms.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import OutputError

from ..state import stateful
from ..state.stateful import Stateful
from .surrogate import Surrogate, fit_surrogate

__all__ = ["CommitmentSearch"]

#: How many arms there are from which part of the updates on.
ARMS = ((0.0, 4), (0.4, 2), (0.6, 1))
#: After which part it only confirms.
CONFIRM_FROM = 0.9
#: How far apart arms begin, in parts of the cube.
APART = 0.15
#: Points that a surrogate is made of, the nearest ones, and those among them that lengths are fitted to; lengths are
#: fitted anew when points have grown by a factor.
NEAR, FITTED, REFIT = 400, 180, 1.15
#: Lengths that an arm begins with, and what counts of long ones when candidates are drawn.
FIRST_LENGTH, LONGEST_STEP = 0.3, 1.0
#: Candidates for the next point: how many, how far away, in powers of ten of half a length, and which part of the
#: coordinates moves in every other.
CANDIDATES, LEAST, MOST, MOVES = 600, -1.5, 0.2, 0.3
#: Of the candidates so many lie in directions in which good points differ from one another: every third.
ELITE = 20
#: Losses against the best value count by their logarithm from this part of the usual loss on, and from this many
#: standard deviations of errors on: what lies below a cliff would else take all of the surrogate's attention.
SMALL_LOSS, NOISE = 0.05, 2.0
#: Standard deviations by which a point counts as worse than it is expected to be, where sure ones are wanted.
CAUTION = 0.5
#: How much is hoped for where nobody was, in standard deviations times a half-normal number: around an arm, and where
#: the last one looks everywhere, which it does in every third update.
HOPE = (1.0, 2.0)
LOOK_EVERY = 3
#: Updates where no budget is told.
USUAL_UPDATES = 100
#: Nobody's points.
DRAWN = -1


class CommitmentSearch(Stateful):
    """What was played, and around which points the search goes on.

    Parameters
    ----------
    size
        D.
    updates
        How many points will be asked for; None where nobody knows.

    Attributes
    ----------
    points
        What was played, shape (n, D).
    owners
        Which arm asked for each, shape (n,).
    centres, lengths
        The best point of each arm, and over which distances values change there, shape (k, D).
    """

    state_fields = stateful.fields(
        _played=stateful.Count(),
        points=stateful.Array(lambda self: (None, self.points.shape[1]), low=0.0, high=1.0),
        owners=stateful.Array((None,), dtype=np.int64, low=DRAWN),
        centres=stateful.Array(lambda self: (None, self.points.shape[1]), low=0.0, high=1.0),
        lengths=stateful.Array(lambda self: (None, self.points.shape[1]), low=1e-6, high=1e6),
        _sizes=stateful.Array((None,), low=0.0),
        _names=stateful.Array((None,), dtype=np.int64, low=0),
        _fitted=stateful.Array((None,), dtype=np.int64, low=0),
    )

    def __init__(self, size: int, updates: int | None) -> None:
        self.updates = updates or USUAL_UPDATES
        #: Points that were played, those that are forgotten included.
        self._played = 0
        self.points, self.owners = np.empty((0, size)), np.empty(0, np.int64)
        self.centres, self.lengths, self._sizes = np.empty((0, size)), np.empty((0, size)), np.empty(0)
        #: Names of the arms that go on, and how many points there were when each one's lengths were fitted.
        self._names, self._fitted = np.empty(0, np.int64), np.empty(0, np.int64)

    def check_state(self, loaded: dict[str, Any], where: str) -> None:
        """Raise OutputError unless there is as much of each arm and of each point."""
        arms = {len(loaded[name]) for name in ("centres", "lengths", "_sizes", "_names", "_fitted")}
        if len(arms) > 1 or len(loaded["points"]) != len(loaded["owners"]):
            raise OutputError(f"{where}: expected as much of every arm and point, got different numbers")

    @property
    def arms(self) -> int:
        """k, 0 before they begin."""
        return len(self._names)

    @property
    def turn(self) -> int:
        """The name of the arm whose turn it is."""
        return int(self._names[self._played % self.arms])

    @property
    def confirming(self) -> bool:
        """Whether no new place is looked at any more."""
        return self._share >= CONFIRM_FROM

    @property
    def _looking(self) -> bool:
        """Whether the next point may be anywhere."""
        return self.arms == 1 and self._played % LOOK_EVERY == 0

    @property
    def _share(self) -> float:
        """Which part of the updates is over."""
        return self._played / self.updates

    def begin(self, values: Array, variances: Array) -> None:
        """Begin arms at the best points, from their values and the variances of these, shape (n,) each."""
        chosen: list[int] = []
        for place in np.argsort(np.sqrt(variances) - values, kind="stable"):
            apart = all(np.abs(self.points[place] - self.points[other]).max() > APART for other in chosen)
            if apart and len(chosen) < ARMS[0][1]:
                chosen.append(int(place))
        k, size = len(chosen), self.points.shape[1]
        self.centres, self.lengths = self.points[chosen], np.full((k, size), FIRST_LENGTH)
        self._sizes, self._names, self._fitted = np.zeros(k), np.arange(k), np.zeros(k, np.int64)
        self.owners[chosen] = self._names

    def add(self, point: Array, arm: int = DRAWN) -> None:
        """Note what was played, and for which arm."""
        self._played += 1
        self.points, self.owners = np.vstack([self.points, point]), np.append(self.owners, arm)

    def forget(self, number: int) -> None:
        """Keep the latest points."""
        self.points, self.owners = self.points[-number:], self.owners[-number:]
        self._fitted = np.minimum(self._fitted, number)

    def next(self, values: Array, variances: Array, rng: np.random.Generator) -> tuple[Array, int]:
        """Return the point to play next and the name of the arm that asks for it."""
        values, variances = levelled(values, variances)
        allowed = [number for begins, number in ARMS if self._share >= begins][-1]
        if self.arms > allowed:
            self._keep(values, variances, allowed)
        arm = self._played % self.arms
        surrogate = self._surrogate(arm, values, variances)
        self.centres[arm] = self.points[self._best(arm, surrogate)[0]]
        if self.confirming and self._played % 2:
            return self.centres[arm], int(self._names[arm])
        candidates = self._candidates(arm, values, rng)
        expected, unknown = surrogate.known(candidates)
        hope = -CAUTION if self.confirming else HOPE[self._looking] * abs(rng.standard_normal())
        return candidates[np.argmax(expected + hope * unknown)], int(self._names[arm])

    def best(self, values: Array, variances: Array) -> int:
        """Return the place of the point that was played and is surely as good as possible."""
        if not self.arms:
            return int(np.argmax(values - np.sqrt(variances)))
        values, variances = levelled(values, variances)
        ends = [self._best(arm, self._surrogate(arm, values, variances)) for arm in range(self.arms)]
        return max(ends, key=lambda end: end[1])[0]

    def _best(self, arm: int, surrogate: Surrogate) -> tuple[int, float]:
        """Return the place of an arm's best point, and the least it may be worth."""
        # The last arm has all points: values far away may have shown where it is better.
        mine = np.flatnonzero((self.owners == self._names[arm]) | (self.arms == 1))
        expected, unknown = surrogate.known(self.points[mine])
        least = expected - CAUTION * unknown
        place = int(np.argmax(least))
        return int(mine[place]), float(least[place])

    def _keep(self, values: Array, variances: Array, number: int) -> None:
        """Let the best arms go on."""
        ends = [self._best(arm, self._surrogate(arm, values, variances))[1] for arm in range(self.arms)]
        kept = np.sort(np.argsort(-np.array(ends), kind="stable")[:number])
        for name in ("centres", "lengths", "_sizes", "_names", "_fitted"):
            setattr(self, name, getattr(self, name)[kept])

    def _candidates(self, arm: int, values: Array, rng: np.random.Generator) -> Array:
        """Return points around an arm's best one: in all directions, along some axes, and as good points differ.

        Now and then half of those of the last arm are anywhere.
        """
        centre, shape = self.centres[arm], (CANDIDATES, self.points.shape[1])
        size = 10.0 ** rng.uniform(LEAST, MOST, (CANDIDATES, 1))
        kind = np.arange(CANDIDATES) % 3
        step = 0.5 * np.minimum(self.lengths[arm], LONGEST_STEP) * rng.standard_normal(shape)
        step[kind == 1] *= rng.random((int((kind == 1).sum()), shape[1])) < MOVES
        good = self.points[np.argsort(-values, kind="stable")[:ELITE]]
        pairs = rng.integers(len(good), size=(2, CANDIDATES))
        step[kind == 2] = (good[pairs[0]] - good[pairs[1]])[kind == 2]
        around = np.clip(centre + size * step, 0.0, 1.0)
        if self._looking:
            anywhere = np.arange(CANDIDATES) % 2 == 1
            around[anywhere] = rng.random(shape)[anywhere]
        return np.asarray(around)

    def _surrogate(self, arm: int, values: Array, variances: Array) -> Surrogate:
        distances = (((self.points - self.centres[arm]) / self.lengths[arm]) ** 2).sum(axis=1)
        near = np.argsort(distances, kind="stable")[:NEAR]
        seen = self.points[near], values[near], variances[near]
        if len(self.points) >= REFIT * self._fitted[arm]:
            self._fitted[arm] = len(self.points)
            points, theirs, errors = (each[:FITTED] for each in seen)
            self.lengths[arm], self._sizes[arm] = fit_surrogate(points, theirs, errors, self.lengths[arm])
        return Surrogate.of(*seen, self.lengths[arm], self._sizes[arm])


def levelled(values: Array, variances: Array) -> tuple[Array, Array]:
    """Return values with large losses made small, in the same order, and the variances that fit them."""
    losses = values.max() - values
    unit = max(SMALL_LOSS * float(np.median(losses)), NOISE * float(np.sqrt(np.median(variances))))
    if unit <= 0.0:
        return values, variances
    return values.max() - unit * np.log1p(losses / unit), variances / (1.0 + losses / unit) ** 2
