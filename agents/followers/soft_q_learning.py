"""Tabular soft Q-learning: a follower that learns its response from its own play."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array, require_count
from stackelberg_envs.errors import ArgumentError
from stackelberg_envs.jit import compiled
from stackelberg_envs.play.rollout import GameTables, draw, first_state

from ..state import stateful
from .base import barred, gibbs, register_follower
from .tabular import LearningTask, TabularLearner, even_draw, gibbs_row, learn_in_slices

__all__ = ["SoftQLearning", "soft_q_learning", "soft_value"]

#: What an environment's infos have to hold for a follower to learn from it.
NEEDED = ("state", "next_state", "leader_action", "context", "terminal")


@register_follower("soft_q_learning")
class SoftQLearning(TabularLearner):
    """Learns a table by soft Q-learning.

    It learns from its own play. After each step it moves the value of what it did towards the reward plus the
    discounted soft value of the next state and of the leader's next action, which it is shown.
    """

    state_fields = stateful.fields()

    def learn_tables(self, game: GameTables, task: LearningTask, steps: int) -> None:
        """Play and learn in arrays."""
        soft_q_learning(self.rng, game, task, steps, self.visits, self.q)

    def learn_from_env(self, env: Any, steps: int) -> int:
        """Learn by stepping an environment, by nothing but what it shows; `q` and `policy` are as after :meth:`learn`.

        Parameters
        ----------
        env
            A Gymnasium environment of one follower, as :func:`stackelberg_envs.follower_env` makes it. States,
            contexts and rewards are read from what it returns; sizes, discount and temperature from its game. Its
            commitment is the one in force.
        steps
            Environment steps.

        Returns
        -------
        int
            `steps`.

        Raises
        ------
        ArgumentError
            Infos that lack what a learner has to be told.
        """
        require_count(steps, "steps")
        game = env.unwrapped.game
        if not self.learned or self.config.restart:
            S, A, B = game.shape
            self.q = np.full((game.num_contexts * S, A, B), self.config.initial_q, dtype=np.float64)
        self.visits = np.zeros_like(self.q)
        feasible = game.uncommitted.feasible
        self.q = barred(self.q, feasible)
        place = self._reset(env)
        for _ in range(steps):
            b = self._draw(self.q[place], game.temperature)
            observation, reward, terminated, truncated, info = env.step(b)
            following = self._place(env, observation, info)
            target = float(reward)
            if not terminated:
                target += game.follower_discount * soft_value(self.q[following], game.temperature)
            self._update((*place, b), target)
            place = self._reset(env) if terminated or truncated else following
        self.policy = gibbs(self.q, game.temperature)
        if feasible is not None:
            self.q = np.where(feasible, self.q, self.config.initial_q)
        return steps

    def _reset(self, env: Any) -> tuple[int, int]:
        # Each episode has a seed of this learner's own, so that equal generators learn equal tables.
        observation, info = env.reset(seed=int(self.rng.integers(2**31)))
        missing = [name for name in NEEDED if name not in info]
        if missing:
            raise ArgumentError(f"env: expected {', '.join(NEEDED)} in its infos; missing {missing}")
        return self._place(env, observation, info)

    def _place(self, env: Any, observation: Any, info: dict[str, Any]) -> tuple[int, int]:
        """Return the joint state it is in and the leader's action it is shown."""
        shown = env.unwrapped.observation_layout.get("leader_action")
        a = 0 if shown is None else int(np.argmax(observation[shown]))
        return max(info["context"], 0) * env.unwrapped.game.shape[0] + info["next_state"], a

    def _draw(self, row: Array, temperature: float) -> int:
        if self.rng.random() < self.config.exploration:
            able = np.flatnonzero(row > -np.inf)
            return int(able[self.rng.integers(len(able))])
        return int(self.rng.choice(len(row), p=gibbs(row, temperature)))

    def _update(self, visited: tuple[int, int, int], target: float) -> None:
        self.visits[visited] += 1.0
        rate = max(self.config.least_step, 1.0 / self.visits[visited])
        self.q[visited] += rate * (target - self.q[visited])


def soft_value(row: Array, temperature: float) -> float:
    """Return the soft maximum of a row of action values, reward units."""
    top = float(row.max())
    return top + temperature * float(np.log(np.exp((row - top) / temperature).sum()))


def soft_q_learning(
    rng: np.random.Generator,
    game: GameTables,
    task: LearningTask,
    steps: int,
    visits: Array,
    q: Array,
) -> int:
    """Tabular soft Q-learning in a simulator, `steps` follower steps, from one episode to the next.

    `q` and `visits` (Z, A, B) are modified in place. The learner reads the arrays of the game only to be
    told where it is, what the leader plays, what it is paid and whether the episode is over. Its behaviour
    is its Gibbs policy, replaced by an even draw with probability `exploration`. Returns the number of episodes.
    """
    cost = q.shape[1] + 4 * q.shape[2] + game.probabilities.shape[3]
    return learn_in_slices(_soft_q_learning, rng, game, task, steps, visits, q, cost=cost)


@compiled
def _soft_q_learning(
    rng: np.random.Generator,
    game: GameTables,
    task: LearningTask,
    steps: int,
    visits: Array,
    q: Array,
    policy: Array,
    place: NDArray[np.int64],
) -> None:
    """Go on for so many steps; see :func:`agents.followers.tabular.learn_in_slices`."""
    A = q.shape[1]
    s, a, left, episodes = place[0], place[1], place[2], place[3]
    for _ in range(steps):
        if left == 0:
            s = first_state(game.initial, rng.random())
            a = draw(game.leader_policy[s], rng.random()) if A > 1 else 0
            left = game.horizon
            episodes += 1
            gibbs_row(q[s, a], task.temperature, policy)
        explores = rng.random() < task.exploration
        b = even_draw(q[s, a], rng.random()) if explores else draw(policy, rng.random())
        target = task.reward[s, a, b]
        ended = game.continuing[s] == 0.0
        u, v = s, a
        if not ended:
            u = game.successors[s, a, b, draw(game.probabilities[s, a, b], rng.random())]
            v = draw(game.leader_policy[u], rng.random()) if A > 1 else 0
            target += task.discount * gibbs_row(q[u, v], task.temperature, policy)
        visits[s, a, b] += 1.0
        q[s, a, b] += max(task.least_step, 1.0 / visits[s, a, b]) * (target - q[s, a, b])
        left = 0 if ended else left - 1
        if u == s and v == a:
            gibbs_row(q[s, a], task.temperature, policy)
        s, a = u, v
    place[0], place[1], place[2], place[3] = s, a, left, episodes
