"""Kernels in twice the precision of floats: each number is an unevaluated sum of two of them.

Sums and products are exact up to about 2^-104 of their size (Dekker 1971; Hida, Li and Bailey 2001). Arrays of such
numbers are pairs of arrays (high, low). Index letters: s joint state, a leader
action, b follower action, n position in a successor list, t next state.
"""

from __future__ import annotations

import math

from stackelberg_envs.arrays import Array, IntArray
from stackelberg_envs.jit import compiled

__all__ = [
    "UNIT",
    "precise_backup",
    "precise_flow",
    "precise_next_values",
    "precise_residual",
    "precise_reward_flow",
    "precise_transposed",
]

#: Of one operation here, relative: proven bounds are from 2 to 7 times 2^-106 (Joldes, Muller and Popescu 2017).
UNIT = 2.0**-103
#: Splits a float into two halves of 26 bits.
SPLITTER = 134217729.0
#: exp of less than this is not a normal float any more.
LEAST_EXPONENT = -708.0
LN2_HIGH, LN2_LOW = 0.6931471805599453, 2.3190468138462996e-17
THIRD, THIRD_LOW = 0.3333333333333333, 1.850371707708594e-17
FIFTH, FIFTH_LOW = 0.2, -1.1102230246251566e-17
#: Of the argument of exp, before the power series.
HALVINGS = 9


@compiled
def _sum(a: float, b: float) -> tuple[float, float]:
    s = a + b
    other = s - a
    return s, (a - (s - other)) + (b - other)


@compiled
def _quick_sum(a: float, b: float) -> tuple[float, float]:
    s = a + b
    return s, b - (s - a)


@compiled
def _product(a: float, b: float) -> tuple[float, float]:
    p = a * b
    c = SPLITTER * a
    a_high = c - (c - a)
    a_low = a - a_high
    c = SPLITTER * b
    b_high = c - (c - b)
    b_low = b - b_high
    return p, ((a_high * b_high - p) + a_high * b_low + a_low * b_high) + a_low * b_low


@compiled
def _add(a: float, a_low: float, b: float, b_low: float) -> tuple[float, float]:
    s, e = _sum(a, b)
    t, f = _sum(a_low, b_low)
    s, e = _quick_sum(s, e + t)
    return _quick_sum(s, e + f)


@compiled
def _scale(a: float, a_low: float, b: float) -> tuple[float, float]:
    p, e = _product(a, b)
    return _quick_sum(p, e + a_low * b)


@compiled
def _multiply(a: float, a_low: float, b: float, b_low: float) -> tuple[float, float]:
    p, e = _product(a, b)
    return _quick_sum(p, e + (a * b_low + a_low * b))


@compiled
def _divide(a: float, a_low: float, b: float, b_low: float) -> tuple[float, float]:
    first = a / b
    p, e = _scale(b, b_low, first)
    r, r_low = _add(a, a_low, -p, -e)
    second = r / b
    p, e = _scale(b, b_low, second)
    r, r_low = _add(r, r_low, -p, -e)
    q, q_low = _quick_sum(first, second)
    return _add(q, q_low, r / b, 0.0)


@compiled
def _exp(x: float, x_low: float) -> tuple[float, float]:
    """Return exp of a number in [LEAST_EXPONENT, 700]."""
    m = math.floor(x / LN2_HIGH + 0.5)
    p, e = _scale(LN2_HIGH, LN2_LOW, m)
    r, r_low = _add(x, x_low, -p, -e)
    shrink = 2.0**-HALVINGS
    r, r_low = r * shrink, r_low * shrink
    # exp(r) - 1 = r (1 + r/2 (1 + r/3 (1 + ...))), from the innermost bracket outwards; |r| < 7e-4, so that what stands
    # inside the fifth is below 10^-15 of the whole, and floats do for it.
    tail = 1.0 + r / 6.0 * (1.0 + r / 7.0 * (1.0 + r / 8.0 * (1.0 + r / 9.0)))
    s, s_low = _scale(r, r_low, tail)
    s, s_low = _multiply(s, s_low, FIFTH, FIFTH_LOW)
    s, s_low = _add(s, s_low, 1.0, 0.0)
    s, s_low = _multiply(s, s_low, 0.25 * r, 0.25 * r_low)
    s, s_low = _add(s, s_low, 1.0, 0.0)
    s, s_low = _multiply(s, s_low, r, r_low)
    s, s_low = _multiply(s, s_low, THIRD, THIRD_LOW)
    s, s_low = _add(s, s_low, 1.0, 0.0)
    s, s_low = _multiply(s, s_low, 0.5 * r, 0.5 * r_low)
    s, s_low = _add(s, s_low, 1.0, 0.0)
    s, s_low = _multiply(s, s_low, r, r_low)
    # exp(2 r) - 1 = 2 (exp(r) - 1) + (exp(r) - 1)^2 loses nothing where r is small.
    for _ in range(HALVINGS):
        square, square_low = _multiply(s, s_low, s, s_low)
        s, s_low = _add(2.0 * s, 2.0 * s_low, square, square_low)
    s, s_low = _add(s, s_low, 1.0, 0.0)
    whole = int(m)
    return math.ldexp(s, whole), math.ldexp(s_low, whole)


