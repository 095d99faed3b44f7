"""The upper bound on the leader's value over one box, and where to cut the box."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from stackelberg_envs.arrays import Array, IntArray
from stackelberg_envs.jit import compiled
from stackelberg_envs.solvers.certificates.affine import AffineArrays
from stackelberg_envs.solvers.certificates.boxes import feasible_centre
from stackelberg_envs.solvers.certificates.centre import soft_response
from stackelberg_envs.solvers.certificates.linear_systems import on_box, policy_system, solve_factorised, visits
from stackelberg_envs.solvers.certificates.policy_sets import OptimisticProcess, leader_intervals, optimistic_values
from stackelberg_envs.solvers.certificates.quadratics import follower_polynomials, leader_polynomials
from stackelberg_envs.solvers.certificates.remainders import follower_errors, leader_errors
from stackelberg_envs.solvers.certificates.slopes import first_slopes, narrowed

__all__ = ["BoxBound", "Known", "box_bound", "known_at_first", "quadratic_maximum"]

EPSILON = 2.220446049250313e-16
#: How often slopes and policies narrow each other on a box: when it is the first of its branch, and later.
FIRST_SWEEPS, SWEEPS = 6, 2
#: Moves of logits up to which quadratic functions follow the policy well.
FOLLOWED = 2.0
#: Rounds of the search for the maximum of a concave quadratic function.
ASCENTS = 60
#: On the box of everything they do so in rounds, until a round leaves more than a part of the widths.
ROOT_SWEEPS, STILL = 20, 0.999


class Known(NamedTuple):
    """What holds on a box and so on its parts.

    Attributes
    ----------
    start
        The follower's state values nearby, which promise nothing; shape (Z,).
    leader_values
        Upper bounds on the leader's state values, shape (Z,).
    slopes
        Bounds on the derivatives of the follower's state values by z, shape (2, Z, D).
    sweeps
        How often the next box makes slopes narrower.
    """

    start: Array
    leader_values: Array
    slopes: Array
    sweeps: int


class BoxBound(NamedTuple):
    """What was found on a box.

    Attributes
    ----------
    upper
        Bound on the leader's value.
    value
        The leader's value at the centre; -inf where it was of no use.
    cut
        The coordinate to cut.
    known
        For the parts.
    """

    upper: float
    value: float
    cut: int
    known: Known


def quadratic_maximum(terms: Array, factors: IntArray) -> float:
    """Return an upper bound on a quadratic polynomial (M,) over [-1, 1]^D.

    Notes
    -----
    With H its matrix and H+ the positive part of that, a diagonal d with d_i = sum_j |H+_ij| makes H - diag(d) negative
    semidefinite, and t'diag(d)t is at most sum_i d_i. What remains is concave, so its tangent at any point lies above.
    The point is found by ascent in one coordinate after the other.
    """
    squares = (factors[0] == factors[1]) & (factors[0] >= 0)
    D = int(squares.sum())
    one, two = factors[:, 1 + D :]
    matrix = np.zeros((D, D))
    matrix[one, two] = matrix[two, one] = np.where(one == two, 1.0, 0.5) * terms[1 + D :]
    rates, axes = np.linalg.eigh(matrix)
    lift = np.abs((axes * np.maximum(rates, 0.0)) @ axes.T).sum(axis=1)
    linear = terms[1 : 1 + D]
    concave = matrix - np.diag(lift)
    y = ascent(concave, linear)
    slope = linear + 2.0 * concave @ y
    tangent = terms[0] + linear @ y + y @ concave @ y + np.abs(slope).sum() - slope @ y + lift.sum()
    rounding = 64.0 * (D + 4) * EPSILON * (D * np.abs(terms).sum() + lift.sum())
    return float(tangent + rounding)


@compiled
def ascent(concave: Array, linear: Array) -> Array:
    """Return a point of [-1, 1]^D near the maximum of linear't + t'concave t."""
    D = len(linear)
    y = np.zeros(D)
    for _ in range(ASCENTS):
        moved = 0.0
        for i in range(D):
            slope = linear[i]
            for j in range(D):
                if j != i:
                    slope += 2.0 * concave[i, j] * y[j]
            bend = -2.0 * concave[i, i]
            there = slope / bend if bend > abs(slope) else (1.0 if slope > 0.0 else -1.0)
            moved = max(moved, abs(there - y[i]))
            y[i] = there
        if moved < 1e-6:
            break
    return y


def known_at_first(arrays: AffineArrays) -> Known:
    """Return what is known everywhere."""
    Z, D = len(arrays.initial), len(arrays.groups)
    centre, radii = np.empty(D), np.empty(D)
    feasible_centre(np.zeros(D), np.ones(D), arrays.groups, arrays.limits, centre, radii)
    box = on_box(arrays, centre, radii)
    most = float(np.abs(box.leader_reward).sum(axis=-1).max()) / (1.0 - arrays.leader_discount)
    values, soft, q, _, _, error = soft_response(box, np.zeros(Z))
    slopes, last = first_slopes(box), np.inf
    while True:
        narrowed(box, slopes, values, soft, q, error, *leader_intervals(box.leader_policy), ROOT_SWEEPS)
        width = float((slopes[1] - slopes[0]).sum())
        if width > STILL * last:
            return Known(values, np.full(Z, most), slopes / radii, FIRST_SWEEPS)
        last = width


def box_bound(
    arrays: AffineArrays, factors: IntArray, centre: Array, radii: Array, known: Known, target: float
) -> BoxBound:
    """Bound the leader's value over a box.

    Parameters
    ----------
    arrays
        The game.
    factors
        Of :func:`stackelberg_envs.solvers.certificates.quadratics.monomials`.
    centre, radii
        Of the box, shape (D,).
    known
        What holds on the box.
    target
        A bound below this is good enough.
    """
    box = on_box(arrays, centre, radii)
    values, soft, q, policy, system, error = soft_response(box, known.start)
    leader_low, leader_high = leader_intervals(box.leader_policy)
    slopes, actions, low, high = narrowed(
        box, known.slopes * radii, values, soft, q, error, leader_low, leader_high, known.sweeps
    )
    process = OptimisticProcess(
        box.successors, box.probabilities, box.continuing, box.leader_discount, leader_low, leader_high, low, high
    )
    optimistic, leader_choice, choice = interval_values(box, process, known.leader_values)
    leader_values = np.minimum(known.leader_values, optimistic)
    scale = np.where(radii > 0.0, radii, np.inf)
    found = Known(values, leader_values, np.where(radii > 0.0, slopes / scale, known.slopes), SWEEPS)
    upper = float(arrays.initial @ leader_values)
    if upper <= target:
        return BoxBound(upper, -np.inf, 0, found)
    own = true_system(box, box.leader_policy[..., 0].copy(), policy)
    v, soft_terms, logits, errors = follower_polynomials(box, values, system, factors)
    done, doubts, low, high = follower_errors(box, v, soft_terms, logits, errors, leader_low, leader_high, factors)
    if not done:
        doubts = np.zeros_like(low)
    w, means, leader_q, errors = leader_polynomials(box, logits, doubts, own, factors)
    terms = arrays.initial @ w
    if done:
        left = leader_errors(box, w, means, leader_q, errors, process._replace(low=low, high=high), factors)
        # A number that is none bounds nothing, and is not smaller.
        smooth = quadratic_maximum(terms, factors) + float(arrays.initial @ left)
        upper = smooth if smooth < upper else upper
    often = np.maximum(visits(own, box.initial), visits(true_system(box, leader_choice, choice), box.initial))
    cut = int(coordinate_scores(box, process, actions, leader_q, often).argmax())
    return BoxBound(upper, float(centre_value(box, policy, own)), cut, found)


@compiled
def true_system(box: AffineArrays, leader_policy: Array, policy: Array) -> Array:
    """Return the factors of I - discount P of two policies, for the leader, at the centre."""
    kernel = box.probabilities[..., 0].copy()
    return policy_system(leader_policy, policy, box.successors, kernel, box.continuing, box.leader_discount)


@compiled
def centre_value(box: AffineArrays, policy: Array, system: Array) -> float:
    """Return the leader's value at the centre, where the follower plays `policy`, shape (Z, A, B)."""
    Z, A, B = policy.shape
    values = np.zeros((Z, 1))
    for s in range(Z):
        for a in range(A):
            for b in range(B):
                values[s, 0] += box.leader_policy[s, a, 0] * policy[s, a, b] * box.leader_reward[s, a, b, 0]
    solve_factorised(system, values)
    total = 0.0
    for s in range(Z):
        total += box.initial[s] * values[s, 0]
    return total


