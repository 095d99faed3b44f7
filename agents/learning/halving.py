"""Successive halving: many commitments are tried, the best are climbed from, fewer and fewer, and one is recommended.

A single ascent ends at the local optimum next to its start, or does not move where the follower does not react. So a
budget of updates is spent in five parts:

1. a pool of commitments that lie far apart is tried, each for one update: half of all updates;
2. from the best twentieth of them there is a short ascent each;
3. the best three of these go on;
4. the best one goes on;
5. the ends, and the best points met on the way, are tried once more, and the best of these is recommended.

Ascents make steps in units of the set of commitments: parts of a box, or logits. Each entry is divided by its own
typical size, as in Adam, so that steps depend neither on units of reward nor on the number of parameters. Steps grow
while gradients agree, and shrink where they contradict each other. A step that loses much is taken back most of the
way.

This is this project's own; neither BC-HG nor HPGD has it. Jamieson and Talwalkar, "Non-stochastic Best Arm
Identification and Hyperparameter Optimization", AISTATS 2016, describe successive halving.
"""

from __future__ import annotations

from itertools import islice
from typing import NamedTuple

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import OutputError

from ..state import stateful
from ..state.stateful import Pending, Stateful
from ..state.tree import Tree
from .optimizers import length
from .parametrisations import Parametrisation

__all__ = ["Arm", "HalvingSearch", "Phases"]

#: Updates that are reckoned with where nobody says how many there will be.
USUAL_UPDATES = 100
POOL, FIRST, SECOND, LAST, FINALS, BEYOND = range(6)
#: Of averages of gradients and of their squares.
MEMORY, SIZE_MEMORY = 0.8, 0.95
#: Entries of a gradient larger than so many of their root mean squares are cut to that.
OUTLIER = 3.0
#: Gradients whose cosine is above the first make steps longer, below the second shorter; by how much.
AGREE, CONTRADICT = 0.3, -0.1
LONGER, SHORTER = 1.1, 0.8
#: Of the length of a step, in strides.
LEAST_STEP, LARGEST_STEP = 0.003, 2.0
#: A step that loses more than the first part of what its start was above the pool's median is cut to the second part.
FALL, BACK = 0.3, 1.0 / 3.0
#: How many of the last values decide how an arm ranks.
RECENT = 3


