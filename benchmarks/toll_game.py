"""A toll game: a commuter on the way from A to F pays travel time plus tolls, and the leader sets the tolls.

From B on there are two ways: ``B - F``, which is quick and congested, and ``B - C - D - E - F``, which is free of
congestion. From every place one may also walk to F, or wait. At middling tolls nobody takes the way round, so the
leader sees nothing of it and earns most, nearby, by raising the tolls of the quick way; it earns more by making the way
round attractive. Importing ``benchmarks.games`` registers it as ``benchmarks/TollGame-v0``.

Optima are by ``scipy.optimize.differential_evolution`` over ``stackelberg_envs.solve``.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

import stackelberg_envs as se
from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import ArgumentError
from stackelberg_envs.games.commitments.base import need
from stackelberg_envs.games.cotangents import Cotangents

__all__ = ["Tolls", "toll_game"]

PLACES = ("A", "B", "C", "D", "E", "F")
A, B, C, D, E, F = range(6)
#: What a commuter may do: take the road on or, where there is one, the way round, else wait; or walk to F.
ON, AROUND, WALK = range(3)


class Road(NamedTuple):
    """A road with a toll: from where, by which action, to where, in how much time."""

    start: int
    action: int
    end: int
    time: float


#: Number of tolls -> the roads that have one.
ROADS = {
    2: (Road(A, ON, F, 0.4), Road(A, AROUND, F, 0.9)),
    6: (
        Road(A, ON, B, 0.4),
        Road(B, ON, F, 0.4),
        Road(B, AROUND, C, 0.1125),
        Road(C, ON, D, 0.1125),
        Road(D, ON, E, 0.1125),
        Road(E, ON, F, 0.1125),
    ),
}
#: Time of the footpath from each place to F.
FOOTPATHS = (2.6, 2.4, 2.3, 2.2, 2.1, 0.0)
#: The road whose congestion the leader answers for: the last of the quick way.
CONGESTED = {2: 0, 6: 1}
CONGESTION = {2: 0.8, 6: 0.22}
#: Time that a commuter loses by waiting.
WAITING = 0.5
#: Number of tolls -> best known J.
BEST_KNOWN = {2: 0.384672068, 6: 1.539123467}


class Tolls(se.Commitment):
    """Tolls on roads: the commuter pays them and the leader earns them.

    Parameters
    ----------
    where
        Of each toll, the state and the action that it is paid at, shape (D, S, A, B).
    """

    changes = frozenset({"follower_reward", "leader_reward"})
    always_fits = True
    affine = True

    def __init__(self, where: Array) -> None:
        super().__init__(0.0, 1.0, (len(where),))
        self.where = where

    def effect(self, x: Array) -> se.Effect:
        """Move the tolls from one to the other."""
        paid = np.tensordot(x, self.where, axes=1)
        return se.Effect(follower_reward=-paid, leader_reward=paid)

    def vjp(self, x: Array, cotangents: Cotangents) -> Array:
        """Return dJ/dx."""
        weights = need(cotangents.leader_reward, "leader_reward") - need(cotangents.follower_reward, "follower_reward")
        return np.asarray((self.where * weights).sum(axis=(1, 2, 3)))


def toll_game(num_tolls: int = 6, *, temperature: float = 0.05, discount: float = 0.99) -> se.TabularGame:
    """Return the toll game with six tolls, or a small one with two: two roads from A to F and the footpath.

    Parameters
    ----------
    num_tolls
        2 or 6.
    temperature
        Of the commuter, in units of time.
    discount
        Of both sides, per road.

    Raises
    ------
    ArgumentError
        Another number of tolls.
    """
    if num_tolls not in ROADS:
        raise ArgumentError(f"num_tolls: expected one of {sorted(ROADS)}, got {num_tolls!r}")
    roads = ROADS[num_tolls]
    S, actions = len(PLACES), 3
    landing = np.tile(np.arange(S)[:, None], (1, actions))
    time = np.full((S, actions), WAITING)
    landing[:F, WALK], time[:, WALK] = F, FOOTPATHS
    time[F] = 0.0
    where = np.zeros((num_tolls, S, 1, actions))
    for number, road in enumerate(roads):
        landing[road.start, road.action], time[road.start, road.action] = road.end, road.time
        where[number, road.start, 0, road.action] = 1.0
    facts: dict[str, Any] = {"states": PLACES}
    if (temperature, discount) == (0.05, 0.99) and num_tolls in BEST_KNOWN:
        facts["best_known"] = BEST_KNOWN[num_tolls]
    return se.TabularGame(
        transition=np.eye(S)[landing][:, None],
        leader_reward=-CONGESTION[num_tolls] * where[CONGESTED[num_tolls]],
        follower_reward=-time[:, None],
        initial=np.eye(S)[A],
        terminal=np.eye(S)[F],
        leader_discount=discount,
        follower_discount=discount,
        temperature=temperature,
        commitment=Tolls(where),
        horizon=20,
        name=f"Toll game with {num_tolls} tolls",
        facts=facts,
    )
