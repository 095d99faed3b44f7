"""Learned values of every joint action of a Discrete or MultiDiscrete space, for soft DQN."""

from __future__ import annotations

import copy
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array, IntArray
from stackelberg_envs.errors import ArgumentError

from ..learning.networks import Network, Trained, descend, load_torch, tensor
from .experience import Floats, Inputs, Rows

__all__ = ["ActionTable", "ActionValues", "AfterstateValues", "DirectValues"]

OWNER = "soft_dqn"
#: Most joint actions of a game: their values are computed all at once, for each state.
MAX_ACTIONS = 20_000
#: Size of the one-hot part of an action's features. It is small, so that neighbouring actions are alike at first.
SET_APART = 0.3


class ActionTable:
    """The joint actions of a Discrete or MultiDiscrete space, in order.

    Attributes
    ----------
    actions
        Shape (M, B), int64.
    features
        What a network is shown of each, shape (M, C): its components as numbers in [-1, 1], and as one-hot vectors of a
        smaller size. So neighbouring actions get similar values until play shows that they differ.
    """

    def __init__(self, space: Any) -> None:
        sizes, start = _sizes_and_start(space)
        if math.prod(sizes) > MAX_ACTIONS:
            raise ArgumentError(f"soft_dqn: expected at most {MAX_ACTIONS:,} joint actions, got {math.prod(sizes):,}")
        parts = np.indices(sizes).reshape(len(sizes), -1).T
        self.sizes, self.start, self.actions = sizes, start, (parts + start).astype(np.int64)
        one_hot = [np.eye(size)[parts[:, i]] for i, size in enumerate(sizes)]
        numbers = 2.0 * parts / np.maximum(np.array(sizes) - 1, 1) - 1.0
        self.features: Floats = np.concatenate(
            [*[SET_APART * each for each in one_hot], numbers], axis=1, dtype=np.float32
        )

    def __len__(self) -> int:
        """M."""
        return len(self.actions)

    def index(self, actions: NDArray[Any]) -> IntArray:
        """Return the places of actions of shape (n, B) in the table, shape (n,)."""
        parts = np.asarray(actions, dtype=np.int64).reshape(len(actions), -1) - self.start
        return np.asarray(np.ravel_multi_index(tuple(parts.T), self.sizes))


def _sizes_and_start(space: Any) -> tuple[tuple[int, ...], NDArray[Any]]:
    sizes = getattr(space, "nvec", getattr(space, "n", None))
    if sizes is None:
        raise ArgumentError(f"soft_dqn: expected a Discrete or MultiDiscrete action space, got {space}; try sac")
    return tuple(int(size) for size in np.atleast_1d(sizes)), np.atleast_1d(space.start)


class Pairs:
    """Functions of a state and a joint action: a base value of the state plus the product of two vectors.

    The value of all actions costs one matrix product, and what is learned of one action tells of those that share
    components with it.

    Parameters
    ----------
    inputs
        What networks are shown of a state, numbers.
    table
        The actions.
    outputs
        How many functions, O.
    hidden
        Sizes of the hidden layers; the last is the length of the vectors.
    rng
        Draws the parameters.
    learning_rate
        Of Adam.
    scale, unit
        Of the base value and of the product.
    huber
        Size beyond which errors count linearly instead of squared.
    """

    def __init__(
        self,
        inputs: int,
        table: ActionTable,
        outputs: int,
        hidden: Sequence[int],
        rng: np.random.Generator,
        learning_rate: float,
        *,
        scale: float = 1.0,
        unit: float = 1.0,
        huber: float | None = None,
    ) -> None:
        rank = hidden[-1]
        base = Network([inputs, *hidden, outputs], rng, last=0.1)
        state = Network([inputs, *hidden, outputs * rank], rng, last=0.1)
        action = Network([table.features.shape[1], hidden[0], outputs * rank], rng)
        self.parts = [Trained(network, learning_rate) for network in (base, state, action)]
        self.features, self.outputs, self.scale, self.unit = table.features, outputs, scale, unit
        self.huber = huber

    def still(self) -> Pairs:
        """Return a copy of the slow copies, which later training does not change."""
        twin = copy.copy(self)
        twin.parts = [part.still() for part in self.parts]
        return twin

    def each(self, rows: Floats, places: IntArray, leaves: Sequence[Any] | None = None) -> Any:
        """Return the values of one action per row, shape (n, O): by the slow copies, or to differentiate by leaves."""
        if leaves is None:
            networks, leaves = [part.target for part in self.parts], (None, None, None)
        else:
            networks = [part.network for part in self.parts]
        seen, features = tensor(rows), tensor(self.features[places])
        base, state, action = (
            network(shown, leaf)[0]
            for network, shown, leaf in zip(networks, (seen, seen, features), leaves, strict=True)
        )
        return self.scale * base + self.unit * (state * action).view(len(rows), self.outputs, -1).sum(dim=2)

    def vectors(self) -> Any:
        """Return those of all actions by the slow copy, shape (O, rank, M)."""
        return self.parts[2].target(tensor(self.features))[0].T.reshape(self.outputs, -1, len(self.features))

    def every(self, rows: Floats, vectors: Any) -> Any:
        """Return the values of all actions by the slow copies, shape (O, n, M)."""
        seen = tensor(rows)
        base, state = (part.target(seen)[0] for part in self.parts[:2])
        of_states = self.unit * state.view(len(rows), self.outputs, -1).transpose(0, 1)
        return load_torch(OWNER).baddbmm(self.scale * base.T.unsqueeze(2), of_states, vectors)

    def descend(self, rows: Floats, places: IntArray, targets: Floats, rate: float) -> None:
        """Make a gradient step on the error, and let the slow copies follow; targets are (n, O)."""
        leaves, losses = [part.network.leaf() for part in self.parts], load_torch(OWNER).nn.functional
        found, wanted = self.each(rows, places, leaves), tensor(targets)
        squared = self.huber is None
        loss = losses.mse_loss(found, wanted) if squared else losses.huber_loss(found, wanted, delta=self.huber)
        descend(loss, self.parts, leaves, OWNER)
        for part in self.parts:
            part.follow(rate)


