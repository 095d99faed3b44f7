"""Commitments: what the leader announces, what it changes in a game, and the derivative of that.

A commitment knows no game. Given x it returns an :class:`Effect` (a leader policy, additions to the two
rewards, a transition), and given dJ/d(effect) as :class:`~stackelberg_envs.Cotangents` it returns dJ/dx. So a
derivative is written once per kind of commitment and never per algorithm. A subclass without a derivative
of its own inherits one by central differences.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stackelberg_envs.arrays import (
    ROW_SUM_TOLERANCE,
    Array,
    as_float,
    first_index,
    frozen,
    require_count,
    require_rows_sum_to_one,
    require_shape,
)
from stackelberg_envs.cotangents import Cotangents
from stackelberg_envs.errors import CommitmentError, GameError
from stackelberg_envs.transitions import AXES, Transition

if TYPE_CHECKING:
    from gymnasium.spaces import Box

__all__ = [
    "Commitment",
    "Effect",
    "FunctionCommitment",
    "Incentive",
    "IncentiveCost",
    "Joint",
    "LinearFeatures",
    "PolicyTable",
    "StateIncentive",
    "TransitionMixture",
    "central_differences",
    "finite_difference_vjp",
]

T = TypeVar("T")

#: Step of the central differences that stand in for a missing derivative, relative to the width of the box.
DIFFERENCE_STEP = 1e-5


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


class Commitment(ABC):
    """A bounded array x and the way in which it enters a game.

    Parameters
    ----------
    low, high
        Bounds of x, finite.
    shape
        Shape of x, to which the bounds are broadcast; default the bounds' own.

    Attributes
    ----------
    changes
        Names of the :class:`Effect` entries it may set.
    parametrisation
        Name of the parametrisation leaders use by default (see ``agents.parametrisations``).
    """

    changes: frozenset[str] = frozenset()
    parametrisation: str = "sigmoid"

    def __init__(self, low: ArrayLike, high: ArrayLike, shape: tuple[int, ...] | None = None) -> None:
        bounds = as_float(low, "low"), as_float(high, "high")
        try:
            shape = np.broadcast_shapes(bounds[0].shape, bounds[1].shape) if shape is None else shape
            self.low, self.high = (frozen(np.broadcast_to(bound, shape)) for bound in bounds)
        except ValueError:
            expected = "each other" if shape is None else f"shape {shape}"
            raise GameError(
                f"low, high: expected arrays that broadcast to {expected}, "
                f"got shapes {bounds[0].shape} and {bounds[1].shape}"
            ) from None
        above = self.low > self.high
        if above.any():
            where = first_index(above)
            raise GameError(f"low: expected at most high, got {self.low[where]} > {self.high[where]} at index {where}")

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of x."""
        return self.low.shape

    @cached_property
    def space(self) -> Box:
        """The Gymnasium space of x."""
        from gymnasium.spaces import Box

        return Box(self.low.astype(np.float32), self.high.astype(np.float32), dtype=np.float32)

    def check(self, x: ArrayLike) -> Array:
        """Return x as float64, or raise.

        Parameters
        ----------
        x
            A commitment; flat arrays of the right size are reshaped.

        Raises
        ------
        CommitmentError
            Wrong shape, a number that is not finite, or an entry outside its bounds.
        """
        array = self._shaped(x)
        # float32 faces round: a bound may be missed by one part in 10^6 and is then meant.
        slack = ROW_SUM_TOLERANCE * np.maximum(1.0, np.maximum(np.abs(self.low), np.abs(self.high)))
        outside = (array < self.low - slack) | (array > self.high + slack)
        if outside.any():
            where = first_index(outside)
            raise CommitmentError(
                f"commitment: expected a value in [{self.low[where]:.6g}, {self.high[where]:.6g}], "
                f"got {array[where]:.6g} at index {where}"
            )
        return np.clip(array, self.low, self.high)

    def project(self, x: ArrayLike) -> Array:
        """Return an admissible commitment near x: bounds are applied, infinite numbers refused."""
        return np.clip(self._shaped(x), self.low, self.high)

    def _shaped(self, x: ArrayLike) -> Array:
        array = as_float(x, "commitment", CommitmentError)
        if array.shape != self.shape and (array.ndim > 1 or array.size != self.low.size):
            raise CommitmentError(f"commitment: expected shape {self.shape}, got {array.shape}")
        return array.reshape(self.shape)

    @abstractmethod
    def effect(self, x: Array) -> Effect:
        """Return what x changes; x has been checked."""

    def vjp(self, x: Array, cotangents: Cotangents) -> Array:
        """Return dJ/dx, the shape of x, from the derivatives of J by the entries of the effect."""
        return finite_difference_vjp(self, x, cotangents)

    def local(self, x: Array) -> Array | None:
        """Return the part of x that matters in each state, or None if there is no such part.

        Shape (S, L), or (1, L) where it is the same in every state.
        """
        del x
        return None


