"""Parametrisations: the leader's unconstrained theta to a commitment x, and the vector-Jacobian product."""

from __future__ import annotations

from typing import Any, ClassVar, Protocol

import numpy as np
import scipy

from stackelberg_envs.arrays import Array, require_text
from stackelberg_envs.errors import ArgumentError, unknown_name
from stackelberg_envs.games.commitments.base import Commitment

__all__ = [
    "PARAMETRISATIONS",
    "Parametrisation",
    "Projection",
    "Sigmoid",
    "SoftmaxBudget",
    "SoftmaxTable",
    "make_parametrisation",
    "unit_of",
]


class Parametrisation(Protocol):
    """A map from theta, any real vector, to admissible commitments."""

    name: ClassVar[str]
    size: int

    def __call__(self, theta: Array) -> Array:
        """Return x(theta), the shape of the commitment."""

    def vjp(self, theta: Array, dx: Array) -> Array:
        """Return dJ/dtheta, shape (P,), from dJ/dx."""

    def retract(self, theta: Array) -> Array:
        """Return the theta a step should continue from."""


def unit_of(parametrisation: Parametrisation) -> Array:
    """Return what counts as one step of each entry of theta, shape (P,): leaders measure their steps in it.

    It is the parametrisation's `unit` where it has one, else 1.
    """
    unit: Any = getattr(parametrisation, "unit", 1.0)
    return np.asarray(np.broadcast_to(unit, (parametrisation.size,)), dtype=np.float64)


class _Unconstrained:
    """What the smooth parametrisations share: every theta is a good one."""

    def __init__(self, commitment: Commitment) -> None:
        self.low, self.high, self.shape = commitment.low, commitment.high, commitment.shape
        self.size = int(np.prod(self.shape))

    @property
    def unit(self) -> Array | float:
        """Of steps in theta: logits have none."""
        return 1.0

    def retract(self, theta: Array) -> Array:
        """Return theta."""
        return theta


class SoftmaxBudget(_Unconstrained):
    """Shares of a budget, one slot of which stays unused: x_i = bound_i softmax(theta)_i, theta of size D + 1.

    The bound is whichever of low and high is not zero. Published with HPGD (arXiv 2406.01575).
    """

    name = "softmax_budget"

    def __init__(self, commitment: Commitment) -> None:
        super().__init__(commitment)
        if not (np.all(self.high == 0) or np.all(self.low == 0)):
            raise ArgumentError("softmax_budget: expected a commitment with low = 0 or high = 0 in every entry")
        self.bound = (self.low + self.high).ravel()
        self.size += 1

    def __call__(self, theta: Array) -> Array:
        """Return the shares times the bounds; the last slot is dropped."""
        return np.asarray(self.bound * scipy.special.softmax(theta)[:-1]).reshape(self.shape)

    def vjp(self, theta: Array, dx: Array) -> Array:
        """Return p (dp - <p, dp>), where dp is zero for the unused slot."""
        p, dp = scipy.special.softmax(theta), np.append(self.bound * dx.ravel(), 0.0)
        return np.asarray(p * (dp - (p * dp).sum()))


class Sigmoid(_Unconstrained):
    """A box, entry by entry: x = low + (high - low) sigmoid(theta)."""

    name = "sigmoid"

    def __call__(self, theta: Array) -> Array:
        """Return a point inside the box."""
        return np.asarray(self.low + (self.high - self.low) * scipy.special.expit(theta).reshape(self.shape))

    def vjp(self, theta: Array, dx: Array) -> Array:
        """Return dx times the slope of the sigmoid."""
        slope = scipy.special.expit(theta) * scipy.special.expit(-theta)
        return np.asarray((dx * (self.high - self.low)).ravel() * slope)


class SoftmaxTable(_Unconstrained):
    """Rows of distributions, x[s] = softmax(theta[s]); for policy tables and mixtures."""

    name = "softmax_table"

    def __init__(self, commitment: Commitment) -> None:
        super().__init__(commitment)
        if len(self.shape) != 2 or np.any(self.low != 0) or np.any(self.high != 1):
            raise ArgumentError(f"softmax_table: expected rows of probabilities in [0, 1], got shape {self.shape}")

    def __call__(self, theta: Array) -> Array:
        """Return the table."""
        return np.asarray(scipy.special.softmax(theta.reshape(self.shape), axis=-1))

    def vjp(self, theta: Array, dx: Array) -> Array:
        """Return p (dx - <p, dx>), row by row."""
        p = self(theta)
        return np.asarray(p * (dx - (p * dx).sum(axis=-1, keepdims=True))).ravel()


class Projection(_Unconstrained):
    """theta is the commitment itself; after each step it is moved back into its space.

    Steps are in units of the width of the box, entry by entry: a learning rate of 0.05 is a twentieth of the box.
    """

    name = "projection"

    def __init__(self, commitment: Commitment) -> None:
        super().__init__(commitment)
        self._project = commitment.project

    @property
    def unit(self) -> Array:
        """The width of the box; an entry without any does not move, whatever its unit."""
        width = np.asarray(self.high - self.low).ravel()
        return np.where(width > 0, width, 1.0)

    def __call__(self, theta: Array) -> Array:
        """Return the projected theta."""
        return self._project(theta.reshape(self.shape))

    def vjp(self, theta: Array, dx: Array) -> Array:
        """Return dx."""
        return dx.ravel()

    def retract(self, theta: Array) -> Array:
        """Return the projection."""
        return self._project(theta.reshape(self.shape)).ravel()


PARAMETRISATIONS: dict[str, type[_Unconstrained]] = {
    kind.name: kind for kind in (SoftmaxBudget, Sigmoid, SoftmaxTable, Projection)
}


def make_parametrisation(commitment: Commitment, name: str | None = None) -> Parametrisation:
    """Return the named parametrisation of a commitment, by default the one the commitment suggests.

    Raises
    ------
    UnknownNameError
        Nobody registered that name.
    ArgumentError
        No commitment, a name that is no string, or a parametrisation that does not fit these bounds.
    """
    if not isinstance(commitment, Commitment):
        raise ArgumentError(f"commitment: expected a Commitment, got {type(commitment).__name__}")
    name = commitment.parametrisation if name is None else require_text(name, "parametrisation", ArgumentError)
    if name not in PARAMETRISATIONS:
        raise unknown_name("parametrisation", name, PARAMETRISATIONS)
    return PARAMETRISATIONS[name](commitment)  # type: ignore[return-value]
