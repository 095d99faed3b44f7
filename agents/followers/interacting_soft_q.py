"""Independent soft Q-learning: followers that affect each other, and each learns as if it were alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array, IntArray
from stackelberg_envs.errors import ArgumentError
from stackelberg_envs.games.markov import CommittedMarkov, MarkovGame
from stackelberg_envs.games.vector import AnyGame
from stackelberg_envs.jit import compiled, slice_of
from stackelberg_envs.play.rollout import draw, first_state

from ..options import Count, Probability, Share
from ..state import stateful
from .base import FollowerConfig, FollowerView, TableFollower, barred, gibbs, register_follower
from .tabular import even_draw, gibbs_row

__all__ = ["InteractingSoftQConfig", "InteractingSoftQLearning"]


@dataclass(frozen=True)
class InteractingSoftQConfig(FollowerConfig):
    """Hyperparameters of followers that learn side by side.

    Attributes
    ----------
    steps
        Play steps after each commitment; in each of them every follower acts and learns once.
    first_steps
        The same when the tables are empty; None takes `steps`.
    least_step
        The step size is 1 / (visits since the last commitment), but at least this. What is left of noise grows with it.
    exploration
        Probability that an action is drawn evenly from all that are feasible, instead of by the Gibbs policy. What one
        follower explores the others meet and learn to answer, so with more than zero they come to another equilibrium.
    initial_q
        What an action that was never tried is taken to be worth, in reward units.
    """

    steps: Count = 20_000
    first_steps: Count | None = None
    least_step: Share = 0.01
    exploration: Probability = 0.0
    initial_q: float = 0.0


class JointTask(NamedTuple):
    """What followers that affect each other are to learn and how, as the compiled loop takes it.

    Attributes
    ----------
    rewards
        r_i, shape (n, S, M).
    initial
        Running sums of the initial distribution, shape (S,).
    successors, probabilities
        Of the joint actions, shape (S, M, N).
    continuing
        0 in terminal states, else 1, shape (S,).
    horizon
        Steps after which an episode is cut.
    discount, temperature, least_step, exploration
        As in the game and in :class:`InteractingSoftQConfig`.
    """

    rewards: Array
    initial: Array
    successors: IntArray
    probabilities: Array
    continuing: Array
    horizon: int
    discount: float
    temperature: float
    least_step: float
    exploration: float


@register_follower("soft_q_learning")
class InteractingSoftQLearning(TableFollower):
    """Learns a table for each follower by independent soft Q-learning, all at the same time.

    Each sees the state, its own actions and its own rewards; the others are a part of its environment, and change while
    it learns. Where everybody's answers to everybody contract, they come to the logit equilibrium. When the leader
    watches, all play their Gibbs policies without exploration.

    Attributes
    ----------
    policy
        Of all followers, shape (n, S, B).
    q
        Their tables, shape (n, S, B), reward units.
    """

    kinds = frozenset({"markov"})
    Config = InteractingSoftQConfig
    state_fields = stateful.fields(visits=stateful.Array(lambda self: self.table_shape, low=0.0, optional=True))

    def show(self, game: AnyGame) -> InteractingSoftQLearning:
        """Say which game it will be shown.

        Raises
        ------
        ArgumentError
            Followers lose the entropy of others, which is in no reward that they see.
        """
        super().show(game)
        _require_learnable(cast("MarkovGame", game))
        return self

    def begin(self, view: FollowerView) -> None:
        """Start with `initial_q` everywhere."""
        game = _require_learnable(cast("CommittedMarkov", view).game)
        self.q = np.full(game.table_shape, self.config.initial_q, dtype=np.float64)
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
        committed, config = cast("CommittedMarkov", view), self.config
        arrays = committed.arrays
        lists = arrays.transition
        task = JointTask(
            rewards=arrays.follower_rewards,
            initial=np.cumsum(arrays.initial),
            successors=lists.successors[:, 0],
            probabilities=lists.probabilities[:, 0],
            continuing=arrays.continuing,
            horizon=committed.game.horizon,
            discount=arrays.follower_discount,
            temperature=arrays.temperature,
            least_step=float(config.least_step),
            exploration=float(config.exploration),
        )
        feasible = np.stack(arrays.feasible)
        # Loops know actions that are not feasible by their values; what is kept of them is as if never tried.
        q = np.ascontiguousarray(barred(self.q, feasible))
        _in_slices(self.rng, task, iterations, self.visits, q)
        self.policy: Array = gibbs(q, arrays.temperature)
        self.q = np.where(feasible, q, config.initial_q)


def _require_learnable(game: MarkovGame) -> MarkovGame:
    if game.zero_sum and game.follower_discount > 0.0:
        raise ArgumentError(
            f"soft_q_learning: expected followers that learn from their own rewards alone, but those of {game.name!r} "
            "lose the entropy of the other besides (zero_sum), which no reward shows"
        )
    return game


def _in_slices(rng: np.random.Generator, task: JointTask, steps: int, visits: Array, q: Array) -> None:
    """Run the compiled loop in parts of one length in time; `visits` and `q` (n, S, B) are modified in place."""
    n, _, B = q.shape
    policies, actions, place = np.empty((n, B)), np.zeros(n, dtype=np.int64), np.zeros(2, dtype=np.int64)
    most = slice_of(n * 5 * B + task.probabilities.shape[2])
    for done in range(0, steps, most):
        _learn_together(rng, task, min(most, steps - done), visits, q, policies, actions, place)


@compiled
def _learn_together(
    rng: np.random.Generator,
    task: JointTask,
    steps: int,
    visits: Array,
    q: Array,
    policies: Array,
    actions: NDArray[np.int64],
    place: NDArray[np.int64],
) -> None:
    """Go on for so many steps; `policies` and `actions` are scratch, `place` the state and the steps left."""
    n, B = q.shape[0], q.shape[2]
    s, left = place[0], place[1]
    for _ in range(steps):
        if left == 0:
            s = first_state(task.initial, rng.random())
            left = task.horizon
        joint = 0
        for i in range(n):
            gibbs_row(q[i, s], task.temperature, policies[i])
            explores = task.exploration > 0.0 and rng.random() < task.exploration
            b = even_draw(q[i, s], rng.random()) if explores else draw(policies[i], rng.random())
            actions[i] = b
            joint = joint * B + b
        ended = task.continuing[s] == 0.0
        u = s
        if not ended:
            u = task.successors[s, joint, draw(task.probabilities[s, joint], rng.random())]
        for i in range(n):
            b = actions[i]
            target = task.rewards[i, s, joint]
            if not ended:
                target += task.discount * gibbs_row(q[i, u], task.temperature, policies[i])
            visits[i, s, b] += 1.0
            q[i, s, b] += max(task.least_step, 1.0 / visits[i, s, b]) * (target - q[i, s, b])
        left = 0 if ended else left - 1
        s = u
    place[0], place[1] = s, left