def finite_difference_vjp(
    commitment: Commitment, x: Array, cotangents: Cotangents, step: float = DIFFERENCE_STEP
) -> Array:
    """Return dJ/dx by central differences of the effect, two evaluations per entry of x.

    The fallback for commitments without a derivative, and the check of those that have one.
    """

    def rise(high: Array, low: Array) -> float:
        return _pair(commitment.effect(high), commitment.effect(low), cotangents)

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
    x = np.asarray(x, dtype=np.float64)
    out = np.empty(x.shape)
    width = np.where(commitment.high > commitment.low, commitment.high - commitment.low, 1.0)
    for index in np.ndindex(x.shape):
        shift = np.zeros(x.shape)
        shift[index] = step * width[index]
        out[index] = rise(x + shift, x - shift) / (2 * shift[index])
    return out


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
        return float((difference * _on_lists(cotangent, plus)).sum())
    # A dense kernel whose support changes with x is compressed to different lists on the two sides.
    upper, lower = (float((t.probabilities * _on_lists(cotangent, t)).sum()) for t in (plus, minus))
    return upper - lower


def _on_lists(cotangent: Array, transition: Transition) -> Array:
    """Return a transition cotangent in list layout, whichever layout it came in."""
    if cotangent.shape[-1] == transition.successors.shape[-1] and not transition.dense:
        return cotangent
    index = np.broadcast_to(transition.successors, (*cotangent.shape[:-1], transition.successors.shape[-1]))
    return np.take_along_axis(cotangent, index.astype(np.intp), axis=-1)


def _sum_to(array: Array, shape: tuple[int, ...]) -> Array:
    """Sum the broadcast axes of `array` away, so that it has `shape`: the adjoint of np.broadcast_to."""
    extra = array.ndim - len(shape)
    out = array.sum(axis=tuple(range(extra))) if extra else array
    axes = tuple(i for i, size in enumerate(shape) if size == 1 and out.shape[i] != 1)
    return out.sum(axis=axes, keepdims=True) if axes else out


def _need(cotangent: Array | None, name: str) -> Array:
    if cotangent is None:
        raise CommitmentError(f"cotangents.{name}: expected an array, got None; this commitment changes it")
    return cotangent


class _SimplexRows(Commitment):
    """Tables whose rows are distributions; what PolicyTable and TransitionMixture share."""

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
        sums = array.sum(axis=1)
        off = (np.abs(sums - 1.0) > array.shape[1] * ROW_SUM_TOLERANCE) & (sums != 0)
        if off.any():
            state = int(np.argmax(off))
            raise CommitmentError(
                f"commitment: expected rows that sum to one, got a sum of {sums[state]:.6g} at row {state}"
            )
        return _normalised(array)

    def project(self, x: ArrayLike) -> Array:
        """Return x clipped to non-negative entries and normalised row by row."""
        return _normalised(super().project(x))


def _normalised(table: Array) -> Array:
    sums = table.sum(axis=1, keepdims=True)
    uniform = np.full_like(table, 1.0 / table.shape[1])
    np.divide(table, sums, out=uniform, where=sums > 0)
    return uniform


