"""The leader commits to a policy, as a table."""

from __future__ import annotations

import numpy as np

from stackelberg_envs.arrays import Array, require_count
from stackelberg_envs.errors import GameError
from stackelberg_envs.games.commitments.base import Effect, SimplexRows, need
from stackelberg_envs.games.cotangents import Cotangents

__all__ = ["PolicyTable"]


class PolicyTable(SimplexRows):
    """The leader's policy itself: x[s, a] = f(a | s).

    Parameters
    ----------
    S, A
        Numbers of states and of leader actions.
    """

    changes = frozenset({"leader_policy"})
    always_fits = True
    affine = True

    def __init__(self, S: int, A: int) -> None:
        shape = (require_count(S, "S", error=GameError), require_count(A, "A", error=GameError))
        super().__init__(0.0, 1.0, shape)

    def effect(self, x: Array) -> Effect:
        """Return the policy."""
        return Effect(leader_policy=x)

    def vjp(self, x: Array, cotangents: Cotangents) -> Array:
        """Return dJ/df, summed over contexts."""
        return np.asarray(need(cotangents.leader_policy, "leader_policy").reshape(-1, *x.shape).sum(axis=0))

    def local(self, x: Array) -> Array | None:
        """Return the row of each state."""
        return x
