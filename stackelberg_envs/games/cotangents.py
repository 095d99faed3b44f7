"""Cotangents: the one form of gradients; derived in docs/explanation/mathematics.md."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Self

from stackelberg_envs.arrays import Array

__all__ = ["Cotangents", "StepCotangents"]


@dataclass(frozen=True, eq=False)
class _Entries:
    """An entry for each array that a commitment can change; one that was not computed is None, which counts as zero."""

    follower_reward: Array | None = None
    leader_reward: Array | None = None
    leader_policy: Array | None = None
    transition: Array | None = None

    def __add__(self, other: Self) -> Self:
        """Add entry by entry."""
        return type(self)(*(_add(own, vars(other)[name]) for name, own in vars(self).items()))

    def only(self, names: Collection[str]) -> Self:
        """Return the same without the entries that are not named."""
        return type(self)(**{name: entry for name, entry in vars(self).items() if name in names})


@dataclass(frozen=True, eq=False)
class Cotangents(_Entries):
    """Derivatives of the leader's value J by each array a commitment can change.

    The exact oracle and every trajectory estimator return one of these; ``commitment.vjp`` turns it into
    dJ/dx. An entry that was not computed is None. Games with contexts have a leading axis K.

    Attributes
    ----------
    follower_reward
        dJ/dr_F, shape ([K,] S, A, B).
    leader_reward
        dJ/dr_L, shape ([K,] S, A, B).
    leader_policy
        dJ/df, shape ([K,] S, A).
    transition
        dJ/dP in the layout of the game's transition: ([K,] S, A, B, N) for successor lists,
        ([K,] S, A, B, S) for a dense kernel.
    """


@dataclass(frozen=True, eq=False)
class StepCotangents(_Entries):
    """What each of T recorded steps contributes: their sum against derivatives at the steps is dJ/dx.

    ``commitment.vjp_at`` turns it into dJ/dx; in tabular games estimators sum it into :class:`Cotangents`. An entry
    that was not computed is None.

    Attributes
    ----------
    follower_reward, leader_reward
        Of d r_F and d r_L at the step, shape (T,).
    leader_policy
        Of d log f, shape (T,).
    transition
        Of d log P, shape (T,).
    """


def _add(left: Array | None, right: Array | None) -> Array | None:
    if left is None or right is None:
        return right if left is None else left
    return left + right
