"""The base of all commitments: an array with bounds, what it changes in a game, and the derivative of that.

A commitment knows no game. Given x it returns an :class:`Effect` (a leader policy, additions to the two
rewards, a transition), and given dJ/d(effect) as :class:`~stackelberg_envs.Cotangents` it returns dJ/dx. So a
derivative is written once per kind of commitment and never per algorithm. A subclass without a derivative
of its own inherits one by central differences.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from stackelberg_envs.arrays import (
    LARGEST,
    ROW_SUM_TOLERANCE,
    Array,
    as_float,
    first_index,
    frozen,
    frozen_space,
    require_count,
    require_room,
)
from stackelberg_envs.errors import CommitmentError, GameError
from stackelberg_envs.games.cotangents import Cotangents
from stackelberg_envs.games.transitions import Transition

if TYPE_CHECKING:
    from gymnasium.spaces import Box

__all__ = [
    "DIFFERENCE_STEP",
    "ENTRIES",
    "MISTAKES",
    "Commitment",
    "Effect",
    "SimplexRows",
    "central_differences",
    "finite_difference_vjp",
]

#: What a user's function raises when it was given, or makes, what it does not expect.
MISTAKES = (TypeError, ValueError, LookupError, AttributeError, ArithmeticError)
#: Step of the central differences that stand in for a missing derivative, relative to the width of the box.
DIFFERENCE_STEP = 1e-5
#: Least width of a box, as a part of its bounds, that is a scale.
NARROW = 1e-3


@dataclass(frozen=True, eq=False)
class Effect:
    """What one commitment changes; None where it changes nothing.

    Attributes
    ----------
    leader_policy
        f(a | s), shape (S, A); rows sum to one. Replaces the game's.
    follower_reward, leader_reward
        Added to the game's rewards; broadcast to ([K,] S, A, B), in reward units per play step.
    transition
        Replaces the game's.
    """

    leader_policy: Array | None = None
    follower_reward: Array | None = None
    leader_reward: Array | None = None
    transition: Transition | None = None


def as_effect(value: object) -> Effect:
    """Return an effect whose entries are arrays and a :class:`Transition`, whatever a user's function returned.

    Raises
    ------
    GameError
        No effect, or entries that are no numbers.
    """
    if not isinstance(value, Effect):
        raise GameError(f"commitment: expected an Effect, got {type(value).__name__}")
    made: dict[str, Any] = {}
    for name in ("leader_policy", "follower_reward", "leader_reward"):
        entry = getattr(value, name)
        if entry is not None and not (type(entry) is np.ndarray and entry.dtype == np.float64):
            made[name] = as_float(entry, f"commitment: its {name}")
    if value.transition is not None and not isinstance(value.transition, Transition):
        made["transition"] = Transition.from_dense(value.transition, "commitment: its transition")
    return replace(value, **made) if made else value


#: What an effect can set.
ENTRIES = frozenset(item.name for item in fields(Effect))


class Commitment(ABC):
    """A bounded array x and the way in which it enters a game.

    Parameters
    ----------
    low, high
        Bounds of x, finite.
    shape
        Shape of x, to which the bounds are broadcast; default the bounds' own.
    names
        A name for each entry of x, in the order of ``x.ravel()``: roads, rates; pictures, tables and messages show
        them.

    Attributes
    ----------
    names
        These names; None where there are none.
    changes
        Names of the :class:`Effect` entries it may set.
    parametrisation
        Name of the parametrisation leaders use by default (see ``agents.learning.parametrisations``).
    """

    changes: frozenset[str] = frozenset()
    parametrisation: str = "sigmoid"
    #: Whether an effect fits the game at every x if it does at one: shapes, finite numbers, rows that sum to one.
    #: Effects of other commitments, those of users among them, are checked at each x.
    always_fits: bool = False
    #: Whether every array of the effect is an affine function of x; :func:`stackelberg_envs.certify` needs that.
    affine: bool = False
    #: Of an affine effect, at which value of each entry of x the leader's reward bends all the same, as the cost of
    #: what may have both signs does; nan where it does not, None where it bends nowhere.
    kinks: Array | None = None
    #: Of the class for commitments whose entries are always the same.
    names: tuple[str, ...] | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # What a class says of its effect does not hold for the effect of another.
        if "effect" in vars(cls):
            for name in ("always_fits", "affine"):
                if name not in vars(cls):
                    setattr(cls, name, False)

    def __init__(
        self,
        low: ArrayLike,
        high: ArrayLike,
        shape: tuple[int, ...] | None = None,
        names: Sequence[str] | None = None,
    ) -> None:
        bounds = as_float(low, "low"), as_float(high, "high")
        #: Whether the size of x is still open: both bounds are single numbers, and no shape was given.
        self._open = shape is None and bounds[0].ndim == bounds[1].ndim == 0
        shape = None if shape is None else _checked_shape(shape)
        try:
            shape = np.broadcast_shapes(bounds[0].shape, bounds[1].shape) if shape is None else shape
            self.low, self.high = (frozen(np.array(np.broadcast_to(bound, shape))) for bound in bounds)
        except ValueError:
            expected = "each other" if shape is None else f"shape {shape}"
            raise GameError(
                f"low, high: expected arrays that broadcast to {expected}, "
                f"got shapes {bounds[0].shape} and {bounds[1].shape}"
            ) from None
        if not self.low.size:
            raise GameError(f"low, high: expected at least one number, got shape {self.low.shape}")
        narrow = (self.low != self.high) & (np.abs(self.high - self.low) < 1.0 / LARGEST)
        if narrow.any():
            where = first_index(narrow)
            raise GameError(
                f"low, high: expected bounds that are equal or {1.0 / LARGEST:g} apart, "
                f"got {self.low[where]} and {self.high[where]} at index {where}"
            )
        above = self.low > self.high
        if above.any():
            where = first_index(above)
            raise GameError(f"low: expected at most high, got {self.low[where]} > {self.high[where]} at index {where}")
        if names is not None:
            self.names = _checked_names(names, self.low.size)

    def place(self, index: tuple[int, ...]) -> str:
        """Return where in x an index is, in words: with its name, if it has one."""
        if self.names is None:
            return f"index {index}"
        return f"index {index}, {self.names[int(np.ravel_multi_index(index, self.shape))]!r}"

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of x."""
        return self.low.shape

    @cached_property
    def space(self) -> Box:
        """The Gymnasium box of x written as one row, shape (D,), which is what clients take as an action.

        In float32, or in float64 where float32 cannot tell the bounds apart.
        """
        from gymnasium.spaces import Box

        kind: Any = np.float32 if _float32_carries(self.low, self.high) else np.float64
        space: Box = frozen_space(Box(self.low.astype(kind).ravel(), self.high.astype(kind).ravel(), dtype=kind))
        return space

    def check(self, x: ArrayLike) -> Array:
        """Return x as float64, or raise.

        Parameters
        ----------
        x
            A commitment; flat arrays of the right size are reshaped.

        Raises
        ------
        CommitmentError
            Wrong shape, no finite numbers, or an entry outside its bounds by more than a millionth of them.
        """
        array = as_float(x, "commitment", CommitmentError, booleans=False)
        if array.shape != self.low.shape:
            array = self._reshaped(array)
        # float32 faces round: a bound may be missed by one part in 10^6 and is then meant.
        slack = ROW_SUM_TOLERANCE * np.maximum(np.abs(self.low), np.abs(self.high))
        outside = (array < self.low - slack) | (array > self.high + slack)
        if outside.any():
            where = first_index(outside)
            raise CommitmentError(
                f"commitment: expected a value in [{self.low[where]:.6g}, {self.high[where]:.6g}], "
                f"got {array[where]:.6g} at {self.place(where)}"
            )
        return np.clip(array, self.low, self.high)

    def project(self, x: ArrayLike) -> Array:
        """Return an admissible commitment near x: bounds are applied, infinite numbers refused."""
        array = as_float(x, "commitment", CommitmentError, booleans=False)
        if array.shape != self.low.shape:
            array = self._reshaped(array)
        return np.clip(array, self.low, self.high)

    def _reshaped(self, array: Array) -> Array:
        if array.ndim > 1 or array.size != self.low.size:
            raise CommitmentError(f"commitment: expected shape {self.shape}, got {array.shape}")
        return array.reshape(self.shape)

    @property
    def changes_play(self) -> bool:
        """Whether it changes how play goes on, by the leader's policy or the dynamics, and not rewards alone."""
        return bool(self.changes & {"leader_policy", "transition"})

    @abstractmethod
    def effect(self, x: Array) -> Effect:
        """Return what x changes; x has been checked."""

    def vjp(self, x: Array, cotangents: Cotangents) -> Array:
        """Return dJ/dx, the shape of x, from the derivatives of J by the entries of the effect."""
        return finite_difference_vjp(self, x, cotangents)

    def possible_transitions(self) -> list[Transition] | None:
        """Return transitions of which every row that it can bring is a mixture; None where nobody knows.

        Games with discount 1 ask for them, where it brings the transition: play has to end under each.
        """
        return None

    def local(self, x: Array) -> Array | None:
        """Return the part of x that matters in each state, or None if there is no such part.

        Shape (S, L), or (1, L) where it is the same in every state.
        """
        del x
        return None


