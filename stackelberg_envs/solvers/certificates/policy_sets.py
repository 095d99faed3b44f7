"""Sets of policies, each probability in an interval: moments over them, and the best one for given action values."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from stackelberg_envs.arrays import Array, IntArray
from stackelberg_envs.jit import compiled
from stackelberg_envs.solvers.certificates.linear_systems import policy_system, reach, solve_factorised

__all__ = [
    "OptimisticProcess",
    "best_choice",
    "leader_intervals",
    "optimistic_values",
    "probability_intervals",
    "spreads",
]

HOWARD_STEPS = 4
#: Of bounds on the length of play with discount 1.
MOST_SWEEPS = 100_000
#: Where these bounds are not found.
LEAST_RATE = 1e-300


class OptimisticProcess(NamedTuple):
    """The dynamics of a box, and the sets that each player's probabilities are in.

    Attributes
    ----------
    successors, probabilities
        Shapes (Z, A, B, N) and (Z, A, B, N, 1 + D), or 1 at the end.
    continuing
        Shape (Z,).
    discount
        In [0, 1]; 1 where play surely ends.
    leader_low, leader_high
        Shape (Z, A).
    low, high
        Shape (Z, A, B).
    """

    successors: IntArray
    probabilities: Array
    continuing: Array
    discount: float
    leader_low: Array
    leader_high: Array
    low: Array
    high: Array


@compiled
def spreads(polynomials: Array, out: Array) -> None:
    """Write into `out` (B, B) how far two polynomials (B, M) can move apart on the box from where they are at t = 0."""
    B, M = polynomials.shape
    for b in range(B):
        out[b, b] = 0.0
        for c in range(b):
            total = 0.0
            for m in range(1, M):
                total += abs(polynomials[b, m] - polynomials[c, m])
            out[b, c] = out[c, b] = total


@compiled
def probability_intervals(logits: Array, apart: Array, low: Array, high: Array) -> None:
    """Write bounds on softmax(logits + e) into `low` and `high` (B,), where e_b - e_c is at most apart[b, c]."""
    B = len(logits)
    for b in range(B):
        least, most = 1.0, 1.0
        for c in range(B):
            if c != b:
                difference = logits[c] - logits[b]
                least += np.exp(min(difference + apart[c, b], 700.0))
                most += np.exp(min(difference - apart[b, c], 700.0))
        low[b], high[b] = (1.0 - 1e-12) / least, (1.0 + 1e-12) / most


@compiled
def best_choice(values: Array, low: Array, high: Array, out: Array) -> float:
    """Return the largest mean of `values` (n,) under distributions in [low, high], and write one that has it."""
    n = len(values)
    left = 1.0
    for k in range(n):
        out[k] = low[k]
        left -= low[k]
    taken = np.zeros(n, dtype=np.bool_)
    for _ in range(n):
        best = -1
        for k in range(n):
            if not taken[k] and (best < 0 or values[k] > values[best]):
                best = k
        taken[best] = True
        more = min(left, high[best] - low[best])
        out[best] += more
        left -= more
        if left <= 0.0:
            break
    total = 0.0
    for k in range(n):
        total += out[k] * values[k]
    # What rounding has left over, or given too much.
    most = values[0]
    for k in range(n):
        most = max(most, abs(values[k]))
    return float(total + abs(left) * most)


@compiled
def leader_intervals(leader_policy: Array) -> tuple[Array, Array]:
    """Return bounds on the leader's probabilities on a box, from affine functions of shape (Z, A, 1 + D)."""
    Z, A, _ = leader_policy.shape
    low, high = np.empty((Z, A)), np.empty((Z, A))
    for s in range(Z):
        for a in range(A):
            radius = reach(leader_policy[s, a])
            low[s, a] = max(0.0, leader_policy[s, a, 0] - radius)
            high[s, a] = min(1.0, leader_policy[s, a, 0] + radius)
    return low, high


