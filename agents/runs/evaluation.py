"""What a run's record says a commitment is worth: exactly where that is known, by play where it is not."""

from __future__ import annotations

from functools import singledispatch
from typing import Any, Protocol

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import ArgumentError, ConvergenceError, InstabilityError
from stackelberg_envs.games.committed import CommittedVector
from stackelberg_envs.games.environments import EnvironmentGame
from stackelberg_envs.games.markov import CommittedMarkov, MarkovGame
from stackelberg_envs.games.tabular import CommittedTabular, TabularGame
from stackelberg_envs.games.vector import VectorGame
from stackelberg_envs.play.rollout import rollout
from stackelberg_envs.solvers.equilibrium.one_follower import largest_loss
from stackelberg_envs.solvers.equilibrium.sensitivity import evaluate_joint
from stackelberg_envs.solvers.equilibrium.solution import solve_markov
from stackelberg_envs.solvers.soft import (
    BestResponse,
    episode_values,
    evaluate,
    response_gap,
    soft_best_response,
)

from ..followers import Follower

__all__ = ["EVALUATION_EPISODES", "Evaluation", "TabularEvaluation", "VectorEvaluation", "evaluation_of"]

#: Episodes by which J is estimated where it is not known, always with the same random numbers.
EVALUATION_EPISODES = 200
EVALUATION_SEED = 2**31 - 1
#: Follower values that differ by less than this, relatively, are those of one response.
SAME_VALUE = 1e-9
ACTUAL = "exact, play without end, against the follower as it played"


class Evaluation(Protocol):
    """How J is found in one kind of game, under a commitment."""

    #: Whether J against the best response is known.
    is_exact: bool

    def exact(self, committed: Any) -> float | None:
        """Return J of play without end against the best response; None where it is unknown or not found."""

    def episode(self, committed: Any) -> float | None:
        """Return J of an episode cut at the horizon against the same response; None where it is unknown."""

    def value(self, committed: Any, follower: Follower) -> float:
        """Return J under the followers' present policies, their mean."""

    def gap(self, committed: Any, follower: Follower) -> float | None:
        """Return what the followers lose by their present policies, the most of them; None where it is unknown."""

    def meaning(self, follower: Follower) -> str:
        """Return what :meth:`value` is, in words."""


class TabularEvaluation:
    """Exact values of a tabular game, whoever the follower is."""

    is_exact = True

    def __init__(self, game: TabularGame) -> None:
        del game
        self._last: tuple[Array, BestResponse] | None = None

    def exact(self, committed: CommittedTabular) -> float | None:  # noqa: D102
        best = self._best_response(committed)
        return None if best is None else evaluate(committed.primitives, best.policy).value

    def episode(self, committed: CommittedTabular) -> float | None:
        """Return J of an episode cut at the horizon; the follower responds as if play had no end."""
        best = self._best_response(committed)
        return None if best is None else episode_values(committed.primitives, best.policy, committed.game.horizon)[0]

    def value(self, committed: CommittedTabular, follower: Follower) -> float:  # noqa: D102
        return float(np.mean([evaluate(committed.primitives, player.policy).value for player in follower.players]))

    def gap(self, committed: CommittedTabular, follower: Follower) -> float | None:
        """Return the largest loss of a follower; None where a policy is not finite."""
        best = self._best_response(committed)
        policies = [player.policy for player in follower.players]
        if best is None or not all(np.isfinite(policy).all() for policy in policies):
            return None
        return max(response_gap(committed.primitives, policy, best.state_values) for policy in policies)

    def meaning(self, follower: Follower) -> str:  # noqa: D102
        del follower
        return ACTUAL

    def _best_response(self, committed: CommittedTabular) -> BestResponse | None:
        if self._last is None or not np.array_equal(self._last[0], committed.commitment):
            try:
                self._last = committed.commitment, soft_best_response(committed.primitives)
            except ConvergenceError:
                return None
        return self._last[1]


