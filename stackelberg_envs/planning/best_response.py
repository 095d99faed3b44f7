r"""The follower's best response, soft (Gibbs) and hard (with a rule for ties).

Soft: the fixed point of

.. math::
    \bar V(s) = \sum_a f(a|s) \lambda \log\sum_b
    \exp\Big(\tfrac1\lambda\big(r_F + \gamma_F (1-\text{terminal}) P \bar V\big)\Big)

is found by Newton's method. Newton's step is the evaluation of the present Gibbs policy with its entropy
(soft policy iteration), the operator is convex and monotone, so the iterates rise to the fixed point from
any start and converge quadratically (Puterman and Brumelle 1979). Each step costs one backup and one linear
solve; a matrix serves several steps as long as each of them gains a factor of twenty.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs import kernels
from stackelberg_envs.arrays import Array, require_at_least
from stackelberg_envs.errors import ArgumentError, ConvergenceError
from stackelberg_envs.planning.linear import Resolvent, resolvent
from stackelberg_envs.primitives import Primitives

__all__ = ["BestResponse", "hard_best_response", "soft_best_response"]

DEFAULT_TOLERANCE = 1e-10
MAX_NEWTON_STEPS = 200
#: Of one backup, relative to the values.
ROUNDING = 16 * float(np.finfo(np.float64).eps)
#: A step that leaves less than this part of the residual is followed by one with the same matrix.
CHORD_PROGRESS = 0.05
#: Two actions count as tied when their values differ by less than this many units of rounding.
TIE_ULPS = 1e6


@dataclass(frozen=True, eq=False)
class BestResponse:
    """A follower policy and the values it comes from, over joint states.

    Attributes
    ----------
    q
        Q_F, shape (Z, A, B).
    values
        V_F before the leader's action is averaged out, shape (Z, A).
    state_values
        Averaged over the leader's policy, shape (Z,); pass it as `start` to a later solve.
    policy
        g(b | s, a), shape (Z, A, B); the last axis sums to one.
    error
        Bound on the largest error of `state_values`, reward units.
    """

    q: Array
    values: Array
    state_values: Array
    policy: Array
    error: float


class _Backup:
    """One Bellman operator with its work arrays."""

    def __init__(self, game: Primitives, temperature: float) -> None:
        shape = game.follower_reward.shape
        self.q: Array = np.empty(shape)
        self.values, self.out = np.empty(shape[:2]), np.empty(shape[0])
        self.game, self.temperature = game, temperature

    def __call__(self, state_values: Array) -> tuple[float, float]:
        game = self.game
        return kernels.soft_bellman_backup(
            game.follower_reward,
            game.believed_transition.successors,
            game.believed_transition.probabilities,
            game.leader_policy,
            game.continuing,
            game.follower_discount,
            self.temperature,
            state_values,
            self.q,
            self.values,
            self.out,
        )

    def policy(self) -> Array:
        """Return the Gibbs policy of the last backup, or, at temperature 0, its greedy policy."""
        if self.temperature > 0:
            policy = np.empty_like(self.q)
            kernels.gibbs_policy(self.q, self.values, self.temperature, policy)
            return policy
        return _one_hot(np.argmax(self.q, axis=2), self.q.shape[2])


def _one_hot(actions: NDArray[np.intp], B: int) -> Array:
    return np.asarray(actions[..., None] == np.arange(B), dtype=np.float64)


def soft_best_response(
    game: Primitives, *, tolerance: float = DEFAULT_TOLERANCE, start: Array | None = None
) -> BestResponse:
    """Soft best response by Newton's method.

    Parameters
    ----------
    game
        The game under a commitment: ``game.primitives(x)``.
    tolerance
        Bound on the error of the follower's values, reward units. Nothing finer than rounding is asked for.
    start
        State values to start from, shape (Z,), for instance those of a nearby commitment.

    Raises
    ------
    ConvergenceError
        No convergence within 200 steps (never seen; kept so that a defect is not silent).

    Notes
    -----
    Theory, section 2. Stops when discount / (1 - discount) * |T V - V| is at most `tolerance`, which bounds
    the error of T V because T contracts by the discount; `error` adds the rounding of the last backup.
    """
    return _fixed_point(game, game.temperature, tolerance, start)


def _fixed_point(game: Primitives, temperature: float, tolerance: float, start: Array | None) -> BestResponse:
    backup = _Backup(game, temperature)
    values = np.zeros(len(game.initial)) if start is None else np.array(start, dtype=np.float64)
    if values.shape != game.initial.shape:
        raise ArgumentError(f"start: expected shape {game.initial.shape}, got {values.shape}")
    if not np.isfinite(values).all():
        raise ArgumentError(f"start: expected finite numbers, got {values[~np.isfinite(values)][0]}")
    require_at_least(tolerance, 0.0, "tolerance")
    gain = game.follower_discount / (1.0 - game.follower_discount)
    best = last = np.inf
    system: Resolvent | None = None
    for _ in range(MAX_NEWTON_STEPS):
        residual, largest = backup(values)
        floor = ROUNDING * max(1.0, largest)
        # At rounding the residual stalls; another Newton step would not lower it.
        if gain * residual <= tolerance or (residual <= 64 * floor and residual >= 0.5 * best):
            error = gain * residual + floor / (1.0 - game.follower_discount)
            return BestResponse(backup.q, backup.values, backup.out, backup.policy(), error)
        # While the last factorisation still gains much it is kept: a solve costs a tenth of a new one.
        if system is None or residual > CHORD_PROGRESS * last:
            policy = game.leader_policy[:, :, None] * backup.policy()
            system = resolvent(
                policy, game.believed_transition, game.continuing, game.follower_discount, game.num_contexts
            )
        best, last = min(best, residual), residual
        inner = max(1e-3 * residual, floor)
        values = values + system.solve(backup.out - values, inner)
    raise ConvergenceError(
        f"soft best response: expected an error of at most {tolerance:.1e}, reached {gain * best:.1e} "
        f"after {MAX_NEWTON_STEPS} Newton steps"
    )


def hard_best_response(
    game: Primitives, *, tie_break: str = "optimistic", tolerance: float = DEFAULT_TOLERANCE
) -> BestResponse:
    """Hard best response: no entropy; ties go for the leader or against it.

    Parameters
    ----------
    game
        The game under a commitment; its temperature is ignored.
    tie_break
        "optimistic": among optimal actions the follower takes the leader's best; "pessimistic": its worst.
    tolerance
        Bound on the error of the follower's values, reward units. Actions within it count as tied.

    Raises
    ------
    ArgumentError
        An unknown tie rule.

    Notes
    -----
    Policy iteration for the follower, then a second policy iteration in which the leader's value decides
    among the follower's optimal actions, state by state.
    """
    if tie_break not in ("optimistic", "pessimistic"):
        raise ArgumentError(f"tie_break: expected 'optimistic' or 'pessimistic', got {tie_break!r}")
    solved = _fixed_point(game, 0.0, tolerance, None)
    scale = max(1.0, float(np.abs(solved.q).max()))
    margin = max(2 * tolerance, TIE_ULPS * np.finfo(float).eps * scale)
    optimal = solved.q >= solved.values[:, :, None] - margin
    sign = 1.0 if tie_break == "optimistic" else -1.0
    policy = _break_ties(game, optimal, sign)
    return BestResponse(solved.q, solved.values, solved.state_values, policy, solved.error)


def _break_ties(game: Primitives, optimal: NDArray[np.bool_], sign: float) -> Array:
    """Return the follower policy, among the `optimal` actions, that is best for sign * leader reward."""
    choice = optimal.argmax(axis=2)
    B = optimal.shape[2]
    ahead = np.empty(optimal.shape)
    # Values are solved ten times finer than the margin that keeps rounding from cycling between equals.
    scale = float(np.abs(game.leader_reward).max()) / (1.0 - game.leader_discount)
    margin = 1e-10 * scale
    tolerance = 0.1 * margin * (1.0 - game.leader_discount)
    for _ in range(MAX_NEWTON_STEPS):
        policy = _one_hot(choice, B)
        joint = game.leader_policy[:, :, None] * policy
        system = resolvent(joint, game.transition, game.continuing, game.leader_discount, game.num_contexts)
        values = system.solve((joint * game.leader_reward).sum(axis=(1, 2)), tolerance)
        kernels.next_values(game.transition.successors, game.transition.probabilities, values, ahead)
        q = sign * (game.leader_reward + game.leader_discount * game.continuing[:, None, None] * ahead)
        q = np.where(optimal, q, -np.inf)
        current = np.take_along_axis(q, choice[:, :, None], axis=2)[:, :, 0]
        better = q.max(axis=2) > current + margin
        if not better.any():
            return policy
        choice = np.where(better, q.argmax(axis=2), choice)
    raise ConvergenceError(f"hard best response: ties not settled after {MAX_NEWTON_STEPS} policy iterations")
