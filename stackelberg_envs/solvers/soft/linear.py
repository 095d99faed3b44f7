"""Linear systems (I - discount P_pi) v = r and their transposes: band or dense LU if small, else Krylov.

Errors are measured where the matrix contracts: values v by their largest entry, occupancies d by their sum.
In these norms a residual of e means an error of at most e / (1 - discount). Where play never comes back to a state, one
pass from the ends backwards solves the system, and one forwards its transpose, with no more than rounding.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property
from typing import Any, Literal, Protocol

import numpy as np
import scipy
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array, IntArray
from stackelberg_envs.errors import ConvergenceError
from stackelberg_envs.games.primitives import DecisionProcess
from stackelberg_envs.games.transitions import Transition
from stackelberg_envs.jit import compiled, in_parts, sum_of_parts
from stackelberg_envs.solvers.soft.streaming import Products, minimal_residual

__all__ = ["Resolvent", "action_values", "choose", "next_values", "policy_matrix", "push_flow", "resolvent"]

#: Up to this many states a block, one dense LU serves every right-hand side. Measured break-even with the
#: Krylov solver on one core: 350 states on random games, 450 on grids (benchmarks/speed_oracle.py). It is
#: set lower because dense LU uses the threads of BLAS, which stall where the other cores are busy.
DENSE_LIMIT = 300
#: Band LU is used where the band is this much narrower than the block and the work, states * band^2, at most
#: this: measured break-even with the Krylov solver on square grids (benchmarks/speed_oracle.py). Discounts near
#: one do not trouble it. The band of a game with more states is not looked for: that would cost memory.
LEAST_NARROWNESS, BAND_WORK, BAND_STATES = 4, 400_000_000, 100_000
#: Up to this many states a block, dense LU takes less time than looking for the band.
SMALL = 16
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


class Resolvent(Protocol):
    """Solves with one policy's matrix for any number of right-hand sides, each of shape (Z,)."""

    def solve(self, rhs: Array, tolerance: float) -> Array:
        """Return v with (I - discount P_pi) v = rhs; the largest residual is at most `tolerance`."""

    def solve_transposed(self, rhs: Array, tolerance: float) -> Array:
        """Return d with (I - discount P_pi^T) d = rhs; the residuals' sum is at most `tolerance`."""


class Prepared(Resolvent, Protocol):
    """Such solves, after what had to be prepared for them.

    Attributes
    ----------
    costly
        Whether to prepare them for another policy costs more than a solve.
    """

    costly: bool


def resolvent(process: DecisionProcess, joint_policy: Array) -> Prepared:
    """Prepare solves with I - discount P_pi of what one player reckons with.

    Parameters
    ----------
    process
        Its dynamics and its discount.
    joint_policy
        pi(a, b | s) = f g, shape (Z, A, B).

    Notes
    -----
    P_pi is block diagonal, with a block for each context. No tolerance is taken to be finer than rounding.
    """
    _, transition, continuing, discount, num_contexts, ends = process
    if ends is not None and ends.order is not None:
        return _Ordered(joint_policy, transition, continuing, discount, ends.order)
    method = choose(transition, num_contexts)
    if method == "band":
        return _Banded(joint_policy, transition, continuing, discount)
    if method == "dense":
        return _Dense(joint_policy, transition, continuing, discount, num_contexts)
    return _Krylov(joint_policy, transition, continuing, discount)


def action_values(process: DecisionProcess, state_values: Array) -> Array:
    """Return q = r + discount (1 - terminal) P v, shape (Z, A, B), for values of shape (Z,)."""
    q = next_values(process.transition, state_values)
    q *= (process.discount * process.continuing)[:, None, None]
    q += process.reward
    return q


def choose(transition: Transition, num_contexts: int) -> Literal["band", "dense", "krylov"]:
    """Return the method for a game's systems: by the size of a context's block and the width of its band."""
    Z = len(transition.successors)
    S = Z // num_contexts
    if SMALL < S and Z < BAND_STATES:
        width = sum(transition.band)
        if LEAST_NARROWNESS * width <= S and Z * width**2 <= BAND_WORK:
            return "band"
    return "dense" if S <= DENSE_LIMIT else "krylov"


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


