"""The follower's hard best response: no entropy, and ties that go for the leader or against it.

Two policy iterations: the follower's over all actions, and one for the leader's reward over the actions that the
follower is indifferent between. Values of each policy are solved for with residuals in twice the precision, and an
action counts as better only where its value is larger by more than rounding, state by state: so every change is a true
improvement, no policy comes twice, and a large number in one state says nothing about another.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array, require_at_least
from stackelberg_envs.errors import ArgumentError, ConvergenceError
from stackelberg_envs.games.primitives import DecisionProcess, Primitives
from stackelberg_envs.solvers.soft.best_response import BestResponse
from stackelberg_envs.solvers.soft.linear import Resolvent, action_values, resolvent
from stackelberg_envs.solvers.soft.precise import ROUNDING, power_of_two, precise_values

__all__ = ["DEFAULT_TIE_MARGIN", "hard_best_response"]

#: Of what an optimal action is worth.
DEFAULT_TIE_MARGIN = 1e-10
DEFAULT_TOLERANCE = 1e-10
MAX_ITERATIONS = 1_000

Choice = NDArray[np.intp]


def hard_best_response(
    game: Primitives,
    *,
    tie_break: str = "optimistic",
    tie_margin: float = DEFAULT_TIE_MARGIN,
    tolerance: float = DEFAULT_TOLERANCE,
) -> BestResponse:
    """Hard best response: no entropy; ties go for the leader or against it.

    Parameters
    ----------
    game
        The game under a commitment; its temperature is ignored.
    tie_break
        "optimistic": among optimal actions the follower takes the leader's best; "pessimistic": its worst.
    tie_margin
        Two actions are tied where what separates them is at most this share of what the better one is worth: the
        discounted sum of all payments, each counted as positive, that the follower meets from there on if it plays
        optimally. 0 asks for equality to the last bit.
    tolerance
        Bound on the error of the follower's values, as a share of the largest of them.

    Raises
    ------
    ArgumentError
        An unknown tie rule, or a margin that is no number from 0 to below 1.
    ConvergenceError
        A tolerance below what floats can hold.
    """
    if tie_break not in ("optimistic", "pessimistic"):
        raise ArgumentError(f"tie_break: expected 'optimistic' or 'pessimistic', got {tie_break!r}")
    if not require_at_least(tie_margin, 0.0, "tie_margin") < 1.0:
        raise ArgumentError(f"tie_margin: expected a number from 0 to below 1, got {tie_margin!r}")
    require_at_least(tolerance, 0.0, "tolerance")
    follower = _Player(game, game.follower_process)
    feasible = np.ones(game.follower_reward.shape, np.bool_) if game.feasible is None else game.feasible
    solved = follower.best(feasible, game.barred_reward.argmax(axis=2))
    largest = float(np.abs(solved.values).max())
    if 0 < tolerance * largest < solved.error:
        raise ConvergenceError(
            f"hard best response: expected values with an error of at most {tolerance:.1e} of the largest, "
            f"reached {solved.error / largest:.1e}"
        )
    sign = 1.0 if tie_break == "optimistic" else -1.0
    tied = _tied(follower, solved, tie_margin) & feasible
    leader = _Player(game, game.leader_process._replace(reward=sign * game.leader_reward))
    choice = leader.best(tied, solved.choice).choice
    q = np.where(feasible, solved.q, -np.inf)
    return BestResponse(q, q.max(axis=2), solved.values, _one_hot(choice, solved.q.shape[2]), solved.error)


@dataclass(frozen=True, eq=False)
class _Solved:
    """An optimal choice (Z, A), its values (Z,), a bound on their error, Q (Z, A, B), and the system of the choice."""

    choice: Choice
    values: Array
    error: float
    q: Array
    system: Resolvent


@dataclass(frozen=True, eq=False)
class _Player:
    """Whoever maximises the reward of a process by the follower's actions."""

    game: Primitives
    process: DecisionProcess

    def best(self, allowed: NDArray[np.bool_], choice: Choice) -> _Solved:
        """Return the best choice among the allowed actions, by policy iteration from one of them."""
        for _ in range(MAX_ITERATIONS):
            solved = self._evaluate(choice)
            margin = self._rounding(solved)
            q = np.where(allowed, solved.q, -np.inf)
            now = choice[:, :, None]
            top = q.argmax(axis=2)
            gain = np.take_along_axis(q, top[:, :, None], axis=2) - np.take_along_axis(q, now, axis=2)
            unsure = np.take_along_axis(margin, top[:, :, None], axis=2) + np.take_along_axis(margin, now, axis=2)
            better = (gain > unsure)[:, :, 0]
            if not better.any():
                return solved
            choice = np.where(better, top, choice)
        raise ConvergenceError(f"hard best response: no best choice after {MAX_ITERATIONS} policy iterations")

    def _evaluate(self, choice: Choice) -> _Solved:
        game, process = self.game, self.process
        policy = _one_hot(choice, process.reward.shape[2])
        # What is never paid must not set the scale.
        paid = np.where(policy > 0, process.reward, 0.0)
        unit = power_of_two(float(np.abs(paid).max()))
        system = resolvent(process, game.joint_policy(policy))
        values, error = precise_values(game, policy, process, paid / unit, system)
        q = action_values(process, unit * values)
        return _Solved(choice, unit * values, unit * error, q, system)

    def terms(self, values: Array) -> Array:
        """Return how large the terms are that each entry of Q is added up from, shape (Z, A, B)."""
        return action_values(self.process._replace(reward=np.abs(self.process.reward)), values)

    def _rounding(self, solved: _Solved) -> Array:
        """Return a bound on the error of each entry of Q."""
        successors = self.process.transition.probabilities.shape[3]
        return np.asarray(2 * ROUNDING * (successors + 4) * self.terms(np.abs(solved.values)))


def _tied(player: _Player, solved: _Solved, margin: float) -> NDArray[np.bool_]:
    """Return which actions are as good as the optimal one, judged where they are taken."""
    chosen = solved.choice[:, :, None]
    size = np.abs(player.process.reward)
    weight = player.game.leader_policy
    paid = (weight * np.take_along_axis(size, chosen, axis=2)[:, :, 0]).sum(axis=1)
    worth = player.terms(np.abs(solved.system.solve(paid, 1e-12 * float(paid.max()))))
    scale = np.take_along_axis(worth, chosen, axis=2)
    q = solved.q if player.game.feasible is None else np.where(player.game.feasible, solved.q, -np.inf)
    top = np.maximum(q.max(axis=2, keepdims=True), np.take_along_axis(solved.q, chosen, axis=2))
    tied = solved.q >= top - margin * scale
    np.put_along_axis(tied, chosen, True, axis=2)
    return np.asarray(tied)


def _one_hot(choice: Choice, B: int) -> Array:
    return np.asarray(choice[..., None] == np.arange(B), dtype=np.float64)