class Phases(NamedTuple):
    """How the updates of a search are divided.

    Attributes
    ----------
    pool
        Commitments that are tried.
    first, first_updates
        Ascents of the second part, and updates of each.
    second, second_updates
        The same of the third part.
    last_update, updates
        The numbers of updates after which the ascent from the best one ends, and all does.
    """

    pool: int
    first: int
    first_updates: int
    second: int
    second_updates: int
    last_update: int
    updates: int

    @classmethod
    def of(cls, updates: int) -> Phases:
        """Return the division of so many updates."""
        pool = max(1, updates // 2)
        first = max(1, pool // 20)
        second = min(3, first)
        each = max(1, int(0.08 * updates) // first), max(1, int(0.1 * updates) // second)
        return cls(pool, first, each[0], second, each[1], int(0.9 * updates), updates)


class Arm(Stateful):
    """One commitment that is tried, and the ascent from there.

    Attributes
    ----------
    theta
        Where it is, shape (P,).
    values
        The last few scores there: values less half their standard error, reward units.
    best_theta, best_value
        The best point met, and its score.
    """

    state_fields = stateful.fields(
        theta=stateful.Array(),
        values=stateful.List(stateful.Number()),
        best_theta=stateful.Array(like="theta"),
        best_value=stateful.Number(),
        _step=stateful.Number(low=0.0),
        _count=stateful.Count(),
        _anchor_value=stateful.Number(),
        **{
            name: stateful.Array(like="theta", optional=True)
            for name in ("_mean", "_square", "_last_gradient", "_anchor", "_leap")
        },
    )

    def __init__(self, theta: Array) -> None:
        self.theta = self.best_theta = theta
        self.values: list[float] = []
        self.best_value = -np.inf
        #: Length of a step, in strides.
        self._step = 1.0
        self._count = 0
        self._mean: Array | None = None
        self._square: Array | None = None
        self._last_gradient: Array | None = None
        #: Where the last step came from, what that is worth, and the step.
        self._anchor: Array | None = None
        self._anchor_value = -np.inf
        self._leap: Array | None = None

    @property
    def score(self) -> float:
        """The average of the last scores; minus infinity before the first."""
        return float(np.mean(self.values)) if self.values else -np.inf

    def note(self, score: float, *, moving: bool, certain: bool = False) -> None:
        """Keep what its present point was found to be worth.

        Of a moving arm, the last few values count. One that stays where it is counts by all of them, or by the last
        one if values are certain: then each is from all that was seen up to it.
        """
        kept = self.values[1 - RECENT :] if moving else [] if certain else self.values
        self.values = [*kept, score]
        if score > self.best_value:
            self.best_theta, self.best_value = self.theta, score

    def climb(self, gradient: Array, parametrisation: Parametrisation, rng: np.random.Generator, usual: float) -> None:
        """Make a step along a gradient in units of steps, shape (P,); at random where there is none.

        A step that has lost much goes back, most of the way: narrow ridges are leapt over, and beyond them there may be
        nothing to climb by. `usual` is the median value of the pool.
        """
        value = self.values[-1]
        allowed = FALL * max(self._anchor_value - usual, 0.0)
        if self._anchor is not None and self._leap is not None and value < self._anchor_value - allowed and allowed > 0:
            self._leap = BACK * self._leap
            self._step = max(BACK * self._step, LEAST_STEP)
            self.theta = parametrisation.moved(self._anchor, self._leap)
            self.values = [self._anchor_value]
            return
        size = float(np.abs(gradient).max(initial=0.0))
        if not 0.0 < size < np.inf:
            direction = rng.standard_normal(len(self.theta))
        else:
            direction = self._direction(gradient)
            self._adapt(gradient)
        self._anchor, self._anchor_value = self.theta, value
        self._leap = self._step * parametrisation.stride * np.clip(direction, -1.0, 1.0)
        self.theta = parametrisation.moved(self.theta, self._leap)

    def _direction(self, gradient: Array) -> Array:
        """Return the average of gradients over their root mean square, entry by entry."""
        zeros = np.zeros_like(gradient)
        mean, root = (zeros if kept is None else kept for kept in (self._mean, self._square))
        if self._count:
            # One estimate in many may be far off; it is not to make all later steps short.
            limit = OUTLIER * root / np.sqrt(1.0 - SIZE_MEMORY**self._count)
            gradient = np.clip(gradient, -limit, limit)
        self._count += 1
        self._mean = MEMORY * mean + (1.0 - MEMORY) * gradient
        # The root itself is kept: squares of small gradients would be zero, those of large ones infinite.
        self._square = np.hypot(np.sqrt(SIZE_MEMORY) * root, np.sqrt(1.0 - SIZE_MEMORY) * gradient)
        mean = self._mean / (1.0 - MEMORY**self._count)
        root = self._square / np.sqrt(1.0 - SIZE_MEMORY**self._count)
        root = root + 1e-8 * root.max()
        return np.asarray(np.divide(mean, root, out=zeros, where=root > 0))

    def _adapt(self, gradient: Array) -> None:
        """Make steps longer while gradients agree, and shorter where they contradict each other."""
        gradient = gradient / length(gradient)
        if self._last_gradient is not None:
            agreement = float(gradient @ self._last_gradient)
            factor = LONGER if agreement > AGREE else SHORTER if agreement < CONTRADICT else 1.0
            self._step = float(np.clip(factor * self._step, LEAST_STEP, LARGEST_STEP))
        self._last_gradient = gradient


class HalvingSearch(Stateful):
    """Which commitment to try next, and which to recommend.

    Parameters
    ----------
    parametrisation
        Of the commitments.
    start
        The first theta to try, shape (P,).
    rng
        For the pool, and for steps where there is no gradient.
    updates
        How many there will be; None where nobody knows. After these it stays at the best one.
    """

    state_fields = stateful.fields(
        arms=stateful.List(stateful.Part(make=lambda self: Arm(self.start))),
        phase=stateful.Count(high=BEYOND),
        _queue=stateful.List(stateful.Count()),
        _updates=stateful.Count(),
        _usual=stateful.Number(),
    )

    def __init__(
        self, parametrisation: Parametrisation, start: Array, rng: np.random.Generator, updates: int | None = None
    ) -> None:
        self.parametrisation, self.start, self._rng = parametrisation, start, rng
        self.phases = Phases.of(USUAL_UPDATES if updates is None else updates)
        others = (theta for theta in parametrisation.candidates(rng) if not np.array_equal(theta, start))
        self.arms = [Arm(start), *map(Arm, islice(others, self.phases.pool - 1))]
        self.phase = POOL
        #: Numbers of the arms to be played next, in order.
        self._queue = list(range(len(self.arms)))
        self._updates = 0
        #: The median value of the pool.
        self._usual = 0.0

    def checked_state(self, tree: Tree, where: str) -> Pending:
        """Return a state that was checked; its queue names arms that are there."""
        pending = super().checked_state(tree, where)
        assert isinstance(tree, dict)  # noqa: S101 - it was checked
        queue, count = tree["_queue"], len(tree["arms"])
        if not queue or max(queue) >= count:
            raise OutputError(f"{where}: expected a queue of numbers below {count}, got {queue}")
        return pending

    @property
    def theta(self) -> Array:
        """The theta to try next, shape (P,)."""
        return self.arms[self._queue[0]].theta

    @property
    def best(self) -> Array:
        """The theta to recommend: the best point of the best arm, shape (P,)."""
        return max(self.arms, key=lambda arm: arm.score).best_theta

    def learn(self, theta: Array, value: float, error: float, gradient: Array) -> None:
        """Take up what was found at a theta, and make up the mind what to try next.

        Parameters
        ----------
        theta
            What was tried; not quite what was asked for where the follower had no response to that.
        value, error
            What it seems to be worth and the standard error of that, reward units; zero where it is from all play.
        gradient
            In units of steps, shape (P,).
        """
        arm = self.arms[self._queue.pop(0)]
        arm.theta = theta
        moving = FIRST <= self.phase <= LAST
        arm.note(value - 0.5 * error if np.isfinite(error) else value, moving=moving, certain=error == 0.0)
        self._updates += 1
        if moving:
            arm.climb(gradient, self.parametrisation, self._rng, self._usual)
        while not self._queue:
            self._next_phase()

    def _next_phase(self) -> None:
        """Drop the arms that are behind, and line up the others."""
        self.phase = min(self.phase + 1, BEYOND)
        phases = self.phases
        if self.phase == FIRST:
            self._usual = float(np.median([arm.score for arm in self.arms]))
            self._line_up(phases.first, phases.first_updates)
        elif self.phase == SECOND:
            self._line_up(phases.second, phases.second_updates)
        elif self.phase == LAST:
            self._line_up(len(self.arms), 0)  # the others stay for the finals
            self._queue = [0] * (phases.last_update - self._updates)
        elif self.phase == FINALS:
            ends = [self.arms[0].theta, *(arm.best_theta for arm in self.arms)]
            self.arms = [Arm(theta) for theta in ends]
            each = max(1, (phases.updates - self._updates) // len(ends))
            self._queue = [number for number in range(len(ends)) for _ in range(each)]
        else:
            self._line_up(1, 1)

    def _line_up(self, count: int, updates: int) -> None:
        """Keep the best arms, the best first, each to be played so many times in a row."""
        self.arms = sorted(self.arms, key=lambda arm: -arm.score)[:count]
        self._queue = [number for number in range(len(self.arms)) for _ in range(updates)]
