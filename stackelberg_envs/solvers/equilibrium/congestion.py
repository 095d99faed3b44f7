"""Traffic that nobody can leave with gain: the logit equilibrium of travellers on a network whose links congest.

A continuum of travellers goes from origins to destinations. At a node a traveller takes link e with probability
p(e) = softmax of (-cost(e) + v(head of e)) / temperature, where v is the log-sum of what is ahead (recursive logit: the
logit over all routes, without a list of them). The cost of a link is its latency at the flow on it, and its toll:

    latency(flow) = base + slope flow^power.

Flows that lead to the costs that lead to these flows are the stochastic user equilibrium. Latencies do not fall, so it
is the minimum of a strictly convex function and the only one, at every temperature; as the temperature falls it comes
to the user equilibrium of Wardrop. Newton's method works in the space of link flows: its matrix is I + H T, where T has
the slopes of the latencies on its diagonal and H, minus the derivative of the flows by the costs, is symmetric.

Letters: S nodes, E links, D destinations.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array, IntArray
from stackelberg_envs.errors import ConvergenceError

__all__ = ["Loading", "Network", "Traffic", "best_times", "load", "traffic_equilibrium"]

#: The residual at which Newton's method stops, in units of all traffic; rounding leaves about 1e-15 of it.
DEFAULT_TOLERANCE = 1e-12
NEWTON_STEPS = 50
HALVINGS = 30
#: Where Newton's method is stuck, the temperature is raised by this factor, and solved for on the way down.
WARMER = 4.0
MOST_WARMER = 12
#: Flows below this count as none where a slope is asked for that has no bound at 0.
NOBODY = 1e-200


@dataclass(frozen=True, eq=False)
class Network:
    """A network, its latencies and its travellers.

    Attributes
    ----------
    tails, heads
        Nodes that each link leads from and to, shape (E,).
    base, slope, power
        Of the latencies, shape (E,); units of time, and of traffic.
    destinations
        Nodes, shape (D,).
    demand
        Travellers from each node to each destination, shape (D, S).
    usable
        Which links travellers to each destination may take, shape (D, E).
    """

    tails: IntArray
    heads: IntArray
    base: Array
    slope: Array
    power: Array
    destinations: IntArray
    demand: Array
    usable: NDArray[np.bool_]

    @property
    def num_nodes(self) -> int:
        """The number S of nodes."""
        return int(self.demand.shape[1])

    @cached_property
    def total(self) -> float:
        """All travellers."""
        return float(self.demand.sum())

    def latencies(self, flows: Array) -> Array:
        """Return the latency of each link, shape (E,)."""
        made: Array = self.base + self.slope * np.maximum(flows, 0.0) ** self.power
        return made

    def latency_slopes(self, flows: Array) -> Array:
        """Return the derivative of each latency by its flow, shape (E,).

        Powers below one rise without end at flow 0; there it is 0, as nobody is there whom it could move.
        """
        rising = (self.slope * self.power > 0.0) & ((self.power >= 1.0) | (flows > NOBODY))
        powered = np.where(rising, np.maximum(flows, 0.0), 1.0) ** (self.power - 1.0)
        made: Array = np.where(rising, self.slope * self.power * powered, 0.0)
        return made

    @cached_property
    def _leaving(self) -> Array:
        """1 where a link leaves a node, shape (S, E)."""
        made: Array = (np.arange(self.num_nodes)[:, None] == self.tails).astype(np.float64)
        return made

    def into_matrices(self, weights: Array) -> Array:
        """Return the sum of link weights (D, E) by their nodes, shape (D, S, S)."""
        D, S = self.demand.shape
        made = np.zeros((D, S, S))
        where: Any = slice(None), self.tails, self.heads
        np.add.at(made, where, weights)
        return made


@dataclass(frozen=True, eq=False)
class Loading:
    """The traffic of travellers who choose by given costs.

    Attributes
    ----------
    flows
        Of each link, shape (E,).
    by_destination
        The same for the travellers to each destination, shape (D, E).
    probabilities
        That who goes to a destination takes the link, at its tail, shape (D, E).
    values
        v(s) of each node and destination, entropy included, minus infinity where no way leads; shape (D, S).
    """

    network: Network
    temperature: float
    flows: Array
    by_destination: Array
    probabilities: Array
    values: Array

    @cached_property
    def sensitivity(self) -> Array:
        """H, minus the derivative of the flows by the costs, symmetric and nowhere negative, shape (E, E)."""
        network = self.network
        D, E = self.probabilities.shape
        system = np.eye(network.num_nodes) - network.into_matrices(self.probabilities)
        visits = np.linalg.inv(system)
        # What a unit of cost on each link does to the advantage of each link over its node: minus this matrix.
        ahead = visits[:, network.heads] - visits[:, network.tails]
        made = np.eye(E) + ahead[:, :, network.tails] * self.probabilities[:, None, :]
        rows = (made * np.sqrt(self.by_destination / self.temperature)[:, :, None]).reshape(D * E, E)
        return np.asarray(rows.T @ rows)


@dataclass(frozen=True, eq=False)
class Traffic:
    """A stochastic user equilibrium.

    Attributes
    ----------
    loading
        The traffic.
    latencies
        At the equilibrium flows, shape (E,).
    residual
        The largest difference between the flows and those that their costs lead to, as a part of all traffic.
    steps
        Steps of Newton's method.
    """

    loading: Loading
    latencies: Array
    residual: float
    steps: int

    @property
    def flows(self) -> Array:
        """Of each link, shape (E,)."""
        return self.loading.flows

    @property
    def total_time(self) -> float:
        """What all travellers together spend, without tolls: flow times latency, summed."""
        return float(self.flows @ self.latencies)

    @cached_property
    def _slopes(self) -> Array:
        return self.loading.network.latency_slopes(self.flows)

    def latency_vjp(self, weights: Array) -> Array:
        """Return the derivative by the tolls of latencies that are weighted with (E,), shape (E,).

        The implicit one: of the equilibrium, not of the flows at fixed costs.
        """
        return self.flow_vjp(self._slopes * weights)

    def flow_vjp(self, weights: Array) -> Array:
        """Return the derivative by the tolls of flows that are weighted with (E,), shape (E,)."""
        by_cost = self.loading.sensitivity
        system = np.eye(len(weights)) + self._slopes[:, None] * by_cost
        return np.asarray(-by_cost @ np.linalg.solve(system, weights))

    @property
    def total_time_gradient(self) -> Array:
        """The derivative of `total_time` by the tolls, shape (E,)."""
        return self.flow_vjp(self.latencies + self.flows * self._slopes)


def load(network: Network, costs: Array, temperature: float) -> Loading:
    """Return the traffic at given costs of links, shape (E,).

    Raises
    ------
    ConvergenceError
        At this temperature detours without end are worth more than they cost: the sum over routes is infinite.
    """
    D, S = network.demand.shape
    everyone = np.arange(D)
    distances = best_times(network, costs)
    ahead, here = distances[:, network.heads], distances[:, network.tails]
    usable = network.usable & np.isfinite(ahead)
    # In units of the best route every weight is at most one, however low the temperature is.
    excess = np.where(usable, costs + np.where(usable, ahead, 0.0) - np.where(usable, here, 0.0), 0.0)
    weights = np.where(usable, np.exp(-np.maximum(excess, 0.0) / temperature), 0.0)
    unit = np.zeros((D, S, 1))
    unit[everyone, network.destinations] = 1.0
    system = np.eye(S) - network.into_matrices(weights)
    try:
        sums = np.linalg.solve(system, unit)[..., 0]
    except np.linalg.LinAlgError:
        sums = np.full((D, S), -1.0)
    reached = np.isfinite(distances)
    if not (sums[reached] > 0.5).all():  # the best route alone has weight one
        raise ConvergenceError(
            f"temperature: at {temperature:.6g} a traveller gains by driving in circles, so the sum over routes has no "
            "end; lower the temperature, or let links lead towards destinations only"
        )
    sums = np.where(reached, sums, 1.0)
    probabilities = weights * sums[:, network.heads] / sums[:, network.tails]
    back = np.swapaxes(np.eye(S) - network.into_matrices(probabilities), 1, 2)
    nodes = np.linalg.solve(back, network.demand[..., None])[..., 0]
    by_destination = np.maximum(nodes[:, network.tails], 0.0) * probabilities
    values = temperature * np.log(sums) - distances
    return Loading(network, temperature, by_destination.sum(axis=0), by_destination, probabilities, values)


def best_times(network: Network, costs: Array) -> Array:
    """Return the cost of the best route from each node to each destination, shape (D, S); infinite where none leads."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import dijkstra

    S = network.num_nodes
    made = np.full(network.demand.shape, np.inf)
    # Mostly all may take the same links: one search serves all destinations.
    shared = bool((network.usable == network.usable[:1]).all())
    for d in range(1 if shared else len(made)):
        links = network.usable[d]
        best = np.full((S, S), np.inf)
        np.minimum.at(best, (network.heads[links], network.tails[links]), costs[links])
        kept = np.isfinite(best)
        # A link that costs nothing is still a link: sparse matrices would lose it.
        graph = csr_array((np.maximum(best[kept], 1e-300), np.nonzero(kept)), shape=(S, S))
        goals = slice(None) if shared else slice(d, d + 1)
        made[goals] = dijkstra(graph, indices=network.destinations[goals])
    return made


