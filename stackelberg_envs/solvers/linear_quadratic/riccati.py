"""Linear-quadratic games, exactly: soft best response, both players' values, and the hypergradient.

Matrices have the names of linear control: s' = A s + B b + C a + noise, a ~ N(K s, .), M = A + C K; P is the
follower's cost-to-go, L its feedback, F the closed loop. W is the state size, T the horizon.

The follower maximises the discounted sum of -(s'Q s + b'R b) plus the temperature times its entropy, and sees a:

    P = Q + g M'PM - g^2 M'PB S^-1 B'PM,    S = R + g B'PB,    L = g S^-1 B'P,
    b ~ N(-L (A s + C a), (temperature / 2) S^-1).

The leader's action folded into the state, this is the discounted Riccati equation of maximum-entropy linear
control. The leader's value is a function of the closed loop alone, by its moments over a finite horizon or by
a discounted Lyapunov equation. Derivatives are adjoints of the same equations, so the hypergradient costs two
more Lyapunov equations, whatever the size of x.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import ArgumentError, InstabilityError
from stackelberg_envs.games.linear_forms import (
    BumpReward,
    LeaderReward,
    LinearForm,
    LinearGaussianPolicy,
    LinearNumbers,
    LinearQuadratic,
)
from stackelberg_envs.solvers.linear_quadratic import small_matrices

__all__ = [
    "ClosedLoop",
    "LinearBestResponse",
    "LinearPlan",
    "LoopGradient",
    "bump_gradient",
    "bump_value",
    "closed_loop",
    "discounted_sum",
    "linear_best_response",
    "make_linear_plan",
    "quadratic_gradient",
    "quadratic_value",
    "riccati",
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


# --- the follower -----------------------------------------------------------------------------------------


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
    radius = _radius(root * (M - B @ _feedback(B, P, R, discount)[1] @ M))
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
    policy = LinearGaussianPolicy(-L @ parts.dynamics, -L @ numbers.leader_input, 0.5 * parts.temperature * _inverse(S))
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
    return float(constant - np.sum(P * _second_moment(numbers)))


def _second_moment(numbers: LinearNumbers) -> Array:
    return numbers.initial_covariance + np.outer(numbers.initial_mean, numbers.initial_mean)


def _inverse(matrix: Array) -> Array:
    """Return the inverse of a symmetric matrix, symmetric to the last bit."""
    found = small_matrices.inverse(matrix)
    return np.asarray(0.5 * (found + found.T))


def _radius(matrix: Array) -> float:
    return float(np.abs(np.linalg.eigvals(matrix.astype(np.float64))).max())


# --- the leader's value of a closed loop ------------------------------------------------------------------


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
    radius = _radius(np.sqrt(discount) * F)
    raise InstabilityError(
        f"closed loop: expected a discounted spectral radius below 1, got {radius:.6g} at discount {discount:g}", radius
    )


def quadratic_value(
    loop: ClosedLoop, numbers: LinearNumbers, state_cost: Array, action_cost: Array, discount: float
) -> float:
    """Return the leader's value of -(s'Q s + b'R b) over infinite play: one discounted Lyapunov equation.

    Raises
    ------
    InstabilityError
        The closed loop has no finite value at this discount.
    """
    ahead = _leader_cost_to_go(loop, state_cost, action_cost, discount)
    tail = discount * np.sum(ahead * loop.noise) + np.sum(action_cost * loop.action_noise)
    return float(-np.sum(ahead * _second_moment(numbers)) - tail / (1 - discount))


def _leader_cost_to_go(loop: ClosedLoop, state_cost: Array, action_cost: Array, discount: float) -> Array:
    cost = state_cost + loop.feedback.T @ action_cost @ loop.feedback
    return discounted_sum(loop.transition.T, cost, discount)


def quadratic_gradient(
    loop: ClosedLoop, numbers: LinearNumbers, state_cost: Array, action_cost: Array, discount: float
) -> LoopGradient:
    """Return the derivative of :func:`quadratic_value`: the adjoint Lyapunov equation sums the second moments."""
    ahead = _leader_cost_to_go(loop, state_cost, action_cost, discount)
    ratio = discount / (1 - discount)
    moments = discounted_sum(loop.transition, _second_moment(numbers) + ratio * loop.noise, discount)
    return LoopGradient(
        transition=-2 * discount * ahead @ loop.transition @ moments,
        noise=-ratio * ahead,
        feedback=-2 * action_cost @ loop.feedback @ moments,
        action_noise=-action_cost / (1 - discount),
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
            radius = _radius(loop.transition)
            message = f"closed loop: its spectral radius {radius:.6g} is too much for {horizon} steps"
            raise InstabilityError(message, radius)
    return means[:horizon], covariances[:horizon]


def episode_value(
    loop: ClosedLoop, numbers: LinearNumbers, state_cost: Array, action_cost: Array, discount: float, horizon: int
) -> float:
    """Return the value of -(s'Q s + b'R b) over T steps, by propagating mean and covariance of the state."""
    means, covariances = state_moments(loop, numbers, horizon)
    cost = state_cost + loop.feedback.T @ action_cost @ loop.feedback
    paid = np.einsum("ti,ij,tj->t", means, cost, means) + np.einsum("tij,ji->t", covariances, cost)
    return -float(discount ** np.arange(horizon) @ (paid + np.sum(action_cost * loop.action_noise)))


def bump_rewards(means: Array, covariances: Array, reward: BumpReward) -> tuple[Array, Array, Array]:
    """Return the expected rewards of Gaussian states, shape (T,), and their derivatives by mean and covariance.

    E exp(-1/2 (s - c)'D^-1 (s - c)) = |D|^1/2 |D + V|^-1/2 exp(-1/2 (m - c)'(D + V)^-1 (m - c)) for s ~ N(m, V). In
    units of the widths D is the identity, and what is inverted has no eigenvalue below one, however large V is.
    """
    width = reward.width
    inverse, log_spread = _widened(covariances / (width[:, None] * width))
    away = (means - reward.target) / width
    pull = np.einsum("tij,tj->ti", inverse, away)
    expected = np.exp(-0.5 * (pull * away).sum(axis=1) - 0.5 * log_spread)
    pull, inverse = pull / width, inverse / (width[:, None] * width)
    by_covariance = 0.5 * expected[:, None, None] * (pull[:, :, None] * pull[:, None, :] - inverse)
    return expected, -expected[:, None] * pull, by_covariance


def _widened(covariances: Array) -> tuple[Array, Array]:
    """Return the inverse of I + V, shape (T, W, W), and the logarithm of its determinant, shape (T,)."""
    if small_matrices.is_extended(covariances):
        wider = np.eye(covariances.shape[1]) + covariances
        logs = [small_matrices.log_determinant(one) for one in wider]
        return np.stack([small_matrices.inverse(one) for one in wider]), np.array(logs)
    spread, axes = np.linalg.eigh(covariances)
    spread = 1.0 + np.maximum(spread, 0.0)
    return (axes / spread[:, None, :]) @ axes.transpose(0, 2, 1), np.log(spread).sum(axis=1)


def bump_value(loop: ClosedLoop, numbers: LinearNumbers, reward: BumpReward, discount: float, horizon: int) -> float:
    """Return the leader's value of a bump over T steps, by propagating mean and covariance of the state."""
    expected = bump_rewards(*state_moments(loop, numbers, horizon), reward)[0]
    return float(discount ** np.arange(horizon) @ expected)


