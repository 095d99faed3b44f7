"""What a run's record says a commitment is worth: exactly where that is known, by play where it is not."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from agents.followers import Follower, FollowerView
from agents.followers.several import players_of
from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import ConvergenceError, InstabilityError
from stackelberg_envs.games.batched import BatchedGame, play
from stackelberg_envs.games.tabular import Game, TabularGame
from stackelberg_envs.solvers.responses import soft_best_response
from stackelberg_envs.solvers.soft import BestResponse, Primitives, episode_values, leader_value, response_gap

__all__ = ["EVALUATION_EPISODES", "Evaluation", "discounted_return", "evaluation_of", "neutral_commitment"]

#: Episodes by which J is estimated where it is not known, always with the same random numbers.
EVALUATION_EPISODES = 200
EVALUATION_SEED = 2**31 - 1
#: Follower values that differ by less than this, relatively, are those of one response.
SAME_VALUE = 1e-9


class Evaluation(Protocol):
    """How J is found in one game."""

    #: Whether J against the best response is known.
    is_exact: bool

    def exact(self, x: Array) -> float | None:
        """Return J of play without end against the best response; None where it is unknown."""

    def episode(self, x: Array) -> float | None:
        """Return J of an episode cut at the horizon against the same response; None where it is unknown."""

    def value(self, view: FollowerView, follower: Follower) -> float:
        """Return J under the followers' present policies, their mean."""

    def gap(self, x: Array, follower: Follower) -> float | None:
        """Return what the followers lose by their present policies, the most of them; None where it is unknown."""

    def meaning(self, follower: Follower) -> str:
        """Return what :meth:`value` is, in words."""


class TabularEvaluation:
    """Exact values of a tabular game."""

    is_exact = True

    def __init__(self, game: TabularGame) -> None:
        self.game = game
        self._last: tuple[Array, Primitives, BestResponse] | None = None

    def exact(self, x: Array) -> float | None:
        """Return J of play without end against the soft best response; None where that is not found."""
        solved = self._solved(x)
        return None if solved is None else leader_value(solved[0], solved[1].policy)

    def episode(self, x: Array) -> float | None:
        """Return J of an episode cut at the horizon; the follower responds as if play had no end."""
        solved = self._solved(x)
        return None if solved is None else episode_values(solved[0], solved[1].policy, self.game.horizon)[0]

    def value(self, view: FollowerView, follower: Follower) -> float:
        """Return the exact J of play without end under the followers' policies, their mean."""
        return float(np.mean([leader_value(view.primitives, player.policy) for player in players_of(follower)]))

    def gap(self, x: Array, follower: Follower) -> float | None:
        """Return the largest loss of a follower; None where a policy is not finite."""
        solved = self._solved(x)
        if solved is None or not np.isfinite(getattr(follower, "policy", np.nan)).all():
            return None
        primitives, best = solved
        return max(response_gap(primitives, player.policy, best.state_values) for player in players_of(follower))

    def meaning(self, follower: Follower) -> str:
        """Exact, whoever the follower is."""
        del follower
        return "exact, play without end, against the follower as it played"

    def _solved(self, x: Array) -> tuple[Primitives, BestResponse] | None:
        if self._last is None or not np.array_equal(self._last[0], x):
            primitives = self.game.primitives(x)
            try:
                self._last = np.array(x), primitives, soft_best_response(primitives)
            except ConvergenceError:
                return None
        return self._last[1:]


class BatchedEvaluation:
    """Exact values of best responses where the game has a solver; means over play with fixed random numbers else."""

    def __init__(self, game: BatchedGame) -> None:
        self.game = game
        self.is_exact = game.has_solution
        self._last: tuple[Array, Any] | None = None

    def exact(self, x: Array) -> float | None:
        """Return J of play without end against the best response; None without a solver or a finite response."""
        solution = self._solved(x)
        return None if solution is None else float(solution.leader_value)

    def episode(self, x: Array) -> float | None:
        """Return J of an episode cut at the horizon, where the solver says it."""
        found = getattr(self._solved(x), "episode", None)
        return None if found is None else float(found.leader_value)

    def value(self, view: FollowerView, follower: Follower) -> float:
        """Return the exact J of exact followers, and a mean over play for the others."""
        return float(np.mean([self._value(view.commitment, player) for player in players_of(follower)]))

    def gap(self, x: Array, follower: Follower) -> float | None:
        """Return 0 for followers that play the game's own solution; nobody evaluates others exactly."""
        best = self._solved(x)
        if best is None:
            return None
        solutions = [getattr(player, "solution", None) for player in players_of(follower)]
        played = [solution for solution in solutions if solution is not None and np.array_equal(solution.x, x)]
        # A follower with a solver of its own, or a coarser one, says another value.
        slack = SAME_VALUE * abs(best.follower_value)
        if len(played) < len(solutions) or any(abs(own.follower_value - best.follower_value) > slack for own in played):
            return None
        return 0.0

    def meaning(self, follower: Follower) -> str:
        """Exact for exact followers of the commitment in force."""
        players = players_of(follower)
        if all(getattr(one, "solution", None) is not None and not getattr(one.config, "delay", 0) for one in players):
            return "exact, play without end, against the follower as it played"
        return (
            f"mean over {EVALUATION_EPISODES} episodes of at most {self.game.horizon} steps, against the follower as "
            "it played"
        )

    def _value(self, x: Array, follower: Follower) -> float:
        solution: Any = getattr(follower, "solution", None)
        if solution is not None and np.array_equal(solution.x, x):
            return float(solution.leader_value)
        rng = np.random.default_rng(EVALUATION_SEED)
        seen = play(self.game, x, follower.policy, rng, episodes=EVALUATION_EPISODES)
        return discounted_return(seen.leader_reward, seen.offsets, self.game.leader_discount)

    def _solved(self, x: Array) -> Any:
        if not self.is_exact:
            return None
        if self._last is None or not np.array_equal(self._last[0], x):
            try:
                solution = self.game.solve(x)
            except (InstabilityError, ConvergenceError):
                solution = None
            self._last = np.array(x), solution
        return self._last[1]


def neutral_commitment(game: Game) -> Array:
    """Return the admissible commitment nearest to zero: no incentive, no tax, a uniform policy."""
    commitment = game.commitment
    return np.asarray(commitment.project(np.zeros(commitment.shape)))


def discounted_return(rewards: Array, offsets: Any, discount: float) -> float:
    """Return the mean over episodes of discounted sums of rewards, shape (T,)."""
    t = np.arange(len(rewards)) - np.repeat(offsets[:-1], np.diff(offsets))
    return float(discount**t @ rewards) / (len(offsets) - 1)


def evaluation_of(game: Game) -> Evaluation:
    """Return how J is found in a game."""
    return BatchedEvaluation(game) if isinstance(game, BatchedGame) else TabularEvaluation(game)  # type: ignore[arg-type]