class PolicyTable(_SimplexRows):
    """The leader's policy itself: x[s, a] = f(a | s).

    Parameters
    ----------
    S, A
        Numbers of states and of leader actions.
    """

    changes = frozenset({"leader_policy"})

    def __init__(self, S: int, A: int) -> None:
        super().__init__(np.zeros((require_count(S, "S"), require_count(A, "A"))), 1.0)

    def effect(self, x: Array) -> Effect:
        """Return the policy."""
        return Effect(leader_policy=x)

    def vjp(self, x: Array, cotangents: Cotangents) -> Array:
        """Return dJ/df, summed over contexts."""
        return _sum_to(_need(cotangents.leader_policy, "leader_policy"), x.shape)

    def local(self, x: Array) -> Array | None:
        """Return the row of each state."""
        return x


class StateIncentive(Commitment):
    """An incentive per state, added to the follower's reward: r_F(s, a, b) += where(s) x[s].

    Parameters
    ----------
    low, high
        Bounds, scalars or shape (S,), in reward units per play step.
    where
        Mask or weight of each state, shape (S,) or, by context, (K, S).
    parametrisation
        Default parametrisation for leaders.
    """

    changes = frozenset({"follower_reward"})

    def __init__(self, low: ArrayLike, high: ArrayLike, where: ArrayLike, parametrisation: str = "sigmoid") -> None:
        self.where = frozen(as_float(where, "where"))
        super().__init__(low, high, self.where.shape[-1:])
        self.parametrisation = parametrisation

    def effect(self, x: Array) -> Effect:
        """Return the incentives as an addition to r_F."""
        return Effect(follower_reward=(self.where * x)[..., None, None])

    def vjp(self, x: Array, cotangents: Cotangents) -> Array:
        """Return the sum of dJ/dr_F over contexts and actions, weighted by `where`."""
        per_state = _need(cotangents.follower_reward, "follower_reward").sum(axis=(-2, -1))
        return _sum_to(per_state * self.where, x.shape)

    def local(self, x: Array) -> Array | None:
        """Return the incentive of each state."""
        return x[:, None]


class Incentive(Commitment):
    """An incentive per state and pair of actions, added to the follower's reward: r_F += x.

    Parameters
    ----------
    low, high
        Bounds, broadcast to `shape`, in reward units per play step.
    shape
        Shape of x, broadcast against (S, A, B): (S, 1, B) pays by state and follower action.
    """

    changes = frozenset({"follower_reward"})

    def __init__(self, low: ArrayLike, high: ArrayLike, shape: tuple[int, int, int]) -> None:
        super().__init__(low, high, shape)

    def effect(self, x: Array) -> Effect:
        """Return x as an addition to r_F."""
        return Effect(follower_reward=x)

    def vjp(self, x: Array, cotangents: Cotangents) -> Array:
        """Return dJ/dr_F, summed over the axes x does not distinguish."""
        return _sum_to(_need(cotangents.follower_reward, "follower_reward"), x.shape)

    def local(self, x: Array) -> Array | None:
        """Return the incentives of each state."""
        return x.reshape(len(x), -1)


class LinearFeatures(Commitment):
    """Weights of reward features: r_F(s, a, b) += sum_d features[s, a, b, d] x[d].

    Parameters
    ----------
    features
        Shape ([K,] S, A, B, D).
    low, high
        Bounds, scalars or shape (D,).
    """

    changes = frozenset({"follower_reward"})

    def __init__(self, features: ArrayLike, low: ArrayLike, high: ArrayLike) -> None:
        self.features = frozen(as_float(features, "features"))
        if self.features.ndim not in (4, 5):
            raise GameError(f"features: expected shape ([K,] S, A, B, D), got {self.features.shape}")
        super().__init__(low, high, self.features.shape[-1:])

    def effect(self, x: Array) -> Effect:
        """Return the weighted sum of features as an addition to r_F."""
        return Effect(follower_reward=self.features @ x)

    def vjp(self, x: Array, cotangents: Cotangents) -> Array:
        """Return the inner product of dJ/dr_F with each feature."""
        weight = _need(cotangents.follower_reward, "follower_reward")
        shape = np.broadcast_shapes(weight.shape, self.features.shape[:-1])
        features = np.broadcast_to(self.features, (*shape, x.size))
        return np.asarray(np.tensordot(weight.reshape(shape), features, axes=len(shape)))


