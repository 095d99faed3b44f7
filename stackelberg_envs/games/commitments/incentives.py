"""The leader adds to the follower's reward, and pays for it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from stackelberg_envs.arrays import Array, as_float, frozen, require_number, require_text
from stackelberg_envs.errors import GameError
from stackelberg_envs.games.commitments.base import Commitment, Effect, need, sum_to
from stackelberg_envs.games.cotangents import Cotangents

__all__ = ["Incentive", "IncentiveCost", "LinearFeatures", "StateIncentive"]


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
    names
        A name for each state.
    """

    changes = frozenset({"follower_reward"})
    always_fits = True
    affine = True

    def __init__(
        self,
        low: ArrayLike,
        high: ArrayLike,
        where: ArrayLike,
        parametrisation: str = "sigmoid",
        names: Sequence[str] | None = None,
    ) -> None:
        self.where = _checked_where(where)
        super().__init__(low, high, self.where.shape[-1:], names)
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
    names
        A name for each entry, in the order of ``x.ravel()``.
    """

    changes = frozenset({"follower_reward"})
    always_fits = True
    affine = True

    def __init__(
        self, low: ArrayLike, high: ArrayLike, shape: tuple[int, int, int], names: Sequence[str] | None = None
    ) -> None:
        super().__init__(low, high, shape, names)
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
    names
        A name for each feature.
    """

    changes = frozenset({"follower_reward"})
    always_fits = True
    affine = True

    def __init__(
        self, features: ArrayLike, low: ArrayLike, high: ArrayLike, names: Sequence[str] | None = None
    ) -> None:
        self.features = checked_features(features)
        super().__init__(low, high, self.features.shape[-1:], names)

    def effect(self, x: Array) -> Effect:
        """Return the weighted sum of features as an addition to r_F."""
        return Effect(follower_reward=self.features @ x)

    def vjp(self, x: Array, cotangents: Cotangents) -> Array:
        """Return the inner product of dJ/dr_F with each feature."""
        del x
        return over_features(need(cotangents.follower_reward, "follower_reward"), self.features)


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
    always_fits = True
    affine = True

    def __init__(self, low: ArrayLike, high: ArrayLike, price: float, where: ArrayLike) -> None:
        super().__init__(low, high)
        self.price = require_number(price, "price")
        self.where = _checked_where(where)

    @property
    def kinks(self) -> Array:  # type: ignore[override]
        """Zero for entries that can have both signs, nan for others."""
        return np.where((self.low < 0) & (self.high > 0), 0.0, np.nan)

    def effect(self, x: Array) -> Effect:
        """Return the cost as an addition to r_L."""
        # Written with the sign of the box, so that the cost stays differentiable at a bound of zero.
        absolute = float((self._sign(x) * x).sum())
        return Effect(leader_reward=(-self.price * absolute * self.where)[..., None, None])

    def vjp(self, x: Array, cotangents: Cotangents) -> Array:
        """Return the derivative of the cost, weighted by how often it is paid."""
        per_state = need(cotangents.leader_reward, "leader_reward").sum(axis=(-2, -1))
        return -self.price * float((per_state * self.where).sum()) * self._sign(x)

    def _sign(self, x: Array) -> Array:
        return np.where(self.high <= 0, -1.0, np.where(self.low >= 0, 1.0, np.sign(x)))


def checked_features(features: ArrayLike) -> Array:
    """Return features of shape ([K,] S, A, B, D), frozen."""
    array = as_float(features, "features")
    if array.ndim not in (4, 5):
        raise GameError(f"features: expected shape ([K,] S, A, B, D), got {array.shape}")
    return frozen(array)


def over_features(weight: Array, features: Array) -> Array:
    """Return the inner product of an array over ([K,] S, A, B) with each feature, shape (D,)."""
    shape = np.broadcast_shapes(weight.shape, features.shape[:-1])
    full = np.broadcast_to(features, (*shape, features.shape[-1]))
    return np.asarray(np.tensordot(weight.reshape(shape), full, axes=len(shape)))


def _checked_where(where: ArrayLike) -> Array:
    array = as_float(where, "where")
    if array.ndim not in (1, 2) or not array.size:
        raise GameError(f"where: expected shape (S,) or (K, S), got {array.shape}")
    return frozen(array)