@compiled
def most_ahead(probabilities: Array, successors: IntArray, values: Array) -> float:
    """Return the largest mean of `values` (Z,) over successors on a box; `probabilities` (N, 1 + D) or (N, 1)."""
    total = 0.0
    for n in range(len(successors)):
        total += probabilities[n, 0] * values[successors[n]]
    for i in range(1, probabilities.shape[1]):
        part = 0.0
        for n in range(len(successors)):
            part += probabilities[n, i] * values[successors[n]]
        total += abs(part)
    return total


@compiled
def optimistic_backup(
    process: OptimisticProcess, reward: Array, values: Array, out: Array, leader_choice: Array, choice: Array
) -> float:
    """Write into `out` (Z,) the largest backup of `values` (Z,) over a set of policies, and which policy has it.

    Parameters
    ----------
    process
        The sets, and the dynamics.
    reward
        Shape (Z, A, B).
    leader_choice, choice
        Overwritten; shapes (Z, A) and (Z, A, B).

    Returns
    -------
    float
        The largest out - values.
    """
    Z, A, B, _ = process.successors.shape
    q, means = np.empty(B), np.empty(A)
    gain = -np.inf
    for s in range(Z):
        weight = process.discount * process.continuing[s]
        for a in range(A):
            for b in range(B):
                q[b] = reward[s, a, b]
                if weight != 0.0:
                    q[b] += weight * most_ahead(process.probabilities[s, a, b], process.successors[s, a, b], values)
            means[a] = best_choice(q, process.low[s, a], process.high[s, a], choice[s, a])
        out[s] = best_choice(means, process.leader_low[s], process.leader_high[s], leader_choice[s])
        gain = max(gain, out[s] - values[s])
    return gain


@compiled
def optimistic_values(process: OptimisticProcess, reward: Array, start: Array) -> tuple[Array, Array, Array]:
    """Return upper bounds on the values of all policies of a set, shape (Z,), by policy iteration from `start`.

    Two policies that come next to them are returned too, shapes (Z, A) and (Z, A, B).

    The last values v are raised to v + max(T v - v) / (1 - discount), with T the best backup: no policy has more. With
    discount 1 the most steps that play has in the mean take the place of 1 / (1 - discount).
    """
    Z, A, B, _ = process.successors.shape
    out, leader_choice, choice = np.empty(Z), np.empty((Z, A)), np.empty((Z, A, B))
    values, rhs = start.copy(), np.empty((Z, 1))
    kernel = process.probabilities[..., 0].copy()
    gain, rate = optimistic_backup(process, reward, values, out, leader_choice, choice), _stopping_rate(process)
    for _ in range(HOWARD_STEPS):
        system = policy_system(leader_choice, choice, process.successors, kernel, process.continuing, process.discount)
        for s in range(Z):
            rhs[s, 0] = 0.0
            for a in range(A):
                for b in range(B):
                    rhs[s, 0] += leader_choice[s, a] * choice[s, a, b] * reward[s, a, b]
        solve_factorised(system, rhs)
        values = rhs[:, 0].copy()
        gain = optimistic_backup(process, reward, values, out, leader_choice, choice)
        size = 0.0
        for s in range(Z):
            size = max(size, abs(out[s]))
        if gain <= 1e-4 * rate * size:
            break
    return values + max(gain, 0.0) / rate, leader_choice, choice


@compiled
def _stopping_rate(process: OptimisticProcess) -> float:
    """Return 1 - discount, or with discount 1 one over a bound on the steps that play takes in the mean.

    Steps w with w >= 1 - e + P w, for every choice, prove that no play takes more than w / (1 - e).
    """
    if process.discount < 1.0:
        return 1.0 - process.discount
    Z, A, B, _ = process.successors.shape
    reward, steps, out = np.ones((Z, A, B)), np.ones(Z), np.empty(Z)
    leader_choice, choice = np.empty((Z, A)), np.empty((Z, A, B))
    for _ in range(MOST_SWEEPS):
        excess = optimistic_backup(process, reward, steps, out, leader_choice, choice)
        if excess <= 0.5:
            return float((1.0 - max(excess, 0.0)) / steps.max())
        steps[:] = out
    return LEAST_RATE
