"""Searching a model over the closed set of commitments: its inside, its edges and its vertices.

Smooth parametrisations reach the inside of a set only, and near its edges they have no gradient. Here a point is a
vector in [0, 1]^P whatever the set: the place in a box, entry by entry, or shares, which are divided by their sum. A
share of zero has a gradient, so L-BFGS-B goes to edges and leaves them again.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.games.primitives import Primitives

from ..observing.brief import TabularBrief
from ..options import Count, Natural, Options
from .search import Ascent, Draws, Objective, Search

if TYPE_CHECKING:
    from stackelberg_envs.solvers.soft import SoftSolution

__all__ = ["BoxFaces", "FaceObjective", "FaceSearchConfig", "Faces", "ShareFaces", "face_search", "faces_of"]

#: Bound on the error of the follower's values, in units of its temperature: what its policy depends on.
TOLERANCE = 1e-9
#: The part of the box that the first step of an ascent goes.
FIRST_MOVE = 0.05
#: Parts of a row that a neighbour has moved to another entry; a table also has all of it moved.
PARTS = (0.05, 0.1, 0.2, 0.4)


class Faces(ABC):
    """A closed set of commitments in coordinates without units: points in [0, 1]^P.

    Attributes
    ----------
    size
        P.
    """

    size: int

    @abstractmethod
    def commitment(self, point: Array) -> Array:
        """Return x, in its own shape."""

    @abstractmethod
    def point(self, x: Array) -> Array:
        """Return a point of x; where x is outside of the set, of one near it."""

    @abstractmethod
    def plain(self, point: Array) -> Array:
        """Return the point of the same commitment that stands for all of its points."""

    @abstractmethod
    def slope(self, point: Array, dx: Array) -> Array:
        """Return dJ/dpoint, shape (P,), from dJ/dx."""

    @abstractmethod
    def corners(self, most: int, rng: np.random.Generator) -> Array:
        """Return all vertices, or so many that are drawn, shape (n, P)."""

    @abstractmethod
    def inside(self, rng: np.random.Generator) -> Array:
        """Draw a point."""

    @abstractmethod
    def moved(self, point: Array, rng: np.random.Generator) -> Array:
        """Draw a neighbour: what differs in one entry, or in one row."""


class BoxFaces(Faces):
    """A box, entry by entry.

    Parameters
    ----------
    low, high
        Its bounds, in the shape of x.
    """

    def __init__(self, low: Array, high: Array) -> None:
        self._low, self._high, self.size = low, high, low.size

    def commitment(self, point: Array) -> Array:
        """Return x; at the bounds of the point exactly the bounds of x."""
        part = point.reshape(self._low.shape)
        inside = self._low + (self._high - self._low) * part
        return np.where(part >= 1.0, self._high, np.where(part <= 0.0, self._low, inside))

    def point(self, x: Array) -> Array:
        """Return the place in the box."""
        width = self._high - self._low
        return np.asarray(np.clip((x - self._low) / np.where(width > 0, width, 1.0), 0.0, 1.0)).ravel()

    def plain(self, point: Array) -> Array:
        """Return the point."""
        return np.clip(point, 0.0, 1.0)

    def slope(self, point: Array, dx: Array) -> Array:
        """Return dx times the width."""
        del point
        return np.asarray((self._high - self._low) * dx).ravel()

    def corners(self, most: int, rng: np.random.Generator) -> Array:
        """Return all corners, or some of them."""
        if self.size < 63 and 2**self.size <= most:
            return np.array([(np.arange(2**self.size) >> i) & 1 for i in range(self.size)], dtype=np.float64).T
        return rng.integers(0, 2, (most, self.size)).astype(np.float64)

    def inside(self, rng: np.random.Generator) -> Array:
        """Draw evenly."""
        return rng.random(self.size)

    def moved(self, point: Array, rng: np.random.Generator) -> Array:
        """Draw one entry anew, half the time at a bound."""
        other = point.copy()
        other[rng.integers(self.size)] = rng.integers(2) if rng.random() < 0.5 else rng.random()
        return other


class ShareFaces(Faces):
    """Rows of shares that sum to one: x = bound * shares, without the last entry of the row where that is not used.

    Parameters
    ----------
    bound
        What a whole share makes of each entry, in the shape of x.
    rows
        How many rows there are.
    unused
        Whether a share of each row may stay unused.
    """

    def __init__(self, bound: Array, rows: int, *, unused: bool) -> None:
        self._bound, self.rows, self._unused = bound, rows, int(unused)
        self.columns = bound.size // rows + self._unused
        self.size = rows * self.columns

    def _shares(self, point: Array) -> Array:
        table = np.maximum(point, 0.0).reshape(self.rows, self.columns)
        sums = table.sum(axis=1, keepdims=True)
        return np.where(sums > 0, table / np.where(sums > 0, sums, 1.0), 1.0 / self.columns)

    def commitment(self, point: Array) -> Array:
        """Return the shares times what they make."""
        used = self._shares(point)[:, : self.columns - self._unused]
        return np.asarray(self._bound * used.reshape(self._bound.shape))

    def point(self, x: Array) -> Array:
        """Return the shares."""
        part = np.divide(x, self._bound, out=np.zeros(self._bound.shape), where=self._bound != 0)
        table = np.clip(part, 0.0, 1.0).reshape(self.rows, -1)
        if self._unused:
            table = np.column_stack([table, np.maximum(1.0 - table.sum(axis=1), 0.0)])
        return self.plain(table.ravel())

    def plain(self, point: Array) -> Array:
        """Return the shares."""
        return self._shares(point).ravel()

    def slope(self, point: Array, dx: Array) -> Array:
        """Return (dp - <p, dp>) / the sum of the row, dp the derivative by shares."""
        shares, by_share = self._shares(point), np.zeros((self.rows, self.columns))
        by_share[:, : self.columns - self._unused] = (self._bound * dx).reshape(self.rows, -1)
        sums = np.maximum(point, 0.0).reshape(self.rows, self.columns).sum(axis=1, keepdims=True)
        slope = (by_share - (shares * by_share).sum(axis=1, keepdims=True)) / np.where(sums > 0, sums, 1.0)
        return np.asarray(slope).ravel()

    def corners(self, most: int, rng: np.random.Generator) -> Array:
        """Return everything on one entry of a single row, each; or tables of rows like that, drawn."""
        if self.rows == 1 and self.columns <= most:
            return np.eye(self.columns)
        return np.eye(self.columns)[rng.integers(self.columns, size=(most, self.rows))].reshape(most, self.size)

    def inside(self, rng: np.random.Generator) -> Array:
        """Draw rows of a few shares each."""
        few = rng.dirichlet(np.full(self.columns, max(2.0 / self.columns, 0.1)), self.rows)
        return np.asarray(few).ravel()

    def moved(self, point: Array, rng: np.random.Generator) -> Array:
        """Draw a row and an entry of it, and move a part of the row there; all of it in a table of several rows."""
        table = self._shares(point)
        row, column = rng.integers(self.rows), rng.integers(self.columns)
        part = rng.choice(PARTS) if self.rows == 1 or rng.random() < 0.5 else 1.0
        table[row] *= 1.0 - part
        table[row, column] += part
        return table.ravel()


def _box(brief: TabularBrief) -> Faces:
    return BoxFaces(brief.commitment.low, brief.commitment.high)


def _budget(brief: TabularBrief) -> Faces:
    return ShareFaces(brief.commitment.low + brief.commitment.high, 1, unused=True)


def _table(brief: TabularBrief) -> Faces:
    shape = brief.commitment.shape
    return ShareFaces(np.ones(shape), shape[0], unused=False)


#: Name of a parametrisation -> the closed set of which it reaches the inside; of all others it is the box.
FACES: dict[str, Callable[[TabularBrief], Faces]] = {"softmax_budget": _budget, "softmax_table": _table}


def faces_of(brief: TabularBrief) -> Faces:
    """Return the closed set of which the brief's parametrisation reaches the inside.

    A projection leads into the set that the commitment has by itself: into rows of shares, or into the box.
    """
    name, own = brief.parametrisation.name, brief.commitment.parametrisation
    return FACES.get("softmax_table" if (name, own) == ("projection", "softmax_table") else name, _box)(brief)


class FaceObjective(Objective):
    """J of a model and its derivative by points of the closed set.

    Parameters
    ----------
    brief
        For the commitment and the shapes.
    faces
        The set.
    primitives
        x -> the model under x.
    """

    bounds = (0.0, 1.0)
    coarse, fine, tolerance = 1e-8, 1e-10, 1e-7

    def __init__(self, brief: TabularBrief, faces: Faces, primitives: Callable[[Array], Primitives]) -> None:
        self._brief, self.faces, self._primitives = brief, faces, primitives
        self._warm: dict[float, Array] = {}
        self.evaluations = 0

    def commitment(self, point: Array) -> Array:
        """Return x, an admissible one."""
        return self._brief.commitment.project(self.faces.commitment(point))

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
        return made.leader.value, self.faces.slope(point, dx)

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
class FaceSearchConfig(Options):
    """How much work a search may take.

    Attributes
    ----------
    vertices
        Vertices that are looked at in a search: all of them where there are no more, else so many drawn ones. Half as
        many neighbours of each of the two best points known, and a quarter as many points inside.
    starts
        From how many of these, the best ones, there is an ascent.
    iterations
        L-BFGS-B iterations per ascent.
    """

    vertices: Count = 128
    starts: Natural = 6
    iterations: Count = 60


def face_search(faces: Faces, config: FaceSearchConfig, rng: np.random.Generator, known: list[Array]) -> Search:
    """Return a search over a closed set.

    Parameters
    ----------
    faces
        The set.
    config
        How hard to search.
    rng
        For what is drawn.
    known
        Points to ascend from besides, the best one first; at least one, each of shape (P,).
    """
    few = max(1, config.vertices // 4)
    near = [_shaken(faces, point, rng) for point in known[:2] for _ in range(2 * few)]
    inside = [faces.inside(rng) for _ in range(few)]
    points = np.concatenate([faces.corners(config.vertices, rng), np.array(near + inside)])
    n = config.iterations
    ascents = [Ascent(point, (1.0,), n) for point in [*known, np.full(faces.size, 0.5)]]
    return Search(faces.size, ascents, Draws(points, config.starts, n), iterations=n)


def _shaken(faces: Faces, point: Array, rng: np.random.Generator) -> Array:
    """Return a neighbour, or a neighbour of that, and so on."""
    for _ in range(int(rng.geometric(0.5))):
        point = faces.moved(point, rng)
    return point
