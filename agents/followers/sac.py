"""Soft actor-critic for boxes of actions, at the game's temperature."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array, IntArray
from stackelberg_envs.errors import ArgumentError
from stackelberg_envs.games.vector import VectorGame

from ..learning.networks import Network, Trained, descend, load_torch, one_thread, tensor
from ..options import Positive
from ..state import stateful
from .base import register_follower
from .deep import DeepFollower, DeepFollowerConfig
from .experience import Floats, Inputs, Rows

__all__ = ["ActionBox", "GaussianPolicy", "Sac", "SacConfig"]

#: Bounds of the log of the standard deviation, in units of the action scale, so that a density stays finite.
LEAST_LOG_SCALE, GREATEST_LOG_SCALE = -10.0, 2.0
#: Actions this close to a bound, as a part of the box, count as this far away: at the bound arctanh is infinite.
EDGE = 1e-9


@dataclass(frozen=True)
class SacConfig(DeepFollowerConfig):
    """Hyperparameters of soft actor-critic.

    Attributes
    ----------
    action_scale
        Size of a typical action: before training, actions of about this size are drawn. Where the box is smaller, the
        size of the box takes its place.
    quadratic
        Whether the critics are also shown the products of states and actions. In linear-quadratic games the value is a
        sum of such products.
    """

    action_scale: Positive = 1.0
    quadratic: bool = False


class ActionBox:
    """Maps real numbers y to actions, b = center + half tanh(y scale / half), without tanh where there are no bounds.

    Raises
    ------
    ArgumentError
        No Box of shape (B,).

    Attributes
    ----------
    size
        B.
    center, half, scale
        Shape (B,); half is infinite where there are no bounds.
    """

    def __init__(self, space: Any, scale: float) -> None:
        if not (hasattr(space, "low") and len(space.shape) == 1 and np.issubdtype(space.dtype, np.floating)):
            raise ArgumentError(f"sac: expected a Box of actions, of shape (B,), got {space}; try soft_dqn")
        low, high = np.asarray(space.low, dtype=np.float64), np.asarray(space.high, dtype=np.float64)
        self.bounded = np.isfinite(low) & np.isfinite(high)
        self.size, self.low, self.high = len(low), space.low.astype(np.float64), space.high.astype(np.float64)
        low, high = np.where(self.bounded, low, -1.0), np.where(self.bounded, high, 1.0)
        self.center, self.half = 0.5 * (low + high) * self.bounded, 0.5 * (high - low)
        self.scale = np.where(self.bounded, np.minimum(self.half, scale), scale)

    def actions(self, y: Array) -> Array:
        """Return the actions of numbers of shape (n, B)."""
        squashed = self.half * np.tanh(y * self.scale / self.half)
        # The sum of center and half may miss a bound by its last digit.
        return np.clip(self.center + np.where(self.bounded, squashed, y * self.scale), self.low, self.high)

    def numbers(self, actions: Array) -> Array:
        """Return the numbers of actions of shape (n, B)."""
        moved = np.asarray(actions, dtype=np.float64) - self.center
        inside = np.clip(moved / self.half, EDGE - 1.0, 1.0 - EDGE)
        return np.where(self.bounded, np.arctanh(inside) * self.half, moved) / self.scale

    def log_slope(self, y: Array) -> Array:
        """Return the sum of log db/dy over the entries, shape (n,)."""
        w = y * self.scale / self.half
        squash = 2.0 * (math.log(2.0) - w - np.logaddexp(0.0, -2.0 * w))
        return np.asarray((np.log(self.scale) + np.where(self.bounded, squash, 0.0)).sum(axis=1))


def _playable(space: Any, scale: float) -> ActionBox:
    """Return the box of a follower's actions; one that is bounded on one side only would be left by what is drawn."""
    box = ActionBox(space, scale)
    halfway = np.isfinite(box.low) ^ np.isfinite(box.high)
    if halfway.any():
        i = int(halfway.argmax())
        raise ArgumentError(
            "sac: expected a Box whose entries are bounded on both sides or on neither, "
            f"got [{box.low[i]:g}, {box.high[i]:g}] at entry {i}; try sb3, or let the game's step squash the action"
        )
    return box


