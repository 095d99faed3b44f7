"""One start of a global search: a population of ascents, whose ends are crossed, and the best of them looked around.

Games with a commitment for each state have many local optima, each a patchwork of parts that are good and parts that
are not. An ascent from a patchwork of two of them often ends higher than both.
"""

from __future__ import annotations

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.solvers.searching.ascent import climb
from stackelberg_envs.solvers.searching.objective import Objective

__all__ = ["End", "Population", "look_around", "start"]

#: Ascents of a start: at most so many, and two more than there are free numbers.
MEMBERS, MORE = 8, 2
#: Every second member begins at the best of so many points, drawn for each of these.
DRAWS = 4
#: Which part of these draws are vertices.
VERTICES = 0.5
#: The first member comes down a ladder of temperatures: from a multiple of the true one between these, in so many
#: rungs, to the last multiple. Which ladder leads to the best differs from game to game, so it is drawn.
#: Where the follower's rewards are further apart than the upper multiple, ladders may begin where they are not, and
#: have as many rungs more: below, the leader's value is flat there, with steps, and no slope leads to the next one.
HIGHEST, RUNGS, MOST_RUNGS, LOWEST = (2.0, 30.0), (3, 15), 100, 1.1
#: A population is done when so many crossings in a row have given nothing new that stays.
PATIENCE = 8
#: From how many of the best neighbours of a point there is an ascent, before it counts as the best around.
LOOKED_AT = 3
#: L-BFGS-B iterations: of an ascent, at a higher temperature, and of the last one.
ITERATIONS, RUNG, LAST = 200, 30, 500
#: Gains, as parts of the range, at which they end.
COARSE, RUNG_GAIN, FINE = 1e-6, 1e-4, 1e-13
#: Values that are closer than this part of the range are the same.
SAME = 1e-7

#: The value and the point where an ascent ended.
End = tuple[float, Array]
#: Of a start that has met no finite value.
NOWHERE: End = (-np.inf, np.empty(0))


class Population:
    """The best distinct ends so far, the best one first.

    Parameters
    ----------
    objective
        What is climbed.
    size
        How many are kept.
    """

    def __init__(self, objective: Objective, size: int) -> None:
        self._objective, self._size = objective, size
        self.ends: list[End] = []

    def add(self, end: End) -> bool:
        """Take an end in, unless it is there already or worse than all; return whether it stays."""
        near = SAME * self._objective.range
        if not np.isfinite(end[0]) or any(abs(end[0] - other[0]) <= near for other in self.ends):
            return False
        self.ends = sorted([*self.ends, end], key=lambda each: -each[0])[: self._size]
        return any(end is other for other in self.ends)

    def breed(self, rng: np.random.Generator) -> None:
        """Cross the ends and ascend from what that gives, until nothing new stays."""
        points, failed = self._objective.points, 0
        while failed < PATIENCE and len(self.ends) > 1:
            first, second = rng.choice(len(self.ends), 2, replace=False)
            crossed = points.crossed(self.ends[first][1], self.ends[second][1], rng)
            end = climb(self._objective, crossed, iterations=ITERATIONS, gain=COARSE)
            failed = 0 if self.add(end) else failed + 1


def start(objective: Objective, rng: np.random.Generator) -> End:
    """Return the end of one start, independent of all others."""
    count = min(MEMBERS, objective.points.free + MORE)
    population = Population(objective, count)
    for number, point in enumerate(_beginnings(objective, count, rng)):
        if number == 0 or (number % 2 == 0 and objective.warmest > HIGHEST[1]):
            for scale in _ladder(objective.warmest, rng):
                point = climb(objective, point, iterations=RUNG, scale=scale, gain=RUNG_GAIN)[1]  # noqa: PLW2901
        population.add(climb(objective, point, iterations=ITERATIONS, gain=COARSE))
    population.breed(rng)
    return look_around(objective, population.ends[0]) if population.ends else NOWHERE


def look_around(objective: Objective, end: End) -> End:
    """Return an end that no ascent from one of its best neighbours leads away from, to all digits."""
    best = climb(objective, end[1], iterations=LAST, gain=FINE)
    while True:
        neighbours = objective.points.neighbours(best[1])
        values = [objective.value(point) for point in neighbours]
        for number in np.argsort(values)[::-1][:LOOKED_AT]:
            found = climb(objective, neighbours[number], iterations=ITERATIONS, gain=COARSE)
            if found[0] > best[0] + SAME * objective.range:
                best = climb(objective, found[1], iterations=LAST, gain=FINE)
                break
        else:
            return best


def _ladder(warmest: float, rng: np.random.Generator) -> Array:
    """Return multiples of the temperature, from the highest down."""
    least, most = np.log(HIGHEST[0]), np.log(max(HIGHEST[1], warmest))
    rungs = min(MOST_RUNGS, int(rng.integers(*RUNGS) * most / np.log(HIGHEST[1])))
    return np.geomspace(np.exp(rng.uniform(least, most)), LOWEST, rungs)


def _beginnings(objective: Objective, count: int, rng: np.random.Generator) -> list[Array]:
    """Return points inside, and as many that are the best of many draws."""
    points, chosen = objective.points, (count + 1) // 2
    drawn = [
        points.vertex(rng) if rng.random() < VERTICES else points.inside(rng) for _ in range(DRAWS * (count - chosen))
    ]
    ranked = np.argsort([objective.value(point) for point in drawn])[::-1]
    return [points.inside(rng) for _ in range(chosen)] + [drawn[i] for i in ranked[: count - chosen]]
