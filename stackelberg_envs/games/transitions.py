"""Transition: where each state and pair of actions leads, as successor lists.

A dense kernel is compressed to the longest row it has; a game of 10^5 states with five successors a row
takes 96 MB instead of 1.3 TB. Arrays may carry a leading axis of contexts.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stackelberg_envs.arrays import (
    Array,
    IntArray,
    as_float,
    as_integers,
    first_index,
    frozen,
    own,
    require_distributions,
    require_finite,
    require_flag,
    require_rows_sum_to_one,
)
from stackelberg_envs.errors import GameError

__all__ = ["Transition"]

#: What normalising moves rows by that have been normalised.
ROUNDING = 1e-14
AXES = ("context", "state", "leader action", "follower action")


@dataclass(frozen=True, eq=False)
class Transition:
    """Successor lists ``P(s' | s, a, b)`` with at most N successors a row.

    Attributes
    ----------
    successors
        Next states, shape ([K,] S, A, B, N), int32.
    probabilities
        Their probabilities, same shape; the last axis sums to one. Padding has probability zero.
    dense
        Whether the user gave the kernel as a dense array; cotangents are then returned dense too.
    """

    successors: IntArray
    probabilities: Array
    dense: bool = False

    @classmethod
    def from_dense(cls, kernel: ArrayLike, name: str = "transition") -> Transition:
        """Compress a dense kernel of shape ([K,] S, A, B, S).

        Raises
        ------
        GameError
            Wrong shape, numbers that are not finite, or a row that is no distribution.
        """
        array = as_float(kernel, name)
        if array.ndim not in (4, 5) or array.shape[-1] != array.shape[-4] or 0 in array.shape:
            raise GameError(f"{name}: expected shape ([K,] S, A, B, S), got {array.shape}")
        array = require_rows_sum_to_one(array, name, axes=AXES)
        width = max(1, int((array > 0).sum(axis=-1).max()))
        # A stable sort on "is zero" moves the support to the front and keeps the order of states.
        order = np.argsort(array <= 0, axis=-1, kind="stable")[..., :width]
        probabilities = np.take_along_axis(array, order, axis=-1)
        return cls(frozen(order.astype(np.int32)), frozen(probabilities), dense=True)

    @classmethod
    def from_lists(cls, successors: ArrayLike, probabilities: ArrayLike, name: str = "transition") -> Transition:
        """Check successor lists of shape ([K,] S, A, B, N) given by the user.

        Raises
        ------
        GameError
            Shapes that differ, a successor outside 0..S-1, or a row that is no distribution.
        """
        if type(successors) is np.ndarray and successors.dtype == np.int32:
            states: NDArray[Any] = np.array(successors, order="C")
        else:
            states = as_integers(successors, f"{name}.successors")
        array = as_float(probabilities, f"{name}.probabilities")
        _require_lists(states, array, name)
        array /= require_distributions(array, f"{name}.probabilities", axes=AXES)
        return cls(frozen(states.astype(np.int32, copy=False)), frozen(array))

    def check(self, name: str = "transition") -> None:
        """Raise unless the lists are what :meth:`from_lists` accepts: whoever builds one by hand may err.

        Raises
        ------
        GameError
            As :meth:`from_lists`.
        """
        self.checked(name)

    def checked(self, name: str = "transition") -> Transition:
        """Return these lists as :meth:`from_lists` makes them: themselves, or a copy that nobody else can write to.

        Raises
        ------
        GameError
            As :meth:`from_lists`.
        """
        dense = require_flag(self.dense, f"{name}.dense", GameError)
        if not _have_types(self.successors, self.probabilities):
            made = Transition.from_lists(self.successors, self.probabilities, name)
            return Transition(made.successors, made.probabilities, dense)
        require_finite(self.probabilities, f"{name}.probabilities")
        _require_lists(self.successors, self.probabilities, name)
        sums = require_distributions(self.probabilities, f"{name}.probabilities", axes=AXES)
        probabilities = self.probabilities
        # Rows that were normalised before move by a rounding at most, and stay as they are.
        if np.abs(sums - 1.0).max() > ROUNDING:
            normal = probabilities / sums
            probabilities = frozen(normal) if np.abs(normal - probabilities).max() > ROUNDING else probabilities
        lists = own(self.successors), own(probabilities)
        if lists[0] is self.successors and lists[1] is self.probabilities:
            return self
        return Transition(*lists, dense)

    @property
    def num_contexts(self) -> int | None:
        """K when the lists differ by context, None when they are shared."""
        return self.successors.shape[0] if self.successors.ndim == 5 else None

    @property
    def shape(self) -> tuple[int, int, int]:
        """(S, A, B)."""
        S, A, B = self.successors.shape[-4:-1]
        return S, A, B

    @cached_property
    def band(self) -> tuple[int, int]:
        """How far a step leads at most, in state numbers: (backwards, forwards). Small for maps read row by row."""
        own = np.arange(self.shape[0], dtype=np.int32).reshape(-1, 1, 1, 1)
        jump = np.where(self.probabilities > 0, self.successors - own, 0)
        return max(0, -int(jump.min())), max(0, int(jump.max()))

    @cached_property
    def fullness(self) -> float:
        """Which part of the lists' entries is no padding."""
        return np.count_nonzero(self.probabilities) / self.probabilities.size

    def joint(self, K: int) -> Transition:
        """Return the lists over joint states ``k * S + s``, shape (K*S, A, B, N).

        A context never changes during play, so lists of different contexts never meet.
        """
        S, A, B = self.shape
        N = self.successors.shape[-1]
        if K == 1:
            successors, probabilities = self.successors, self.probabilities
        else:
            shape = (K, S, A, B, N)
            offsets = (np.arange(K, dtype=np.int32) * S).reshape(K, 1, 1, 1, 1)
            successors = np.broadcast_to(self.successors, shape) + offsets
            probabilities = np.broadcast_to(self.probabilities, shape)
        flat = (K * S, A, B, N)
        return Transition(frozen(successors.reshape(flat)), frozen(np.asarray(probabilities).reshape(flat)), self.dense)

    def to_dense(self) -> Array:
        """Return the kernel as an array of shape ([K,] S, A, B, S)."""
        S = self.shape[0]
        out = np.zeros((*self.successors.shape[:-1], S))
        index: tuple[Any, ...] = (*np.indices(self.successors.shape)[:-1], self.successors)
        np.add.at(out, index, self.probabilities)
        return out


def _have_types(successors: object, probabilities: object) -> bool:
    arrays = (successors, probabilities)
    if not all(type(array) is np.ndarray for array in arrays):
        return False
    return [array.dtype for array in arrays] == [np.int32, np.float64]  # type: ignore[attr-defined]


def _require_lists(successors: NDArray[Any], probabilities: Array, name: str) -> None:
    if successors.shape != probabilities.shape or probabilities.ndim not in (4, 5):
        raise GameError(
            f"{name}: expected successors and probabilities of one shape ([K,] S, A, B, N), "
            f"got {successors.shape} and {probabilities.shape}"
        )
    if 0 in successors.shape:
        raise GameError(f"{name}: expected at least one of each, got shape {successors.shape}")
    S = successors.shape[-4]
    if successors.min() < 0 or successors.max() >= S:
        where = first_index((successors < 0) | (successors >= S))
        raise GameError(f"{name}.successors: expected states in 0..{S - 1}, got {successors[where]} at index {where}")
