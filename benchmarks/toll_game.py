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
from stackelberg_envs.errors import ArgumentError

__all__ = ["toll_game"]

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

    @property
    def name(self) -> str:
        """Both ends, and whether it is the way round."""
        return f"{PLACES[self.start]}-{PLACES[self.end]}" + (" round" if self.action == AROUND else "")


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
    tolled = np.zeros((S, 1, actions, num_tolls))
    for number, road in enumerate(roads):
        landing[road.start, road.action], time[road.start, road.action] = road.end, road.time
        tolled[road.start, 0, road.action, number] = 1.0
    facts: dict[str, Any] = {"states": PLACES}
    if (temperature, discount) == (0.05, 0.99) and num_tolls in BEST_KNOWN:
        facts["best_known"] = BEST_KNOWN[num_tolls]
    return se.TabularGame(
        transition=np.eye(S)[landing][:, None],
        leader_reward=-CONGESTION[num_tolls] * tolled[..., CONGESTED[num_tolls]],
        follower_reward=-time[:, None],
        initial=np.eye(S)[A],
        terminal=np.eye(S)[F],
        leader_discount=discount,
        follower_discount=discount,
        temperature=temperature,
        commitment=se.Transfer(tolled, 0.0, 1.0, names=[road.name for road in roads]),
        horizon=20,
        name=f"Toll game with {num_tolls} tolls",
        facts=facts,
    )
