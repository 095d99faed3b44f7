"""The game at the centre of a box, solved: the follower's soft response and the leader's values of it."""

from __future__ import annotations

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.jit import compiled
from stackelberg_envs.solvers.certificates.affine import AffineArrays
from stackelberg_envs.solvers.certificates.linear_systems import policy_system, solve_factorised
from stackelberg_envs.solvers.soft.best_response import gibbs_policy, soft_bellman_backup

__all__ = ["soft_response"]

NEWTON_STEPS = 60


@compiled
def soft_response(box: AffineArrays, start: Array) -> tuple[Array, Array, Array, Array, Array, float]:
    """Return the follower's soft response at the centre, by Newton's method from state values of shape (Z,).

    Returns
    -------
    tuple
        State values (Z,), V_F (Z, A), Q_F (Z, A, B), policy (Z, A, B), the factors of I - discount P_pi (Z, Z) in the
        dynamics that the follower believes in, and a bound on the error of the values.
    """
    Z, A, B = box.follower_reward.shape[:3]
    reward, leader_policy = box.follower_reward[..., 0].copy(), box.leader_policy[..., 0].copy()
    lists, kernel = box.believed_successors, box.believed_probabilities[..., 0].copy()
    discount, temperature = box.follower_discount, box.temperature
    values = start.copy()
    q, soft, out, policy = np.empty((Z, A, B)), np.empty((Z, A)), np.empty(Z), np.empty((Z, A, B))
    step = np.empty((Z, 1))
    factors = np.empty((0, 0))
    last = np.inf
    for _ in range(NEWTON_STEPS):
        residual, largest = soft_bellman_backup(
            reward, lists, kernel, leader_policy, box.continuing, discount, temperature, values, q, soft, out
        )
        gibbs_policy(q, soft, temperature, policy)
        factors = policy_system(leader_policy, policy, lists, kernel, box.continuing, discount)
        if residual <= 1e-13 * max(largest, temperature) or (residual <= 1e-9 * temperature and residual > 0.5 * last):
            break
        last = residual
        step[:, 0] = out - values
        solve_factorised(factors, step)
        values = values + step[:, 0]
    return values, soft, q, policy, factors, residual / (1.0 - discount)
