"""A random stream of its own for each of many copies of a game, in the order in which one copy alone draws from it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array

__all__ = ["UniformStreams"]

#: Numbers by which rows are wider than what they hold: a line of the cache.
PADDING = 8


class UniformStreams:
    """Uniform numbers in [0, 1) for n copies, drawn ahead so that compiled loops can take them.

    Parameters
    ----------
    n
        Copies.
    block
        Numbers that a copy draws from its generator at once.
    backwards
        Whether a copy uses the numbers of a block from the last to the first.

    Attributes
    ----------
    numbers
        What each copy has drawn, shape (n, capacity), in the order of use.
    place
        How many of its numbers each copy has used, shape (n,); whoever takes numbers moves it.
    """

    def __init__(self, n: int, block: int, *, backwards: bool) -> None:
        self._block, self._order = block, -1 if backwards else 1
        self._generators: list[np.random.Generator | None] = [None] * n
        # A little wider than a block: rows a power of two apart would fall into the same lines of the cache.
        self.numbers: Array = np.empty((n, block + PADDING))
        self.place: NDArray[np.int64] = np.zeros(n, np.int64)
        self._drawn: NDArray[np.int64] = np.zeros(n, np.int64)
        #: So many numbers every copy has left at least.
        self._sure = 0

    def seed(self, seeds: Sequence[int | None]) -> None:
        """Start the stream of each copy anew; where the seed is None it goes on with the present one."""
        for i, seed in enumerate(seeds):
            if seed is not None or self._generators[i] is None:
                self._generators[i] = np.random.default_rng(seed)
                self.place[i] = self._drawn[i] = 0
                self._sure = 0

    def need(self, count: int) -> None:
        """See to it that every copy has so many numbers left, and count them as used."""
        self._sure -= count
        if self._sure < 0:
            self._draw(count)

    def _draw(self, count: int) -> None:
        left = self._drawn - self.place
        for i in np.flatnonzero(left < count):
            self._draw_for(int(i), count, int(left[i]))
        self._sure = int((self._drawn - self.place).min()) - count

    def _draw_for(self, i: int, count: int, left: int) -> None:
        """Move what copy i has left to the front of its row and add as many blocks as it needs."""
        generator = self._generators[i]
        if generator is None:
            generator = self._generators[i] = np.random.default_rng()
        blocks = -(-(count - left) // self._block)
        if left + blocks * self._block > self.numbers.shape[1]:
            wider = np.empty((len(self.numbers), count + self._block + PADDING))
            wider[:, : self.numbers.shape[1]] = self.numbers
            self.numbers = wider
        row = self.numbers[i]
        row[:left] = row[self.place[i] : self._drawn[i]].copy()
        for k in range(blocks):
            start = left + k * self._block
            row[start : start + self._block] = generator.random(self._block)[:: self._order]
        self.place[i], self._drawn[i] = 0, left + blocks * self._block
