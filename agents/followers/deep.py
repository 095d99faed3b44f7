"""What the deep followers share: copies of the game to play in, a replay memory, and inputs a network can digest."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from agents.followers.base import FollowerConfig, FollowerView, RestartingFollower
from agents.learning.networks import Trained, load_torch, one_thread
from agents.learning.optimizers import length, power_of_two
from agents.options import Count, Share
from agents.state import stateful
from agents.state.stateful import Pending, Stateful
from agents.state.tree import Tree, check_like
from stackelberg_envs.arrays import Array, IntArray
from stackelberg_envs.errors import ArgumentError, CommitmentError, OutputError
from stackelberg_envs.games.actions import checked_actions
from stackelberg_envs.games.batched import (
    BatchedGame,
    FollowerPolicy,
    begin_states,
    draw_leader_actions,
    make_step,
    played_bounds,
)
from stackelberg_envs.games.samples import ActionSpec

__all__ = ["Copies", "DeepFollower", "DeepFollowerConfig", "Inputs", "Replay"]

Floats = NDArray[np.float32]
Rows = dict[str, NDArray[Any]]
#: Sizes of the hidden layers of a network.
Layers = Annotated[tuple[Count, ...], Meta(min_length=1)]

#: Discount at which an episode of the follower's own copies is cut.
FADED = 0.01
#: Rewards this many times larger or smaller than one are counted in another unit.
FAR = 2.0**20
#: A spread is rounding where it is smaller, relative to the largest number.
LEAST_SPREAD = 1e-12
#: First steps of each copy, by which the inputs are scaled.
PILOT = 20


@dataclass(frozen=True)
class DeepFollowerConfig(FollowerConfig):
    """Hyperparameters of followers with networks.

    Attributes
    ----------
    steps
        Environment steps after each commitment, rounded up to a whole step of all copies.
    first_steps
        The same when nothing has been learned yet; None takes `steps`.
    copies
        Copies of the game it plays in at once.
    episode_steps
        Steps after which a copy begins anew; None takes as many as it takes the discount to fall to 1 %, or the
        game's horizon if that is shorter.
    updates
        Gradient steps for each step of all copies.
    batch_size
        Transitions in a gradient step.
    learning_rate
        Of Adam.
    last_rate
        Factor on the learning rate at the last of the steps; it falls geometrically.
    hidden
        Sizes of the hidden layers.
    target_rate
        The part of its way that the slow copy of the networks goes to them at each gradient step.
    replay_size
        Transitions kept.
    keep_replay
        Whether transitions made under earlier commitments are kept.
    observe_commitment
        Whether the networks are shown the commitment, so that what was seen under earlier ones stays true.
    """

    steps: Count = 20_000
    first_steps: Count | None = None
    copies: Count = 64
    episode_steps: Count | None = None
    updates: Count = 1
    batch_size: Count = 256
    learning_rate: Share = 3e-3
    last_rate: Share = 0.03
    hidden: Layers = (64, 64)
    target_rate: Share = 0.02
    replay_size: Count = 100_000
    keep_replay: bool = True
    observe_commitment: bool = False


class Inputs(Stateful):
    """What networks are shown of states, leader actions, contexts and commitments.

    States are shown twice: as they are, in units of their spread, and compressed, asinh(s / typical change in one
    step), which tells states near zero apart however far others are away.

    Parameters
    ----------
    game
        The game.
    observe_commitment
        Whether the commitment is shown.
    seen
        Transitions to scale by.

    Attributes
    ----------
    size
        Numbers per row.
    middle_action
        Mean of the leader's actions, shape (A,).
    change
        Typical change of the state in one step, shape (W,).
    plain
        Places of all but the compressed states.
    """

    state_fields = stateful.fields(
        **{name: stateful.Like() for name in ("_state", "_action", "middle_action", "change")}
    )

    def __init__(self, game: BatchedGame, observe_commitment: bool, seen: Rows) -> None:
        self._state, self._action = _center_and_scale(seen["state"]), _center_and_scale(seen["leader_action"])
        self.middle_action = self._action[0]
        moved = np.sqrt(np.mean((seen["next_state"] - seen["state"]) ** 2, axis=0))
        self.change = _positive(moved, np.abs(seen["state"]).max(axis=0, initial=0.0))
        self._contexts = game.num_contexts if game.num_contexts > 1 else 0
        box = game.commitment
        self._low, self._width = box.low.ravel(), np.where(box.high > box.low, box.high - box.low, 1.0).ravel()
        self._shown = len(self._low) if observe_commitment else 0
        W, A = seen["state"].shape[1], seen["leader_action"].shape[1]
        self.size = 2 * W + A + self._contexts + self._shown
        self.plain = [i for i in range(self.size) if not W + A <= i < 2 * W + A]

    def commitment(self, x: Array) -> Floats:
        """Return what is shown of a commitment, in [-1, 1]; shape (D,), or (0,) if nothing is."""
        inside = 2.0 * (x.ravel() - self._low) / self._width - 1.0
        return np.asarray(inside[: self._shown], dtype=np.float32)

    def __call__(self, states: Array, leader_actions: Array, contexts: IntArray, commitments: Floats) -> Floats:
        """Return the rows, shape (n, size); `commitments` is (D,), or (n, D) where rows differ in it."""
        (middle, spread), (middle_of_actions, spread_of_actions) = self._state, self._action
        scaled = [(states - middle) / spread, (leader_actions - middle_of_actions) / spread_of_actions]
        parts = [*scaled, np.arcsinh(states / self.change)]
        if self._contexts:
            parts.append(np.eye(self._contexts)[contexts])
        if self._shown:
            parts.append(np.broadcast_to(commitments, (len(states), self._shown)))
        return np.concatenate(parts, axis=1, dtype=np.float32)


def _center_and_scale(values: Array) -> tuple[Array, Array]:
    return values.mean(axis=0), _positive(values.std(axis=0), np.abs(values).max(axis=0, initial=0.0))


def _positive(scale: Array, size: Array | float = 0.0) -> Array:
    """Return a scale with ones where it is rounding of what has that size: what never changes needs none."""
    return np.where(scale > LEAST_SPREAD * size, scale, 1.0)


def _root_mean_square(values: Array) -> float:
    """Return the root of the mean square, also where squares would be zero or infinite."""
    return length(values) / math.sqrt(len(values))


class _Filled(stateful.Field):
    """Arrays of the names, dtypes and row sizes of those at hand, of any one length."""

    def load(self, tree: Any, own: Any, owner: Any, where: str) -> Any:
        check_like({name: values[:0] for name, values in own.items()}, _emptied(tree, where), where)
        return tree


def _emptied(tree: Any, where: str) -> Any:
    """Return a dict of arrays without their rows."""
    if not isinstance(tree, dict) or not all(
        isinstance(values, np.ndarray) and values.ndim for values in tree.values()
    ):
        raise OutputError(f"{where}: expected columns, got {type(tree).__name__}")
    return {name: values[:0] for name, values in tree.items()}


class Replay(Stateful):
    """The latest transitions, in arrays that are overwritten in a circle.

    Parameters
    ----------
    capacity
        Transitions kept.

    Attributes
    ----------
    rows
        Name -> array of shape (capacity, ...).
    added
        Transitions added so far.
    """

    state_fields = stateful.fields(added=stateful.Count(), filled=_Filled())

    def __init__(self, capacity: int) -> None:
        self.capacity, self.added = capacity, 0
        self.rows: Rows = {}

    def __len__(self) -> int:
        """Return how many transitions there are to draw from."""
        return min(self.added, self.capacity)

    @property
    def filled(self) -> Rows:
        """The rows that hold something."""
        return {name: values[: min(self.added, self.capacity)] for name, values in self.rows.items()}

    @filled.setter
    def filled(self, rows: Rows) -> None:
        for name, values in rows.items():
            self.rows[name] = np.zeros((self.capacity, *values.shape[1:]), dtype=values.dtype)
            self.rows[name][: len(values)] = values

    def check_state(self, loaded: dict[str, Any], where: str) -> None:
        """Raise OutputError unless there are as many rows as were added and have room."""
        n = min(loaded["added"], self.capacity)
        if any(len(values) != n for values in loaded["filled"].values()):
            raise OutputError(f"{where}: expected {n} rows, got others")

    def clear(self) -> None:
        """Forget all."""
        self.added = 0

    def add(self, rows: Rows) -> None:
        """Add n transitions, arrays of shape (n, ...); floats are kept in single precision."""
        n = len(next(iter(rows.values())))
        places = np.arange(self.added, self.added + n) % self.capacity
        for name, values in rows.items():
            if name not in self.rows:
                kind = np.float32 if values.dtype == np.float64 else values.dtype
                self.rows[name] = np.zeros((self.capacity, *values.shape[1:]), dtype=kind)
            self.rows[name][places] = values
        self.added += n

    def sample(self, rng: np.random.Generator, size: int) -> Rows:
        """Draw transitions with replacement."""
        places = rng.integers(len(self), size=size)
        return {name: values[places] for name, values in self.rows.items()}


class Copies(Stateful):
    """Copies of the game that a follower plays in; where an episode ends the copy begins a new one.

    Parameters
    ----------
    game
        The game; only what play shows of it is used.
    count
        How many.
    episode_steps
        Steps after which an episode is cut.
    rng
        Draws contexts and states; first episodes are cut early, each at another step, so that later ones are spread.
    """

    state_fields = stateful.fields(
        clocks=stateful.Array(low=0, high=lambda self: self.episode_steps - 1),
        contexts=stateful.Array(low=0, high=lambda self: self.num_contexts - 1),
        states=stateful.Array(),
        leader_actions=stateful.Array(),
    )

    def __init__(self, game: BatchedGame, count: int, episode_steps: int, rng: np.random.Generator) -> None:
        self.count, self.episode_steps, self.num_contexts = count, episode_steps, game.num_contexts
        self.clocks = rng.integers(episode_steps, size=count)
        self.contexts, self.states = _begin(game, count, rng)

    def announce(self, game: BatchedGame, x: Array, rng: np.random.Generator) -> None:
        """Go on under another commitment: the leader's next actions are drawn from it."""
        self.leader_actions = draw_leader_actions(game, rng, x, self.states, self.contexts)

    def step(self, game: BatchedGame, x: Array, policy: FollowerPolicy, rng: np.random.Generator) -> Rows:
        """Make one step in each copy and return the transitions, arrays of shape (n, ...)."""
        z, a, k = self.states, self.leader_actions, self.contexts
        b = checked_actions(
            policy.sample(rng, z, a, k), self.count, played_bounds(game), "follower: what its policy draws"
        )
        made = make_step(game, rng, x, z, k, a, b)
        following = draw_leader_actions(game, rng, x, made.next_state, k)
        rows: Rows = {"state": z, "leader_action": a, "context": k, "action": b, "reward": made.follower_reward}
        rows |= {"next_state": made.next_state, "next_leader_action": following, "terminated": made.terminated}
        self.clocks = self.clocks + 1
        over = made.terminated | (self.clocks >= self.episode_steps)
        self.states, self.leader_actions = made.next_state, following
        if over.any():
            self._begin_anew(game, x, over, rng)
        return rows

    def _begin_anew(self, game: BatchedGame, x: Array, over: NDArray[np.bool_], rng: np.random.Generator) -> None:
        n = int(over.sum())
        k, z = _begin(game, n, rng)
        a = draw_leader_actions(game, rng, x, z, k)
        self.clocks[over] = 0
        # New arrays, because the recorded transitions hold the old ones.
        self.contexts, self.states, self.leader_actions = (
            _replaced(old, over, new) for old, new in ((self.contexts, k), (self.states, z), (self.leader_actions, a))
        )


