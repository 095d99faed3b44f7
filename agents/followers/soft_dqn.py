"""Soft deep Q-learning for discrete and multi-discrete actions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array, IntArray
from stackelberg_envs.games.vector import VectorGame

from ..learning.networks import Network, Trained, one_thread
from ..options import Count, Positive, Probability, Share
from ..state import stateful
from .action_values import ActionTable, ActionValues, AfterstateValues, DirectValues, Pairs
from .base import register_follower
from .deep import DeepFollower, DeepFollowerConfig
from .experience import Floats, Rows

__all__ = ["SoftDqn", "SoftDqnConfig", "SoftPolicy"]


@dataclass(frozen=True)
class SoftDqnConfig(DeepFollowerConfig):
    """Hyperparameters of soft DQN.

    Attributes
    ----------
    exploration
        Probability, for each component of an action, that it is drawn evenly from all; in training only.
    target_every
        For how many gradient steps target values are kept before they are computed anew.
    target_rows
        At most so many transitions are drawn for these steps, and get target values.
    huber
        Errors of Q, or of rewards where there are afterstates, count linearly instead of squared beyond this many
        temperatures (Huber, 1964). So rare actions with large errors do not hide the others. None: all are squared.
    afterstates
        Whether Q is learned in two parts, the reward and the discounted value of the forecast next state, instead of as
        one function.
    """

    target_rate: Share = 0.1
    exploration: Probability = 0.1
    target_every: Count = 20
    target_rows: Count = 4_096
    huber: Positive | None = None
    afterstates: bool = False


class SoftPolicy:
    """The Gibbs policy of learned values, exp(Q / temperature) normalised over the actions.

    Parameters
    ----------
    values
        Q.
    shown
        The commitment as it is shown.
    temperature
        The game's.
    exploration
        Probability, for each component of an action, that it is drawn evenly in :meth:`sample`.
    """

    def __init__(self, values: ActionValues, shown: Floats, temperature: float, exploration: float = 0.0) -> None:
        self.values, self.table, self.shown = values, values.table, shown
        self.temperature, self.exploration = temperature, exploration

    def log_probabilities(self, states: Array, leader_actions: Array, contexts: IntArray) -> Array:
        """Return the log-probability of every joint action, shape (n, M)."""
        commitments = np.broadcast_to(self.shown, (len(states), len(self.shown)))
        batch: Rows = {"state": states, "leader_action": leader_actions, "context": contexts, "commitment": commitments}
        with one_thread():
            centred = [(q - q.max(dim=1, keepdim=True).values).numpy() for q in self.values.blocks(batch)]
        logits = np.concatenate(centred).astype(np.float64) / self.temperature
        return np.asarray(logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)))

    def probabilities(self, states: Array, leader_actions: Array, contexts: IntArray) -> Array:
        """Return the probability of every joint action, shape (n, M)."""
        return np.exp(self.log_probabilities(states, leader_actions, contexts))

    def sample(
        self, rng: np.random.Generator, states: Array, leader_actions: Array, contexts: IntArray
    ) -> NDArray[Any]:
        """Draw actions, shape (n, B)."""
        cumulated = np.cumsum(self.probabilities(states, leader_actions, contexts), axis=1)
        drawn = rng.random((len(states), 1)) * cumulated[:, -1:]
        actions = self.table.actions[(cumulated <= drawn).sum(axis=1)]
        return self._explored(rng, actions) if self.exploration else np.asarray(actions)

    def _explored(self, rng: np.random.Generator, actions: NDArray[Any]) -> NDArray[Any]:
        even = self.table.start + rng.integers(self.table.sizes, size=actions.shape)
        return np.where(rng.random(actions.shape) < self.exploration, even, actions)

    def log_prob(self, states: Array, leader_actions: Array, contexts: IntArray, actions: NDArray[Any]) -> Array:
        """Return the log-probability of actions, shape (n,)."""
        log_p = self.log_probabilities(states, leader_actions, contexts)
        return np.asarray(log_p[np.arange(len(log_p)), self.table.index(actions)])


@register_follower("soft_dqn")
class SoftDqn(DeepFollower):
    """Soft Q-learning with a network.

    It learns Q by regression on r + gamma (1 - terminal) lambda log sum exp(Q' / lambda). It is off-policy, so it may
    learn from play under earlier policies.

    Q' is the slow copy of Q, at the next state and the leader's next action. How Q is made of networks is a choice,
    :class:`DirectValues` or :class:`AfterstateValues`.
    """

    Config = SoftDqnConfig
    name = "soft_dqn"
    state_fields = stateful.fields()

    def make_networks(self, game: VectorGame, seen: Rows) -> None:
        """Make Q.

        Base values are in the unit of the rewards. The rest is in a finer one, because differences between actions
        count where they are of the size of the temperature, however large the values are.
        """
        c, inputs, table = self.config, self._inputs, ActionTable(game.follower_action_space)
        scale, temperature = self.reward_scale, self.temperature(game)
        unit = math.sqrt(temperature * scale)
        make = partial(Pairs, inputs.size, table, hidden=c.hidden, rng=self.rng, learning_rate=c.learning_rate)
        limit = None if c.huber is None else c.huber * temperature
        pairs = make(outputs=1, scale=scale, unit=unit, huber=limit)
        self._values: ActionValues
        if c.afterstates:
            move = make(outputs=seen["state"].shape[1])
            # A function of the state alone, which is asked for at every action.
            narrow = [max(size // 2, 1) for size in c.hidden]
            worth = Trained(Network([inputs.size, *narrow, 1], self.rng, last=0.1), c.learning_rate)
            self._values = AfterstateValues(inputs, table, game.follower_discount, pairs, move, worth, scale)
        else:
            self._values = DirectValues(inputs, table, game.follower_discount, pairs)
        self._until_refresh = 0

    def trained(self) -> list[Trained]:
        """Return the parts of Q."""
        return self._values.parts

    def prepare(self, game: VectorGame) -> None:
        """Prepare the training under a new commitment."""
        self._until_refresh = 0
        self._acting = self._gibbs(game, self.config.exploration)

    def improve(self, game: VectorGame) -> None:
        """Make gradient steps on the difference to the soft target."""
        c = self.config
        draw = partial(self.replay.sample, self.rng, c.batch_size)
        for _ in range(c.updates):
            if self._until_refresh == 0:
                self._refresh(game)
            self._until_refresh -= 1
            self._values.observe(draw, c.target_rate)
            self._values.descend(self.rng.integers(self._taken, size=c.batch_size), c.target_rate)

    def _refresh(self, game: VectorGame) -> None:
        """Draw the transitions of the next gradient steps, and compute their targets by the slow copy as it is now."""
        c = self.config
        drawn = self.replay.sample(self.rng, min(c.target_rows, c.target_every * c.batch_size))
        self._taken = self._values.take(drawn, self._values.after(drawn, self.temperature(game)))
        self._until_refresh = c.target_every
        self._acting = self._gibbs(game, c.exploration)

    def explorer(self, game: VectorGame) -> SoftPolicy:
        """Return the Gibbs policy of the slow copy when it was last looked at, with exploration."""
        return self._acting

    def player(self, game: VectorGame) -> SoftPolicy:
        """Return the Gibbs policy of the slow copy."""
        return self._gibbs(game, 0.0)

    def _gibbs(self, game: VectorGame, exploration: float) -> SoftPolicy:
        return SoftPolicy(self._values.still(), self._shown, self.temperature(game), exploration)

    def even(self, game: VectorGame) -> EvenPolicy:
        """Return the policy of the first steps: every joint action is equally likely."""
        return EvenPolicy(ActionTable(game.follower_action_space))


class EvenPolicy:
    """Every joint action alike."""

    def __init__(self, table: ActionTable) -> None:
        self.table = table

    def sample(
        self, rng: np.random.Generator, states: Array, leader_actions: Array, contexts: IntArray
    ) -> NDArray[Any]:
        """Draw actions, shape (n, B)."""
        del leader_actions, contexts
        return np.asarray(self.table.actions[rng.integers(len(self.table), size=len(states))])

    def log_prob(self, states: Array, leader_actions: Array, contexts: IntArray, actions: NDArray[Any]) -> Array:
        """Return the log-probability of actions, shape (n,)."""
        del states, leader_actions, contexts
        return np.full(len(actions), -math.log(len(self.table)))
