"""The closed set of commitments that is searched, in coordinates without units.

A point u is a box [0, 1]^n, or rows of shares that sum to one. A set knows how u becomes a commitment x, how a
derivative by x becomes one by u, where its vertices are, and which points are the neighbours of a point. The
commitment's default parametrisation says which set it is: a parametrisation reaches the inside of a set only, what is
searched here has its edges, too.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import numpy as np

from stackelberg_envs.arrays import Array, IntArray
from stackelberg_envs.games.commitments.base import Commitment

__all__ = ["Box", "Budget", "Rows", "SearchSet", "set_of"]

#: Which parts of a row are moved to one of its entries, to find neighbours of a point.
PARTS = (1.0, 0.4, 0.2, 0.1, 0.05)
#: A row is named by other shares once the one that the others leave is less than this.
LEAST_REST = 1e-3
#: Shares that count as held.
HELD = 0.02
#: How often what is made of two points lies between them in all entries.
BETWEEN = 0.25
#: Levels that an entry of a box is moved to, besides that of zero: costs have kinks there.
LEVELS = (0.0, 1.0, 0.5)


class SearchSet(ABC):
    """A closed set of commitments in coordinates u, flat of shape (n,).

    Attributes
    ----------
    size
        n.
    free
        How many numbers it takes to name a point.
    """

    size: int
    free: int

    @abstractmethod
    def commitment(self, u: Array) -> Array:
        """Return x, in its own shape."""

    @abstractmethod
    def point(self, x: Array) -> Array:
        """Return the u of an admissible x, the nearest one where the set is smaller than the bounds of x."""

    @abstractmethod
    def slope(self, dx: Array) -> Array:
        """Return dJ/du, shape (n,), from dJ/dx."""

    @abstractmethod
    def plain(self, v: Array) -> Array:
        """Return the u that a point v of [0, 1]^n stands for: whatever v is, that is one of the set."""

    @abstractmethod
    def plain_slope(self, v: Array, du: Array) -> Array:
        """Return dJ/dv from dJ/du at the u of v."""

    @abstractmethod
    def chart(self, u: Array) -> Chart:
        """Return coordinates around u in which the set is a box."""

    @abstractmethod
    def vertices(self, most: int, rng: np.random.Generator) -> Array:
        """Return all vertices, shape (N, n); where there are more than `most`, so many that are drawn."""

    @abstractmethod
    def inside(self, rng: np.random.Generator) -> Array:
        """Draw a point inside."""

    @abstractmethod
    def vertex(self, rng: np.random.Generator) -> Array:
        """Draw a vertex."""

    @abstractmethod
    def neighbours(self, u: Array) -> list[Array]:
        """Return the points that differ from u in one way: at another level of one entry, or in one row."""

    @abstractmethod
    def crossed(self, u: Array, v: Array, rng: np.random.Generator) -> Array:
        """Return a point whose entries or rows are those of u or those of v, at random."""


class Chart:
    """Coordinates y in [0, 1]^free of the points near u; identical ones where the set is a box."""

    def __init__(
        self,
        y: Array,
        point: Callable[[Array], Array],
        slope: Callable[[Array, Array], Array],
        fits: Callable[[Array], bool],
    ) -> None:
        #: Those of u itself.
        self.y = y
        #: y -> u.
        self.point = point
        #: (y, dJ/du) -> dJ/dy.
        self.slope = slope
        #: Whether another point has these coordinates as well.
        self.fits = fits


class Box(SearchSet):
    """low <= x <= high; entries whose bounds are equal are left out."""

    def __init__(self, commitment: Commitment) -> None:
        self._low, self._high = commitment.low, commitment.high
        self._width = self._high - self._low
        self._open = np.flatnonzero(self._width.ravel() > 0)
        self.size = self.free = len(self._open)
        self._zero = self.point(np.zeros(self._low.shape))

    def commitment(self, u: Array) -> Array:
        """Return low + (high - low) u."""
        flat = np.zeros(self._low.size)
        flat[self._open] = np.clip(u, 0.0, 1.0)
        scaled: Array = flat.reshape(self._low.shape)
        # So that a bound is met exactly.
        return np.asarray(np.where(scaled == 1.0, self._high, self._low + self._width * scaled))

    def point(self, x: Array) -> Array:
        """Return (x - low) / (high - low)."""
        return np.asarray(np.clip((x - self._low).ravel()[self._open] / self._width.ravel()[self._open], 0.0, 1.0))

    def slope(self, dx: Array) -> Array:
        """Return dx times the width."""
        return np.asarray((dx * self._width).ravel()[self._open])

    def plain(self, v: Array) -> Array:
        """Return v, clipped."""
        return np.clip(v, 0.0, 1.0)

    def plain_slope(self, v: Array, du: Array) -> Array:
        """Return du."""
        del v
        return du

    def vertices(self, most: int, rng: np.random.Generator) -> Array:
        """Return each choice of a bound per entry."""
        return _choices(self.size, 2, most, rng).astype(np.float64)

    def chart(self, u: Array) -> Chart:
        """Return u itself."""
        return Chart(u, lambda y: y, lambda _, du: du, lambda _: True)

    def inside(self, rng: np.random.Generator) -> Array:
        """Draw evenly."""
        return rng.random(self.size)

    def vertex(self, rng: np.random.Generator) -> Array:
        """Draw each entry at one of its bounds."""
        return rng.integers(0, 2, self.size).astype(np.float64)

    def neighbours(self, u: Array) -> list[Array]:
        """Return u with one entry at a bound, in the middle or at zero."""
        found = []
        for i in range(self.size):
            for level in {*LEVELS, float(self._zero[i])}:
                if abs(u[i] - level) > HELD:
                    moved = u.copy()
                    moved[i] = level
                    found.append(moved)
        return found

    def crossed(self, u: Array, v: Array, rng: np.random.Generator) -> Array:
        """Return each entry of u or of v, and now and then a point between them."""
        if rng.random() < BETWEEN:
            return np.asarray(u + rng.random() * (v - u))
        return np.where(rng.random(self.size) < 0.5, u, v)


class Rows(SearchSet):
    """Rows of shares that sum to one, shape (rows, columns)."""

    def __init__(self, rows: int, columns: int) -> None:
        self.rows, self.columns = rows, columns
        self.size, self.free = rows * columns, rows * (columns - 1)

    def commitment(self, u: Array) -> Array:
        """Return the table."""
        return u.reshape(self.rows, self.columns)

    def point(self, x: Array) -> Array:
        """Return the table, flat."""
        return np.asarray(x, dtype=np.float64).ravel()

    def slope(self, dx: Array) -> Array:
        """Return dx, flat."""
        return np.asarray(dx).ravel()

    def plain(self, v: Array) -> Array:
        """Return v divided by the sums of its rows; a row of zeros is shared evenly."""
        table = np.maximum(v, 0.0).reshape(self.rows, self.columns)
        sums = table.sum(axis=1, keepdims=True)
        return np.where(sums > 0, table / np.where(sums > 0, sums, 1.0), 1.0 / self.columns).ravel()

    def plain_slope(self, v: Array, du: Array) -> Array:
        """Return (du - <u, du>) / the sum of the row: a share of zero has a slope, so edges are left again."""
        shape = self.rows, self.columns
        shares, du = self.plain(v).reshape(shape), du.reshape(shape)
        sums = np.maximum(v, 0.0).reshape(shape).sum(axis=1, keepdims=True)
        reduced = (du - (shares * du).sum(axis=1, keepdims=True)) / np.where(sums > 0, sums, 1.0)
        return np.asarray(reduced).ravel()

    def vertices(self, most: int, rng: np.random.Generator) -> Array:
        """Return each choice of one entry per row that has it all."""
        chosen = _choices(self.rows, self.columns, most, rng)
        return np.asarray(np.eye(self.columns)[chosen]).reshape(len(chosen), self.size)

    def chart(self, u: Array) -> Chart:
        """Return the shares but the largest of each row, which is what the others leave.

        Where they leave less than nothing, all are divided by their sum, so that y may be any point of the box.
        """
        table = u.reshape(self.rows, self.columns)
        base = table.argmax(axis=1)
        others = np.ones(table.shape, dtype=bool)
        others[np.arange(self.rows), base] = False
        where = np.arange(self.rows), base

        def spread(y: Array) -> tuple[Array, Array]:
            full = np.zeros(table.shape)
            full[others] = y
            sums = full.sum(axis=1)
            full[where] = np.maximum(1.0 - sums, 0.0)
            return full / np.maximum(sums, 1.0)[:, None], sums

        def slope(y: Array, du: Array) -> Array:
            shares, sums = spread(y)
            du = du.reshape(table.shape)
            over = sums > 1.0
            reduced = np.where(
                over[:, None],
                (du - (shares * du).sum(axis=1, keepdims=True)) / np.maximum(sums, 1.0)[:, None],
                du - du[where][:, None],
            )
            return np.asarray(reduced[others])

        def fits(point: Array) -> bool:
            return bool((point.reshape(table.shape)[where] > LEAST_REST).all())

        return Chart(table[others], lambda y: spread(y)[0].ravel(), slope, fits)

    def inside(self, rng: np.random.Generator) -> Array:
        """Draw each row evenly."""
        return rng.dirichlet(np.ones(self.columns), self.rows).ravel()

    def vertex(self, rng: np.random.Generator) -> Array:
        """Draw one entry of each row that has it all."""
        return np.eye(self.columns)[rng.integers(self.columns, size=self.rows)].ravel()

    def neighbours(self, u: Array) -> list[Array]:
        """Return u with one row all at one of its entries."""
        table, found = u.reshape(self.rows, self.columns), []
        for row in range(self.rows):
            for column in range(self.columns):
                if table[row, column] < 1.0 - HELD:
                    moved = table.copy()
                    moved[row] = 0.0
                    moved[row, column] = 1.0
                    found.append(moved.ravel())
        return found

    def crossed(self, u: Array, v: Array, rng: np.random.Generator) -> Array:
        """Return each row of u or of v."""
        shape = self.rows, self.columns
        return np.where(rng.random(self.rows)[:, None] < 0.5, u.reshape(shape), v.reshape(shape)).ravel()


class Budget(Rows):
    """Shares of a budget, x_i = bound_i u_i, and last what is not spent."""

    def __init__(self, commitment: Commitment) -> None:
        self._bound, self._shape = (commitment.low + commitment.high).ravel(), commitment.shape
        super().__init__(1, self._bound.size + 1)

    def commitment(self, u: Array) -> Array:
        """Return the shares times the bounds."""
        return np.asarray(self._bound * u[:-1]).reshape(self._shape)

    def point(self, x: Array) -> Array:
        """Return the shares; where they are more than all, divided by their sum."""
        shares = np.zeros(self._bound.size)
        np.divide(np.ravel(x), self._bound, out=shares, where=self._bound != 0)
        total = float(shares.sum())
        return np.append(shares / max(1.0, total), max(0.0, 1.0 - total))

    def slope(self, dx: Array) -> Array:
        """Return dx times the bounds; what is not spent has no effect."""
        return np.append(self._bound * dx.ravel(), 0.0)

    def inside(self, rng: np.random.Generator) -> Array:
        """Draw a few entries, and the shares of these evenly."""
        count = min(self.columns, 2 + int(rng.geometric(0.25)))
        shares = np.zeros(self.columns)
        shares[rng.choice(self.columns, count, replace=False)] = rng.dirichlet(np.ones(count))
        return shares

    def neighbours(self, u: Array) -> list[Array]:
        """Return u after moving a part of everything, or all that one entry holds, to another entry."""
        ends = np.eye(self.columns)
        found = [(1.0 - part) * u + part * end for part in PARTS for end in ends]
        for source in np.flatnonzero(u > HELD):
            without = u.copy()
            without[source] = 0.0
            found += [without + u[source] * end for i, end in enumerate(ends) if i != source]
        return found

    def crossed(self, u: Array, v: Array, rng: np.random.Generator) -> Array:
        """Return a point between u and v, or each share of u or of v; what is left is not spent."""
        if rng.random() < 0.5:
            return np.asarray(u + rng.random() * (v - u))
        shares = np.where(rng.random(self.columns) < 0.5, u, v)[:-1]
        shares = shares / max(1.0, float(shares.sum()))
        return np.append(shares, max(0.0, 1.0 - float(shares.sum())))


def _choices(count: int, kinds: int, most: int, rng: np.random.Generator) -> IntArray:
    """Return all ways to choose one of some kinds so often, shape (N, count); if they are more, `most` drawn ones."""
    if kinds**count <= most:
        return np.indices((kinds,) * count, dtype=np.int32).reshape(count, kinds**count).T
    return rng.integers(kinds, size=(most, count), dtype=np.int32)


#: Name of a parametrisation -> the closed set that it reaches the inside of; of all others it is the box.
SETS: dict[str, Callable[[Commitment], SearchSet]] = {
    "softmax_budget": Budget,
    "softmax_table": lambda commitment: Rows(*commitment.shape),
}


def set_of(commitment: Commitment, parametrisation: str | None = None) -> SearchSet:
    """Return the closed set of which a parametrisation, by default the commitment's own, reaches the inside."""
    return SETS.get(commitment.parametrisation if parametrisation is None else parametrisation, Box)(commitment)
