"""The networks of toll routing, and the check of one that a user gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.arrays import LARGEST, Array, as_float, as_integers, first_index, frozen, require_positive
from stackelberg_envs.envs.toll_routing import sioux_falls as data
from stackelberg_envs.errors import ConvergenceError, GameError
from stackelberg_envs.solvers.equilibrium.congestion import Network, best_times, traffic_equilibrium

__all__ = ["KNOWN", "checked_network", "named_network", "towards_destinations"]

KNOWN = ("pigou", "braess", "sioux_falls")
#: What a user's network is made of.
ENTRIES = ("tails", "heads", "base", "slope", "power", "demand")


def named_network(name: str, power: float) -> tuple[Network, tuple[str, ...]]:
    """Return a network by its name, and the names of its nodes.

    Raises
    ------
    GameError
        A name that is not known.
    """
    if name == "pigou":
        power = require_positive(power, "power")
        return _network([0, 0], [1, 1], [1.0, 0.0], [0.0, 1.0], [1.0, power], [[0.0, 1.0], [0.0, 0.0]]), ("s", "t")
    if name == "braess":
        # s to a and b to t congest, the others take 1 and the short cut from a to b nothing.
        demand = np.zeros((4, 4))
        demand[0, 3] = 1.0
        fixed, rising = [0.0, 1.0, 1.0, 0.0, 0.0], [1.0, 0.0, 0.0, 1.0, 0.0]
        return _network([0, 0, 1, 2, 1], [1, 2, 3, 3, 2], fixed, rising, np.ones(5), demand), ("s", "a", "b", "t")
    if name == "sioux_falls":
        rows = np.array([line.split() for line in data.LINKS.split("\n") if line], dtype=np.float64)
        ends, capacity, free = rows[:, :2].astype(np.int64) - 1, rows[:, 2], rows[:, 3]
        trips = 100.0 * np.array([line.split() for line in data.TRIPS.split("\n") if line], dtype=np.float64)
        slope = 0.15 * free / capacity**4
        return _network(ends[:, 0], ends[:, 1], free, slope, np.full(len(free), 4.0), trips), tuple(
            map(str, range(1, 25))
        )
    raise GameError(f"network: expected one of {', '.join(KNOWN)}, or a dict with {', '.join(ENTRIES)}; got {name!r}")


def checked_network(given: Mapping[str, Any]) -> Network:
    """Return a user's network.

    Parameters
    ----------
    given
        ``tails`` and ``heads``, nodes as numbers from 0, ``base``, ``slope`` and ``power`` of each link, whose latency
        is base + slope flow^power, and ``demand``, the trips from each node (rows) to each node (columns).

    Raises
    ------
    GameError
        Entries that are missing or not known, a demand that is not square, links to nodes that do not exist, latencies
        that are negative or fall, or trips for which there is no way; the message names the place.
    """
    if set(given) != set(ENTRIES):
        raise GameError(
            f"network: expected a dict with {', '.join(ENTRIES)}, got {', '.join(map(str, given)) or 'none'}"
        )
    demand = as_float(given["demand"], "network: demand")
    if demand.ndim != 2 or demand.shape[0] != demand.shape[1]:
        raise GameError(f"network: demand: expected a square matrix, nodes by nodes, got shape {demand.shape}")
    ends = {name: as_integers(given[name], f"network: {name}") for name in ("tails", "heads")}
    numbers = {name: as_float(given[name], f"network: {name}") for name in ("base", "slope", "power")}
    E = ends["tails"].shape if ends["tails"].ndim == 1 else (ends["tails"].size,)
    arrays: dict[str, NDArray[Any]] = {**ends, **numbers}
    for name, array in arrays.items():
        if array.shape != E or array.ndim != 1 or not len(array):
            raise GameError(f"network: {name}: expected one number for each link, shape {E}, got shape {array.shape}")
        bad = (array < 0) | (array >= len(demand)) if name in ends else array < 0
        if bad.any():
            link = first_index(bad)[0]
            wanted = f"nodes in 0..{len(demand) - 1}" if name in ends else "numbers of at least 0"
            where = f"link {link} ({ends['tails'][link]} to {ends['heads'][link]})"
            raise GameError(f"network: {name}: expected {wanted}, got {array[link]} of {where}")
    if (demand < 0).any():
        u, v = first_index(demand < 0)
        raise GameError(f"network: demand: expected numbers of at least 0, got {demand[u, v]} from {u} to {v}")
    if not (demand - np.diag(np.diag(demand))).any():
        raise GameError("network: demand: expected trips between two nodes, got none")
    return _network(**arrays, demand=demand)


def _network(tails: Any, heads: Any, base: Any, slope: Any, power: Any, demand: Any) -> Network:
    """Return a network on which every trip is possible; who is there already does not travel."""
    demand = np.asarray(demand, dtype=np.float64).copy()
    np.fill_diagonal(demand, 0.0)
    with np.errstate(over="ignore"):
        slowest = np.asarray(base) + np.asarray(slope) * demand.sum() ** np.asarray(power)
    if not (slowest < LARGEST).all():
        link = first_index(np.asarray(~(slowest < LARGEST)))[0]
        raise GameError(
            f"network: expected latencies below {LARGEST:g} with all traffic, {demand.sum():g}, on one link, got "
            f"{slowest[link]:g} of link {link} ({tails[link]} to {heads[link]})"
        )
    goals = np.flatnonzero(demand.sum(axis=0) > 0.0)
    made = Network(
        tails=frozen(np.asarray(tails, dtype=np.int32)),
        heads=frozen(np.asarray(heads, dtype=np.int32)),
        base=frozen(np.asarray(base, dtype=np.float64)),
        slope=frozen(np.asarray(slope, dtype=np.float64)),
        power=frozen(np.asarray(power, dtype=np.float64)),
        destinations=frozen(goals.astype(np.int32)),
        demand=frozen(demand[:, goals].T.copy()),
        usable=frozen(np.ones((len(goals), len(np.atleast_1d(tails))), dtype=bool)),
    )
    for d, goal in enumerate(goals):
        stranded = (made.demand[d] > 0.0) & ~_reaching(made, int(goal))
        if stranded.any():
            raise GameError(
                f"network: expected a way for every trip, but none leads from node {first_index(stranded)[0]} to {goal}"
            )
    return made


def _reaching(network: Network, goal: int) -> NDArray[np.bool_]:
    """Return from which nodes a way leads to a goal, shape (S,)."""
    made: NDArray[np.bool_] = np.arange(network.num_nodes) == goal
    for _ in range(network.num_nodes):
        made[network.tails[made[network.heads]]] = True
    return made


def towards_destinations(network: Network, temperature: float) -> Network:
    """Return the network on which travellers take links only that lead towards their destination.

    Towards means: to a node that is nearer in the times of the equilibrium without tolls, in which every link may be
    taken; or to one that is as near, where the link takes no time, and fewer links away. Where no traveller to a
    destination can drive in circles anyway, all links lead towards it.
    """
    usable = np.ones_like(network.usable)
    for d, goal in enumerate(network.destinations):
        usable[d] = (network.tails != goal) & _reaching(network, int(goal))[network.heads]
    circles = [d for d in range(len(usable)) if not _is_acyclic(network, usable[d])]
    if circles:
        distances = _distances_at_rest(network, temperature)
        for d in circles:
            ahead, here = distances[d, network.heads], distances[d, network.tails]
            # A link that takes no time leads to a node that is as near; without it somebody may have no way at all.
            left = _links_left(network, int(network.destinations[d]), usable[d] & (ahead <= here))
            usable[d] &= (ahead < here) | ((ahead == here) & (left[network.heads] < left[network.tails]))
    return replace(network, usable=frozen(usable))


def _links_left(network: Network, goal: int, usable: NDArray[np.bool_]) -> Array:
    """Return over how many usable links the goal is reached from each node, shape (S,); infinite where it is not."""
    left = np.where(np.arange(network.num_nodes) == goal, 0.0, np.inf)
    for _ in range(network.num_nodes):
        np.minimum.at(left, network.tails[usable], left[network.heads[usable]] + 1.0)
    return left


def _is_acyclic(network: Network, usable: NDArray[np.bool_]) -> bool:
    """Whether no walk over usable links comes back: nodes without a usable link that leads to them are taken away."""
    left = usable.copy()
    for _ in range(network.num_nodes):
        reached = np.bincount(network.heads[left], minlength=network.num_nodes) > 0
        left &= reached[network.tails]
    return not left.any()


def _distances_at_rest(network: Network, temperature: float) -> Array:
    """Return the times of the best ways to each destination in the equilibrium without tolls, shape (D, S)."""
    for _ in range(60):
        try:
            found = traffic_equilibrium(network, np.zeros(len(network.tails)), temperature)
        except ConvergenceError:  # so warm that travellers drive in circles
            temperature /= 2.0
            continue
        return best_times(network, found.latencies)
    for link in np.flatnonzero(network.base == 0.0):
        start, end = int(network.tails[link]), int(network.heads[link])
        free = replace(network, tails=network.tails[network.base == 0.0], heads=network.heads[network.base == 0.0])
        if _reaching(free, start)[end]:
            raise GameError(
                "network: base: expected that nobody drives in circles without losing time, but on empty roads link "
                f"{link} ({start} to {end}) is part of a circle that takes none"
            )
    raise GameError("network: expected an equilibrium without tolls, found none at any temperature")
