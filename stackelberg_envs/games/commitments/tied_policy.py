"""The leader commits to a policy that is the same in all states that it cannot, or does not, tell apart."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from stackelberg_envs.arrays import Array, as_integers, first_index, frozen, require_count
from stackelberg_envs.errors import GameError
from stackelberg_envs.games.commitments.base import Effect, SimplexRows, need
from stackelberg_envs.games.cotangents import Cotangents

__all__ = ["IDLE", "TiedPolicy"]

#: Of a state in which the leader does not act.
IDLE = -1


class TiedPolicy(SimplexRows):
    """A row of probabilities for each class of states: f(a | s) = x[classes[s], a].

    What the leader sees of a state is its class: an observation, what it remembers, or nothing at all.

    Parameters
    ----------
    classes
        The class of each state, shape (S,): 0, 1, ..., or -1 where the leader does not act. It plays action 0 there,
        whatever x is.
    A
        Number of leader actions.

    Raises
    ------
    GameError
        Classes that are no such numbers, or of which one has no state; the message says which.

    Examples
    --------
    One distribution over two actions for all of three states.

    >>> import numpy as np, stackelberg_envs as se
    >>> blind = se.TiedPolicy([0, 0, 0], 2)
    >>> blind.effect(np.array([[0.25, 0.75]])).leader_policy.tolist()
    [[0.25, 0.75], [0.25, 0.75], [0.25, 0.75]]
    """

    changes = frozenset({"leader_policy"})
    always_fits = True
    affine = True

    def __init__(self, classes: ArrayLike, A: int) -> None:
        self.classes = frozen(_checked_classes(classes))
        super().__init__(0.0, 1.0, (int(self.classes.max()) + 1, require_count(A, "A", error=GameError)))

    def effect(self, x: Array) -> Effect:
        """Return the policy of each state."""
        policy = x[self.classes]
        policy[self.classes == IDLE] = np.eye(x.shape[1])[0]
        return Effect(leader_policy=policy)

    def vjp(self, x: Array, cotangents: Cotangents) -> Array:
        """Return dJ/df, summed over contexts and over the states of each class."""
        by_state = (
            need(cotangents.leader_policy, "leader_policy").reshape(-1, len(self.classes), x.shape[1]).sum(axis=0)
        )
        acting = self.classes != IDLE
        out = np.zeros(x.shape)
        np.add.at(out, self.classes[acting], by_state[acting])
        return out


def _checked_classes(classes: ArrayLike) -> np.ndarray:
    numbers = as_integers(classes, "classes")
    if numbers.ndim != 1 or not numbers.size:
        raise GameError(f"classes: expected a class of each state, shape (S,), got shape {numbers.shape}")
    below = numbers < IDLE
    if below.any():
        where = first_index(below)
        raise GameError(f"classes: expected 0, 1, ... or {IDLE}, got {numbers[where]} at state {where[0]}")
    used = np.unique(numbers[numbers != IDLE])
    gaps = np.flatnonzero(used != np.arange(len(used)))
    if gaps.size or not used.size:
        raise GameError(f"classes: expected a state of each class, got none of class {gaps[0] if gaps.size else 0}")
    return numbers
