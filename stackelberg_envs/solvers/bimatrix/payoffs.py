"""Payoffs of two players, checked at the door and brought to one scale."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from stackelberg_envs.arrays import Array, as_float, require_rows_sum_to_one, require_shape
from stackelberg_envs.errors import GameError

__all__ = ["TIE", "Payoffs", "checked_payoffs", "checked_table", "checked_tables"]

#: Payoffs that differ by less than this part of their range are the same.
TIE = 1e-8


class Payoffs(NamedTuple):
    """Payoffs in parts of their range, so that tolerances mean the same in every game.

    Attributes
    ----------
    leader, follower
        In [0, 1], shape (K, A, B): by the follower's type, the leader's action, the follower's action. The follower's
        are scaled type by type, which changes no choice.
    prior
        Of the types, shape (K,).
    lowest, width
        What 0 and 1 of the leader's stand for: lowest, and lowest + width.
    follower_lowest, follower_width
        The same of each type, shape (K,).
    """

    leader: Array
    follower: Array
    prior: Array
    lowest: float
    width: float
    follower_lowest: Array
    follower_width: Array


def checked_payoffs(leader_payoff: ArrayLike, follower_payoff: ArrayLike, prior: ArrayLike | None = None) -> Payoffs:
    """Return both players' payoffs of one shape and scale.

    Parameters
    ----------
    leader_payoff, follower_payoff
        Shape (A, B), or by type (K, A, B); reward units.
    prior
        Of the types, shape (K,). None: there is one type.

    Raises
    ------
    GameError
        Shapes that do not fit, entries that are no finite numbers, a prior that does not sum to one.
    """
    leader, follower, weights = checked_tables(leader_payoff, follower_payoff, prior)
    lowest, width = leader.min(), _width(leader.max() - leader.min())
    own_lowest = follower.min(axis=(1, 2))
    own_width = _width(follower.max(axis=(1, 2)) - own_lowest)
    return Payoffs(
        leader=(leader - lowest) / width,
        follower=(follower - own_lowest[:, None, None]) / own_width[:, None, None],
        prior=weights,
        lowest=float(lowest),
        width=float(width),
        follower_lowest=own_lowest,
        follower_width=own_width,
    )


def checked_tables(
    leader_payoff: ArrayLike, follower_payoff: ArrayLike, prior: ArrayLike | None
) -> tuple[Array, Array, Array]:
    """Return both players' payoffs as they are, shape (K, A, B), and the prior, shape (K,); see `checked_payoffs`."""
    weights = np.ones(1) if prior is None else as_float(prior, "prior")
    if weights.ndim != 1 or not weights.size:
        raise GameError(f"prior: expected a probability of each type, shape (K,), got shape {weights.shape}")
    weights = require_rows_sum_to_one(weights, "prior", axes=())
    leader = _by_type(leader_payoff, "leader_payoff", len(weights), told=prior is not None)
    follower = _by_type(follower_payoff, "follower_payoff", len(weights), told=prior is not None)
    require_shape(follower[0], [leader.shape[1:]], "follower_payoff")
    return leader, follower, weights


def checked_table(payoff: ArrayLike, name: str) -> Array:
    """Return one player's payoffs, shape (A, B).

    Raises
    ------
    GameError
        Another shape, or entries that are no finite numbers.
    """
    table = as_float(payoff, name)
    if table.ndim != 2 or not table.size:
        raise GameError(f"{name}: expected shape (A, B), leader actions by follower actions, got {table.shape}")
    return table


def _by_type(payoff: ArrayLike, name: str, types: int, *, told: bool) -> Array:
    if not told:
        return checked_table(payoff, name)[None]
    table = as_float(payoff, name)
    if table.ndim not in (2, 3) or not table.size or (table.ndim == 3 and len(table) != types):
        raise GameError(f"{name}: expected shape (A, B), or ({types}, A, B) by type, got {table.shape}")
    return np.broadcast_to(table, (types, *table.shape[-2:]))


def _width(spread: Array) -> Array:
    """Return the range that payoffs are divided by; where all are the same, 1."""
    return np.where(spread > 0, spread, 1.0)
