"""The follower's problem: a discounted Riccati equation.

Matrices have the names of linear control: s' = A s + B b + C a + noise, a ~ N(K s, .), M = A + C K; P is the
follower's cost-to-go, L its feedback. W is the state size.

The follower maximises the discounted sum of -(s'Q s + b'R b) plus the temperature times its entropy, and sees a:

    P = Q + g M'PM - g^2 M'PB S^-1 B'PM,    S = R + g B'PB,    L = g S^-1 B'P,
    b ~ N(-L (A s + C a), (temperature / 2) S^-1).

The leader's action folded into the state, this is the discounted Riccati equation of maximum-entropy linear control.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import InstabilityError
from stackelberg_envs.games.linear_forms import LinearGaussianPolicy, LinearQuadratic
from stackelberg_envs.solvers.linear_quadratic import small_matrices
from stackelberg_envs.solvers.linear_quadratic.closed_loop import (
    LARGEST_RATIO,
    MAX_DOUBLINGS,
    second_moment,
    spectral_radius,
)

__all__ = ["LinearBestResponse", "follower_value", "linear_best_response", "riccati"]


@dataclass(frozen=True, eq=False)
class LinearBestResponse:
    """The follower's soft best response.

    Attributes
    ----------
    cost_to_go
        P, shape (W, W).
    curvature
        S, shape (B, B).
    feedback
        L, shape (B, W).
    policy
        b ~ N(-L (A s + C a), (temperature / 2) S^-1).
    """

    cost_to_go: Array
    curvature: Array
    feedback: Array
    policy: LinearGaussianPolicy


def riccati(M: Array, B: Array, Q: Array, R: Array, discount: float) -> Array:
    """Return P of the discounted Riccati equation, shape (W, W), by structure-preserving doubling.

    Each round doubles the horizon of the truncated problem, so convergence is quadratic (Poloni 2020, "Iterative and
    doubling algorithms for Riccati-type matrix equations", arXiv 2005.08903, where this is SDA).

    Raises
    ------
    InstabilityError
        No feedback keeps the discounted cost finite.
    """
    root = np.sqrt(discount)
    step, reach, P = root * M, discount * (B @ small_matrices.solve(R, B.T)), Q
    # Costs have a unit: theirs, or where states cost little, that of what the follower pays to move them.
    with np.errstate(over="ignore"):  # whoever hardly looks ahead has no limit
        unit = max(np.abs(Q).max(), 1.0 / np.abs(reach).max() if reach.any() else 0.0)
        limit = LARGEST_RATIO * unit if unit > 0 else np.inf
    eye = np.eye(len(M))
    for _ in range(MAX_DOUBLINGS):
        joined = small_matrices.solve(eye + reach @ P, np.concatenate([step, reach], axis=1))
        moved, spread = joined[:, : len(M)], joined[:, len(M) :]
        added = step.T @ P @ moved
        longer = P + 0.5 * (added + added.T)
        if not np.abs(longer).max() < limit:
            break
        reach = reach + step @ spread @ step.T
        step = step @ moved
        change, P = np.abs(added).max(), longer
        if change <= 4 * np.finfo(P.dtype).eps * np.abs(P).max():
            return np.asarray(P)
    radius = spectral_radius(root * (M - B @ _feedback(B, P, R, discount)[1] @ M))
    raise InstabilityError(
        "best response: expected dynamics whose discounted spectral radius the follower can bring below 1, "
        f"got {radius:.6g} whatever it does",
        radius,
    )


def _feedback(B: Array, P: Array, R: Array, discount: float) -> tuple[Array, Array]:
    """Return S and L."""
    pull = discount * (B.T @ P)
    S = R + pull @ B
    return S, small_matrices.solve(S, pull)


def linear_best_response(parts: LinearQuadratic) -> LinearBestResponse:
    """Return the follower's soft best response to a commitment.

    Raises
    ------
    InstabilityError
        No feedback keeps the follower's discounted cost finite.
    """
    numbers = parts.numbers
    B, R = numbers.follower_input, numbers.action_cost
    P = riccati(parts.drift, B, numbers.state_cost, R, parts.discount)
    S, L = _feedback(B, P, R, parts.discount)
    covariance = 0.5 * parts.temperature * small_matrices.symmetric_inverse(S)
    policy = LinearGaussianPolicy(-L @ parts.dynamics, -L @ numbers.leader_input, covariance)
    return LinearBestResponse(P, S, L, policy)


def follower_value(parts: LinearQuadratic, best: LinearBestResponse) -> float:
    """Return the follower's entropy-regularised value at the initial distribution, over infinite play.

    -E[s'Ps] plus the constant of the log-sum-exp, which a Gaussian integral gives.
    """
    numbers, P, g = parts.numbers, best.cost_to_go, parts.discount
    after = P - P @ numbers.follower_input @ best.feedback
    shown = numbers.leader_input @ parts.leader_noise @ numbers.leader_input.T
    size, logdet = len(best.curvature), small_matrices.log_determinant(best.curvature)
    entropy = 0.5 * parts.temperature * (size * np.log(np.pi * parts.temperature) - logdet)
    constant = (entropy - g * np.sum(after * shown) - g * np.sum(P * numbers.noise)) / (1 - g)
    return float(constant - np.sum(P * second_moment(numbers)))
