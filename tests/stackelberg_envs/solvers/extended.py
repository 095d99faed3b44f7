"""Games solved in 40 digits by other means than the package's: mpmath, value iteration in mp and LU of mpmath."""

from __future__ import annotations

import mpmath as mp
import numpy as np

DIGITS = 40


def solve_in_mpmath(parts, steps=60):
    """Return J, V_F by state, g and (u, d, m) of primitives, all in mpmath, by Newton's method and dense LU."""
    with mp.workdps(DIGITS):
        Z, A, B = parts.follower_reward.shape
        lists = [(t.successors, t.probabilities) for t in (parts.transition, parts.believed_transition)]
        rows = [[_dense(z, successors, probabilities, parts) for z in range(Z)] for successors, probabilities in lists]
        temperature, f = mp.mpf(parts.temperature), parts.leader_policy
        gamma_l, gamma_f = mp.mpf(parts.leader_discount), mp.mpf(parts.follower_discount)
        values = mp.zeros(Z, 1)
        for _ in range(steps):
            g, backed = _backup(parts, rows[1], values, temperature, gamma_f)
            residual = backed - values
            if max(abs(r) for r in residual) < mp.mpf(10) ** (5 - DIGITS) * (1 + max(abs(v) for v in values)):
                break
            values = values + mp.lu_solve(_system(parts, g, rows[1], gamma_f), residual)
        truth, belief = _system(parts, g, rows[0], gamma_l), _system(parts, g, rows[1], gamma_f)
        pay = mp.matrix([sum(mp.mpf(f[z, a]) * g[z][a][b] * mp.mpf(parts.leader_reward[z, a, b])
                             for a in range(A) for b in range(B)) for z in range(Z)])  # fmt: skip
        leader = mp.lu_solve(truth, pay)
        q = [[[mp.mpf(parts.leader_reward[z, a, b]) + gamma_l * _dot(rows[0][z][a][b], leader) for b in range(B)]
              for a in range(A)] for z in range(Z)]  # fmt: skip
        d = mp.lu_solve(truth.T, mp.matrix([mp.mpf(p) for p in parts.initial]))
        w = [[[d[z] * mp.mpf(f[z, a]) * g[z][a][b]
               * (q[z][a][b] - sum(x * y for x, y in zip(g[z][a], q[z][a], strict=True))) / temperature
               for b in range(B)] for a in range(A)] for z in range(Z)]  # fmt: skip
        inflow = mp.zeros(Z, 1)
        for z in range(Z):
            for a in range(A):
                for b in range(B):
                    for t, p in rows[1][z][a][b].items():
                        inflow[t] += gamma_f * w[z][a][b] * p
        m = mp.lu_solve(belief.T, inflow)
        u = [[[w[z][a][b] + m[z] * mp.mpf(f[z, a]) * g[z][a][b] for b in range(B)] for a in range(A)] for z in range(Z)]
        value = sum(mp.mpf(p) * v for p, v in zip(parts.initial, leader, strict=True))
        return value, values, g, u


def largest_difference(found, exact):
    """Return the largest |found - exact| of an array and nested lists of mpmath numbers of the same shape."""
    with mp.workdps(DIGITS):
        flat = np.asarray(found).ravel()
        other = list(_flatten(exact))
        return float(max(abs(mp.mpf(float(a)) - b) for a, b in zip(flat, other, strict=True)))


def _flatten(item):
    if isinstance(item, mp.mpf):
        yield item
    else:
        for part in item:
            yield from _flatten(part)


def _dense(z, successors, probabilities, parts):
    """Return for each pair of actions the successors of state z with their probabilities; none after the end."""
    _, A, B, N = successors.shape
    out = [[{} for _ in range(B)] for _ in range(A)]
    if parts.continuing[z]:
        for a in range(A):
            for b in range(B):
                for n in range(N):
                    t, p = int(successors[z, a, b, n]), mp.mpf(float(probabilities[z, a, b, n]))
                    out[a][b][t] = out[a][b].get(t, mp.mpf(0)) + p
    return out


def _dot(row, values):
    return sum((p * values[t] for t, p in row.items()), mp.mpf(0))


def _backup(parts, rows, values, temperature, gamma):
    Z, A, B = parts.follower_reward.shape
    policy, backed = [], mp.zeros(Z, 1)
    for z in range(Z):
        policy.append([])
        for a in range(A):
            q = [mp.mpf(float(parts.follower_reward[z, a, b])) + gamma * _dot(rows[z][a][b], values) for b in range(B)]
            top = max(q)
            mass = sum(mp.exp((x - top) / temperature) for x in q)
            policy[z].append([mp.exp((x - top) / temperature) / mass for x in q])
            backed[z] += mp.mpf(float(parts.leader_policy[z, a])) * (top + temperature * mp.log(mass))
    return policy, backed


def _system(parts, policy, rows, gamma):
    Z, A, B = parts.follower_reward.shape
    out = mp.eye(Z)
    for z in range(Z):
        for a in range(A):
            for b in range(B):
                weight = gamma * mp.mpf(float(parts.leader_policy[z, a])) * policy[z][a][b]
                for t, p in rows[z][a][b].items():
                    out[z, t] -= weight * p
    return out