@compiled
def interval_values(box: AffineArrays, process: OptimisticProcess, start: Array) -> tuple[Array, Array, Array]:
    """Return upper bounds on the leader's state values, shape (Z,), where it may choose both policies; and these."""
    Z, A, B, columns = box.leader_reward.shape
    reward = np.empty((Z, A, B))
    size = 0.0
    for s in range(Z):
        size = max(size, abs(start[s]))
        for a in range(A):
            for b in range(B):
                radius = 0.0
                for i in range(1, columns):
                    radius += abs(box.leader_reward[s, a, b, i])
                reward[s, a, b] = box.leader_reward[s, a, b, 0] + radius
    for s in range(Z):
        for a in range(A):
            for b in range(B):
                reward[s, a, b] += 64.0 * EPSILON * size
    return optimistic_values(process, reward, start)


@compiled
def coordinate_scores(
    box: AffineArrays, process: OptimisticProcess, slopes: Array, leader_q: Array, often: Array
) -> Array:
    """Return by how much each coordinate moves the follower's policy where that matters to the leader, shape (D,).

    Where logits move little, quadratic functions follow them, so that counts for less: by the square of their moves.

    Parameters
    ----------
    slopes
        Bounds on the derivatives of the follower's action values, shape (2, Z, A, B, D).
    leader_q
        Polynomials of the leader's action values, shape (Z, A, B, M).
    often
        How often states are visited, shape (Z,).
    """
    Z, A, B, D = slopes.shape[1:]
    score, moves = np.zeros(D), np.empty(D)
    for s in range(Z):
        for a in range(A):
            for b in range(B):
                for c in range(b):
                    weight = (
                        often[s] * process.leader_high[s, a] * min(0.25, process.high[s, a, b] * process.high[s, a, c])
                    )
                    weight *= abs(leader_q[s, a, b, 0] - leader_q[s, a, c, 0])
                    total = 0.0
                    for i in range(D):
                        up = abs(slopes[1, s, a, b, i] - slopes[0, s, a, c, i])
                        down = abs(slopes[1, s, a, c, i] - slopes[0, s, a, b, i])
                        moves[i] = max(up, down) / box.temperature
                        total += moves[i]
                    weight *= total * total / (total * total + FOLLOWED * FOLLOWED)
                    for i in range(D):
                        score[i] += weight * moves[i]
    return score
