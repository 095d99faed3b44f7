"""dJ/dA and dJ/dK of a linear-quadratic game, from dJ by its closed loop.

Derivatives are adjoints of the follower's equation and of the sum over play, so the hypergradient costs two more
Lyapunov equations, whatever the size of x. Letters as in :mod:`stackelberg_envs.solvers.linear_quadratic.riccati`.
"""

from __future__ import annotations

from stackelberg_envs.arrays import Array
from stackelberg_envs.games.linear_forms import LinearGaussianPolicy, LinearQuadratic
from stackelberg_envs.solvers.linear_quadratic.riccati import (
    LinearBestResponse,
    LoopGradient,
    discounted_sum,
)

__all__ = ["direct_gradient", "policy_gradient", "response_gradient"]


def direct_gradient(parts: LinearQuadratic, policy: LinearGaussianPolicy, by: LoopGradient) -> tuple[Array, Array]:
    """Return dJ/dA and dJ/dK with the follower's policy held fixed."""
    numbers = parts.numbers
    through = numbers.leader_input + numbers.follower_input @ policy.on_action
    return by.transition, through.T @ by.transition + policy.on_action.T @ by.feedback


def policy_gradient(
    parts: LinearQuadratic, policy: LinearGaussianPolicy, by: LoopGradient
) -> tuple[Array, Array, Array]:
    """Return dJ by the follower's policy: by on_state, on_action and covariance."""
    numbers, noise = parts.numbers, parts.leader_noise
    B = numbers.follower_input
    through = numbers.leader_input + B @ policy.on_action
    on_state = B.T @ by.transition + by.feedback
    shown = B.T @ by.noise @ through + by.action_noise @ policy.on_action
    return on_state, on_state @ parts.gain.T + 2 * shown @ noise, B.T @ by.noise @ B + by.action_noise


def response_gradient(parts: LinearQuadratic, best: LinearBestResponse, by: LoopGradient) -> tuple[Array, Array]:
    """Return dJ/dA and dJ/dK through the follower's response, by implicit differentiation of the Riccati equation.

    At its fixed point dP = g F'dP F + g (dM'(P - PBL) M + its transpose) with F = (I - BL) M, whose adjoint is a
    discounted Lyapunov equation.
    """
    numbers, g, M = parts.numbers, parts.discount, parts.drift
    B, P, L = numbers.follower_input, best.cost_to_go, best.feedback
    on_state, on_action, covariance = policy_gradient(parts, best.policy, by)
    by_feedback = -(on_state @ parts.dynamics.T + on_action @ numbers.leader_input.T)
    inverse = best.inverse_curvature
    weighted = inverse @ by_feedback
    by_curvature = -0.5 * parts.temperature * inverse @ covariance @ inverse - weighted @ L.T
    by_cost = g * B @ (weighted + by_curvature @ B.T)
    loop = M - B @ (L @ M)
    flow = discounted_sum(loop, 0.5 * (by_cost + by_cost.T), g)
    drift = 2 * g * (P - P @ B @ L) @ M @ flow
    return drift - L.T @ on_state, numbers.leader_input.T @ drift
