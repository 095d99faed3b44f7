"""Searching a model over the closed set of commitments: its inside, its edges and its vertices.

Smooth parametrisations reach the inside of a set only, and near its edges they have no gradient. Here a point is a
vector in [0, 1]^P whatever the set: the place in a box, entry by entry, or shares, which are divided by their sum. A
share of zero has a gradient, so L-BFGS-B goes to edges and leaves them again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.games.primitives import Primitives
from stackelberg_envs.solvers.searching.sets import SearchSet, set_of

from ..observing.brief import TabularBrief
from ..options import Count, Natural, Options
from .search import Ascent, Draws, Objective, Search

if TYPE_CHECKING:
    from stackelberg_envs.solvers.soft import SoftSolution

__all__ = ["SetObjective", "SetSearchConfig", "reached_set", "set_search"]

#: Bound on the error of the follower's values, in units of its temperature: what its policy depends on.
TOLERANCE = 1e-9
#: The part of the box that the first step of an ascent goes.
FIRST_MOVE = 0.05
#: Ascents from anywhere inside, whatever that is worth: at the true temperature, and down ladders that begin at a
#: multiple of it between these and have so many rungs. And ascents from points made of two known ones each.
INSIDE, LADDERS, HIGHEST, RUNGS, LOWEST, CROSSED = 1, 2, (2.0, 30.0), (2, 6), 1.3, 3


def reached_set(brief: TabularBrief) -> SearchSet:
    """Return the closed set of which the brief's parametrisation reaches the inside.

    A projection leads into the set that the commitment has by itself: into rows of shares, or into the box.
    """
    name, own = brief.parametrisation.name, brief.commitment.parametrisation
    return set_of(brief.commitment, "softmax_table" if (name, own) == ("projection", "softmax_table") else name)


class SetObjective(Objective):
    """J of a model and its derivative by points of the closed set.

    Parameters
    ----------
    brief
        For the commitment and the shapes.
    points
        The set.
    primitives
        x -> the model under x.
    """

    bounds = (0.0, 1.0)
    coarse, fine, tolerance = 1e-8, 1e-10, 1e-7

    def __init__(self, brief: TabularBrief, points: SearchSet, primitives: Callable[[Array], Primitives]) -> None:
        self._brief, self.points, self._primitives = brief, points, primitives
        self._warm: dict[float, Array] = {}
        self.evaluations = 0

    def commitment(self, point: Array) -> Array:
        """Return x, an admissible one."""
        return self._brief.commitment.project(self.points.commitment(self.points.plain(point)))

    def solution(self, point: Array, scale: float = 1.0) -> SoftSolution:
        """Return what is exact in the model under the commitment of a point."""
        from stackelberg_envs.solvers.soft import solve_primitives  # only who plans loads solvers

        game = self._game(point, scale)
        made = solve_primitives(game, start=self._warm.get(scale), tolerance=TOLERANCE)
        self._warm[scale] = made.best.state_values
        return made

    def __call__(self, point: Array, scale: float = 1.0) -> tuple[float, Array]:
        """Return (J, its gradient) with the follower's temperature multiplied by `scale`."""
        changes, shape = self._brief.commitment.changes, self._brief.array_shape
        made = self.solution(point, scale)
        cotangents = made.direct(changes, shape) + made.through_response(changes, shape)
        dx = self._brief.commitment.vjp(self.commitment(point), cotangents)
        return made.leader.value, self.points.plain_slope(point, self.points.slope(dx))

    def value(self, point: Array) -> float:
        """Return J alone."""
        from stackelberg_envs.solvers.soft import leader_value, soft_best_response

        game = self._game(point, 1.0)
        best = soft_best_response(game, start=self._warm.get(1.0), tolerance=TOLERANCE)
        self._warm[1.0] = best.state_values
        return leader_value(game, best.policy)

    def _game(self, point: Array, scale: float) -> Primitives:
        self.evaluations += 1
        game = self._primitives(self.commitment(point))
        return game if scale == 1.0 else replace(game, temperature=scale * game.temperature)

    def reference(self, slope: Array) -> float:
        """Return the size of values with which the first step goes a part of the box."""
        return float(np.abs(slope).max()) / FIRST_MOVE or 1.0


@dataclass(frozen=True)
class SetSearchConfig(Options):
    """How much work a search may take.

    Attributes
    ----------
    vertices
        Vertices that are looked at in a search: all of them where there are no more, else so many drawn ones. Half as
        many neighbours of each of the two best points known, a quarter as many points made of two known ones, and a
        quarter as many inside.
    starts
        From how many of these, the best ones, there is an ascent. Some more begin anywhere inside, three of them at
        most, and as many between two known points.
    iterations
        L-BFGS-B iterations per ascent, at each temperature.
    """

    vertices: Count = 128
    starts: Natural = 3
    iterations: Count = 60


def set_search(points: SearchSet, config: SetSearchConfig, rng: np.random.Generator, known: list[Array]) -> Search:
    """Return a search over a closed set.

    Parameters
    ----------
    points
        The set.
    config
        How hard to search.
    rng
        For what is drawn.
    known
        Points to ascend from besides, the best one first; at least one, each of shape (P,).
    """
    n, few = config.iterations, max(1, config.vertices // 4)
    plain = [points.plain(v) for v in known]
    pairs = [rng.choice(len(plain), 2, replace=False) for _ in range(few + CROSSED)] if len(plain) > 1 else []
    crossed = [points.crossed(plain[i], plain[j], rng) for i, j in pairs]
    seeds = [*points.vertices(config.vertices, rng), *crossed[CROSSED:]]
    for u in plain[:2]:
        around = points.neighbours(u)
        seeds += [around[i] for i in rng.permutation(len(around))[: 2 * few]]
    seeds += [points.inside(rng) for _ in range(few)]
    begun = [*known, np.full(points.size, 0.5), *(points.inside(rng) for _ in range(INSIDE)), *crossed[:CROSSED]]
    ascents = [Ascent(v, (1.0,), n) for v in begun]
    ascents += [Ascent(points.inside(rng), (*_ladder(rng), 1.0), n) for _ in range(LADDERS)]
    return Search(points.size, ascents, Draws(np.array(seeds), config.starts, n), iterations=n)


def _ladder(rng: np.random.Generator) -> list[float]:
    """Return multiples of the temperature, from the highest down."""
    least, most = np.log(HIGHEST)
    return [float(s) for s in np.geomspace(np.exp(rng.uniform(least, most)), LOWEST, int(rng.integers(*RUNGS)))]
