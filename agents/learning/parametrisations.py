"""Parametrisations: the leader's unconstrained theta to a commitment x, and the vector-Jacobian product."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
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


#: A large step, in parts of the box.
BOX_STRIDE = 0.2
#: Shares of the box are no nearer to its edges than this: their logits are finite.
EDGE = 1e-9
#: Logits no further than this below the largest: of shares of a budget, and of choices in a row.
DEEPEST_SHARE, DEEPEST_CHOICE = 9.0, 9.0
#: Of Dirichlet distributions that rows are drawn from, in turn.
CONCENTRATIONS = 1.0, 0.3, 0.1
#: Boxes of up to so many entries have few vertices: all of them are tried.
FEW = 6


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

    @property
    def stride(self) -> float:
        """A large step, in the units of `uphill` and `moved`."""

    def uphill(self, theta: Array, dx: Array) -> Array:
        """Return dJ in units of steps, shape (P,), from dJ/dx: by parts of the box, or by logits."""

    def moved(self, theta: Array, step: Array) -> Array:
        """Return the theta that a step in these units, shape (P,), leads to; edges of the set can be reached."""

    def candidates(self, rng: np.random.Generator) -> Iterator[Array]:
        """Yield theta of commitments that lie far apart, without end: plain ones, extremes, points at random."""


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

    #: Of logits.
    stride = 1.0

    @property
    def unit(self) -> Array | float:
        """Of steps in theta: logits have none."""
        return 1.0

    def retract(self, theta: Array) -> Array:
        """Return theta."""
        return theta

    def _box_points(self, rng: np.random.Generator) -> Iterator[Array]:
        """Yield points of the box in parts of it, shape (P,): nothing, the centre, then vertices and draws in turn."""
        low, width, size = self.low.ravel(), (self.high - self.low).ravel(), self.size
        nothing = np.clip(np.divide(-low, width, out=np.zeros(size), where=width > 0), 0.0, 1.0)
        yield nothing
        yield np.full(size, 0.5)
        if size <= FEW:
            yield from (
                np.array([number >> place & 1 for place in range(size)], float) for number in _shuffled(rng, size)
            )
        while True:
            yield rng.random(size)
            if size <= FEW:
                continue
            yield (rng.random(size) < 0.5).astype(float)
            single = nothing.copy()
            place = rng.integers(size)
            single[place] = 1.0 if nothing[place] < 0.5 else 0.0
            yield single


def _shuffled(rng: np.random.Generator, size: int) -> list[int]:
    return [int(number) for number in rng.permutation(2**size)]


def _logits(parts: Array) -> Array:
    return np.asarray(scipy.special.logit(np.clip(parts, EDGE, 1.0 - EDGE)))


def _lifted(logits: Array, deepest: float) -> Array:
    """Return logits, the largest of each row zero, none deeper than this below it."""
    return np.asarray(np.maximum(logits - logits.max(axis=-1, keepdims=True), -deepest))


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

    def uphill(self, theta: Array, dx: Array) -> Array:
        """Return the natural gradient by logits: slots without a share can grow."""
        p, dp = scipy.special.softmax(theta), np.append(self.bound * dx.ravel(), 0.0)
        return np.asarray(dp - (p * dp).sum())

    def moved(self, theta: Array, step: Array) -> Array:
        """Return the logits after the step, none deeper than `DEEPEST_SHARE` below the largest."""
        return _lifted(theta + step, DEEPEST_SHARE)

    def candidates(self, rng: np.random.Generator) -> Iterator[Array]:
        """Yield the whole budget in one slot, first the unused one, then shares of a few slots."""
        yield self._shares([self.size - 1], np.ones(1))
        yield from (self._shares([int(slot)], np.ones(1)) for slot in rng.permutation(self.size - 1))
        while True:
            count = min(int(rng.integers(2, 5)), self.size)
            yield self._shares(list(rng.choice(self.size, count, replace=False)), rng.dirichlet(np.ones(count)))

    def _shares(self, slots: list[int], shares: Array) -> Array:
        theta = np.full(self.size, -np.inf)
        theta[slots] = np.log(np.maximum(shares, np.finfo(float).tiny))
        return _lifted(theta, DEEPEST_SHARE)


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

    stride = BOX_STRIDE

    def uphill(self, theta: Array, dx: Array) -> Array:
        """Return the gradient by parts of the box."""
        del theta
        return np.asarray((dx * (self.high - self.low)).ravel())

    def moved(self, theta: Array, step: Array) -> Array:
        """Return the logits of the parts of the box after the step."""
        return _logits(scipy.special.expit(theta) + step)

    def candidates(self, rng: np.random.Generator) -> Iterator[Array]:
        """Yield points of the box."""
        yield from map(_logits, self._box_points(rng))


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

    def uphill(self, theta: Array, dx: Array) -> Array:
        """Return sqrt(p) (dx - <p, dx>), row by row: between the gradient by logits and the natural one."""
        p = self(theta)
        return np.asarray(np.sqrt(p) * (dx - (p * dx).sum(axis=-1, keepdims=True))).ravel()

    def moved(self, theta: Array, step: Array) -> Array:
        """Return the logits after the step, none deeper than `DEEPEST_CHOICE` below the largest of its row."""
        return _lifted((theta + step).reshape(self.shape), DEEPEST_CHOICE).ravel()

    def candidates(self, rng: np.random.Generator) -> Iterator[Array]:
        """Yield even rows, then rows at random, in turn of all kinds and nearly pure."""
        yield np.zeros(self.size)
        for turn in itertools.count():
            rows = rng.dirichlet(np.full(self.shape[1], CONCENTRATIONS[turn % len(CONCENTRATIONS)]), self.shape[0])
            yield _lifted(np.log(np.maximum(rows, np.finfo(float).tiny)), DEEPEST_CHOICE).ravel()


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

    stride = BOX_STRIDE

    def uphill(self, theta: Array, dx: Array) -> Array:
        """Return the gradient by parts of the box."""
        del theta
        return np.asarray(self.unit * dx.ravel())

    def moved(self, theta: Array, step: Array) -> Array:
        """Return the projection of where the step leads."""
        return self.retract(theta + self.unit * step)

    def candidates(self, rng: np.random.Generator) -> Iterator[Array]:
        """Yield points of the box, moved into the set."""
        low = self.low.ravel()
        yield from (self.retract(low + part * (self.high.ravel() - low)) for part in self._box_points(rng))


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