@compiled
def _log(x: float, x_low: float) -> tuple[float, float]:
    """Return log of a number of at least 1: one Newton step from that of its high part."""
    y = math.log(x)
    e, e_low = _exp(-y, 0.0)
    e, e_low = _multiply(e, e_low, x, x_low)
    e, e_low = _add(e, e_low, -1.0, 0.0)
    return _add(y, 0.0, e, e_low - 0.5 * e * e)


@compiled
def _less(a: float, a_low: float, b: float, b_low: float) -> bool:
    return a < b or (a == b and a_low < b_low)


@compiled
def _ahead(successors: IntArray, probabilities: Array, values: Array) -> tuple[float, float]:
    """Return sum_n probabilities[n] values[successors[n]]."""
    x, y = 0.0, 0.0
    for n in range(successors.shape[0]):
        t = successors[n]
        u, v = _scale(values[0, t], values[1, t], probabilities[n])
        x, y = _add(x, y, u, v)
    return x, y


@compiled
def _paid_and_ahead(
    reward: float, successors: IntArray, probabilities: Array, discount: float, values: Array
) -> tuple[float, float]:
    """Return reward + discount sum_n probabilities[n] values[successors[n]]."""
    x, y = 0.0, 0.0
    if discount != 0.0:
        x, y = _ahead(successors, probabilities, values)
        x, y = _scale(x, y, discount)
    return _add(x, y, reward, 0.0)


@compiled
def _share(q: float, q_low: float, top: float, top_low: float, temperature: float) -> tuple[float, float]:
    """Return exp((q - top) / temperature), and 0 for what is no normal float."""
    if q == -math.inf:
        return 0.0, 0.0
    x, y = _add(q, q_low, -top, -top_low)
    if x < LEAST_EXPONENT * temperature:
        return 0.0, 0.0
    x, y = _divide(x, y, temperature, 0.0)
    return _exp(x, y)


@compiled
def precise_backup(
    reward: Array,
    successors: IntArray,
    probabilities: Array,
    leader_policy: Array,
    continuing: Array,
    discount: float,
    temperature: float,
    values: Array,
    q: Array,
    soft_values: Array,
    policy: Array,
    out: Array,
) -> None:
    """Soft Bellman backup; arguments after `temperature` have a first axis of length 2: high and low parts.

    A reward of minus infinity is that of an action that cannot be taken.
    `q` and `policy` (2, Z, A, B), `soft_values` (2, Z, A) and `out` (2, Z) are overwritten.
    """
    _, Z, A, B = q.shape
    for s in range(Z):
        total, total_low = 0.0, 0.0
        for a in range(A):
            best = 0
            for b in range(B):
                x, y = -math.inf, 0.0
                if reward[s, a, b] > -math.inf:
                    scale = discount * continuing[s]
                    x, y = _paid_and_ahead(reward[s, a, b], successors[s, a, b], probabilities[s, a, b], scale, values)
                q[0, s, a, b], q[1, s, a, b] = x, y
                if _less(q[0, s, a, best], q[1, s, a, best], q[0, s, a, b], q[1, s, a, b]):
                    best = b
            top, top_low = q[0, s, a, best], q[1, s, a, best]
            mass, mass_low = 0.0, 0.0
            for b in range(B):
                e, e_low = 1.0, 0.0
                if b != best:
                    e, e_low = _share(q[0, s, a, b], q[1, s, a, b], top, top_low, temperature)
                policy[0, s, a, b], policy[1, s, a, b] = e, e_low
                mass, mass_low = _add(mass, mass_low, e, e_low)
            for b in range(B):
                policy[0, s, a, b], policy[1, s, a, b] = _divide(policy[0, s, a, b], policy[1, s, a, b], mass, mass_low)
            x, y = _log(mass, mass_low)
            x, y = _scale(x, y, temperature)
            x, y = _add(x, y, top, top_low)
            soft_values[0, s, a], soft_values[1, s, a] = x, y
            x, y = _scale(x, y, leader_policy[s, a])
            total, total_low = _add(total, total_low, x, y)
        out[0, s], out[1, s] = total, total_low


@compiled
def precise_next_values(successors: IntArray, probabilities: Array, values: Array, out: Array) -> None:
    """Write sum_t P(t | s, a, b) values[t] into `out` (2, Z, A, B)."""
    Z, A, B, _ = probabilities.shape
    for s in range(Z):
        for a in range(A):
            for b in range(B):
                out[0, s, a, b], out[1, s, a, b] = _ahead(successors[s, a, b], probabilities[s, a, b], values)