class GaussianPolicy:
    """Normal numbers, whose mean and spread a network gives, squashed into the box.

    Parameters
    ----------
    network
        From what is shown of a state to means and logs of standard deviations; None: zero and one.
    box, inputs
        The actions, and what the network sees.
    shown
        The commitment as it is shown.
    """

    def __init__(self, network: Network | None, box: ActionBox, inputs: Inputs | None, shown: Floats | None) -> None:
        self.network, self.box, self.inputs, self.shown = network, box, inputs, shown

    def moments(self, states: Array, leader_actions: Array, contexts: IntArray) -> tuple[Array, Array]:
        """Return means and logs of standard deviations before squashing, each of shape (n, B)."""
        if self.network is None or self.inputs is None or self.shown is None:
            return np.zeros((len(states), self.box.size)), np.zeros((len(states), self.box.size))
        rows = self.inputs(states, leader_actions, contexts, self.shown)
        with one_thread(), load_torch("sac").no_grad():
            out = self.network(tensor(rows))[0].numpy().astype(np.float64)
        return out[:, : self.box.size], np.clip(out[:, self.box.size :], LEAST_LOG_SCALE, GREATEST_LOG_SCALE)

    def sample(self, rng: np.random.Generator, states: Array, leader_actions: Array, contexts: IntArray) -> Array:
        """Draw actions, shape (n, B)."""
        mean, log_scale = self.moments(states, leader_actions, contexts)
        return self.box.actions(mean + np.exp(log_scale) * rng.standard_normal(mean.shape))

    def log_prob(self, states: Array, leader_actions: Array, contexts: IntArray, actions: NDArray[Any]) -> Array:
        """Return the log-density of actions, shape (n,)."""
        mean, log_scale = self.moments(states, leader_actions, contexts)
        y = self.box.numbers(actions)
        density = -0.5 * ((y - mean) * np.exp(-log_scale)) ** 2 - log_scale - 0.5 * math.log(2.0 * math.pi)
        return np.asarray(density.sum(axis=1) - self.box.log_slope(y))


