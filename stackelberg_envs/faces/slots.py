"""Tables that many copies look things up in, kept once for those that share them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Slots"]


class Slots:
    """Arrays of one shape in which copies look things up, one slot each; copies with the same object share a slot."""

    def __init__(self, n: int, shape: tuple[int, ...], dtype: Any) -> None:
        self.arrays = np.zeros((1, *shape), dtype)
        self.of = np.zeros(n, np.int64)
        self._held: list[Any] = [None]
        self._users = [n]
        self._free: list[int] = []
        self._slot_of: dict[int, int] = {}

    def put(self, i: int, thing: Any, array: NDArray[Any]) -> None:
        """Let copy i look things up in `array`, which stands for `thing`."""
        mine = int(self.of[i])
        if self._held[mine] is thing:
            return
        self._leave(mine)
        slot = self._slot_of.get(id(thing))
        if slot is None:
            slot = self._free.pop() if self._free else self._room()
            self.arrays[slot], self._held[slot], self._slot_of[id(thing)] = array, thing, slot
        self.of[i] = slot
        self._users[slot] += 1

    def _leave(self, slot: int) -> None:
        self._users[slot] -= 1
        if not self._users[slot]:
            self._slot_of.pop(id(self._held[slot]), None)
            self._held[slot] = None
            self._free.append(slot)

    def _room(self) -> int:
        if len(self._held) == len(self.arrays):
            grown = np.zeros((2 * len(self.arrays), *self.arrays.shape[1:]), self.arrays.dtype)
            grown[: len(self.arrays)] = self.arrays
            self.arrays = grown
        self._held.append(None)
        self._users.append(0)
        return len(self._held) - 1
