"""What play is worth once both policies are fixed: sums over the moments of a closed loop, and their derivatives.

F is the transition of the closed loop, W the state size, T the horizon. Endless sums are discounted Lyapunov equations.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import InstabilityError
from stackelberg_envs.games.linear_forms import LinearGaussianPolicy, LinearNumbers, LinearQuadratic

__all__ = [
    "ClosedLoop",
    "LoopGradient",
    "closed_loop",
    "discounted_steps",
    "discounted_sum",
    "second_moment",
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