@register_follower("sac")
class Sac(DeepFollower):
    """Soft actor-critic, with networks.

    It learns two critics and a squashed normal policy (Haarnoja et al., 2018), at the game's temperature, which stays
    as it is. It is off-policy, so it may learn from play under earlier policies. When the leader watches, the slow copy
    of the policy plays.
    """

    Config = SacConfig
    name = "sac"
    state_fields = stateful.fields()

    def make_networks(self, game: VectorGame, seen: Rows) -> None:
        """Make an actor and two critics, whose unit is that of the rewards."""
        c, self._box = self.config, _playable(game.follower_action_space, self.config.action_scale)
        B, F = self._box.size, self._inputs.size
        shown = F + B + (len(self._pairs(F + B)[0]) if c.quadratic else 0)
        actor = Network([F, *c.hidden, 2 * B], self.rng, last=0.01)
        critics = Network([shown, *c.hidden, 1], self.rng, copies=2, last=0.1)
        self._parts = [Trained(network, c.learning_rate) for network in (actor, critics)]

    def _pairs(self, size: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return the places of the entries whose products the critics are shown: states as they are, and actions."""
        plain = np.array([*self._inputs.plain, *range(self._inputs.size, size)])
        first, second = np.triu_indices(len(plain))
        return plain[first], plain[second]

    def trained(self) -> list[Trained]:
        """Return actor and critics."""
        return self._parts

    def prepare(self, game: VectorGame) -> None:
        """Prepare the training under a new commitment."""
        del game

    def improve(self, game: VectorGame) -> None:
        """Make gradient steps of the critics and of the actor."""
        for _ in range(self.config.updates):
            batch = self.replay.sample(self.rng, self.config.batch_size)
            rows = tensor(self.inputs_of(batch))
            self._improve_critics(game, batch, rows)
            self._improve_actor(game, rows)
            for part in self._parts:
                part.follow(self.config.target_rate)

    def _improve_critics(self, game: VectorGame, batch: Rows, rows: Any) -> None:
        torch, critics = load_torch(self.name), self._parts[1]
        with torch.no_grad():
            following = tensor(self.inputs_of(batch, "next_"))
            y, log_density = self._draw(following)
            values = self._values(following, y, critics.target).amin(dim=0)
            soft = values - self.temperature(game) / self.reward_scale * log_density
            going_on = game.follower_discount * (1.0 - tensor(batch["terminated"].astype(np.float32)))
            target = tensor(batch["reward"]) / self.reward_scale + going_on * soft
        leaf = critics.network.leaf()
        y = tensor(self._box.numbers(batch["action"]))
        errors = self._values(rows, y, critics.network, leaf) - target
        descend((errors**2).sum(dim=0).mean(), [critics], [leaf], self.name)

    def _improve_actor(self, game: VectorGame, rows: Any) -> None:
        actor, critics = self._parts
        leaf = actor.network.leaf()
        y, log_density = self._draw(rows, leaf)
        values = self._values(rows, y, critics.network).amin(dim=0)
        loss = (self.temperature(game) / self.reward_scale * log_density - values).mean()
        descend(loss, [actor], [leaf], self.name)

    def _draw(self, rows: Any, leaf: Any = None) -> tuple[Any, Any]:
        """Return numbers y drawn from the actor, shape (n, B), and the log-density of their actions, shape (n,)."""
        torch, box = load_torch(self.name), self._box
        out = self._parts[0].network(rows, leaf)[0]
        mean, log_scale = out[:, : box.size], out[:, box.size :].clamp(LEAST_LOG_SCALE, GREATEST_LOG_SCALE)
        noise = tensor(self.rng.standard_normal(tuple(mean.shape), dtype=np.float32))
        y = mean + log_scale.exp() * noise
        w = y * tensor(box.scale / box.half)
        squash = 2.0 * (math.log(2.0) - w - torch.nn.functional.softplus(-2.0 * w)) * tensor(box.bounded * 1.0)
        log_density = -0.5 * noise**2 - log_scale - squash - tensor(np.log(box.scale) + 0.5 * math.log(2.0 * math.pi))
        return y, log_density.sum(dim=1)

    def _values(self, rows: Any, y: Any, network: Network, leaf: Any = None) -> Any:
        """Return the values of both critics, shape (2, n)."""
        torch, box = load_torch(self.name), self._box
        ratio, bounded = tensor(box.scale / box.half), tensor(box.bounded)
        shown = torch.cat([rows, torch.where(bounded, torch.tanh(y * ratio) / ratio, y)], dim=1)
        if self.config.quadratic:
            first, second = (tensor(places) for places in self._pairs(shown.shape[1]))
            shown = torch.cat([shown, shown[:, first] * shown[:, second]], dim=1)
        return network(shown, leaf)[:, :, 0]

    def explorer(self, game: VectorGame) -> GaussianPolicy:
        """Return the latest policy."""
        del game
        return GaussianPolicy(self._parts[0].network, self._box, self._inputs, self._shown)

    def player(self, game: VectorGame) -> GaussianPolicy:
        """Return the slow copy of the policy."""
        del game
        return GaussianPolicy(self._parts[0].target.copy(), self._box, self._inputs, self._shown)

    def even(self, game: VectorGame) -> GaussianPolicy:
        """Return the policy of the first steps: standard normal numbers, squashed into the box."""
        return GaussianPolicy(None, _playable(game.follower_action_space, self.config.action_scale), None, None)