class ActionValues(ABC):
    """Q of all joint actions, and how it is improved.

    Parameters
    ----------
    inputs
        What networks are shown.
    table
        The actions.
    """

    #: Pairs of a state and an action that are valued at once: as many as the processor's cache holds.
    block: ClassVar[int]

    def __init__(self, inputs: Inputs, table: ActionTable) -> None:
        self.inputs, self.table = inputs, table

    def take(self, batch: Rows, following: Array) -> int:
        """Make transitions those of the next gradient steps, and return how many they are.

        Parameters
        ----------
        batch
            Transitions.
        following
            What :meth:`after` returned for them.
        """
        self._rows, self._places = self._seen(batch), self.table.index(batch["action"])
        self._aim(batch, following)
        return len(self._rows)

    def after(self, batch: Rows, temperature: float) -> Array:
        """Return the soft value after each transition, zero where the episode ended, shape (n,), by the slow copies."""
        ahead = {**batch, "state": batch["next_state"], "leader_action": batch["next_leader_action"]}
        logsumexp = load_torch(OWNER).logsumexp
        found = [temperature * logsumexp(q / temperature, dim=1).numpy() for q in self.blocks(ahead)]
        return np.where(batch["terminated"], 0.0, np.concatenate(found))

    def blocks(self, batch: Rows) -> Iterator[Any]:
        """Yield Q of all actions by the slow copies, tensors of shape (some of n, M), without derivatives."""
        share = max(self.block // len(self.table), 1)
        with load_torch(OWNER).no_grad():
            vectors = self._vectors()
            for first in range(0, len(batch["state"]), share):
                yield self._every({name: values[first : first + share] for name, values in batch.items()}, vectors)

    @abstractmethod
    def observe(self, draw: Callable[[], Rows], rate: float) -> None:
        """Make a gradient step on transitions just drawn, for what needs no target values."""

    def _seen(self, batch: Rows) -> Floats:
        return self.inputs(*(batch[name] for name in ("state", "leader_action", "context", "commitment")))

    @property
    @abstractmethod
    def parts(self) -> list[Trained]:
        """All that is trained."""

    @abstractmethod
    def still(self) -> ActionValues:
        """Return a copy of the slow copies, which later training does not change."""

    @abstractmethod
    def _aim(self, batch: Rows, following: Array) -> None:
        """Set the targets of the next gradient steps."""

    @abstractmethod
    def _vectors(self) -> Any:
        """Return what :meth:`_every` needs of the actions."""

    @abstractmethod
    def _every(self, batch: Rows, vectors: Any) -> Any:
        """Return Q of all actions, shape (n, M)."""

    @abstractmethod
    def descend(self, rows: IntArray, rate: float) -> None:
        """Make a gradient step on some of the transitions, and let the slow copies follow."""


class DirectValues(ActionValues):
    """Q as one function of state and action, by regression on r + gamma (1 - terminal) V'.

    Parameters
    ----------
    inputs, table
        As of every kind.
    discount
        The follower's.
    pairs
        Q.
    """

    block = 160_000

    def __init__(self, inputs: Inputs, table: ActionTable, discount: float, pairs: Pairs) -> None:
        super().__init__(inputs, table)
        self.discount, self.pairs = discount, pairs

    @property
    def parts(self) -> list[Trained]:
        """All that is trained."""
        return self.pairs.parts

    def still(self) -> DirectValues:
        """Return a copy of the slow copies, which later training does not change."""
        return DirectValues(self.inputs, self.table, self.discount, self.pairs.still())

    def observe(self, draw: Callable[[], Rows], rate: float) -> None:
        """Do nothing: all of Q needs target values."""

    def _aim(self, batch: Rows, following: Array) -> None:
        self._targets = (batch["reward"] + self.discount * following).astype(np.float32)[:, None]

    def _vectors(self) -> Any:
        return self.pairs.vectors()

    def _every(self, batch: Rows, vectors: Any) -> Any:
        return self.pairs.every(self._seen(batch), vectors)[0]

    def descend(self, rows: IntArray, rate: float) -> None:
        """Make a gradient step on some of the transitions, and let the slow copies follow."""
        self.pairs.descend(self._rows[rows], self._places[rows], self._targets[rows], rate)


class AfterstateValues(ActionValues):
    """Q as reward(s, b) + gamma W(s + move(s, b)): three functions, each of which is learned by regression.

    The afterstate is the forecast mean of the next state (for afterstates see Sutton and Barto, 2018, section 6.8). W
    is the mean soft value after it. Rewards and moves need no target values, so they are learned as fast as any
    regression, and what is left to bootstrap is a function of the state alone. It assumes that the law of the next
    state, and whether the episode ends, depend on state and action through the afterstate.

    Parameters
    ----------
    inputs, table
        As of every kind.
    discount
        The follower's.
    reward, move
        Of state and action; moves are in units of their typical size.
    worth
        W in units of `scale`.
    scale
        Of the rewards.
    """

    block = 20_000

    def __init__(
        self,
        inputs: Inputs,
        table: ActionTable,
        discount: float,
        reward: Pairs,
        move: Pairs,
        worth: Trained,
        scale: float,
    ) -> None:
        super().__init__(inputs, table)
        self.discount, self.reward, self.move, self.worth, self.scale = discount, reward, move, worth, scale

    @property
    def parts(self) -> list[Trained]:
        """All that is trained."""
        return [*self.reward.parts, *self.move.parts, self.worth]

    def still(self) -> AfterstateValues:
        """Return a copy of the slow copies, which later training does not change."""
        pairs = self.reward.still(), self.move.still()
        return AfterstateValues(self.inputs, self.table, self.discount, *pairs, self.worth.still(), self.scale)

    def _vectors(self) -> Any:
        return self.reward.vectors(), self.move.vectors()

    def _every(self, batch: Rows, vectors: Any) -> Any:
        rows, (n, M) = self._seen(batch), (len(batch["state"]), len(self.table))
        moves = self.move.every(rows, vectors[1]).numpy().transpose(1, 2, 0)
        ahead = batch["state"][:, None] + self.inputs.change * moves
        repeated = {name: np.repeat(batch[name], M, axis=0) for name in ("context", "commitment")}
        worth = self._worth(ahead.reshape(n * M, -1), repeated)[0].view(n, M)
        return self.reward.every(rows, vectors[0])[0] + self.discount * self.scale * worth

    def _worth(self, ahead: Array, batch: Rows) -> Any:
        """Return W in its unit at afterstates, a tensor of shape (1, n, 1), by the slow copy."""
        return self.worth.target(tensor(self._shown(ahead, batch)))

    def _shown(self, ahead: Array, batch: Rows) -> Floats:
        acts = np.broadcast_to(self.inputs.middle_action, (len(ahead), len(self.inputs.middle_action)))
        return self.inputs(ahead, acts, batch["context"], batch["commitment"])

    def observe(self, draw: Callable[[], Rows], rate: float) -> None:
        """Make a gradient step on transitions just drawn, for what needs no target values: reward and move.

        Each time on others: moves are noisy, and steps on few of them would learn their noise.
        """
        batch = draw()
        seen, places = self._seen(batch), self.table.index(batch["action"])
        self.reward.descend(seen, places, batch["reward"].astype(np.float32)[:, None], rate)
        self.move.descend(seen, places, self._moves(batch).astype(np.float32), rate)

    def _moves(self, batch: Rows) -> Array:
        return np.asarray((batch["next_state"] - batch["state"]) / self.inputs.change)

    def _aim(self, batch: Rows, following: Array) -> None:
        with load_torch(OWNER).no_grad():
            forecast = self.move.each(self._rows, self._places).numpy()
            ahead = batch["state"] + self.inputs.change * forecast
            noise = self._slopes(ahead, batch) * (self._moves(batch) - forecast)
        self._ahead = self._shown(ahead, batch)
        self._worths = (following / self.scale - noise.sum(axis=1)).astype(np.float32)[:, None]

    def _slopes(self, ahead: Array, batch: Rows) -> Array:
        """Return the change of W, in its unit, for each typical change of the afterstate, shape (n, W)."""
        out = np.empty(ahead.shape)
        for i, shift in enumerate(np.diag(self.inputs.change)):
            above, below = (self._worth(ahead + sign * shift, batch)[0, :, 0].numpy() for sign in (1, -1))
            out[:, i] = (above - below) / 2
        return out

    def descend(self, rows: IntArray, rate: float) -> None:
        """Make a gradient step on some of the transitions, and let the slow copies follow."""
        leaf = self.worth.network.leaf()
        errors = self.worth.network(tensor(self._ahead[rows]), leaf)[0] - tensor(self._worths[rows])
        descend((errors**2).mean(), [self.worth], [leaf], OWNER)
        self.worth.follow(rate)