class IncentiveCost(Commitment):
    """What the leader pays for its commitment: r_L(s, a, b) -= price where(s) sum_i |x_i|.

    Parameters
    ----------
    low, high
        Bounds of x.
    price
        Leader reward per unit of commitment.
    where
        In which states it is paid, shape (S,) or, by context, (K, S).
    """

    changes = frozenset({"leader_reward"})

    def __init__(self, low: ArrayLike, high: ArrayLike, price: float, where: ArrayLike) -> None:
        super().__init__(low, high)
        self.price = float(as_float(price, "price"))
        self.where = frozen(as_float(where, "where"))

    def effect(self, x: Array) -> Effect:
        """Return the cost as an addition to r_L."""
        return Effect(leader_reward=(-self.price * self._absolute(x) * self.where)[..., None, None])

    def vjp(self, x: Array, cotangents: Cotangents) -> Array:
        """Return the derivative of the cost, weighted by how often it is paid."""
        per_state = _need(cotangents.leader_reward, "leader_reward").sum(axis=(-2, -1))
        return -self.price * float((per_state * self.where).sum()) * self._sign(x)

    def _absolute(self, x: Array) -> float:
        # Written with the sign of the box, so that the cost stays differentiable at a bound of zero.
        return float((self._sign(x) * x).sum())

    def _sign(self, x: Array) -> Array:
        return np.where(self.high <= 0, -1.0, np.where(self.low >= 0, 1.0, np.sign(x)))


class TransitionMixture(_SimplexRows):
    """The leader mixes transition kernels: P = sum_m x[g(s), m] P_m.

    Its gradient is that of the unnormalised mixture, so a parametrisation has to stay on the simplex. A
    leader that commits to a mixture knows the kernels it mixes: they are part of the commitment.

    Parameters
    ----------
    kernels
        M dense kernels, shape (M, S, A, B, S), or M :class:`Transition` objects with equal successors.
    groups
        For each state the row of x that applies there, shape (S,); default one row for all states.
    """

    changes = frozenset({"transition"})

    def __init__(self, kernels: ArrayLike | list[Transition], groups: ArrayLike | None = None) -> None:
        self.successors, self.kernels, self._dense = _stack(kernels)
        S = self.kernels.shape[1]
        self.groups = _checked_groups(np.zeros(S, dtype=np.intp) if groups is None else groups, S)
        super().__init__(np.zeros((int(self.groups.max()) + 1, len(self.kernels))), 1.0)

    def effect(self, x: Array) -> Effect:
        """Return the mixed transition."""
        weights = x[self.groups].T[:, :, None, None, None]
        return Effect(transition=Transition(self.successors, (weights * self.kernels).sum(axis=0), self._dense))

    def vjp(self, x: Array, cotangents: Cotangents) -> Array:
        """Return the inner product of dJ/dP with each kernel, group by group."""
        template = Transition(self.successors, self.kernels[0], self._dense)
        weight = _on_lists(_need(cotangents.transition, "transition"), template)
        weight = _sum_to(weight, self.successors.shape)
        per_state = np.einsum("sabn,msabn->sm", weight, self.kernels)
        out = np.zeros(x.shape)
        np.add.at(out, self.groups, per_state)
        return out


def _checked_groups(groups: ArrayLike, S: int) -> NDArray[np.intp]:
    array = np.array(groups)
    require_shape(array, [(S,)], "groups")
    if not np.issubdtype(array.dtype, np.integer) or (array < 0).any():
        raise GameError(f"groups: expected row numbers from 0 on, one per state, got {array!r}")
    return frozen(array.astype(np.intp))


