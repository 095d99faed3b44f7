"""`solve`: everything exact about one commitment to a game."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import overload

from numpy.typing import ArrayLike

from stackelberg_envs.arrays import Array
from stackelberg_envs.games.batched import AnyGame, BatchedGame, SampledSolution
from stackelberg_envs.games.cotangents import Cotangents
from stackelberg_envs.games.tabular import TabularGame
from stackelberg_envs.solvers.accuracy import Accuracy
from stackelberg_envs.solvers.episode import EpisodeValues
from stackelberg_envs.solvers.soft import (
    BestResponse,
    Flows,
    LeaderEvaluation,
    Plan,
    Primitives,
    episode_values,
    follower_reward_value,
    make_plan,
)
from stackelberg_envs.solvers.soft.best_response import DEFAULT_TOLERANCE
from stackelberg_envs.solvers.soft.hypergradient import EVERYTHING

__all__ = ["Solution", "solve"]


@dataclass(frozen=True, eq=False, repr=False)
class Solution:
    """Everything exact about one commitment.

    Arrays over joint states are in `best`, `leader` and `flows`; the properties give them in the game's own
    shape, which has a leading axis K when the game has contexts.
    """

    game: TabularGame
    x: Array
    plan: Plan

    @property
    def primitives(self) -> Primitives:
        """The game's arrays under the commitment."""
        return self.plan.primitives

    @property
    def best(self) -> BestResponse:
        """The follower's soft best response."""
        return self.plan.best

    @property
    def leader(self) -> LeaderEvaluation:
        """The leader's values of it."""
        return self.plan.leader

    @property
    def leader_value(self) -> float:
        """J(x), the leader's discounted reward over endless play, reward units."""
        return self.leader.value

    @property
    def follower_value(self) -> float:
        """The follower's value at the initial distribution, entropy bonus included, over endless play; reward units.

        It is what the follower maximises, in the dynamics that it believes in.
        """
        return float(self.primitives.initial @ self.best.state_values)

    @cached_property
    def follower_reward_value(self) -> float:
        """The follower's discounted reward alone, without entropy bonus, over endless play; reward units.

        It is what the response earns, in the true dynamics.
        """
        return follower_reward_value(self.primitives, self.best.policy, self.leader.system)

    @cached_property
    def episode(self) -> EpisodeValues:
        """What an episode is worth as it is played, cut at the game's horizon; all in the true dynamics."""
        horizon = self.game.horizon
        return EpisodeValues(horizon, *episode_values(self.primitives, self.best.policy, horizon))

    @property
    def follower_q(self) -> Array:
        """Q_F, shape ([K,] S, A, B)."""
        return self.best.q.reshape(self.game.array_shape)

    @property
    def follower_values(self) -> Array:
        """V_F(s, a), shape ([K,] S, A)."""
        return self.best.values.reshape(self.game.array_shape[:-1])

    @property
    def leader_q(self) -> Array:
        """Q_L, shape ([K,] S, A, B)."""
        return self.leader.q.reshape(self.game.array_shape)

    @property
    def response(self) -> Array:
        """g(b | s, a), shape ([K,] S, A, B); the last axis sums to one."""
        return self.best.policy.reshape(self.game.array_shape)

    @property
    def occupancy(self) -> Array:
        """Leader's discounted occupancy d(s), shape ([K,] S), unnormalised."""
        return self.flows.occupancy.reshape(self.game.array_shape[:-2])

    @cached_property
    def accuracy(self) -> Accuracy:
        """Bounds on errors in detail; they cost about one more solve, in twice the precision."""
        return Accuracy(self.game, self.x, self.plan)

    @property
    def value_error(self) -> float:
        """Bound on the error of `leader_value`, of `follower_value` and of `follower_values`, reward units.

        The larger of `leader_value_error` and `follower_value_error`.
        """
        return max(self.leader_value_error, self.follower_value_error)

    @property
    def leader_value_error(self) -> float:
        """Bound on the error of `leader_value`, reward units."""
        return self.accuracy.leader_value_error

    @property
    def follower_value_error(self) -> float:
        """Bound on the error of `follower_value` and of every entry of `follower_values`, reward units."""
        return self.accuracy.follower_value_error

    @property
    def policy_error(self) -> float:
        """Bound on the error of every probability in `response`."""
        return self.accuracy.policy_error

    @cached_property
    def gradient_error(self) -> float:
        """Bound on the error of every entry of `gradient`.

        The rounding of the last step, from cotangents to dJ/dx, is estimated: the commitment makes it. Where the
        commitment has no derivative and finite differences stand in, so is what they miss.
        """
        return self.accuracy.gradient_error(self.gradient)

    def __repr__(self) -> str:
        """Return one line."""
        return f"Solution({self.game.name!r}, leader_value={self.leader_value:.6g}, x of shape {self.x.shape})"

    @property
    def flows(self) -> Flows:
        """The three solves; done on first use."""
        return self.plan.flows

    @property
    def cotangents(self) -> Cotangents:
        """dJ/dr_F, dJ/dr_L, dJ/df, dJ/dP, the follower's response included (theory, section 4)."""
        return self.direct_cotangents + self.response_cotangents

    @cached_property
    def direct_cotangents(self) -> Cotangents:
        """The part that ignores the follower's response."""
        return self.plan.direct(EVERYTHING, self.game.array_shape)

    @cached_property
    def response_cotangents(self) -> Cotangents:
        """The part that goes through the follower's response."""
        return self.plan.through_response(EVERYTHING, self.game.array_shape)

    @cached_property
    def direct_gradient(self) -> Array:
        """The direct term of dJ/dx, the shape of x."""
        return self._pull_back(self.plan.direct(self.game.commitment.changes, self.game.array_shape))

    @cached_property
    def response_gradient(self) -> Array:
        """The response term of dJ/dx, the shape of x."""
        return self._pull_back(self.plan.through_response(self.game.commitment.changes, self.game.array_shape))

    @property
    def gradient(self) -> Array:
        """The hypergradient dJ/dx, the shape of x."""
        return self.direct_gradient + self.response_gradient

    def _pull_back(self, cotangents: Cotangents) -> Array:
        return self.game.commitment.vjp(self.x, cotangents)


