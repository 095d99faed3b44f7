"""Tolls on a network whose traffic answers them: the commitment of toll routing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array, frozen
from stackelberg_envs.games.commitments.base import Commitment, Effect, need
from stackelberg_envs.games.cotangents import Cotangents
from stackelberg_envs.solvers.equilibrium.congestion import Network, Traffic, traffic_equilibrium

__all__ = ["Tolls"]


class Tolls(Commitment):
    """A toll on some links: a traveller pays it and the latency at the equilibrium of all traffic under the tolls.

    r_F(k, s, b) -= latency + toll of the link that action b takes at node s, where travellers to destination k may take
    it; r_L(k, s, b) -= its latency. The derivative goes through the traffic's equilibrium.

    Parameters
    ----------
    network
        The network.
    temperature
        Of all travellers, in units of time.
    tolled
        The links with a toll.
    max_toll
        Upper bound of each.
    links
        The link of each node and action, -1 where there is none, shape (S, B).
    open_links
        Where travellers to a destination may take it, shape (K, S, B).
    names
        Of the tolled links.
    """

    changes = frozenset({"follower_reward", "leader_reward"})
    always_fits = True

    def __init__(
        self,
        network: Network,
        temperature: float,
        tolled: NDArray[np.int64],
        max_toll: float,
        links: NDArray[np.int64],
        open_links: NDArray[np.bool_],
        names: Sequence[str],
    ) -> None:
        self.network, self.traffic_temperature, self.tolled = network, temperature, frozen(tolled.copy())
        self.links, self.open_links = links, open_links
        super().__init__(0.0, max_toll, (len(tolled),), names)
        self._last: tuple[Array, Traffic] | None = None

    def traffic(self, x: Array) -> Traffic:
        """Return the equilibrium of all traffic under tolls.

        Raises
        ------
        ConvergenceError
            It was not found; the message has the residual.
        """
        if self._last is None or not np.array_equal(self._last[0], x):
            self._last = x.copy(), traffic_equilibrium(self.network, self._on_links(x), self.traffic_temperature)
        return self._last[1]

    def _on_links(self, x: Array) -> Array:
        tolls = np.zeros(len(self.network.tails))
        tolls[self.tolled] = x
        return tolls

    def effect(self, x: Array) -> Effect:
        """Return what travelling costs, and what of it is time."""
        latencies = self.traffic(x).latencies
        return Effect(
            follower_reward=-self._at_nodes(latencies + self._on_links(x)), leader_reward=-self._at_nodes(latencies)
        )

    def vjp(self, x: Array, cotangents: Cotangents) -> Array:
        """Return dJ/dx, what the tolls do to all traffic included."""
        paid = self._of_links(need(cotangents.follower_reward, "follower_reward"))
        spent = self._of_links(need(cotangents.leader_reward, "leader_reward"))
        by_toll = -paid - self.traffic(x).latency_vjp(paid + spent)
        return np.asarray(by_toll[self.tolled])

    def _at_nodes(self, numbers: Array) -> Array:
        """Return numbers of links at the nodes and actions that take them, shape (K, S, 1, B)."""
        made: Array = np.where(self.open_links, numbers[self.links], 0.0)[:, :, None]
        return made

    def _of_links(self, weights: Array) -> Array:
        """Return the sum of weights (K, S, 1, B) over who takes each link: the adjoint of :meth:`_at_nodes`."""
        made = np.zeros(len(self.network.tails))
        K, S, B = self.open_links.shape
        full = np.broadcast_to(weights, (K, S, 1, B))[:, :, 0]
        np.add.at(made, np.broadcast_to(self.links, (K, S, B))[self.open_links], full[self.open_links])
        return made
