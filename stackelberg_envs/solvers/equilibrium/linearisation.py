"""The soft Bellman equations of n followers and their derivative, with its inverse, at any values of their actions.

The unknown is Q, what each own action of each follower is worth, shape (S, m). One application of the map G asks: if
everybody acts by the softmax of Q, what is each action worth against the others?

    g_i = softmax(Q_i / temperature),    V_i = temperature log sum exp(Q_i / temperature),
    G(Q)_i(s, b_i) = sum over the others' b of prod_j g_j(b_j | s) [ r_i(s, b) + discount sum_s' P(s' | s, b) V_i(s') ]

Fixed points are the equilibria. The derivative is local up to what flows through the n S values: with C the effect of
the others' policies in the same state, E that of Q on V and D that of V on G, it is C + D E. So a linear system in S m
unknowns takes one inverse of an m x m block for each state, and one system in the n S values.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.games.markov_primitives import MarkovPrimitives
from stackelberg_envs.solvers.equilibrium.joint import (
    columns,
    dense_solver,
    entropies,
    expected,
    expected_pair,
    next_values,
    others,
    soft_values,
    softmax,
    sparse_solver,
)

__all__ = ["Linearisation", "action_values", "state_values"]


def state_values(game: MarkovPrimitives, q: Array, temperature: float) -> Array:
    """Return V_i(s), shape (n, S), for values of actions of shape (S, m)."""
    parts = [q[:, own] for own in columns(game.sizes)]
    made = np.stack([soft_values(part, mask, temperature) for part, mask in zip(parts, game.feasible, strict=True)])
    if game.zero_sum:
        policies = [softmax(part, mask, temperature) for part, mask in zip(parts, game.feasible, strict=True)]
        made -= temperature * np.stack([entropies(policy) for policy in policies])[::-1]
    return made


def action_values(game: MarkovPrimitives, payoffs: Array, policies: list[Array]) -> Array:
    """Return what each own action is worth against the others, shape (S, m), by payoffs u_i(s, b), shape (n, S, M)."""
    return np.concatenate([expected(payoff, policies, i) for i, payoff in enumerate(payoffs)], axis=1)


class Linearisation:
    """The map G and the inverse of I - G' at one Q.

    Parameters
    ----------
    game
        The game.
    q
        Values of actions, shape (S, m).
    temperature
        May differ from the game's: paths of equilibria go through other temperatures.

    Attributes
    ----------
    policies
        g_i, each of shape (S, B_i).
    values
        V_i(s), shape (n, S).
    payoffs
        u_i(s, b), what a joint action is worth to each follower, shape (n, S, M).
    image
        G(Q), shape (S, m).
    residual
        G(Q) - Q on feasible actions, 0 on others; shape (S, m).
    """

    def __init__(self, game: MarkovPrimitives, q: Array, temperature: float) -> None:
        self.game, self.q, self.temperature = game, q, temperature
        self.own = columns(game.sizes)
        self.policies = [
            softmax(q[:, own], mask, temperature) for own, mask in zip(self.own, game.feasible, strict=True)
        ]
        self.values = state_values(game, q, temperature)
        self.payoffs = game.follower_rewards + game.follower_discount * next_values(game, self.values)
        self.image = action_values(game, self.payoffs, self.policies)
        self.residual = np.where(np.concatenate(game.feasible, axis=1), self.image - q, 0.0)

    @cached_property
    def _coupling(self) -> Array:
        """C, what the others' values of actions do in the same state, shape (S, m, m)."""
        S, m = self.q.shape
        made = np.zeros((S, m, m))
        for i, payoff in enumerate(self.payoffs):
            for j, policy in enumerate(self.policies):
                if i != j:
                    pair = expected_pair(payoff, self.policies, i, j)
                    centred = pair - self.image[:, self.own[i], None]
                    made[:, self.own[i], self.own[j]] = policy[:, None, :] * centred / self.temperature
        return made

    @cached_property
    def _by_values(self) -> Array:
        """E, what values of actions do to the values of states, shape (S, n, m)."""
        made = np.zeros((len(self.q), self.game.num_followers, self.q.shape[1]))
        for i, (own, policy) in enumerate(zip(self.own, self.policies, strict=True)):
            made[:, i, own] = policy
            if self.game.zero_sum:  # the entropy of the other, which is lost
                centred = self.q[:, own] - (policy * self.q[:, own]).sum(axis=1, keepdims=True)
                made[:, 1 - i, own] = policy * centred / self.temperature
        return made

    @cached_property
    def _inverse(self) -> Array:
        """(I - C)^-1 of each state, shape (S, m, m)."""
        made: Array = np.asarray(np.linalg.inv(np.eye(self.q.shape[1]) - self._coupling), dtype=np.float64)
        return made

    @cached_property
    def _own_weights(self) -> Array:
        """E (I - C)^-1, shape (S, n, m)."""
        made: Array = self._by_values @ self._inverse
        return made

    @cached_property
    def _system(self) -> Any:
        """A solver of (I - K) v = a and of its transpose, K the effect of all values on all values."""
        weights = self._flow_weights
        if isinstance(self.game.kernel, np.ndarray):
            flows = self.game.follower_discount * _dense_flows(weights, self.game.kernel)
            return dense_solver(np.eye(len(flows)) - flows)
        from scipy.sparse import block_array, eye_array

        blocks = self._flows(weights)
        return sparse_solver(eye_array(self.values.size) - block_array(blocks))

    @property
    def _flow_weights(self) -> Array:
        """How much V of what follows a joint action counts, by whose V moves and whose V follows: (n, n, S, M)."""
        game, n = self.game, self.game.num_followers
        S = game.num_states
        made = np.empty((n, n, S, game.num_joint))
        for j in range(n):
            shape = [S, *[1] * n]
            shape[1 + j] = game.sizes[j]
            beside = others(self.policies, j)
            for i in range(n):
                weights = self._own_weights[:, i, self.own[j]].reshape(shape) * beside
                made[i, j] = weights.reshape(S, -1)
        return made

    def _flows(self, weights: Array) -> list[list[Any]]:
        """Return the blocks K_ij, sparse of shape (S, S): what V_j of the next states does to V_i."""
        from scipy.sparse import csr_array

        S, M = weights.shape[2:]
        starts = np.arange(0, S * M + 1, M)

        def block(each: Array) -> Any:
            spread = csr_array((each.ravel(), np.arange(S * M), starts), shape=(S, S * M))
            return self.game.follower_discount * (spread @ self.game.kernel)

        return [[block(each) for each in row] for row in weights]

    def through_values(self, values: Array) -> Array:
        """Return D values, what values of states (n, S) do to those of actions, shape (S, m)."""
        ahead = self.game.follower_discount * next_values(self.game, values)
        return action_values(self.game, ahead, self.policies)

    def back_to_values(self, weights: Array) -> Array:
        """Return D^T weights: what flows into the values of states from weights of own actions, shape (n, S)."""
        game = self.game
        S = game.num_states
        made = np.empty((game.num_followers, S))
        for i, joint in enumerate(self.joint_weights(weights)):
            made[i] = game.follower_discount * (joint.reshape(-1) @ game.kernel)
        return made

    def joint_weights(self, weights: Array) -> Array:
        """Return weights of own actions (S, m) times what the others do, shape (n, S, M)."""
        game, n = self.game, self.game.num_followers
        made = np.empty((n, game.num_states, game.num_joint))
        for i, own in enumerate(self.own):
            shape = [game.num_states, *[1] * n]
            shape[1 + i] = game.sizes[i]
            made[i] = (weights[:, own].reshape(shape) * others(self.policies, i)).reshape(game.num_states, -1)
        return made

    def solve(self, right: Array) -> Array:
        """Return (I - G')^-1 right, shape (S, m)."""
        start = np.einsum("snm,sm->ns", self._own_weights, right)
        values = self._system(start.ravel(), "N").reshape(start.shape)
        made: Array = np.einsum("smk,sk->sm", self._inverse, right + self.through_values(values))
        return made

    def solve_transposed(self, right: Array) -> Array:
        """Return (I - G')^-T right, shape (S, m)."""
        local = np.einsum("skm,sk->sm", self._inverse, right)
        into = self.back_to_values(local)
        flows = self._system(into.ravel(), "T").reshape(into.shape)
        back = right + np.einsum("snm,ns->sm", self._by_values, flows)
        made: Array = np.einsum("skm,sk->sm", self._inverse, back)
        return made

    @cached_property
    def by_log_temperature(self) -> Array:
        """The derivative of G by the logarithm of the temperature at this Q, shape (S, m)."""
        through_policies: Array = -np.einsum("smk,sk->sm", self._coupling, self.q)
        values = self.values - np.einsum("snm,sm->ns", self._by_values, self.q)
        return through_policies + self.through_values(values)

    def dense(self) -> Array:
        """Return G' as a matrix, shape (S m, S m), for small games: column by column."""
        size = self.q.size
        made = np.empty((size, size))
        for column in range(size):
            unit = np.zeros(size)
            unit[column] = 1.0
            at = unit.reshape(self.q.shape)
            values = np.einsum("snm,sm->ns", self._by_values, at)
            made[:, column] = (np.einsum("smk,sk->sm", self._coupling, at) + self.through_values(values)).ravel()
        return made


def _dense_flows(weights: Array, kernel: Array) -> Array:
    """Return K, shape (n S, n S), for weights (n, n, S, M) and a kernel (S M, S)."""
    n, _, S, M = weights.shape
    by_state = weights.reshape(n * n, S, M).transpose(1, 0, 2) @ kernel.reshape(S, M, S)
    made: Array = by_state.reshape(S, n, n, S).transpose(1, 0, 2, 3).reshape(n * S, n * S)
    return made