class VectorEvaluation:
    """Exact values of best responses where the game has a solver; means over play with fixed random numbers else."""

    def __init__(self, game: VectorGame) -> None:
        self.horizon = game.horizon
        self.is_exact = game.has_solution
        self.episodes = EVALUATION_EPISODES
        self._last: tuple[Array, Any] | None = None

    def exact(self, committed: CommittedVector) -> float | None:  # noqa: D102
        solution = self._solution(committed)
        return None if solution is None else float(solution.leader_value)

    def episode(self, committed: CommittedVector) -> float | None:  # noqa: D102
        found = getattr(self._solution(committed), "episode", None)
        return None if found is None else float(found.leader_value)

    def value(self, committed: CommittedVector, follower: Follower) -> float:
        """Return the exact J of exact followers, and a mean over play for the others."""
        values = []
        for player in follower.players:
            solution = player.solution_under(committed.commitment)
            if solution is not None:
                values.append(float(solution.leader_value))
            else:
                rng = np.random.default_rng(EVALUATION_SEED)
                seen = rollout(committed, player.policy, rng, episodes=self.episodes)
                values.append(seen.mean_return(committed.game.leader_discount))
        return float(np.mean(values))

    def gap(self, committed: CommittedVector, follower: Follower) -> float | None:
        """Return 0 for followers that play the game's own solution; nobody evaluates others exactly."""
        best = self._solution(committed)
        if best is None:
            return None
        played = [player.solution_under(committed.commitment) for player in follower.players]
        # A follower with a solver of its own, or a coarser one, says another value.
        slack = SAME_VALUE * abs(best.follower_value)
        if any(own is None or abs(own.follower_value - best.follower_value) > slack for own in played):
            return None
        return 0.0

    def meaning(self, follower: Follower) -> str:
        """Exact for exact followers of the commitment in force."""
        if all(player.solution is not None and not player.delay for player in follower.players):
            return ACTUAL
        episodes = f"{self.episodes} episodes of at most {self.horizon} steps"
        return f"mean over {episodes}, against the follower as it played"

    def _solution(self, committed: CommittedVector) -> Any:
        if not self.is_exact:
            return None
        if self._last is None or not np.array_equal(self._last[0], committed.commitment):
            try:
                solution = committed.game.solve(committed.commitment)
            except (InstabilityError, ConvergenceError):
                solution = None
            self._last = committed.commitment, solution
        return self._last[1]


class MarkovEvaluation:
    """Exact values of a game of interacting followers, whoever they are."""

    is_exact = True

    def __init__(self, game: MarkovGame) -> None:
        del game
        self._last: tuple[Array, Any] | None = None

    def exact(self, committed: CommittedMarkov) -> float | None:
        """Return J against the logit equilibrium on the principal branch; None where none is found."""
        solution = self._solution(committed)
        return None if solution is None else float(solution.leader_value)

    def episode(self, committed: CommittedMarkov) -> float | None:
        solution = self._solution(committed)
        return None if solution is None else float(solution.episode.leader_value)

    def value(self, committed: CommittedMarkov, follower: Follower) -> float:
        arrays = committed.arrays
        values = [
            evaluate_joint(arrays, list(player.policy), arrays.leader_reward, arrays.leader_discount).value
            for player in follower.players
        ]
        return float(np.mean(values))

    def gap(self, committed: CommittedMarkov, follower: Follower) -> float | None:
        """Return the most that one of them loses while the others play as they do; None where a policy is not finite.

        It is 0 for followers that play the exact equilibrium.
        """
        losses = []
        for player in follower.players:
            if not np.isfinite(player.policy).all():
                return None
            exact = player.solution_under(committed.commitment) is not None
            losses.append(0.0 if exact else largest_loss(committed.arrays, list(player.policy)))
        return max(losses)

    def meaning(self, follower: Follower) -> str:
        del follower
        return ACTUAL

    def _solution(self, committed: CommittedMarkov) -> Any:
        if self._last is None or not np.array_equal(self._last[0], committed.commitment):
            try:
                solution = solve_markov(committed.game, committed.commitment)
            except ConvergenceError:
                solution = None
            self._last = committed.commitment, solution
        return self._last[1]


class EnvironmentEvaluation(VectorEvaluation):
    """Means over play, of as many episodes as the game says."""

    def __init__(self, game: EnvironmentGame) -> None:
        self.horizon, self.is_exact, self.episodes = game.horizon, False, game.evaluation_episodes
        self._last = None


@singledispatch
def evaluation_of(game: Any) -> Evaluation:
    """Return how J is found in a game."""
    raise ArgumentError(f"game: expected a game of this suite, got {type(game).__name__}")


evaluation_of.register(TabularGame, TabularEvaluation)
evaluation_of.register(MarkovGame, MarkovEvaluation)
evaluation_of.register(VectorGame, VectorEvaluation)
evaluation_of.register(EnvironmentGame, EnvironmentEvaluation)
