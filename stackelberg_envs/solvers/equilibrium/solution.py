"""The exact solution of a game of interacting followers under one commitment."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from stackelberg_envs.arrays import Array
from stackelberg_envs.games.cotangents import Cotangents
from stackelberg_envs.games.markov import MarkovGame
from stackelberg_envs.games.markov_primitives import MarkovPrimitives
from stackelberg_envs.solvers.equilibrium.joint import entropies, joint_policy, next_values, play_system
from stackelberg_envs.solvers.equilibrium.linearisation import Linearisation
from stackelberg_envs.solvers.equilibrium.logit import DEFAULT_TOLERANCE, Equilibrium, logit_equilibrium
from stackelberg_envs.solvers.equilibrium.sensitivity import (
    LeaderValue,
    evaluate_joint,
    own_reactions,
    reactions,
    transition_cotangent,
)
from stackelberg_envs.solvers.equilibrium.uniqueness import distance_bound
from stackelberg_envs.solvers.equilibrium.zero_sum import require_zero_sum, zero_sum_equilibrium
from stackelberg_envs.solvers.solution import EpisodeValues, Solution

__all__ = ["MarkovSolution", "equilibrium_of", "solve_markov"]


@dataclass(frozen=True, eq=False, repr=False)
class MarkovSolution(Solution):
    """Everything exact about one commitment to a game of interacting followers.

    Attributes
    ----------
    game, x
        The game and the commitment.
    arrays
        The game's arrays under it.
    equilibrium
        The followers' logit equilibrium: policies, values, and the residual of its equations.
    leader
        What it is worth to the leader, by state.
    """

    game: MarkovGame
    x: Array
    arrays: MarkovPrimitives
    equilibrium: Equilibrium
    leader: LeaderValue

    @property
    def leader_value(self) -> float:
        """J(x), the leader's discounted reward over endless play, reward units."""
        return self.leader.value

    @property
    def follower_values(self) -> Array:
        """Each follower's value at the initial distribution, entropy included, shape (n,)."""
        made: Array = self.equilibrium.values @ self.arrays.initial
        return made

    @property
    def follower_value(self) -> float:
        """The mean of `follower_values`, reward units."""
        return float(self.follower_values.mean())

    @cached_property
    def follower_reward_value(self) -> float:
        """The mean over followers of their discounted rewards, without entropy, reward units."""
        arrays = self.arrays
        mean = arrays.follower_rewards.mean(axis=0)
        return evaluate_joint(arrays, self.equilibrium.policies, mean, arrays.follower_discount).value

    @cached_property
    def episode(self) -> EpisodeValues:
        """What an episode is worth as it is played, cut at the game's horizon; of the followers the mean."""
        arrays, policy = self.arrays, self.leader.policy
        mean = arrays.follower_rewards.mean(axis=0)
        entropy = arrays.temperature * _mean_entropy(arrays, self.equilibrium.policies)
        totals = np.zeros((3, arrays.num_states))
        discounts = (arrays.leader_discount, arrays.follower_discount, arrays.follower_discount)
        paid = (arrays.leader_reward, mean + entropy[:, None], mean)
        for _ in range(self.game.horizon):
            ahead = next_values(arrays, totals)
            totals = np.stack(
                [
                    (policy * (r + gamma * later)).sum(axis=1)
                    for r, gamma, later in zip(paid, discounts, ahead, strict=True)
                ]
            )
        leader, follower, reward = (float(arrays.initial @ row) for row in totals)
        return EpisodeValues(self.game.horizon, leader, follower, reward)

    @cached_property
    def policy(self) -> Array:
        """g_i(b | s), shape (n, S, B)."""
        return np.stack(self.equilibrium.policies)

    @property
    def residual(self) -> float:
        """How far the equilibrium's equations are from holding, reward units."""
        return self.equilibrium.residual

    @property
    def unique(self) -> bool:
        """Whether it is proved that the followers have no other equilibrium."""
        return self.equilibrium.unique

    @cached_property
    def _distance(self) -> float:
        return distance_bound(self.equilibrium.at)

    @property
    def follower_value_error(self) -> float:
        """Bound on the error of every follower's value; infinite where none is proved."""
        return self._distance

    @property
    def policy_error(self) -> float:
        """Bound on the error of every probability: there is an exact equilibrium so near; infinite where not proved."""
        return self._distance / (2.0 * self.arrays.temperature)

    @property
    def leader_value_error(self) -> float:
        """Bound on the error of `leader_value`: of the equilibrium, and what rounding leaves of a linear system."""
        leader, arrays = self.leader, self.arrays
        spread = float((leader.advantage.max(axis=1) - leader.advantage.min(axis=1)).max())
        later = 1.0 / (1.0 - arrays.leader_discount)
        moved = arrays.num_followers * self._distance / arrays.temperature
        # Rewards may cancel in values; what is rounded has their size all the same.
        size = float(np.abs(arrays.leader_reward).max() + np.abs(leader.values).max())
        rounding = 64.0 * np.finfo(np.float64).eps * later * size
        return 0.5 * moved * spread * later + rounding

    @cached_property
    def gradient_error(self) -> float:
        """Estimate of the error of every entry of `gradient`: how much it moves by one more step of Newton's method."""
        at = self.equilibrium.at
        after = Linearisation(at.game, at.q + at.solve(at.residual), at.temperature)
        leader = evaluate_joint(at.game, after.policies, at.game.leader_reward, at.game.leader_discount)
        again = self._pull_back(_cotangents(after, leader, reactions(after, leader), self.game))
        rounding = 1e3 * np.finfo(np.float64).eps * float(np.abs(self.gradient).max(initial=0.0))
        return float(np.abs(again - self.gradient).max(initial=0.0)) + rounding

    @property
    def cotangents(self) -> Cotangents:
        """dJ/dr_i, dJ/dr_L and dJ/dP, everybody's answers to everybody included; see :class:`MarkovGame`."""
        at = self.equilibrium.at
        return _cotangents(at, self.leader, reactions(at, self.leader), self.game)

    @cached_property
    def gradient(self) -> Array:
        """The hypergradient dJ/dx through the equilibrium, the shape of x."""
        return self._pull_back(self.cotangents)

    @cached_property
    def direct_gradient(self) -> Array:
        """dJ/dx while all followers act as they do, the shape of x."""
        return self._pull_back(_cotangents(self.equilibrium.at, self.leader, None, self.game))

    @property
    def response_gradient(self) -> Array:
        """The part of dJ/dx that goes through the equilibrium, the shape of x."""
        return self.gradient - self.direct_gradient

    @cached_property
    def own_gradient(self) -> Array:
        """dJ/dx if each follower answered the commitment but not the others' answers to it, the shape of x.

        Estimators from play that treat each follower alone estimate this; what they leave out is the difference to
        `gradient`.
        """
        at = self.equilibrium.at
        alone = own_reactions(at, self.leader)
        return self._pull_back(_cotangents(at, self.leader, _own_plans(at, alone), self.game))

    def _pull_back(self, cotangents: Cotangents) -> Array:
        commitment = self.game.commitment
        made: Array = np.asarray(commitment.vjp(self.x, cotangents.only(commitment.changes)))
        return made