def bump_gradient(
    loop: ClosedLoop, numbers: LinearNumbers, reward: BumpReward, discount: float, horizon: int
) -> LoopGradient:
    """Return the derivative of :func:`bump_value`, by the adjoint of the propagation, backwards in time."""
    F = loop.transition
    means, covariances = state_moments(loop, numbers, horizon)
    _, mean, covariance = bump_rewards(means, covariances, reward)
    weight = discount ** np.arange(horizon)
    mean, covariance = mean * weight[:, None], covariance * weight[:, None, None]
    step, reach = F, 1
    # After a round, the entry of step t holds what reaches it from the steps t..t+2*reach-1.
    while reach < horizon:
        later = mean[reach:] @ step, step.T @ covariance[reach:] @ step
        mean[:-reach] += later[0]
        covariance[:-reach] += later[1]
        step, reach = step @ step, 2 * reach
    transition = mean[1:].T @ means[:-1] + 2 * (covariance[1:] @ F @ covariances[:-1]).sum(axis=0)
    nothing = np.zeros_like(loop.feedback), np.zeros_like(loop.action_noise)
    return LoopGradient(transition, covariance[1:].sum(axis=0), *nothing)


# --- the hypergradient ------------------------------------------------------------------------------------


def direct_gradient(
    parts: LinearQuadratic, policy: LinearGaussianPolicy, loop: ClosedLoop, by: LoopGradient
) -> tuple[Array, Array]:
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
    inverse = _inverse(best.curvature)
    weighted = inverse @ by_feedback
    by_curvature = -0.5 * parts.temperature * inverse @ covariance @ inverse - weighted @ L.T
    by_cost = g * B @ (weighted + by_curvature @ B.T)
    loop = M - B @ (L @ M)
    flow = discounted_sum(loop, 0.5 * (by_cost + by_cost.T), g)
    drift = 2 * g * (P - P @ B @ L) @ M @ flow
    return drift - L.T @ on_state, numbers.leader_input.T @ drift