def _begin(game: BatchedGame, n: int, rng: np.random.Generator) -> tuple[IntArray, Array]:
    K = game.num_contexts
    drawn = rng.choice(K, size=n, p=game.context_probabilities) if K > 1 else np.zeros(n)
    contexts = drawn.astype(np.int32)
    return contexts, begin_states(game, rng, contexts)


def _replaced(old: NDArray[Any], where: NDArray[np.bool_], new: NDArray[Any]) -> NDArray[Any]:
    out = old.copy()
    out[where] = new
    return out


class DeepFollower(RestartingFollower):
    """Plays in copies of the game and learns from a replay memory; networks and memory stay between commitments.

    Subclasses make their networks, improve them by batches, and say how they act while they learn and afterwards.
    """

    Config: ClassVar[type[Any]] = DeepFollowerConfig
    policy: Any
    name: ClassVar[str]
    kinds = frozenset({"batched"})
    #: All but the policy, which is made of these.
    state_fields = stateful.fields(
        copies=stateful.Part(optional=True),
        replay=stateful.Part(optional=True),
        _inputs=stateful.Part(optional=True),
        _scale=stateful.Number(low=0.0, optional=True),
        networks=stateful.Parts(optional=True),
    )

    def __init__(self, config: Any, rng: np.random.Generator) -> None:
        super().__init__(config, rng)
        load_torch(self.name)

    @property
    def networks(self) -> list[Trained]:
        """All that is trained; there is none before the first commitment."""
        if not hasattr(self, "replay"):
            raise AttributeError("networks")
        return self.trained()

    def checked_state(self, tree: Tree, where: str) -> Pending:
        """Return a state that was checked; for it memory and networks are made as at a first commitment."""
        before = dict(vars(self))
        try:
            if isinstance(tree, dict) and "networks" in tree and not hasattr(self, "replay"):
                self._begin_to_load(tree, where)
            pending = super().checked_state(tree, where)
            if hasattr(self, "replay"):
                self._check_replay(tree["replay"]["filled"], f"{where}.replay")
        except BaseException:
            vars(self).clear()
            vars(self).update(before)
            raise

        def apply() -> None:
            pending.apply()
            if self._announced:
                x = self._announced[0]
                self._shown, self._commitment = self._inputs.commitment(x), x
                self.policy = self.player(self._known_game(where))

        return Pending(apply)

    def _known_game(self, where: str) -> BatchedGame:
        if not isinstance(self.game, BatchedGame):
            raise OutputError(f"{where}: expected a follower that has been told its game, got one that has not")
        return self.game

    def _begin_to_load(self, tree: Any, where: str) -> None:
        """Make memory and networks, with random numbers that are used for nothing else."""
        game, announced = self._known_game(where), tree.get("_announced")
        if not isinstance(announced, list) or not announced or not isinstance(announced[0], np.ndarray):
            raise OutputError(f"{where}: expected the commitments that were announced, got none")
        try:
            x = game.commitment.check(announced[0])
        except CommitmentError as exc:
            raise OutputError(f"{where}._announced: {exc}") from exc
        own, self.rng = self.rng, np.random.default_rng(0)
        try:
            self.begin(FollowerView(game, x))
        finally:
            self.rng = own

    def _check_replay(self, rows: Rows, where: str) -> None:
        """Raise OutputError where actions or contexts lie outside of those of the game."""
        game = self._known_game(where)
        spec, taken = ActionSpec.of(game.follower_action_space), rows["action"].reshape(len(rows["action"]), -1)
        first = np.asarray(getattr(game.follower_action_space, "start", 0))
        inside = True
        if spec.counts is not None:
            inside = bool(((taken >= first) & (taken < first + np.array(spec.counts))).all())
        if not inside or not ((rows["context"] >= 0) & (rows["context"] < game.num_contexts)).all():
            raise OutputError(f"{where}: expected actions and contexts of the game, got others")

    def begin(self, view: FollowerView) -> None:
        """Begin with an empty memory and new networks, whose inputs are scaled by a little even play."""
        game, x, c = self._game(view), view.commitment, self.config
        self.copies = Copies(game, c.copies, episode_steps(game, c.episode_steps), self.rng)
        self.copies.announce(game, x, self.rng)
        rounds = [self.copies.step(game, x, self.even(game), self.rng) for _ in range(min(PILOT, self._rounds))]
        seen = {name: np.concatenate([rows[name] for rows in rounds]) for name in rounds[0]}
        self._inputs = Inputs(game, c.observe_commitment, seen)
        self.replay = Replay(c.replay_size)
        self._shown = self._inputs.commitment(x)
        self._scale = max(_root_mean_square(seen["reward"]), game.temperature)
        self._remember(seen)
        self.make_networks(game, seen)

    def adapt(self, view: FollowerView) -> int:
        """Play and learn for the configured number of steps."""
        game, x, c = self._game(view), view.commitment, self.config
        rounds = self._rounds
        if not (c.keep_replay or self.fresh):
            self.replay.clear()
        self._shown, self._commitment = self._inputs.commitment(x), x
        self.copies.announce(game, x, self.rng)
        with one_thread():
            self.prepare(game)
            for i in range(min(PILOT, rounds) if self.fresh else 0, rounds):
                self._set_rate(i / rounds)
                self._remember(self.copies.step(game, x, self.explorer(game), self.rng))
                self.improve(game)
            self.policy = self.player(game)
        return rounds * int(c.copies)

    @property
    def unit(self) -> float:
        """What the memory and the networks count rewards in: reward units, unless single precision cannot hold these.

        A power of two, which changes no digit.
        """
        size = power_of_two(self._scale)
        return 1.0 if 1.0 / FAR <= size <= FAR else size

    @property
    def reward_scale(self) -> float:
        """The size of the rewards of a little even play, in `unit`."""
        return self._scale / self.unit

    def temperature(self, game: BatchedGame) -> float:
        """The game's temperature, in `unit`."""
        return game.temperature / self.unit

    @property
    def _rounds(self) -> int:
        c: DeepFollowerConfig = self.config
        return -(-int(c.first_steps if self.fresh and c.first_steps is not None else c.steps) // c.copies)

    def _set_rate(self, done: float) -> None:
        """Let the learning rate fall with the part of the steps that is done: late steps average, early ones move."""
        for part in self.trained():
            part.optimizer.learning_rate = self.config.learning_rate * self.config.last_rate**done

    def _remember(self, rows: Rows) -> None:
        n = len(rows["reward"])
        rows = {**rows, "reward": rows["reward"] / self.unit}
        self.replay.add({**rows, "commitment": np.broadcast_to(self._shown, (n, len(self._shown)))})

    def _game(self, view: FollowerView) -> BatchedGame:
        game: Any = view.game
        if not isinstance(game, BatchedGame):
            raise ArgumentError(f"{self.name}: expected a game whose states are vectors, got {type(game).__name__}")
        return game

    def inputs_of(self, batch: Rows, prefix: str = "") -> Floats:
        """Return the rows of a batch as a network sees them; with the prefix "next_" those of the next states."""
        z, a = batch[f"{prefix}state"], batch[f"{prefix}leader_action"]
        return self._inputs(z, a, batch["context"], batch["commitment"])

    @abstractmethod
    def make_networks(self, game: BatchedGame, seen: Rows) -> None:
        """Make untrained networks; `seen` is a little even play."""

    @abstractmethod
    def trained(self) -> list[Trained]:
        """Return all that is trained."""

    @abstractmethod
    def prepare(self, game: BatchedGame) -> None:
        """Take up the commitment at hand."""

    @abstractmethod
    def improve(self, game: BatchedGame) -> None:
        """Make the gradient steps that follow a step of all copies."""

    @abstractmethod
    def even(self, game: BatchedGame) -> FollowerPolicy:
        """Return the policy of who knows nothing."""

    @abstractmethod
    def explorer(self, game: BatchedGame) -> FollowerPolicy:
        """Return how it acts while it learns."""

    @abstractmethod
    def player(self, game: BatchedGame) -> FollowerPolicy:
        """Return how it acts when the leader watches; later learning must not change it."""


def episode_steps(game: BatchedGame, wanted: int | None) -> int:
    """Return the steps after which a copy begins anew."""
    if wanted is not None:
        return wanted
    discount = game.follower_discount
    return game.horizon if discount == 0.0 else min(game.horizon, math.ceil(math.log(FADED) / math.log(discount)))