class _Ordered:
    costly = True

    def __init__(
        self, joint_policy: Array, transition: Transition, continuing: Array, discount: float, order: IntArray
    ) -> None:
        self._matrix: Any = policy_matrix(joint_policy, transition, continuing)
        self._discount, self._order = discount, order

    def solve(self, rhs: Array, tolerance: float) -> Array:
        out, matrix = np.array(rhs, dtype=np.float64), self._matrix
        _backwards(matrix.indptr, matrix.indices, matrix.data, self._discount, self._order, out)
        return out

    def solve_transposed(self, rhs: Array, tolerance: float) -> Array:
        out, matrix = np.array(rhs, dtype=np.float64), self._matrix
        _forwards(matrix.indptr, matrix.indices, matrix.data, self._discount, self._order, out)
        return out


class _Dense:
    costly = True

    def __init__(self, joint_policy: Array, transition: Transition, continuing: Array, discount: float, K: int) -> None:
        S = len(continuing) // K
        matrix = np.empty((K, S, S))
        _write_blocks(-discount * joint_policy, transition.successors, transition.probabilities, continuing, matrix)
        matrix.reshape(K, S * S)[:, :: S + 1] += 1.0
        # LU of each block's transpose: the transposed view is in LAPACK's own order and is not copied.
        # LAPACK is called directly: SciPy's wrappers cost as much as the solve itself at a hundred states.
        self._blocks, self._factors = (K, S), []
        for block in matrix:
            self._factors.append(scipy.linalg.lapack.dgetrf(block.T, overwrite_a=True)[:2])

    def solve(self, rhs: Array, tolerance: float, trans: Literal[0, 1] = 1) -> Array:
        out = np.empty(self._blocks)
        for (factor, pivots), b, solved in zip(self._factors, rhs.reshape(self._blocks), out, strict=True):
            solved[:] = scipy.linalg.lapack.dgetrs(factor, pivots, b, trans=trans)[0]
        return out.ravel()

    def solve_transposed(self, rhs: Array, tolerance: float) -> Array:
        return self.solve(rhs, tolerance, trans=0)


class _Banded:
    costly = True

    def __init__(self, joint_policy: Array, transition: Transition, continuing: Array, discount: float) -> None:
        upper, lower = transition.band[1], transition.band[0]
        self._widths = (lower, upper)
        # LAPACK's rows: `lower` more for the fill-in of pivoting, then the band. Stored transposed, so that
        # its transpose is in Fortran's order and is not copied.
        rows = np.empty((len(continuing), 2 * lower + upper + 1))
        _write_band(
            -discount * joint_policy,
            transition.successors,
            transition.probabilities,
            continuing,
            lower + upper,
            rows,
        )
        rows[:, lower + upper] += 1.0
        self._factor, self._pivots, _ = scipy.linalg.lapack.dgbtrf(rows.T, lower, upper, overwrite_ab=True)

    def solve(self, rhs: Array, tolerance: float, trans: Literal[0, 1] = 0) -> Array:
        lower, upper = self._widths
        return np.asarray(scipy.linalg.lapack.dgbtrs(self._factor, lower, upper, rhs, self._pivots, trans=trans)[0])

    def solve_transposed(self, rhs: Array, tolerance: float) -> Array:
        return self.solve(rhs, tolerance, trans=1)


class _Krylov:
    """GMRES in single precision where lists are many, BiCGSTAB where that stalls or they are few, sparse LU at last."""

    def __init__(self, joint_policy: Array, transition: Transition, continuing: Array, discount: float) -> None:
        self._given, self._discount = (joint_policy, transition, continuing), discount
        # What is left of lists that are mostly padding is passed sooner than the lists are.
        large = transition.successors.size >= STREAMED and transition.fullness >= LEAST_FULLNESS
        self._products = Products(*self._given, discount) if large else None
        self._single, self.costly = large, not large

    @cached_property
    def _matrix(self) -> Any:
        """Discount P_pi, where it is small enough to be written down."""
        matrix = policy_matrix(*self._given)
        matrix.data *= self._discount
        return matrix

    def solve(self, rhs: Array, tolerance: float) -> Array:
        return self._scaled(rhs, tolerance, transposed=False)

    def solve_transposed(self, rhs: Array, tolerance: float) -> Array:
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


