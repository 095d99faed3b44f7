"""A few commuters instead of a continuum: each chooses a whole route, and is a part of the traffic that all meet."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import GameError
from stackelberg_envs.games.commitments.transfer import Transfer
from stackelberg_envs.games.markov import MarkovGame
from stackelberg_envs.games.transitions import Transition
from stackelberg_envs.solvers.equilibrium.congestion import Network

__all__ = ["commuters_game", "routes"]

#: Entries of all commuters' tables, at most.
MOST_ENTRIES = 2**22


def routes(network: Network) -> Array:
    """Return which links each route from the one origin to the one destination takes, shape (routes, E).

    Raises
    ------
    GameError
        More than one origin or destination.
    """
    origins = np.argwhere(network.demand > 0.0)
    if len(origins) != 1:
        raise GameError(
            f"commuters: expected a network with one origin and one destination, got {len(origins)} pairs of them; "
            "commuters=None has a continuum of travellers on any network"
        )
    d, origin = (int(number) for number in origins[0])
    goal, found = int(network.destinations[d]), list[list[int]]()
    ahead = [(origin, list[int]())]
    while ahead:
        node, taken = ahead.pop()
        if node == goal:
            found.append(taken)
            continue
        ahead += [(int(network.heads[e]), [*taken, int(e)]) for e in _leaving(network, d, node)]
    made = np.zeros((len(found), len(network.tails)))
    for row, taken in zip(made, sorted(found), strict=True):
        row[taken] = 1.0
    return made


def _leaving(network: Network, d: int, node: int) -> NDArray[np.int64]:
    return np.flatnonzero(network.usable[d] & (network.tails == node))


def commuters_game(
    network: Network, n: int, tolled: NDArray[np.int64], max_toll: float, temperature: float, names: list[str]
) -> MarkovGame:
    """Return the game of n commuters who each carry an equal part of the traffic and choose a route at once.

    Raises
    ------
    GameError
        More than one origin or destination, or tables too large for so many commuters.
    """
    ways = routes(network)
    R = len(ways)
    if n * R**n * max(len(tolled), 1) > MOST_ENTRIES:
        raise GameError(
            f"commuters: expected tables of at most {MOST_ENTRIES} entries, got {n} commuters with {R} routes each; "
            "commuters=None has a continuum of them"
        )
    chosen = np.stack(np.meshgrid(*[np.arange(R)] * n, indexing="ij")).reshape(n, -1)
    taken = ways[chosen]  # (n, M, E)
    latencies = np.stack([network.latencies(flows) for flows in taken.mean(axis=0) * network.total])
    times = (taken * latencies).sum(axis=2)
    return MarkovGame(
        follower_rewards=-times[:, None],
        leader_reward=-times.mean(axis=0)[None],
        transition=Transition.from_dense(np.ones((1, 1, R**n, 1))),
        initial=np.ones(1),
        terminal=np.ones(1),
        leader_discount=0.0,
        follower_discount=0.0,
        temperature=temperature,
        commitment=Transfer(taken[:, None, None, :, tolled], 0.0, max_toll, share=0.0, names=names),
        horizon=1,
    )