def traffic_equilibrium(
    network: Network,
    tolls: Array,
    temperature: float,
    *,
    tolerance: float = DEFAULT_TOLERANCE,
    start: Array | None = None,
) -> Traffic:
    """Return the stochastic user equilibrium.

    Parameters
    ----------
    network
        The network.
    tolls
        In units of time, shape (E,), none negative.
    temperature
        Of the travellers, in units of time.
    tolerance
        Largest residual, as a part of all traffic.
    start
        Flows to begin with, shape (E,); default those of empty roads.

    Raises
    ------
    ConvergenceError
        It was not reached, with the residual that was left; or see :func:`load`.
    """
    made = _newton(network, tolls, temperature, tolerance, start)
    total = made.steps
    for rungs in range(1, MOST_WARMER):
        if made.residual <= tolerance:
            return Traffic(made.loading, made.latencies, made.residual, total)
        flows = None
        for rung in range(rungs, -1, -1):
            try:
                made = _newton(network, tolls, temperature * WARMER**rung, tolerance, flows)
            except ConvergenceError:  # so warm that travellers drive in circles
                continue
            flows, total = made.flows, total + made.steps
    raise ConvergenceError(
        f"traffic: expected flows that their costs lead to, but at temperature {temperature:.6g} Newton's method "
        f"stopped with a residual of {made.residual:.3g} of all traffic"
    )