@dataclass(frozen=True, eq=False)
class LinearPlan:
    """Everything exact about one commitment to a linear-quadratic game, known or identified.

    Attributes
    ----------
    form, numbers, reward
        The game.
    x
        The commitment.
    leader_discount, horizon
        The leader's; the horizon matters to a bump only.
    parts, best, loop
        The game under x, the follower's soft best response, and the closed loop.
    """

    form: LinearForm
    numbers: LinearNumbers
    reward: LeaderReward
    x: Array
    leader_discount: float
    horizon: int
    parts: LinearQuadratic
    best: LinearBestResponse
    loop: ClosedLoop

    @cached_property
    def leader_value(self) -> float:
        """J(x), reward units."""
        if isinstance(self.reward, BumpReward):
            value = bump_value(self.loop, self.numbers, self.reward, self.leader_discount, self.horizon)
        else:
            costs = self.reward.state_cost, self.reward.action_cost
            value = quadratic_value(self.loop, self.numbers, *costs, self.leader_discount)
        return value - self._steps * self.form.price * float(np.sum(self.x * self.x))

    @property
    def follower_value(self) -> float:
        """The follower's value at the initial distribution, entropy bonus included, over endless play."""
        return follower_value(self.parts, self.best)

    @cached_property
    def follower_reward_value(self) -> float:
        """The follower's discounted reward alone, without entropy bonus, over endless play."""
        costs = self.numbers.state_cost, self.numbers.action_cost
        return quadratic_value(self.loop, self.numbers, *costs, self.parts.discount)

    @cached_property
    def episode_values(self) -> tuple[float, float, float]:
        """Leader's value, follower's with entropy bonus, and follower's without, of an episode cut at the horizon."""
        costs = self.numbers.state_cost, self.numbers.action_cost
        plain = episode_value(self.loop, self.numbers, *costs, self.parts.discount, self.horizon)
        counted = _discounted_steps(self.parts.discount, self.horizon)
        bonus = self.parts.temperature * _gaussian_entropy(self.best.policy.covariance) * counted
        return self._episode_leader_value, plain + bonus, plain

    @property
    def _episode_leader_value(self) -> float:
        if isinstance(self.reward, BumpReward):
            return self.leader_value
        costs = self.reward.state_cost, self.reward.action_cost
        value = episode_value(self.loop, self.numbers, *costs, self.leader_discount, self.horizon)
        counted = _discounted_steps(self.leader_discount, self.horizon)
        return value - counted * self.form.price * float(np.sum(self.x * self.x))

    @cached_property
    def direct_gradient(self) -> Array:
        """dJ/dx with the response held fixed, the shape of x."""
        pulled = self._pull_back(direct_gradient(self.parts, self.best.policy, self.loop, self._by_loop))
        return pulled - 2 * self._steps * self.form.price * self.x

    @cached_property
    def response_gradient(self) -> Array:
        """The part of dJ/dx that goes through the response, the shape of x."""
        return self._pull_back(response_gradient(self.parts, self.best, self._by_loop))

    @property
    def gradient(self) -> Array:
        """The hypergradient dJ/dx, the shape of x."""
        return self.direct_gradient + self.response_gradient

    @cached_property
    def _by_loop(self) -> LoopGradient:
        if isinstance(self.reward, BumpReward):
            return bump_gradient(self.loop, self.numbers, self.reward, self.leader_discount, self.horizon)
        costs = self.reward.state_cost, self.reward.action_cost
        return quadratic_gradient(self.loop, self.numbers, *costs, self.leader_discount)

    @property
    def _steps(self) -> float:
        """Discounted number of steps the leader's value counts."""
        if isinstance(self.reward, BumpReward):
            return _discounted_steps(self.leader_discount, self.horizon)
        return 1.0 / (1.0 - self.leader_discount)

    def _pull_back(self, by_parts: tuple[Array, Array]) -> Array:
        return self.form.pull_back(self.numbers.weights, *by_parts).reshape(self.x.shape)


