"""Commitments: what the leader announces. The kinds that tabular games have, and how to make others.

What every commitment is, and what its effect and its derivative are, stands in
:mod:`stackelberg_envs.games.commitments.base`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from dataclasses import fields
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stackelberg_envs.arrays import (
    ROW_SUM_TOLERANCE,
    Array,
    as_float,
    as_integers,
    frozen,
    require_count,
    require_number,
    require_rows_sum_to_one,
    require_shape,
    require_text,
)
from stackelberg_envs.errors import CommitmentError, GameError, StackelbergError
from stackelberg_envs.games.commitments.base import (
    DIFFERENCE_STEP,
    Commitment,
    Effect,
    as_effect,
    central_differences,
    finite_difference_vjp,
    need,
    on_lists,
    sum_to,
)
from stackelberg_envs.games.cotangents import Cotangents
from stackelberg_envs.games.transitions import AXES, Transition

__all__ = [
    "DIFFERENCE_STEP",
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
#: What a user's function raises when it was given, or makes, what it does not expect.
MISTAKES = (TypeError, ValueError, LookupError, AttributeError, ArithmeticError)
#: What an effect can set.
ENTRIES = frozenset(item.name for item in fields(Effect))


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
        shape = (require_count(S, "S", error=GameError), require_count(A, "A", error=GameError))
        super().__init__(0.0, 1.0, shape)

    def effect(self, x: Array) -> Effect:
        """Return the policy."""
        return Effect(leader_policy=x)

    def vjp(self, x: Array, cotangents: Cotangents) -> Array:
        """Return dJ/df, summed over contexts."""
        return sum_to(need(cotangents.leader_policy, "leader_policy"), x.shape)

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
        self.where = _checked_where(where)
        super().__init__(low, high, self.where.shape[-1:])
        self.parametrisation = require_text(parametrisation, "parametrisation")

    def effect(self, x: Array) -> Effect:
        """Return the incentives as an addition to r_F."""
        return Effect(follower_reward=(self.where * x)[..., None, None])

    def vjp(self, x: Array, cotangents: Cotangents) -> Array:
        """Return the sum of dJ/dr_F over contexts and actions, weighted by `where`."""
        per_state = need(cotangents.follower_reward, "follower_reward").sum(axis=(-2, -1))
        return sum_to(per_state * self.where, x.shape)

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
        if len(self.shape) != 3:
            raise GameError(f"shape: expected three sizes, broadcast against (S, A, B), got {shape!r}")

    def effect(self, x: Array) -> Effect:
        """Return x as an addition to r_F."""
        return Effect(follower_reward=x)

    def vjp(self, x: Array, cotangents: Cotangents) -> Array:
        """Return dJ/dr_F, summed over the axes x does not distinguish."""
        return sum_to(need(cotangents.follower_reward, "follower_reward"), x.shape)

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
        weight = need(cotangents.follower_reward, "follower_reward")
        shape = np.broadcast_shapes(weight.shape, self.features.shape[:-1])
        features = np.broadcast_to(self.features, (*shape, x.size))
        return np.asarray(np.tensordot(weight.reshape(shape), features, axes=len(shape)))


class IncentiveCost(Commitment):
    """What the leader pays for its commitment: r_L(s, a, b) -= price where(s) sum_i |x_i|.

    Parameters
    ----------
    low, high
        Bounds of x. Two scalars mean one number, or, in a :class:`Joint`, as many as its other parts have.
    price
        Leader reward per unit of commitment.
    where
        In which states it is paid, shape (S,) or, by context, (K, S).
    """

    changes = frozenset({"leader_reward"})

    def __init__(self, low: ArrayLike, high: ArrayLike, price: float, where: ArrayLike) -> None:
        super().__init__(low, high)
        self.price = require_number(price, "price")
        self.where = _checked_where(where)

    def effect(self, x: Array) -> Effect:
        """Return the cost as an addition to r_L."""
        return Effect(leader_reward=(-self.price * self._absolute(x) * self.where)[..., None, None])

    def vjp(self, x: Array, cotangents: Cotangents) -> Array:
        """Return the derivative of the cost, weighted by how often it is paid."""
        per_state = need(cotangents.leader_reward, "leader_reward").sum(axis=(-2, -1))
        return -self.price * float((per_state * self.where).sum()) * self._sign(x)

    def _absolute(self, x: Array) -> float:
        # Written with the sign of the box, so that the cost stays differentiable at a bound of zero.
        return float((self._sign(x) * x).sum())

    def _sign(self, x: Array) -> Array:
        return np.where(self.high <= 0, -1.0, np.where(self.low >= 0, 1.0, np.sign(x)))


def _checked_where(where: ArrayLike) -> Array:
    array = as_float(where, "where")
    if array.ndim not in (1, 2) or not array.size:
        raise GameError(f"where: expected shape (S,) or (K, S), got {array.shape}")
    return frozen(array)


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
        super().__init__(0.0, 1.0, (int(self.groups.max()) + 1, len(self.kernels)))

    def effect(self, x: Array) -> Effect:
        """Return the mixed transition."""
        weights = x[self.groups].T[:, :, None, None, None]
        return Effect(transition=Transition(self.successors, (weights * self.kernels).sum(axis=0), self._dense))

    def vjp(self, x: Array, cotangents: Cotangents) -> Array:
        """Return the inner product of dJ/dP with each kernel, group by group."""
        template = Transition(self.successors, self.kernels[0], self._dense)
        weight = on_lists(need(cotangents.transition, "transition"), template)
        weight = sum_to(weight, self.successors.shape)
        per_state = np.einsum("sabn,msabn->sm", weight, self.kernels)
        out = np.zeros(x.shape)
        np.add.at(out, self.groups, per_state)
        return out


def _checked_groups(groups: ArrayLike, S: int) -> NDArray[np.intp]:
    array = as_integers(groups, "groups")
    require_shape(array, [(S,)], "groups")
    if (array < 0).any() or (array >= S).any():
        raise GameError(f"groups: expected row numbers in 0..{S - 1}, one per state, got {array!r}")
    return frozen(array.astype(np.intp))


def _stack(kernels: ArrayLike | list[Transition]) -> tuple[np.ndarray, Array, bool]:
    """Return (successors, kernels, dense) on one common support."""
    if isinstance(kernels, list | tuple) and any(isinstance(kernel, Transition) for kernel in kernels):
        return _stack_lists(list(kernels))
    dense = as_float(kernels, "kernels")  # type: ignore[arg-type]
    if dense.ndim != 5 or dense.shape[1] != dense.shape[-1] or 0 in dense.shape:
        raise GameError(f"kernels: expected shape (M, S, A, B, S), got {dense.shape}")
    dense = np.stack([require_rows_sum_to_one(p, f"kernels[{m}]", axes=AXES) for m, p in enumerate(dense)])
    support = Transition.from_dense(dense.mean(axis=0), "kernels")
    index = np.broadcast_to(support.successors, (len(dense), *support.successors.shape))
    values = np.take_along_axis(dense, index.astype(np.intp), axis=-1)
    return support.successors, frozen(values * (support.probabilities > 0)), True


def _stack_lists(kernels: list[Transition]) -> tuple[np.ndarray, Array, bool]:
    for m, kernel in enumerate(kernels):
        if not isinstance(kernel, Transition):
            raise GameError(f"kernels[{m}]: expected a Transition as the others are, got {type(kernel).__name__}")
    checked = [kernel.checked(f"kernels[{m}]") for m, kernel in enumerate(kernels)]
    successors = checked[0].successors
    if successors.ndim != 4:
        raise GameError(f"kernels: expected successors of shape (S, A, B, N), got {successors.shape}")
    if any(not np.array_equal(successors, kernel.successors) for kernel in checked):
        raise GameError("kernels: expected transitions with equal successors; pass dense kernels instead")
    return successors, frozen(np.stack([kernel.probabilities for kernel in checked])), False


class Joint(Commitment):
    """Several effects of the same x, for instance an incentive and what it costs.

    Parameters
    ----------
    parts
        Commitments over arrays of one shape and with equal bounds; the checks and the default parametrisation of
        the first hold. Rewards add up; only one part may set the leader's policy, and one the transition. An
        :class:`IncentiveCost` whose bounds are scalars takes the shape of the others.
    """

    def __init__(self, *parts: Commitment) -> None:
        if not parts:
            raise GameError("Joint: expected at least one commitment, got none")
        for i, part in enumerate(parts):
            if not isinstance(part, Commitment):
                raise GameError(f"Joint: expected commitments, got {part!r} as part {i}")
        self.parts = _of_one_shape(parts)
        first = self.parts[0]
        super().__init__(first.low, first.high)
        self._open = all(_takes_any_shape(part) for part in parts)
        for i, part in enumerate(self.parts[1:], start=1):
            _require_equal_bounds(first, part, i)
        for name in ("leader_policy", "transition"):
            if sum(name in part.changes for part in parts) > 1:
                raise GameError(f"Joint: expected at most one part that sets the {name}, got several")
        self.changes = frozenset[str]().union(*(part.changes for part in parts))
        self.parametrisation = first.parametrisation

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


def _of_one_shape(parts: tuple[Commitment, ...]) -> tuple[Commitment, ...]:
    """Return the parts, costs of open size given the shape of the first part that has one."""
    shape = next((part.shape for part in parts if not _takes_any_shape(part)), None)
    if shape is None:
        return parts
    made = tuple(_reshaped(part, shape) if _takes_any_shape(part) else part for part in parts)
    for i, part in enumerate(made):
        if part.shape != shape:
            raise GameError(
                f"Joint: expected commitments of one shape, {shape} as the first, got {part.shape} as part {i}, "
                f"{type(part).__name__}; give it bounds of shape {shape}, such as np.full({shape}, high)"
            )
    return made


def _takes_any_shape(part: Commitment) -> bool:
    return isinstance(part, IncentiveCost | Joint) and part._open


def _reshaped(part: Commitment, shape: tuple[int, ...]) -> Commitment:
    made = copy.copy(part)
    made.__dict__.pop("space", None)
    made.low, made.high = (frozen(np.full(shape, float(bound[0]))) for bound in (part.low, part.high))
    if isinstance(made, Joint):
        made.parts = tuple(_reshaped(inner, shape) for inner in made.parts)
    return made


def _require_equal_bounds(first: Commitment, part: Commitment, i: int) -> None:
    """Raise unless a part's bounds are the first one's: a cost reads the sign of x from them."""
    for name in ("low", "high"):
        expected, got = getattr(first, name), getattr(part, name)
        scale = np.maximum(np.abs(first.low), np.abs(first.high))
        off = np.abs(expected - got) > ROW_SUM_TOLERANCE * scale
        if off.any():
            where = tuple(int(k) for k in np.argwhere(off)[0])
            raise GameError(
                f"Joint: expected parts with equal bounds, got {name} = {expected[where]:g} in the first and "
                f"{got[where]:g} in part {i}, {type(part).__name__}, at index {where}"
            )


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

    Raises
    ------
    GameError
        No function, names that no effect has; later, when the function raises or returns no effect.
    """

    def __init__(
        self, function: Callable[[Array], Effect], low: ArrayLike, high: ArrayLike, changes: Iterable[str]
    ) -> None:
        super().__init__(low, high)
        if not callable(function):
            raise GameError(f"function: expected a function from x to an Effect, got {function!r}")
        self.function = function
        self.changes = _checked_changes(changes)

    def effect(self, x: Array) -> Effect:
        """Return what the function returns."""
        try:
            effect = self.function(x)
        except StackelbergError:
            raise
        except MISTAKES as exc:
            name = getattr(self.function, "__name__", type(self.function).__name__)
            raise GameError(f"commitment: its function {name} raised {type(exc).__name__}: {exc}") from exc
        if not isinstance(effect, Effect):
            raise GameError(f"commitment: expected its function to return an Effect, got {type(effect).__name__}")
        return as_effect(effect)


def _checked_changes(changes: object) -> frozenset[str]:
    if isinstance(changes, frozenset | set | list | tuple) and all(name in tuple(ENTRIES) for name in changes):
        return frozenset(changes)
    raise GameError(f"changes: expected a set of names among {sorted(ENTRIES)}, got {changes!r}")
