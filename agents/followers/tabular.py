"""What tabular learners share: a table, a rate, exploration, and a simulator to play in."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.jit import compiled, slice_of
from stackelberg_envs.play.rollout import GameTables

from ..options import Count, Probability, Share
from ..state import stateful
from .base import FollowerView, TableFollower, TabularFollowerConfig, barred, gibbs

__all__ = ["LearningTask", "TabularLearner", "TabularLearnerConfig", "even_draw", "gibbs_row", "learn_in_slices"]


@dataclass(frozen=True)
class TabularLearnerConfig(TabularFollowerConfig):
    """Hyperparameters of tabular learners.

    Attributes
    ----------
    steps
        Follower steps after each commitment.
    first_steps
        Follower steps when the table is empty; None takes `steps`.
    least_step
        The step size is 1 / (visits since the last commitment), but at least this.
    exploration
        Probability that an action is drawn evenly from all that are feasible, instead of by the Gibbs policy.
    initial_q
        What an action that was never tried is taken to be worth, in reward units. High values make the follower
        explore.
    """

    steps: Count = 20_000
    first_steps: Count | None = None
    least_step: Share = 0.05
    exploration: Probability = 0.1
    initial_q: float = 0.0


class LearningTask(NamedTuple):
    """What a tabular learner is to learn and how, as compiled loops take it.

    Attributes
    ----------
    reward
        r_F, reward units, shape (Z, A, B).
    discount, temperature
        The follower's.
    least_step, exploration
        As in :class:`TabularLearnerConfig`.
    """

    reward: Array
    discount: float
    temperature: float
    least_step: float
    exploration: float


class TabularLearner(TableFollower):
    """Learns in its own copy of the environment, and keeps its table when the commitment changes.

    An iteration is one follower step. When the leader watches, it plays its Gibbs policy without exploration.
    """

    Config = TabularLearnerConfig
    serves = frozenset({"feasible actions", "discount 1"})
    state_fields = stateful.fields(visits=stateful.Array(lambda self: self.table_shape, low=0.0, optional=True))

    def begin(self, view: FollowerView) -> None:
        """Start with `initial_q` everywhere."""
        self.q = np.full(view.primitives.follower_reward.shape, self.config.initial_q, dtype=np.float64)
        self.visits = np.zeros_like(self.q)

    def adapt(self, view: FollowerView) -> int:
        """Play and learn for the configured number of steps."""
        first = self.config.first_steps
        steps = int(first if self.fresh and first is not None else self.config.steps)
        self.visits = np.zeros_like(self.q)
        self.iterate(view, steps)
        return steps

    def iterate(self, view: FollowerView, iterations: int) -> None:
        """Play and learn for so many steps; an episode begins with the first of them."""
        game = view.primitives
        config, reward = self.config, game.follower_reward
        task = LearningTask(
            reward, game.follower_discount, game.temperature, float(config.least_step), float(config.exploration)
        )
        # Loops know actions that are not feasible by their values; what is kept of them is as if never tried.
        self.q = np.ascontiguousarray(barred(self.q, game.feasible))
        self.learn_tables(GameTables.of(game, view.game.horizon), task, iterations)
        self.policy: Array = gibbs(self.q, game.temperature)
        if game.feasible is not None:
            self.q = np.where(game.feasible, self.q, config.initial_q)

    @abstractmethod
    def learn_tables(self, game: GameTables, task: LearningTask, steps: int) -> None:
        """Play and learn in arrays: change `q` and `visits`."""


def learn_in_slices(
    loop: Callable[..., None],
    rng: np.random.Generator,
    game: GameTables,
    task: LearningTask,
    steps: int,
    visits: Array,
    q: Array,
    *,
    cost: int,
) -> int:
    """Run a learner's compiled loop in parts of one length in time; return the number of episodes.

    Parameters
    ----------
    loop
        ``loop(rng, game, task, steps, visits, q, policy, place)`` goes on for so many steps; `policy` (B,) is scratch,
        and `place` (4,) says where it stands: the state, the leader's action, steps left of the episode, and episodes.
    rng, game, task, steps, visits, q
        As in :func:`agents.followers.soft_q_learning.soft_q_learning`.
    cost
        Operations of a step, for the length of a part.
    """
    policy, place = np.empty(q.shape[2]), np.zeros(4, dtype=np.int64)
    most = slice_of(cost)
    for done in range(0, steps, most):
        loop(rng, game, task, min(most, steps - done), visits, q, policy, place)
    return int(place[3])


@compiled
def even_draw(q: Array, u: float) -> int:
    """Return the action that a number in [0, 1) stands for, all alike; those worth minus infinity cannot be taken."""
    B = q.shape[0]
    able = 0
    for b in range(B):
        if q[b] > -np.inf:
            able += 1
    left = min(int(u * able), able - 1)
    for b in range(B):
        if q[b] > -np.inf:
            if left == 0:
                return int(b)
            left -= 1
    return int(B) - 1


@compiled
def gibbs_row(q: Array, temperature: float, out: Array) -> float:
    """Write the Gibbs policy of the row `q` (B,) into `out`; return its soft value."""
    B = q.shape[0]
    top = q[0]
    for b in range(1, B):
        top = max(top, q[b])
    mass = 0.0
    for b in range(B):
        out[b] = np.exp((q[b] - top) / temperature)
        mass += out[b]
    for b in range(B):
        out[b] /= mass
    return float(top + temperature * np.log(mass))