def _newton(network: Network, tolls: Array, temperature: float, tolerance: float, start: Array | None) -> Traffic:
    """Return where Newton's method on the flows ends, at the tolerance or short of it."""
    flows = (
        load(network, network.latencies(np.zeros(len(tolls))) + tolls, temperature).flows if start is None else start
    )
    made, lack = _missing(network, tolls, temperature, flows)
    for step in range(NEWTON_STEPS):
        if float(np.abs(lack).max()) <= tolerance * network.total:
            return _at(network, made, lack, step)
        slopes = network.latency_slopes(flows)
        direction = np.linalg.solve(np.eye(len(flows)) + made.sensitivity * slopes, lack)
        before, share = float(np.linalg.norm(lack)), 1.0
        for _ in range(HALVINGS):
            tried = np.maximum(flows + share * direction, 0.0)
            found = _missing(network, tolls, temperature, tried)
            if float(np.linalg.norm(found[1])) <= (1.0 - 0.1 * share) * before:
                break
            share /= 2.0
        else:
            return _at(network, made, lack, step)
        flows, (made, lack) = tried, found
    return _at(network, made, lack, NEWTON_STEPS)


def _missing(network: Network, tolls: Array, temperature: float, flows: Array) -> tuple[Loading, Array]:
    """Return the traffic that the costs of given flows lead to, and what the flows lack of it."""
    made = load(network, network.latencies(flows) + tolls, temperature)
    return made, made.flows - flows


def _at(network: Network, made: Loading, lack: Array, steps: int) -> Traffic:
    residual = float(np.abs(lack).max()) / network.total
    return Traffic(made, network.latencies(made.flows), residual, steps)
