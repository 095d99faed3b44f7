"""Two followers of whom one gains what the other loses, entropies included: soft Shapley iteration by Newton's method.

    V(s) = max over g_1, min over g_2 of  g_1' U(s) g_2 + temperature (H(g_1) - H(g_2)),
    U(s, b_1, b_2) = r(s, b) + discount sum_s' P(s' | s, b) V(s')

The operator contracts by the discount, so the saddle is the only one at every temperature, and no path has to be
followed. Newton's method has S unknowns; by the envelope theorem its matrix is I - discount P_g. At each state there is
a regularised matrix game, which is a smooth and strongly convex minimisation over the second follower's logits.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import ConvergenceError, GameError
from stackelberg_envs.games.markov_primitives import MarkovPrimitives
from stackelberg_envs.solvers.equilibrium.joint import joint_policy, next_values, play_system, softmax
from stackelberg_envs.solvers.equilibrium.linearisation import Linearisation
from stackelberg_envs.solvers.equilibrium.logit import DEFAULT_TOLERANCE, ROUNDING, Equilibrium, logit_equilibrium

__all__ = ["matrix_games", "require_zero_sum", "zero_sum_equilibrium"]

NEWTON_STEPS = 100
HALVINGS = 40


def zero_sum_equilibrium(game: MarkovPrimitives, *, tolerance: float = DEFAULT_TOLERANCE) -> Equilibrium:
    """Return the saddle of a zero-sum game of two followers.

    Raises
    ------
    GameError
        A game that is not zero-sum; the message says where.
    ConvergenceError
        The equations were not solved; the message has the residual.
    """
    require_zero_sum(game)
    try:
        return _shapley(game, tolerance)
    except ConvergenceError:  # far below the payoffs' size a matrix game alone is harder than all of them on a path
        return logit_equilibrium(game, tolerance=tolerance)


def _shapley(game: MarkovPrimitives, tolerance: float) -> Equilibrium:
    values, total = np.zeros(game.num_states), 0
    scale = float(np.abs(game.follower_rewards).max()) / (1.0 - game.follower_discount) + game.temperature
    for _ in range(NEWTON_STEPS):
        payoff = (game.follower_rewards[0] + game.follower_discount * next_values(game, values[None])[0]).reshape(
            game.num_states, *game.sizes
        )
        saddle, policies, q, steps = matrix_games(payoff, (game.feasible[0], game.feasible[1]), game.temperature)
        total += steps
        residual = saddle - values
        if float(np.abs(residual).max()) <= tolerance * game.temperature + ROUNDING * scale:
            return _checked(Linearisation(game, q, game.temperature), total, tolerance, scale)
        values = _next(game, values, policies, residual)
    raise _stuck(float(np.abs(residual).max()))


def require_zero_sum(game: MarkovPrimitives) -> None:
    """Raise unless there are two followers and their rewards sum to zero everywhere."""
    if game.num_followers != 2:
        raise GameError(f"zero_sum: expected two followers, got {game.num_followers}")
    total = game.follower_rewards.sum(axis=0)
    off = np.abs(total) > 1e-12 * np.abs(game.follower_rewards).max()
    if off.any():
        s, b = map(int, np.argwhere(off)[0])
        raise GameError(
            f"zero_sum: expected rewards of the two followers that sum to zero, got {total[s, b]:.6g} in state {s} at "
            f"joint action {b}"
        )


def _next(game: MarkovPrimitives, values: Array, policies: list[Array], residual: Array) -> Array:
    """Return values after a Newton step, or after a step of plain iteration where that is the better one."""
    S = game.num_states
    direction: Array = play_system(game, joint_policy(policies), game.follower_discount)(residual, "N")
    before, share = float(np.abs(residual).max()), 1.0
    for _ in range(8):
        tried = values + share * direction
        payoff = (game.follower_rewards[0] + game.follower_discount * next_values(game, tried[None])[0]).reshape(
            S, *game.sizes
        )
        made = matrix_games(payoff, (game.feasible[0], game.feasible[1]), game.temperature)[0]
        if float(np.abs(made - tried).max()) < before:
            return tried
        share /= 2.0
    return values + residual


def matrix_games(
    payoff: Array, feasible: tuple[NDArray[np.bool_], NDArray[np.bool_]], temperature: float
) -> tuple[Array, list[Array], Array, int]:
    """Solve the regularised matrix game of every state.

    Parameters
    ----------
    payoff
        What the first follower gains, shape (S, B_1, B_2).
    feasible
        Masks of shape (S, B_1) and (S, B_2).
    temperature
        Of both, reward units.

    Returns
    -------
    values, policies, q, steps
        Values of the first follower, shape (S,); both policies; what their actions are worth to them, (S, B_1 + B_2);
        and the number of Newton steps.

    Raises
    ------
    ConvergenceError
        Newton's method stopped short.
    """
    first, second = feasible
    logits = np.zeros(second.shape)
    value, gradient, policies, hessian = _convex(payoff, first, second, logits, temperature)
    for step in range(NEWTON_STEPS):  # noqa: B007 - counted for the caller
        # In units of the temperature: what the second follower's logits lack of its best response.
        slack = float(np.abs(gradient).max())
        if slack <= 1e-13 + ROUNDING * float(np.abs(payoff).max()) / temperature:
            break
        direction: Array = np.asarray(np.linalg.solve(hessian, -gradient[..., None])[..., 0], dtype=np.float64)
        if not _descend(payoff, feasible, temperature, logits, direction, gradient, value):
            break
        value, gradient, policies, hessian = _convex(payoff, first, second, logits, temperature)
    if slack > 1e-8:
        raise _stuck(slack * temperature)
    q = np.concatenate(
        [np.einsum("sij,sj->si", payoff, policies[1]), -np.einsum("sij,si->sj", payoff, policies[0])], axis=1
    )
    return value, policies, q, step + 1


def _convex(
    payoff: Array, first: NDArray[np.bool_], second: NDArray[np.bool_], logits: Array, temperature: float
) -> tuple[Array, Array, list[Array], Array]:
    """Return f(y) = temperature (log sum exp(U y / temperature) - H(y)), the slack of y and its derivative.

    y is the softmax of the logits. Slack is what the logits of the best response to the first follower's best response
    are, less the logits, centred under y: zero exactly at the saddle, and its derivative by logits is definite.
    """
    y = softmax(logits, second, 1.0)
    worth = np.einsum("sij,sj->si", payoff, y)
    x = softmax(worth, first, temperature)
    top = np.where(first, worth, -np.inf).max(axis=1)
    log_sum = top + temperature * np.log(
        np.where(first, np.exp(np.where(first, worth - top[:, None], 0.0) / temperature), 0.0).sum(axis=1)
    )
    log_y = np.where(second, logits - logits.max(axis=1, keepdims=True), 0.0)
    log_y = log_y - np.log((np.where(second, np.exp(log_y), 0.0)).sum(axis=1, keepdims=True))
    value = log_sum + temperature * (y * np.where(second, log_y, 0.0)).sum(axis=1)
    answer = np.einsum("sij,si->sj", payoff, x) / temperature
    slack = np.where(second, log_y + answer, 0.0)
    slack = np.where(second, slack - (y * slack).sum(axis=1, keepdims=True), 0.0)
    centred = payoff - np.einsum("sij,si->sj", payoff, x)[:, None]
    curvature = np.einsum("si,sij,sik->sjk", x, centred, centred) / temperature**2
    # d slack / d logits, up to constants along which slack is centred: I + (curvature) (diag(y) - y y').
    spread = y[:, :, None] * (np.eye(y.shape[1]) - y[:, None, :])
    hessian = np.eye(y.shape[1]) + curvature @ spread
    return value, slack, [x, y], hessian


def _descend(
    payoff: Array,
    feasible: tuple[NDArray[np.bool_], NDArray[np.bool_]],
    temperature: float,
    logits: Array,
    direction: Array,
    gradient: Array,
    value: Array,
) -> bool:
    """Move the logits of every state downhill, each as far as it goes; False where nothing moves."""
    share = np.ones(len(logits))
    y = softmax(logits, feasible[1], 1.0)
    before = np.abs(gradient).max(axis=1)
    slope = temperature * (y * gradient * direction).sum(axis=1)
    waits = np.ones(len(logits), dtype=bool)
    for _ in range(HALVINGS):
        tried = logits + np.where(waits, share, 0.0)[:, None] * direction
        made = _convex(payoff, *feasible, tried, temperature)
        less = made[0] <= value + 1e-4 * share * np.minimum(slope, 0.0)
        # Near the saddle rounding hides that the value falls, but not that the slack does.
        near = np.abs(made[0] - value) <= 1e-12 * (temperature + np.abs(value))
        less |= near & (np.abs(made[1]).max(axis=1) < before)
        moves = waits & less
        logits[moves] = tried[moves]
        waits &= ~less
        if not waits.any():
            return True
        share = np.where(waits, share / 2.0, share)
    return bool((~waits).any())


def _checked(at: Linearisation, steps: int, tolerance: float, scale: float) -> Equilibrium:
    """Return the equilibrium after one step of Newton's method on both followers' equations, which must hold."""
    polished = Linearisation(at.game, at.q + at.solve(at.residual), at.temperature)
    best = polished if np.abs(polished.residual).max() < np.abs(at.residual).max() else at
    residual = float(np.abs(best.residual).max())
    if residual > 100.0 * (tolerance * at.temperature + ROUNDING * scale):
        raise _stuck(residual)
    return Equilibrium(best.policies, best.values, best.q, residual, steps, True, best)


def _stuck(residual: float) -> ConvergenceError:
    return ConvergenceError(
        f"zero-sum equilibrium: expected a saddle, but Newton's method stopped with a residual of {residual:.3g} "
        "(reward units)"
    )
