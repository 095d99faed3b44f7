"""Linear systems (I - discount P_pi) v = r and their transposes: band or dense LU if small, else Krylov.

Errors are measured where the matrix contracts: values v by their largest entry, occupancies d by their sum.
In these norms a residual of e means an error of at most e / (1 - discount). Where play never comes back to a state, one
pass from the ends backwards solves the system, and one forwards its transpose, with no more than rounding.
"""

from __future__ import annotations

from typing import Any, Literal, Protocol

import numpy as np
import scipy
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array, IntArray
from stackelberg_envs.games.primitives import DecisionProcess
from stackelberg_envs.games.transitions import Transition
from stackelberg_envs.jit import compiled, in_parts, sum_of_parts
from stackelberg_envs.solvers.soft.krylov import Krylov, policy_matrix

__all__ = ["Resolvent", "action_values", "choose", "next_values", "push_flow", "resolvent"]

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
#: Games of so many states, half of them terminal or more, are solved on the others alone.
MANY = 1_000


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
    if len(continuing) >= MANY and 0 < 2 * np.count_nonzero(continuing) <= len(continuing):
        return _Living(process, joint_policy)
    method = choose(transition, num_contexts)
    if method == "band":
        return _Banded(joint_policy, transition, continuing, discount)
    if method == "dense":
        return _Dense(joint_policy, transition, continuing, discount, num_contexts)
    return Krylov(joint_policy, transition, continuing, discount)


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


class _Living:
    """Solves on the states where play goes on: to the others no play comes back from where it ends."""

    def __init__(self, process: DecisionProcess, joint_policy: Array) -> None:
        Z, lists = len(process.continuing), process.transition
        self._live = np.flatnonzero(process.continuing)
        number = np.full(Z, -1, dtype=np.int32)
        number[self._live] = np.arange(len(self._live), dtype=np.int32)
        joint, named = joint_policy[self._live], lists.successors[self._live]
        successors, probabilities = number[named], lists.probabilities[self._live]
        ending = successors < 0
        moves = np.where(ending, joint[..., None] * probabilities, 0.0)
        places = np.nonzero(moves)
        self._ending: Any = process.discount * scipy.sparse.csr_array(
            (moves[places], (places[0], named[places])), shape=(len(self._live), Z)
        )
        own = Transition(np.where(ending, 0, successors), np.where(ending, 0.0, probabilities))
        living = process._replace(transition=own, continuing=np.ones(len(self._live)), num_contexts=1, ends=None)
        self._system = resolvent(living, joint)
        self.costly = self._system.costly

    def solve(self, rhs: Array, tolerance: float) -> Array:
        out = rhs.copy()
        out[self._live] = 0.0
        out[self._live] = self._system.solve(rhs[self._live] + self._ending @ out, tolerance)
        return out

    def solve_transposed(self, rhs: Array, tolerance: float) -> Array:
        flow, out = self._system.solve_transposed(rhs[self._live], tolerance), rhs.copy()
        out[self._live] = flow
        out += self._ending.T @ flow
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
