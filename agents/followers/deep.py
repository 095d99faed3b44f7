"""What the deep followers share: how they begin, learn from the play of their copies, and are stored."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
from msgspec import Meta

from stackelberg_envs.errors import ArgumentError, CommitmentError, OutputError
from stackelberg_envs.games.samples import ActionSpec
from stackelberg_envs.games.vector import (
    FollowerPolicy,
    VectorGame,
)

from ..learning.networks import Trained, load_torch, one_thread
from ..learning.optimizers import power_of_two
from ..options import Count, Share
from ..state import stateful
from ..state.stateful import Pending
from ..state.tree import Tree
from .base import FollowerConfig, FollowerView, RestartingFollower
from .experience import Copies, Floats, Inputs, Replay, Rows, root_mean_square

__all__ = ["DeepFollower", "DeepFollowerConfig"]

#: Sizes of the hidden layers of a network.
Layers = Annotated[tuple[Count, ...], Meta(min_length=1)]

#: An episode of the follower's own copies is cut where later rewards count less than this, relative to the first.
FADED = 0.01
#: Rewards this many times larger or smaller than one are counted in another unit, because single precision loses them.
FAR = 2.0**20
#: First steps of each copy, with even actions: their spread is the scale of what networks are shown.
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
        Learning rate of Adam, at the first of the steps after a commitment.
    last_rate
        By which factor the learning rate is multiplied at the last of these steps; it falls geometrically.
    hidden
        Sizes of the hidden layers.
    target_rate
        How fast the slow copy of the networks follows them: at each gradient step it moves by this part of the
        distance.
    replay_size
        How many of the latest transitions are kept to learn from.
    keep_replay
        Whether transitions made under earlier commitments are kept.
    observe_commitment
        Whether the networks are shown the commitment, so that what was learned under earlier ones stays true.
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


class DeepFollower(RestartingFollower):
    """Plays in copies of the game and learns from a replay memory; networks and memory stay between commitments.

    Subclasses make their networks, improve them by batches, and say how they act while they learn and afterwards.
    """

    Config: ClassVar[type[Any]] = DeepFollowerConfig
    policy: Any
    name: ClassVar[str]
    kinds = frozenset({"vector"})
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
        """All networks that are trained; there are none before the first commitment."""
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

    def _known_game(self, where: str) -> VectorGame:
        if not isinstance(self.game, VectorGame):
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
            self.begin(game.under(x))
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
        """Begin with an empty memory and new networks, whose inputs are scaled by a few steps with even actions."""
        game, x, c = self._game(view), view.commitment, self.config
        self.copies = Copies(game, c.copies, episode_steps(game, c.episode_steps), self.rng)
        self.copies.announce(game, x, self.rng)
        rounds = [self.copies.step(game, x, self.even(game), self.rng) for _ in range(min(PILOT, self._rounds))]
        seen = {name: np.concatenate([rows[name] for rows in rounds]) for name in rounds[0]}
        self._inputs = Inputs(game, c.observe_commitment, seen)
        self.replay = Replay(c.replay_size)
        self._shown = self._inputs.commitment(x)
        self._scale = max(root_mean_square(seen["reward"]), game.temperature)
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
        """The size of the rewards in a few steps with even actions, in `unit`."""
        return self._scale / self.unit

    def temperature(self, game: VectorGame) -> float:
        """The game's temperature, in `unit`."""
        return game.temperature / self.unit

    @property
    def _rounds(self) -> int:
        c: DeepFollowerConfig = self.config
        return -(-int(c.first_steps if self.fresh and c.first_steps is not None else c.steps) // c.copies)

    def _set_rate(self, done: float) -> None:
        """Let the learning rate fall with the steps done: large steps learn fast, small ones average out the noise."""
        for part in self.trained():
            part.optimizer.learning_rate = self.config.learning_rate * self.config.last_rate**done

    def _remember(self, rows: Rows) -> None:
        n = len(rows["reward"])
        rows = {**rows, "reward": rows["reward"] / self.unit}
        self.replay.add({**rows, "commitment": np.broadcast_to(self._shown, (n, len(self._shown)))})

    def _game(self, view: FollowerView) -> VectorGame:
        game: Any = view.game
        if not isinstance(game, VectorGame):
            raise ArgumentError(f"{self.name}: expected a game whose states are vectors, got {type(game).__name__}")
        return game

    def inputs_of(self, batch: Rows, prefix: str = "") -> Floats:
        """Return the rows of a batch as a network sees them; with the prefix "next_" those of the next states."""
        z, a = batch[f"{prefix}state"], batch[f"{prefix}leader_action"]
        return self._inputs(z, a, batch["context"], batch["commitment"])

    @abstractmethod
    def make_networks(self, game: VectorGame, seen: Rows) -> None:
        """Make untrained networks; `seen` is play of a few steps with even actions."""

    @abstractmethod
    def trained(self) -> list[Trained]:
        """Return all that is trained."""

    @abstractmethod
    def prepare(self, game: VectorGame) -> None:
        """Prepare the training under a new commitment."""

    @abstractmethod
    def improve(self, game: VectorGame) -> None:
        """Make the gradient steps that follow a step of all copies."""

    @abstractmethod
    def even(self, game: VectorGame) -> FollowerPolicy:
        """Return the policy of the first steps, when nothing has been learned."""

    @abstractmethod
    def explorer(self, game: VectorGame) -> FollowerPolicy:
        """Return the policy with which it plays while it learns."""

    @abstractmethod
    def player(self, game: VectorGame) -> FollowerPolicy:
        """Return the policy that the leader sees at play; later learning must not change it."""


def episode_steps(game: VectorGame, wanted: int | None) -> int:
    """Return the steps after which a copy begins anew."""
    if wanted is not None:
        return wanted
    discount = game.follower_discount
    return game.horizon if discount == 0.0 else min(game.horizon, math.ceil(math.log(FADED) / math.log(discount)))