def in_extended_precision(plan: LinearPlan) -> LinearPlan:
    """Solve the same game in NumPy's long doubles.

    Raises
    ------
    ArgumentError
        A machine whose long doubles are no longer than floats.
    """
    if np.finfo(np.longdouble).eps > 2.0**-60:
        raise ArgumentError("errors: expected a machine with long doubles of 64 bits or more, but they have 53 here")
    wide: Any = np.longdouble
    return make_linear_plan(
        _widen(plan.form),
        _widen(plan.numbers),
        _widen(plan.reward),
        plan.x.astype(wide),
        leader_discount=wide(plan.leader_discount),
        follower_discount=wide(plan.parts.discount),
        temperature=wide(plan.parts.temperature),
        horizon=plan.horizon,
    )


def _widen(checked: Any) -> Any:
    """Return a copy of a dataclass that was checked already, with its arrays in long doubles."""
    out = copy.copy(checked)
    for name, value in vars(checked).items():
        if isinstance(value, np.ndarray) and value.dtype == np.float64:
            object.__setattr__(out, name, value.astype(np.longdouble))
    return out


def _discounted_steps(discount: float, horizon: int) -> float:
    return (1.0 - discount**horizon) / (1.0 - discount)


def _gaussian_entropy(covariance: Array) -> float:
    size, logdet = len(covariance), small_matrices.log_determinant(covariance)
    return float(0.5 * (size * np.log(2.0 * np.pi * np.e) + logdet))


def make_linear_plan(
    form: LinearForm,
    numbers: LinearNumbers,
    reward: LeaderReward,
    x: Array,
    *,
    leader_discount: float,
    follower_discount: float,
    temperature: float,
    horizon: int,
) -> LinearPlan:
    """Solve a linear-quadratic game for one commitment; derivatives are computed on first use.

    Raises
    ------
    InstabilityError
        The follower cannot, or its best response does not, keep what is summed up finite.
    """
    parts = form.parts(numbers, x, follower_discount, temperature)
    best = linear_best_response(parts)
    loop = closed_loop(parts, best.policy)
    return LinearPlan(form, numbers, reward, x, leader_discount, horizon, parts, best, loop)
