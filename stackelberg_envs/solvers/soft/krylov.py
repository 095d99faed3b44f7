"""Krylov solvers of (I - discount P_pi) v = r and its transpose, for games too large to be factorised."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
import scipy

from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import ConvergenceError
from stackelberg_envs.games.transitions import Transition
from stackelberg_envs.jit import compiled
from stackelberg_envs.solvers.soft.streaming import Products, minimal_residual

__all__ = ["Krylov", "policy_matrix"]

KRYLOV_ITERATIONS = 2_000
#: From so many entries of the successor lists on, no matrix is written down, unless less than this part is used.
STREAMED, LEAST_FULLNESS = 1 << 20, 0.5
#: How much better than asked a step is to be: its norm is another.
SPARE = 0.3
#: A run of the Krylov solver that lowers the residual by less than this factor is its last.
LEAST_PROGRESS = 0.1
#: Units of rounding in a residual: no tolerance finer than the first is aimed at, none coarser than the
#: second, reached when nothing improves any more, counts as a failure.
AIMED_AT, ACCEPTED = 4.0, 64.0


def policy_matrix(joint_policy: Array, transition: Transition, continuing: Array) -> Any:
    """Return P_pi as a sparse array, shape (Z, Z); `joint_policy` has the shape (Z, A, B)."""
    Z = len(continuing)
    data = np.empty(transition.probabilities.size)
    _write_entries(joint_policy, transition.probabilities, continuing, data)
    # Padding and actions that are never taken are left out: where padding is most of the lists, as in a model
    # made of counts, products took ten times as long with it.
    used = data != 0.0
    indptr = np.concatenate([[0], np.cumsum(used.reshape(Z, -1).sum(axis=1))])
    # A successor that is listed twice stays two entries, which products add up.
    return scipy.sparse.csr_array((data[used], transition.successors.reshape(-1)[used], indptr), shape=(Z, Z))


class Krylov:
    """GMRES in single precision where lists are many, BiCGSTAB where that stalls or they are few, sparse LU at last."""

    def __init__(self, joint_policy: Array, transition: Transition, continuing: Array, discount: float) -> None:
        self._given, self._discount = (joint_policy, transition, continuing), discount
        # What is left of lists that are mostly padding is passed sooner than the lists are.
        large = transition.successors.size >= STREAMED and transition.fullness >= LEAST_FULLNESS
        self._products = Products(*self._given, discount) if large else None
        self._single, self.costly = large, not large

    def rewritten(self, joint_policy: Array) -> Krylov:
        """Return such solves for another policy, in the memory of these, which are of no use any more."""
        if self._products is None:
            return Krylov(joint_policy, *self._given[1:], self._discount)
        self._products.rewrite(joint_policy)
        return self._around(self._products, joint_policy, self._discount)

    def discounted(self, discount: float) -> Krylov:
        """Return such solves with another discount; where lists are many, both share what is large."""
        joint, transition, continuing = self._given
        if self._products is None:
            return Krylov(joint, transition, continuing, discount)
        return self._around(self._products.discounted(continuing, discount), joint, discount)

    def _around(self, products: Products, joint_policy: Array, discount: float) -> Krylov:
        made = object.__new__(Krylov)
        made._given, made._discount = (joint_policy, *self._given[1:]), discount
        made._products, made._single, made.costly = products, True, False
        return made

    @cached_property
    def _matrix(self) -> Any:
        """Discount P_pi, where it is small enough to be written down."""
        matrix = policy_matrix(*self._given)
        matrix.data *= self._discount
        return matrix

    def solve(self, rhs: Array, tolerance: float) -> Array:
        """Return v with (I - discount P_pi) v = rhs; see :class:`stackelberg_envs.solvers.soft.linear.Resolvent`."""
        return self._scaled(rhs, tolerance, transposed=False)

    def solve_transposed(self, rhs: Array, tolerance: float) -> Array:
        """Return d with (I - discount P_pi^T) d = rhs."""
        return self._scaled(rhs, tolerance, transposed=True)

    def _product(self, transposed: bool) -> Callable[[Array], Array]:
        """Return the product with discount P_pi, or its transpose."""
        if self._products is not None:
            return self._products.back if transposed else self._products.ahead
        matrix = self._matrix.T if transposed else self._matrix
        return lambda vector: np.asarray(matrix @ vector)

    def _scaled(self, rhs: Array, tolerance: float, transposed: bool) -> Array:
        """Solve in units in which the right-hand side is about 1: BiCGSTAB gives up by absolute numbers."""
        size = _norm(rhs, transposed)
        if size == 0.0:
            return np.zeros_like(rhs)
        unit = math.ldexp(1.0, math.frexp(size)[1])
        return unit * self._solve(rhs / unit, tolerance / unit, transposed)

    def _solve(self, rhs: Array, tolerance: float, transposed: bool) -> Array:
        """Solve by steps from the true residual; where they stall once, in another way from then on."""
        if "_factor" in self.__dict__:
            return self._solve_directly(rhs, tolerance, transposed)
        out, residual, product = np.zeros_like(rhs), rhs, self._product(transposed)
        size = _norm(residual, transposed)
        while size > max(tolerance, AIMED_AT * self._rounding(rhs, out, transposed)):
            tried = out + self._step(product, residual, tolerance, transposed)
            left = rhs - (tried - product(tried))
            last, reached = size, _norm(left, transposed)
            # A little progress may be all that was missing.
            if reached < last:
                out, residual, size = tried, left, reached
            if not reached < LEAST_PROGRESS * last:
                if not self._single:
                    break
                self._single = False
        if size <= max(tolerance, ACCEPTED * self._rounding(rhs, out, transposed)):
            return out
        return self._solve_directly(rhs, tolerance, transposed)

    def _step(self, product: Callable[[Array], Array], residual: Array, tolerance: float, transposed: bool) -> Array:
        """Return what lowers a residual by much."""
        if self._single:
            return minimal_residual(product, residual, SPARE * tolerance / _norm(residual, transposed))
        unit = math.ldexp(1.0, math.frexp(_norm(residual, transposed))[1])
        operator = scipy.sparse.linalg.LinearOperator(
            (len(residual), len(residual)), matvec=lambda v: v - product(v), dtype=np.float64
        )
        # BiCGSTAB stops by the Euclidean norm, which is at least the sum over the root of the length.
        euclidean = tolerance * (1.0 / np.sqrt(len(residual)) if transposed else 1.0)
        step, _ = scipy.sparse.linalg.bicgstab(
            operator, residual / unit, rtol=1e-10, atol=euclidean / unit, maxiter=KRYLOV_ITERATIONS
        )
        return np.asarray(unit * step)

    def _rounding(self, rhs: Array, out: Array, transposed: bool) -> float:
        """Return one unit of rounding of the terms in the residual rhs - (out - discount P_pi out), or a bound."""
        if self._products is not None:
            # Rows of P_pi, and columns of its transpose, add up to one at most.
            return float(np.finfo(float).eps * (_norm(rhs, transposed) + 2.0 * _norm(out, transposed)))
        size = np.abs(out)
        return float(np.finfo(float).eps * _norm(np.abs(rhs) + size + self._product(transposed)(size), transposed))

    def _solve_directly(self, rhs: Array, tolerance: float, transposed: bool) -> Array:
        trans, product = "T" if transposed else "N", self._product(transposed)
        out = self._factor.solve(rhs, trans=trans)
        out += self._factor.solve(rhs - (out - product(out)), trans=trans)
        reached = _norm(rhs - (out - product(out)), transposed)
        if not reached <= max(tolerance, ACCEPTED * self._rounding(rhs, out, transposed)):
            raise ConvergenceError(
                f"linear solve: expected a residual of at most {tolerance:.1e}, reached {reached:.1e}"
            )
        return np.asarray(out)

    @cached_property
    def _factor(self) -> Any:
        """Sparse LU, made on first need: the fill-in of a large random game does not fit into memory."""
        identity = scipy.sparse.eye_array(self._matrix.shape[0], format="csc")
        return scipy.sparse.linalg.splu(scipy.sparse.csc_array(identity - self._matrix.tocsc()))


def _norm(array: Array, transposed: bool) -> float:
    """Return the largest entry of values, or the sum of occupancies."""
    size = np.abs(array)
    return float(size.sum() if transposed else size.max())


@compiled
def _write_entries(joint_policy: Array, probabilities: Array, continuing: Array, out: Array) -> None:
    """Write the entries of the sparse P_pi, row by row in the order of the successor lists, into `out`."""
    Z, A, B, N = probabilities.shape
    i = 0
    for s in range(Z):
        for a in range(A):
            for b in range(B):
                weight = continuing[s] * joint_policy[s, a, b]
                for n in range(N):
                    out[i] = weight * probabilities[s, a, b, n]
                    i += 1
