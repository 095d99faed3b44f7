"""Cotangents: the one currency of gradients (theory, section 4)."""

from __future__ import annotations

from dataclasses import dataclass

from stackelberg_envs.arrays import Array

__all__ = ["Cotangents"]


@dataclass(frozen=True, eq=False)
class Cotangents:
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

    follower_reward: Array | None = None
    leader_reward: Array | None = None
    leader_policy: Array | None = None
    transition: Array | None = None

    def __add__(self, other: Cotangents) -> Cotangents:
        """Add entry by entry; None counts as zero."""
        return Cotangents(
            _add(self.follower_reward, other.follower_reward),
            _add(self.leader_reward, other.leader_reward),
            _add(self.leader_policy, other.leader_policy),
            _add(self.transition, other.transition),
        )


def _add(left: Array | None, right: Array | None) -> Array | None:
    if left is None or right is None:
        return right if left is None else left
    return left + right
