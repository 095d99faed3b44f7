"""Soft value iteration: a follower that plans, to the end or for a few sweeps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.games.primitives import Primitives
from stackelberg_envs.solvers.soft import soft_best_response
from stackelberg_envs.solvers.soft.best_response import operator_of, soft_bellman_backup

from ..options import Count, Positive
from ..state import stateful
from .base import FollowerView, TableFollower, TabularFollowerConfig, barred, gibbs, register_follower

__all__ = ["SoftValueIteration", "SoftValueIterationConfig"]


@dataclass(frozen=True)
class SoftValueIterationConfig(TabularFollowerConfig):
    """Options of the planning follower.

    Attributes
    ----------
    tolerance
        Bound on the error of every probability of its policy.
    sweeps
        Plain soft Bellman sweeps over its table after each commitment; None solves to `tolerance`.
    """

    tolerance: Positive = 1e-8
    sweeps: Count | None = None


@register_follower("soft_value_iteration")
class SoftValueIteration(TableFollower):
    """Exact soft best response, or so many sweeps.

    It plans in the game as it believes it to be.

    Without `sweeps` it solves for its best response by Newton's method. It begins at its last values, or anew with
    `restart`, and ends at the same response. With `sweeps` it begins at the table of the last commitment, and at zeros
    at first or with `restart`. So it may be far from its best response: that models a follower that stops early.
    """

    Config = SoftValueIterationConfig
    serves = frozenset({"feasible actions", "discount 1"})
    state_fields = stateful.fields(_state_values=stateful.Array(lambda self: self.table_shape[:1], optional=True))

    def __init__(self, config: Any, rng: np.random.Generator) -> None:
        super().__init__(config, rng)
        self._state_values: Array | None = None

    def begin(self, view: FollowerView) -> None:
        """Start with zeros."""
        self.q = np.zeros_like(view.primitives.follower_reward)
        self._state_values = None

    def adapt(self, view: FollowerView) -> int:
        """Solve for the soft best response, or come closer to it."""
        if self.config.sweeps is not None:
            self.iterate(view, self.config.sweeps)
            return 0
        best = soft_best_response(view.primitives, tolerance=self.config.tolerance, start=self._state_values)
        self._state_values, self.policy = best.state_values, best.policy
        self.q = _finite(best.q, view.primitives)
        return 0

    def iterate(self, view: FollowerView, iterations: int) -> None:
        """Make soft Bellman sweeps: Q <- r_F + discount (1 - terminal) P sum_a f lambda logsumexp(Q / lambda)."""
        game = view.primitives
        operator, own = operator_of(game), barred(self.q, game.feasible)
        ahead = _state_values(own, game.leader_policy, game.temperature)
        q, soft_values = np.empty(game.follower_reward.shape), np.empty(game.leader_policy.shape)
        for _ in range(iterations):
            out = np.empty(len(ahead))
            soft_bellman_backup(*operator, ahead, q, soft_values, out)
            ahead = out
        self.q, self.policy = _finite(q, game), gibbs(q, game.temperature)


def _finite(q: Array, game: Primitives) -> Array:
    """Return a table with zeros for actions that are not feasible: they have no value."""
    return q if game.feasible is None else np.where(game.feasible, q, 0.0)


def _state_values(q: Array, leader_policy: Array, temperature: float) -> Array:
    """Return sum_a f(a | z) lambda logsumexp_b(q / lambda), shape (Z,)."""
    top = q.max(axis=2)
    soft = top + temperature * np.log(np.exp((q - top[:, :, None]) / temperature).sum(axis=2))
    return np.asarray((leader_policy * soft).sum(axis=1))