class SimplexRows(Commitment):
    """Tables whose rows are distributions; policies and mixtures of kernels are such."""

    parametrisation = "softmax_table"

    def check(self, x: ArrayLike) -> Array:
        """Return x with rows that sum to one exactly.

        A row off by rounding is normalised, a row of zeros becomes uniform.

        Raises
        ------
        CommitmentError
            A negative or infinite entry, or a row that sums to something else, with the first row (state).
        """
        array = super().check(x)
        sums = array.sum(axis=1, keepdims=True)
        off = (np.abs(sums - 1.0) > array.shape[1] * ROW_SUM_TOLERANCE) & (sums != 0)
        if off.any():
            state = int(np.argmax(off))
            raise CommitmentError(
                f"commitment: expected rows that sum to one, got a sum of {sums[state, 0]:.6g} at row {state}"
            )
        table = np.full_like(array, 1.0 / array.shape[1])
        np.divide(array, sums, out=table, where=sums > 0)
        return table

    def project(self, x: ArrayLike) -> Array:
        """Return x clipped to non-negative entries and normalised row by row."""
        array = super().project(x)
        sums = array.sum(axis=1, keepdims=True)
        table = np.full_like(array, 1.0 / array.shape[1])
        np.divide(array, sums, out=table, where=sums > 0)
        return table


