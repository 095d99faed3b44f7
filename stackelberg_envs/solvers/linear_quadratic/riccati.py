"""The matrix equations of a linear-quadratic game: the follower's best response, and sums over the closed loop.

Matrices have the names of linear control: s' = A s + B b + C a + noise, a ~ N(K s, .), M = A + C K; P is the
follower's cost-to-go, L its feedback, F the transition of the closed loop. W is the state size, T the horizon.

The follower maximises the discounted sum of -(s'Q s + b'R b) plus the temperature times its entropy, and sees a:

    P = Q + g M'PM - g^2 M'PB S^-1 B'PM,    S = R + g B'PB,    L = g S^-1 B'P,
    b ~ N(-L (A s + C a), (temperature / 2) S^-1).

The leader's action folded into the state, this is the discounted Riccati equation of maximum-entropy linear control.
Once both policies are fixed, endless sums over play are discounted Lyapunov equations.

Everything also works in NumPy's long doubles, for which LAPACK has no solver.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import InstabilityError
from stackelberg_envs.games.linear_forms import LinearGaussianPolicy, LinearNumbers, LinearQuadratic

__all__ = [
    "ClosedLoop",
    "LinearBestResponse",
    "LoopGradient",
    "closed_loop",
    "discounted_steps",
    "discounted_sum",
    "follower_value",
    "linear_best_response",
    "log_determinant",
    "riccati",
    "second_moment",
    "solve",
    "spectral_radius",
    "state_moments",
]

#: Doublings after which a sum that still moves has no limit: 2^60 steps.
MAX_DOUBLINGS = 60
#: A cost-to-go this many times the cost itself means a loop within 10^-12 of instability.
LARGEST_RATIO = 1e12
#: Of a state over a finite horizon; its square is squared again on the way.
LARGEST_GROWTH = 1e70


@dataclass(frozen=True, eq=False)
class LinearBestResponse:
    """The follower's soft best response.

    Attributes
    ----------
    cost_to_go
        P, shape (W, W).
    curvature, inverse_curvature
        S and S^-1, shape (B, B).
    feedback
        L, shape (B, W).
    policy
        b ~ N(-L (A s + C a), (temperature / 2) S^-1).
    """

    cost_to_go: Array
    curvature: Array
    inverse_curvature: Array
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
    step, reach, P = root * M, discount * (B @ solve(R, B.T)), Q
    # Costs have a unit: theirs, or where states cost little, that of what the follower pays to move them.
    with np.errstate(over="ignore"):  # whoever hardly looks ahead has no limit
        unit = max(np.abs(Q).max(), 1.0 / np.abs(reach).max() if reach.any() else 0.0)
        limit = LARGEST_RATIO * unit if unit > 0 else np.inf
    eye = np.eye(len(M))
    for _ in range(MAX_DOUBLINGS):
        joined = solve(eye + reach @ P, np.concatenate([step, reach], axis=1))
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
    pull = discount * (B.T @ P)
    radius = spectral_radius(root * (M - B @ solve(R + pull @ B, pull) @ M))
    raise InstabilityError(
        "best response: expected dynamics whose discounted spectral radius the follower can bring below 1, "
        f"got {radius:.6g} whatever it does",
        radius,
    )


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
    pull = parts.discount * (B.T @ P)
    S = R + pull @ B
    L, inverse = solve(S, pull), solve(S, np.eye(len(S)))
    inverse = 0.5 * (inverse + inverse.T)  # symmetric to the last bit
    covariance = 0.5 * parts.temperature * inverse
    policy = LinearGaussianPolicy(-L @ parts.dynamics, -L @ numbers.leader_input, covariance)
    return LinearBestResponse(P, S, inverse, L, policy)


def follower_value(parts: LinearQuadratic, best: LinearBestResponse) -> float:
    """Return the follower's entropy-regularised value at the initial distribution, over infinite play.

    -E[s'Ps] plus the constant of the log-sum-exp, which a Gaussian integral gives.
    """
    numbers, P, g = parts.numbers, best.cost_to_go, parts.discount
    after = P - P @ numbers.follower_input @ best.feedback
    shown = numbers.leader_input @ parts.leader_noise @ numbers.leader_input.T
    size, logdet = len(best.curvature), log_determinant(best.curvature)
    entropy = 0.5 * parts.temperature * (size * np.log(np.pi * parts.temperature) - logdet)
    constant = (entropy - g * np.sum(after * shown) - g * np.sum(P * numbers.noise)) / (1 - g)
    return float(constant - np.sum(P * second_moment(numbers)))


# --- the closed loop ------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class ClosedLoop:
    """The game once both policies are fixed: s' = F s + noise, b = H s + noise.

    Attributes
    ----------
    transition, noise
        F and the covariance of s' given s, shapes (W, W).
    feedback, action_noise
        H, shape (B, W), and the covariance of b given s, shape (B, B).
    """

    transition: Array
    noise: Array
    feedback: Array
    action_noise: Array


@dataclass(frozen=True, eq=False)
class LoopGradient:
    """dJ by each entry of a :class:`ClosedLoop`; covariances symmetric."""

    transition: Array
    noise: Array
    feedback: Array
    action_noise: Array


def closed_loop(parts: LinearQuadratic, policy: LinearGaussianPolicy) -> ClosedLoop:
    """Return the game in which the follower plays `policy`, its best response or any other."""
    numbers = parts.numbers
    through = numbers.leader_input + numbers.follower_input @ policy.on_action
    feedback = policy.on_state + policy.on_action @ parts.gain
    own = numbers.follower_input @ policy.covariance @ numbers.follower_input.T
    return ClosedLoop(
        transition=parts.dynamics + numbers.leader_input @ parts.gain + numbers.follower_input @ feedback,
        noise=through @ parts.leader_noise @ through.T + own + numbers.noise,
        feedback=feedback,
        action_noise=policy.on_action @ parts.leader_noise @ policy.on_action.T + policy.covariance,
    )


def discounted_sum(F: Array, X: Array, discount: float) -> Array:
    """Return sum_t discount^t F^t X F'^t, the solution of Y = X + discount F Y F', by doubling.

    Raises
    ------
    InstabilityError
        The sum has no limit.
    """
    step, total = np.sqrt(discount) * F, X
    for _ in range(MAX_DOUBLINGS):
        added = step @ total @ step.T
        total = total + added
        step = step @ step
        if np.abs(added).max() <= 0.5 * np.finfo(total.dtype).eps * np.abs(total).max():
            return np.asarray(total)
        if not np.abs(step).max() < LARGEST_RATIO:
            break
    radius = spectral_radius(np.sqrt(discount) * F)
    raise InstabilityError(
        f"closed loop: expected a discounted spectral radius below 1, got {radius:.6g} at discount {discount:g}", radius
    )


def state_moments(loop: ClosedLoop, numbers: LinearNumbers, horizon: int) -> tuple[Array, Array]:
    """Return mean and covariance of the states of steps 0..T-1, shapes (T, W) and (T, W, W), by doubling.

    Steps k..2k-1 follow from steps 0..k-1 by F^k and by the noise of k steps.

    Raises
    ------
    InstabilityError
        The states grow beyond floating point within the horizon.
    """
    step, noise = loop.transition, loop.noise
    means, covariances = numbers.initial_mean[None], numbers.initial_covariance[None]
    while len(means) < horizon:
        means = np.concatenate([means, means @ step.T])
        covariances = np.concatenate([covariances, step @ covariances @ step.T + noise])
        noise = noise + step @ noise @ step.T
        step = step @ step
        if not np.abs(step).max() < LARGEST_GROWTH:
            radius = spectral_radius(loop.transition)
            message = f"closed loop: its spectral radius {radius:.6g} is too much for {horizon} steps"
            raise InstabilityError(message, radius)
    return means[:horizon], covariances[:horizon]


def second_moment(numbers: LinearNumbers) -> Array:
    """Return E[s s'] of the initial state, shape (W, W)."""
    return numbers.initial_covariance + np.outer(numbers.initial_mean, numbers.initial_mean)


def discounted_steps(discount: float, horizon: int) -> float:
    """Return the discounted number of steps up to the horizon."""
    return (1.0 - discount**horizon) / (1.0 - discount)


def spectral_radius(matrix: Array) -> float:
    """Return the largest modulus of an eigenvalue."""
    return float(np.abs(np.linalg.eigvals(matrix.astype(np.float64))).max())


# --- small matrices, also in extended precision ---------------------------------------------------------


def solve(matrix: Array, rhs: Array) -> Array:
    """Return the solution of matrix @ x = rhs, shapes (n, n) and (n, m), of floats or of long doubles."""
    if matrix.dtype == rhs.dtype == np.float64:
        return np.asarray(np.linalg.solve(matrix, rhs))
    return _eliminated(matrix, rhs)[0]


def log_determinant(matrix: Array) -> Any:
    """Return log |det|."""
    if matrix.dtype == np.float64:
        return np.linalg.slogdet(matrix)[1]
    return np.log(np.abs(_eliminated(matrix, np.eye(len(matrix)))[1])).sum()


def _eliminated(matrix: Array, rhs: Array) -> tuple[Array, Array]:
    """Return the solution and the pivots of Gauss-Jordan elimination with partial pivoting."""
    n = len(matrix)
    wide: Any = np.longdouble
    table = np.concatenate([matrix.astype(wide), rhs.astype(wide)], axis=1)
    pivots: Array = np.empty(n, wide)
    for k in range(n):
        best = k + int(np.abs(table[k:, k]).argmax())
        table[[k, best]] = table[[best, k]]
        pivots[k] = table[k, k]
        table[k] = table[k] / pivots[k]
        others = np.arange(n) != k
        table[others] -= table[others, k][:, None] * table[k]
    return table[:, n:], pivots