def _mean_entropy(arrays: MarkovPrimitives, policies: list[Array]) -> Array:
    """Return the mean over followers of what their entropy counts, by state; nothing where it cancels."""
    if arrays.zero_sum:
        return np.zeros(arrays.num_states)
    return np.asarray(np.mean([entropies(policy) for policy in policies], axis=0))


def _own_plans(at: Linearisation, weights: Array) -> Array:
    """Return weights after each follower has planned ahead on its own: the others' policies stay as they are."""
    made, game = weights.copy(), at.game
    into = at.back_to_values(weights)
    system = play_system(game, joint_policy(at.policies), game.follower_discount)
    for i, own in enumerate(at.own):
        flow = system(into[i], "T")
        made[:, own] += flow[:, None] * at.policies[i]
    return made


def _cotangents(at: Linearisation, leader: LeaderValue, weights: Array | None, game: MarkovGame) -> Cotangents:
    """Return derivatives by the game's arrays: through weights of own actions, or with everybody's policy fixed."""
    arrays = at.game
    n, S, M = arrays.follower_rewards.shape
    by_rewards = np.zeros((n, S, M)) if weights is None else at.joint_weights(weights)
    own = np.broadcast_to(leader.by_reward[:, None] / n, (n, S, 1, M))
    moves = None
    if "transition" in game.commitment.changes:
        moves = transition_cotangent(at, leader, by_rewards, arrays.leader_discount)
    return Cotangents(follower_reward=by_rewards[:, :, None], leader_reward=own, transition=moves)


def equilibrium_of(
    arrays: MarkovPrimitives, *, tolerance: float = DEFAULT_TOLERANCE, start: Array | None = None
) -> Equilibrium:
    """Return the followers' equilibrium, by the solver for zero-sum games where the game is one."""
    if arrays.zero_sum:
        if start is None:
            return zero_sum_equilibrium(arrays, tolerance=tolerance)
        require_zero_sum(arrays)
    return logit_equilibrium(arrays, tolerance=tolerance, start=start)


def solve_markov(
    game: MarkovGame, x: ArrayLike, *, tolerance: float = DEFAULT_TOLERANCE, start: Array | None = None
) -> MarkovSolution:
    """Solve a game of interacting followers for one commitment; see :func:`stackelberg_envs.solve`.

    Parameters
    ----------
    game
        The game.
    x
        The commitment.
    tolerance
        Largest residual of the equilibrium, in units of the temperature.
    start
        ``solution.equilibrium.q`` of a nearby commitment, to save the path from high temperatures. Where there are
        several equilibria it may lead to another than the principal one.

    Raises
    ------
    CommitmentError
        x lies outside its space.
    ConvergenceError
        No equilibrium was found; the message has the residual.
    """
    committed = game.under(x)
    arrays = committed.arrays
    found = equilibrium_of(arrays, tolerance=tolerance, start=start)
    leader = evaluate_joint(arrays, found.policies, arrays.leader_reward, arrays.leader_discount)
    return MarkovSolution(game, committed.commitment, arrays, found, leader)