def finite_difference_vjp(
    commitment: Commitment, x: Array, cotangents: Cotangents, step: float = DIFFERENCE_STEP
) -> Array:
    """Return dJ/dx by central differences of the effect, two evaluations per entry of x.

    The fallback for commitments without a derivative, and the check of those that have one.
    """

    def rise(high: Array, low: Array) -> float:
        return _pair(as_effect(commitment.effect(high)), as_effect(commitment.effect(low)), cotangents)

    return central_differences(rise, commitment, x, step)


def central_differences(rise: Callable[[Array, Array], float], commitment: Commitment, x: Array, step: float) -> Array:
    """Return central differences by each entry of x.

    Parameters
    ----------
    rise
        Takes two points, and returns by how much the first one's value is the larger.
    commitment
        Its bounds are the scale of the steps.
    x
        Where.
    step
        In units of the width of the bounds.
    """
    x = as_float(x, "x", CommitmentError, booleans=False)
    out = np.empty(x.shape)
    width = _scales(commitment.low, commitment.high)
    for index in np.ndindex(x.shape):
        shift = np.zeros(x.shape)
        shift[index] = step * width[index]
        out[index] = rise(x + shift, x - shift) / (2 * shift[index])
    return out


def _scales(low: Array, high: Array) -> Array:
    """Return the scale of each entry of x: the width of its bounds, else their size, else that of the others.

    Where the box is far narrower than its numbers are large, steps are a part of these: x + step must differ from x.
    """
    size = np.maximum(np.abs(low), np.abs(high))
    width = np.where(high > low, np.maximum(high - low, NARROW * size), size)
    largest = float(width.max())
    return np.where(width > 0, width, largest if largest > 0 else 1.0)