@overload
def solve(
    game: TabularGame, x: ArrayLike, *, tolerance: float = ..., start: Array | None = ...
) -> Solution: ...  # numpydoc ignore=GL08
@overload
def solve(game: BatchedGame, x: ArrayLike) -> SampledSolution: ...  # numpydoc ignore=GL08


def solve(
    game: AnyGame, x: ArrayLike, *, tolerance: float = DEFAULT_TOLERANCE, start: Array | None = None
) -> Solution | SampledSolution:
    """Solve a game exactly for one commitment.

    Parameters
    ----------
    game
        A tabular game, or a batched one whose exact solution is known.
    x
        The commitment, the shape of ``game.commitment.space``.
    tolerance
        Bound on the error of every probability of the follower's response; it has no unit. 0 asks for all that floats
        can hold.
    start
        ``solution.best.state_values`` of a nearby commitment, to save Newton steps.

    Returns
    -------
    Solution
        ``leader_value``, ``follower_q``, ``response``, ``cotangents``, ``gradient`` and the rest; derivatives
        are computed on first use. Of a batched game a :class:`stackelberg_envs.games.batched.SampledSolution`.

    Raises
    ------
    CommitmentError
        x lies outside its space.
    ArgumentError
        A game whose exact solution is not known.
    ConvergenceError
        A tolerance, other than 0, that floats cannot reach.
    GameError
        Rewards or a temperature so large or small that floats cannot hold what follows from them.
    """
    if isinstance(game, BatchedGame):
        return game.solve(game.commitment.check(x))
    checked = game.commitment.check(x)
    return Solution(game, checked, make_plan(game.primitives(checked), tolerance=tolerance, start=start))