@compiled
def precise_residual(
    leader_policy: Array,
    policy: Array,
    successors: IntArray,
    probabilities: Array,
    continuing: Array,
    discount: float,
    reward: Array,
    values: Array,
    out: Array,
) -> None:
    """Write sum_{a,b} f g (reward + discount continuing P values) - values into `out` (2, Z).

    `policy` is (2, Z, A, B), `reward` (Z, A, B), `values` (2, Z).
    """
    _, Z, A, B = policy.shape
    for s in range(Z):
        total, total_low = -values[0, s], -values[1, s]
        for a in range(A):
            for b in range(B):
                x, y = 0.0, 0.0
                if continuing[s] != 0.0:
                    x, y = _ahead(successors[s, a, b], probabilities[s, a, b], values)
                    x, y = _scale(x, y, discount)
                x, y = _add(x, y, reward[s, a, b], 0.0)
                u, v = _scale(policy[0, s, a, b], policy[1, s, a, b], leader_policy[s, a])
                x, y = _multiply(x, y, u, v)
                total, total_low = _add(total, total_low, x, y)
        out[0, s], out[1, s] = total, total_low


@compiled
def precise_transposed(
    leader_policy: Array,
    policy: Array,
    successors: IntArray,
    probabilities: Array,
    continuing: Array,
    discount: float,
    rhs: Array,
    flow: Array,
    out: Array,
) -> None:
    """Write rhs - (I - discount P_pi^T) flow into `out` (2, Z); `rhs` and `flow` are (2, Z)."""
    _, Z, A, B = policy.shape
    N = successors.shape[3]
    for s in range(Z):
        out[0, s], out[1, s] = _add(rhs[0, s], rhs[1, s], -flow[0, s], -flow[1, s])
    for s in range(Z):
        if continuing[s] == 0.0:
            continue
        here, here_low = _scale(flow[0, s], flow[1, s], discount)
        for a in range(A):
            there, there_low = _scale(here, here_low, leader_policy[s, a])
            for b in range(B):
                x, y = _multiply(there, there_low, policy[0, s, a, b], policy[1, s, a, b])
                for n in range(N):
                    t = successors[s, a, b, n]
                    u, v = _scale(x, y, probabilities[s, a, b, n])
                    out[0, t], out[1, t] = _add(out[0, t], out[1, t], u, v)


@compiled
def precise_flow(
    leader_policy: Array,
    policy: Array,
    leader_reward: Array,
    ahead: Array,
    continuing: Array,
    leader_discount: float,
    temperature: float,
    occupancy: Array,
    believed_successors: IntArray,
    believed_probabilities: Array,
    follower_discount: float,
    q: Array,
    w: Array,
    inflow: Array,
) -> None:
    """Write Q_L, the Boltzmann covariance w = d f g A_L / temperature, and follower_discount times what it sends on.

    `ahead` (2, Z, A, B) is the leader's expected next value. `q` and `w` (2, Z, A, B) and `inflow` (2, Z) are
    overwritten.
    """
    _, Z, A, B = policy.shape
    N = believed_successors.shape[3]
    inflow[:] = 0.0
    for s in range(Z):
        for a in range(A):
            likeliest = 0
            for b in range(B):
                x, y = 0.0, 0.0
                if continuing[s] != 0.0:
                    x, y = _scale(ahead[0, s, a, b], ahead[1, s, a, b], leader_discount)
                q[0, s, a, b], q[1, s, a, b] = _add(x, y, leader_reward[s, a, b], 0.0)
                if policy[0, s, a, b] > policy[0, s, a, likeliest]:
                    likeliest = b
            # Relative to the likeliest action: what it is worth more than the mean may be far below the rounding of Q.
            base, base_low = q[0, s, a, likeliest], q[1, s, a, likeliest]
            mean, mean_low = 0.0, 0.0
            for b in range(B):
                x, y = _add(q[0, s, a, b], q[1, s, a, b], -base, -base_low)
                x, y = _multiply(x, y, policy[0, s, a, b], policy[1, s, a, b])
                mean, mean_low = _add(mean, mean_low, x, y)
            here, here_low = _scale(occupancy[0, s], occupancy[1, s], leader_policy[s, a])
            here, here_low = _divide(here, here_low, temperature, 0.0)
            for b in range(B):
                x, y = _add(q[0, s, a, b], q[1, s, a, b], -base, -base_low)
                x, y = _add(x, y, -mean, -mean_low)
                x, y = _multiply(x, y, policy[0, s, a, b], policy[1, s, a, b])
                x, y = _multiply(x, y, here, here_low)
                w[0, s, a, b], w[1, s, a, b] = x, y
                if continuing[s] != 0.0:
                    x, y = _scale(x, y, follower_discount)
                    for n in range(N):
                        t = believed_successors[s, a, b, n]
                        u, v = _scale(x, y, believed_probabilities[s, a, b, n])
                        inflow[0, t], inflow[1, t] = _add(inflow[0, t], inflow[1, t], u, v)


@compiled
def precise_reward_flow(leader_policy: Array, policy: Array, w: Array, m: Array, out: Array) -> None:
    """Write w + m f g into `out` (2, Z, A, B)."""
    _, Z, A, B = policy.shape
    for s in range(Z):
        for a in range(A):
            here, here_low = _scale(m[0, s], m[1, s], leader_policy[s, a])
            for b in range(B):
                x, y = _multiply(policy[0, s, a, b], policy[1, s, a, b], here, here_low)
                out[0, s, a, b], out[1, s, a, b] = _add(x, y, w[0, s, a, b], w[1, s, a, b])
