"""The exact solution of a tabular game under one commitment."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from numpy.typing import ArrayLike

from stackelberg_envs.arrays import Array
from stackelberg_envs.games.cotangents import Cotangents
from stackelberg_envs.games.tabular import TabularGame
from stackelberg_envs.solvers.soft.accuracy import Accuracy
from stackelberg_envs.solvers.soft.best_response import DEFAULT_TOLERANCE
from stackelberg_envs.solvers.soft.evaluation import episode_values, follower_reward_value
from stackelberg_envs.solvers.soft.hypergradient import EVERYTHING, SoftSolution, solve_primitives
from stackelberg_envs.solvers.solution import EpisodeValues, Solution

__all__ = ["TabularSolution", "solve_tabular"]


@dataclass(frozen=True, eq=False, repr=False)
class TabularSolution(Solution, SoftSolution):
    """Everything exact about one commitment to a tabular game.

    Arrays over joint states are in `best`, `leader` and `flows`; the properties give them in the game's own shape,
    which has a leading axis K when the game has contexts.

    Attributes
    ----------
    game, x
        The game and the commitment.
    """

    game: TabularGame
    x: Array

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
    def policy(self) -> Array:
        """The response over joint states, shape (Z, A, B), as followers hold it."""
        return self.best.policy

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
        return Accuracy(self)

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

    @property
    def cotangents(self) -> Cotangents:
        """dJ/dr_F, dJ/dr_L, dJ/df, dJ/dP, the follower's response included."""
        return self.direct_cotangents + self.response_cotangents

    @cached_property
    def direct_cotangents(self) -> Cotangents:
        """The part that ignores the follower's response."""
        return self.direct(EVERYTHING, self.game.array_shape)

    @cached_property
    def response_cotangents(self) -> Cotangents:
        """The part that goes through the follower's response."""
        return self.through_response(EVERYTHING, self.game.array_shape)

    @cached_property
    def direct_gradient(self) -> Array:
        """The direct term of dJ/dx, the shape of x."""
        return self._pull_back(self.direct(self.game.commitment.changes, self.game.array_shape))

    @cached_property
    def response_gradient(self) -> Array:
        """The response term of dJ/dx, the shape of x."""
        return self._pull_back(self.through_response(self.game.commitment.changes, self.game.array_shape))

    def _pull_back(self, cotangents: Cotangents) -> Array:
        return self.game.commitment.vjp(self.x, cotangents)


def solve_tabular(
    game: TabularGame, x: ArrayLike, *, tolerance: float = DEFAULT_TOLERANCE, start: Array | None = None
) -> TabularSolution:
    """Solve a tabular game for one commitment; see :func:`stackelberg_envs.solve`."""
    checked = game.commitment.check(x)
    made = solve_primitives(game.primitives(checked), tolerance=tolerance, start=start)
    return TabularSolution(made.primitives, made.best, made.leader, game, checked, reference=made.reference)