def next_values(transition: Transition, values: Array) -> Array:
    """Return sum_t P(t | s, a, b) values[t], shape (Z, A, B), for values of shape (Z,)."""
    out = np.empty(transition.probabilities.shape[:3])
    successors, probabilities = transition.successors, transition.probabilities
    in_parts(
        lambda part: _next_values(successors[part], probabilities[part], values, out[part]), len(out), successors.size
    )
    return out


@compiled
def _next_values(successors: IntArray, probabilities: Array, values: Array, out: Array) -> None:
    """Write sum_t P(t | s, a, b) values[t] into `out` (Z, A, B)."""
    Z, A, B, N = probabilities.shape
    for s in range(Z):
        for a in range(A):
            for b in range(B):
                total = 0.0
                for n in range(N):
                    total += probabilities[s, a, b, n] * values[successors[s, a, b, n]]
                out[s, a, b] = total


def push_flow(flow: Array, transition: Transition, continuing: Array) -> Array:
    """Return sum_{s,a,b} continuing flow P(t | s, a, b), shape (Z,), for a flow of shape (Z, A, B)."""
    successors, probabilities = transition.successors, transition.probabilities

    def loop(part: slice) -> Array:
        out = np.zeros(len(continuing))
        _push_flow(flow[part], successors[part], probabilities[part], continuing[part], out)
        return out

    return np.asarray(sum_of_parts(loop, len(continuing), successors.size))


@compiled
def _backwards(
    indptr: NDArray[Any], indices: NDArray[Any], data: Array, discount: float, order: IntArray, out: Array
) -> None:
    """Add to each entry of `out` (Z,) the discounted mean of those that its state leads to, ends first."""
    for s in order:
        for i in range(indptr[s], indptr[s + 1]):
            out[s] += discount * data[i] * out[indices[i]]


@compiled
def _forwards(
    indptr: NDArray[Any], indices: NDArray[Any], data: Array, discount: float, order: IntArray, out: Array
) -> None:
    """Send each entry of `out` (Z,) on to where its state leads, discounted, ends last."""
    for s in order[::-1]:
        for i in range(indptr[s], indptr[s + 1]):
            out[indices[i]] += discount * data[i] * out[s]


@compiled
def _push_flow(flow: Array, successors: IntArray, probabilities: Array, continuing: Array, out: Array) -> None:
    """Add sum_{s,a,b} continuing flow P(t | s, a, b) to `out` (Z,), for the states whose lists these are."""
    Z, A, B, N = probabilities.shape
    for s in range(Z):
        if continuing[s] == 0.0:
            continue
        for a in range(A):
            for b in range(B):
                for n in range(N):
                    out[successors[s, a, b, n]] += flow[s, a, b] * probabilities[s, a, b, n]


@compiled
def _write_blocks(
    joint_policy: Array, successors: IntArray, probabilities: Array, continuing: Array, out: Array
) -> None:
    """Write P_pi[k, s, t] into `out` (K, S, S); joint states are k * S + s and contexts do not mix."""
    K, S, _ = out.shape
    _, A, B, N = successors.shape
    out[:] = 0.0
    for z in range(K * S):
        k = z // S
        if continuing[z] == 0.0:
            continue
        for a in range(A):
            for b in range(B):
                weight = joint_policy[z, a, b]
                for n in range(N):
                    out[k, z - k * S, successors[z, a, b, n] - k * S] += weight * probabilities[z, a, b, n]


@compiled
def _write_band(
    joint_policy: Array, successors: IntArray, probabilities: Array, continuing: Array, diagonal: int, out: Array
) -> None:
    """Write P_pi[s, t] into `out[t, diagonal + s - t]`: LAPACK's band storage, transposed, (Z, rows)."""
    Z, A, B, N = successors.shape
    out[:] = 0.0
    for s in range(Z):
        if continuing[s] == 0.0:
            continue
        for a in range(A):
            for b in range(B):
                weight = joint_policy[s, a, b]
                for n in range(N):
                    if probabilities[s, a, b, n] > 0.0:
                        t = successors[s, a, b, n]
                        out[t, diagonal + s - t] += weight * probabilities[s, a, b, n]


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