def _checked_shape(shape: Any) -> tuple[int, ...]:
    if not isinstance(shape, tuple | list):
        raise GameError(f"shape: expected a tuple of sizes, got {shape!r}")
    sizes = tuple(require_count(size, "shape", error=GameError) for size in shape)
    require_room(sizes, "shape")
    return sizes


def _checked_names(names: Any, size: int) -> tuple[str, ...]:
    given = list(names) if isinstance(names, Iterable) and not isinstance(names, str | bytes) else None
    if given is None or not all(isinstance(name, str) and name for name in given):
        raise GameError(f"names: expected a name for each entry of x, got {names!r:.60}")
    if len(given) != size or len(set(given)) != size:
        raise GameError(f"names: expected {size} different names, one for each entry of x, got {given!r:.60}")
    return tuple(given)


def _float32_carries(low: Array, high: Array) -> bool:
    with np.errstate(over="ignore", under="ignore"):
        least, greatest = (bound.astype(np.float32).astype(np.float64) for bound in (low, high))
        kept = np.abs((greatest - least) - (high - low)) <= 1e-3 * (high - low)
        close = [
            np.abs(found - bound) <= ROW_SUM_TOLERANCE * np.abs(bound)
            for found, bound in ((least, low), (greatest, high))
        ]
    return bool((kept & close[0] & close[1]).all())


def _pair(plus: Effect, minus: Effect, cotangents: Cotangents) -> float:
    """Return the inner product of (plus - minus) with the cotangents."""
    total = 0.0
    for name in ("leader_policy", "follower_reward", "leader_reward"):
        upper, lower, weight = getattr(plus, name), getattr(minus, name), getattr(cotangents, name)
        if upper is not None and weight is not None:
            total += float(((upper - lower) * weight).sum())
    if plus.transition is not None and minus.transition is not None and cotangents.transition is not None:
        total += _pair_transitions(plus.transition, minus.transition, cotangents.transition)
    return total


def _pair_transitions(plus: Transition, minus: Transition, cotangent: Array) -> float:
    if np.array_equal(plus.successors, minus.successors):
        difference = plus.probabilities - minus.probabilities
        return float((difference * on_lists(cotangent, plus)).sum())
    # A dense kernel whose support changes with x is compressed to different lists on the two sides.
    upper, lower = (float((t.probabilities * on_lists(cotangent, t)).sum()) for t in (plus, minus))
    return upper - lower


def on_lists(cotangent: Array, transition: Transition) -> Array:
    """Return a transition cotangent in list layout, whichever layout it came in."""
    if cotangent.shape[-1] == transition.successors.shape[-1] and not transition.dense:
        return cotangent
    index = np.broadcast_to(transition.successors, (*cotangent.shape[:-1], transition.successors.shape[-1]))
    return np.take_along_axis(cotangent, index.astype(np.intp), axis=-1)


def sum_to(array: Array, shape: tuple[int, ...]) -> Array:
    """Sum the broadcast axes of `array` away, so that it has `shape`: the adjoint of np.broadcast_to."""
    extra = array.ndim - len(shape)
    out: Array = array.sum(axis=tuple(range(extra))) if extra else array
    if out.shape == shape:
        return out
    axes = tuple(i for i, size in enumerate(shape) if size == 1 and out.shape[i] != 1)
    return np.asarray(out.sum(axis=axes, keepdims=True))


def need(cotangent: Array | None, name: str) -> Array:
    if cotangent is None:
        raise CommitmentError(f"cotangents.{name}: expected an array, got None; this commitment changes it")
    return cotangent
