"""Soft Q-learning on a network: one learner for each pair of origin and destination, all crowding the same links.

Each learner stands for the whole demand of its pair. In a round the links are as crowded as all pairs make them on
average, the demand of each times the probabilities of its routes, and learners make trips and learn from what these
cost: a table of link costs to the destination, by soft Q-learning as in `soft_q_learning`. No learner sees another,
nor the latencies of links that it does not take. A trip is that of one traveller of many, so it moves no traffic and
neither does what it explores; where the learners come to rest, the traffic is the logit equilibrium of
:func:`stackelberg_envs.solvers.equilibrium.congestion.traffic_equilibrium`.

Letters: P pairs, S nodes, E links, B links that leave a node at most.
"""

from __future__ import annotations

import numpy as np

from stackelberg_envs.arrays import Array, IntArray, as_float, require_count, require_temperature
from stackelberg_envs.errors import ArgumentError
from stackelberg_envs.play.rollout import GameTables
from stackelberg_envs.solvers.equilibrium.congestion import Network

from .base import gibbs
from .soft_q_learning import soft_q_learning
from .tabular import LearningTask, TabularLearnerConfig

__all__ = ["PairLearners"]


class PairLearners:
    """Learners on a network, one for each pair of origin and destination.

    Parameters
    ----------
    network
        Links that a pair may take must not lead in circles, as in the games of `stackelberg/TollRouting-v0`.
    tolls
        Of each link, units of time, shape (E,).
    temperature
        Of the travellers, in units of time.
    config
        `least_step`, `exploration`, `initial_q`, and the `steps` of play in a round, of all pairs together. A step size
        is 1 / (visits since the beginning), but at least `least_step`. Its other options are for runs.
    rng
        Where random numbers come from.

    Raises
    ------
    ArgumentError
        Tolls of another shape, or links that lead in circles.

    Attributes
    ----------
    origins, goals
        Node and number of the destination of each pair, shape (P,).
    demand
        Travellers of each pair, shape (P,).
    q, visits
        What a learner takes a link to be worth, minus its cost and that of what follows, shape (P S, 1, B), and how
        often it has tried it.
    """

    def __init__(
        self,
        network: Network,
        tolls: Array,
        temperature: float,
        config: TabularLearnerConfig,
        rng: np.random.Generator,
    ) -> None:
        E, S = len(network.tails), network.num_nodes
        self.network, self.config, self.rng = network, config, rng
        self.temperature = require_temperature(temperature)
        self.tolls = as_float(tolls, "tolls", ArgumentError)
        if self.tolls.shape != (E,):
            raise ArgumentError(f"tolls: expected one for each link, shape ({E},), got shape {self.tolls.shape}")
        self.goals, self.origins = np.nonzero(network.demand > 0.0)
        self.demand = network.demand[self.goals, self.origins]
        leaving = [np.flatnonzero(network.tails == s) for s in range(S)]
        P, B = len(self.goals), max(map(len, leaving))
        self._links = np.full((S, B), -1)
        for s, ways in enumerate(leaving):
            self._links[s, : len(ways)] = ways
        self._open = (self._links >= 0) & network.usable[self.goals][:, self._links]  # (P, S, B)
        heads = np.where(self._links >= 0, network.heads[self._links], 0)
        ended = ~self._open.any(axis=2)  # no link leads on: a step there costs nothing, and the trip is over
        able = self._open.copy()
        able[ended, 0] = True
        self.q = np.where(able, float(config.initial_q), -np.inf).reshape(P * S, 1, B)
        self.visits = np.zeros_like(self.q)
        landing = np.where(self._open, heads, np.arange(S)[:, None]) + S * np.arange(P)[:, None, None]
        self._landing = landing.reshape(P * S, B).astype(np.int32)
        self._from_afar = self._levels()
        starts = np.zeros((P, S))
        starts[np.arange(P), self.origins] = 1.0 / P
        self._tables = GameTables(
            initial=np.cumsum(starts),
            leader_policy=np.ones((P * S, 1)),
            successors=self._landing[:, None, :, None],
            probabilities=np.ones((P * S, 1, B, 1)),
            continuing=(~ended).reshape(-1).astype(np.float64),
            horizon=S,
        )

    def learn(self, rounds: int) -> None:
        """Play and learn for so many rounds of `config.steps` steps of play; pairs make trips equally often."""
        for _ in range(require_count(rounds, "rounds")):
            costs = self.network.latencies(self.flows) + self.tolls
            reward = np.where(self._open, -costs[self._links], 0.0).reshape(self.q.shape)
            task = LearningTask(
                reward, 1.0, self.temperature, float(self.config.least_step), float(self.config.exploration)
            )
            soft_q_learning(self.rng, self._tables, task, int(self.config.steps), self.visits, self.q)

    @property
    def policies(self) -> Array:
        """The probability that a pair takes each link at each node, shape (P, S, B); 0 where it may not."""
        made: Array = np.where(self._open, gibbs(self.q, self.temperature).reshape(self._open.shape), 0.0)
        return made

    @property
    def flows(self) -> Array:
        """Of each link, what all pairs make on average, shape (E,)."""
        P, S, B = self._open.shape
        chosen = self.policies.reshape(-1, B)
        at = np.zeros(P * S)
        at[np.arange(P) * S + self.origins] = self.demand
        made = np.zeros(len(self.network.tails))
        for places in self._from_afar:
            leaving = at[places, None] * chosen[places]
            np.add.at(at, self._landing[places], leaving)
            np.add.at(made, self._links[places % S], leaving)
        return made

    def _levels(self) -> list[IntArray]:
        """Return joint places of pairs and nodes that a link leads on from, those with most links ahead first.

        Raises
        ------
        ArgumentError
            Links that lead in circles.
        """
        P, S, _ = self._open.shape
        going = self._open.reshape(P * S, -1)
        left = np.zeros(P * S, dtype=np.int32)
        for _ in range(S + 1):
            before, left = left, np.where(going, left[self._landing] + 1, 0).max(axis=1)
            if (left == before).all():
                break
        else:
            raise ArgumentError("network: expected links that do not lead back, got some that lead in circles")
        reached = np.zeros(P * S, dtype=bool)
        reached[np.arange(P) * S + self.origins] = True
        found = list[IntArray]()
        for level in range(int(left.max()), 0, -1):
            places = np.flatnonzero(reached & (left == level)).astype(np.int32)
            reached[self._landing[places][going[places]]] = True
            found.append(places)
        return found