def _stack(kernels: ArrayLike | list[Transition]) -> tuple[np.ndarray, Array, bool]:
    """Return (successors, kernels, dense) on one common support."""
    if isinstance(kernels, list) and kernels and isinstance(kernels[0], Transition):
        successors = kernels[0].successors
        if successors.ndim != 4:
            raise GameError(f"kernels: expected successors of shape (S, A, B, N), got {successors.shape}")
        if any(not np.array_equal(successors, kernel.successors) for kernel in kernels):
            raise GameError("kernels: expected transitions with equal successors; pass dense kernels instead")
        return successors, frozen(np.stack([kernel.probabilities for kernel in kernels])), False
    dense = as_float(kernels, "kernels")  # type: ignore[arg-type]
    if dense.ndim != 5 or dense.shape[1] != dense.shape[-1] or 0 in dense.shape:
        raise GameError(f"kernels: expected shape (M, S, A, B, S), got {dense.shape}")
    dense = np.stack([require_rows_sum_to_one(p, f"kernels[{m}]", axes=AXES) for m, p in enumerate(dense)])
    support = Transition.from_dense(dense.mean(axis=0), "kernels")
    index = np.broadcast_to(support.successors, (len(dense), *support.successors.shape))
    values = np.take_along_axis(dense, index.astype(np.intp), axis=-1)
    return support.successors, frozen(values * (support.probabilities > 0)), True


class Joint(Commitment):
    """Several effects of the same x, for instance an incentive and what it costs.

    Parameters
    ----------
    parts
        Commitments over arrays of one shape; the bounds, the checks and the default parametrisation of the
        first hold. Rewards add up; only one part may set the leader's policy, and one the transition.
    """

    def __init__(self, *parts: Commitment) -> None:
        if not parts:
            raise GameError("Joint: expected at least one commitment, got none")
        super().__init__(parts[0].low, parts[0].high)
        for part in parts[1:]:
            require_shape(part.low, [self.shape], "Joint")
        for name in ("leader_policy", "transition"):
            if sum(name in part.changes for part in parts) > 1:
                raise GameError(f"Joint: expected at most one part that sets the {name}, got several")
        self.parts = parts
        self.changes = frozenset[str]().union(*(part.changes for part in parts))
        self.parametrisation = parts[0].parametrisation

    def check(self, x: ArrayLike) -> Array:
        """Check by the first part's rule."""
        return self.parts[0].check(x)

    def project(self, x: ArrayLike) -> Array:
        """Project by the first part's rule."""
        return self.parts[0].project(x)

    def effect(self, x: Array) -> Effect:
        """Add the rewards of all parts; at most one part sets the policy, and one the transition."""
        effects = [part.effect(x) for part in self.parts]
        return Effect(
            _last([e.leader_policy for e in effects]),
            _total([e.follower_reward for e in effects]),
            _total([e.leader_reward for e in effects]),
            _last([e.transition for e in effects]),
        )

    def vjp(self, x: Array, cotangents: Cotangents) -> Array:
        """Add the derivatives of the parts."""
        return np.asarray(sum((part.vjp(x, cotangents) for part in self.parts), np.zeros(x.shape)))

    def local(self, x: Array) -> Array | None:
        """Return the first part's local view."""
        return self.parts[0].local(x)


def _total(arrays: list[Array | None]) -> Array | None:
    given = [array for array in arrays if array is not None]
    return sum(given[1:], given[0]) if given else None


def _last(items: list[T | None]) -> T | None:
    given = [item for item in items if item is not None]
    return given[-1] if given else None


class FunctionCommitment(Commitment):
    """A commitment given by a plain function x -> Effect; its derivative is by central differences.

    Parameters
    ----------
    function
        Maps x to its :class:`Effect`; called with x slightly outside the bounds too.
    low, high
        Bounds of x.
    changes
        Names of the effect entries it sets.
    """

    def __init__(
        self, function: Callable[[Array], Effect], low: ArrayLike, high: ArrayLike, changes: frozenset[str]
    ) -> None:
        super().__init__(low, high)
        self.function = function
        self.changes = changes

    def effect(self, x: Array) -> Effect:
        """Return what the function returns."""
        return self.function(x)
