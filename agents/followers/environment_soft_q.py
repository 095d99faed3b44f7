"""Soft Q-learning in an environment that nobody looks into, whose observations and actions are numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import ArgumentError, OutputError
from stackelberg_envs.play.environments import GymStep, Rounds

from ..options import Probability, Share
from ..state import stateful
from ..state.stateful import Stateful
from .base import gibbs, register_follower
from .learners import Learner, LearnerConfig, LearningFollower
from .soft_q_learning import soft_value

__all__ = ["EnvironmentSoftQConfig", "EnvironmentSoftQLearning", "SoftQTables"]


@dataclass(frozen=True)
class EnvironmentSoftQConfig(LearnerConfig):
    """Options of soft Q-learning in environments.

    Attributes
    ----------
    least_step
        The step size is 1 / (visits since the last commitment), but at least this.
    exploration
        Probability that an action is drawn evenly from all, instead of by the Gibbs policy.
    initial_q
        What an action that was never tried is taken to be worth, in reward units. High values make the follower
        explore.
    """

    least_step: Share = 0.05
    exploration: Probability = 0.1
    initial_q: float = 0.0


@register_follower("soft_q_learning")
class EnvironmentSoftQLearning(LearningFollower):
    """Learns a table by soft Q-learning, in environments whose observations and actions are numbers.

    In a PettingZoo environment every agent learns a table of its own, all at the same time.
    """

    Config = EnvironmentSoftQConfig
    storable = True
    state_fields = stateful.fields()

    def make_learner(self, env: Any) -> Learner:
        """Return empty tables.

        Raises
        ------
        ArgumentError
            Observations or actions that are no numbers.
        """
        game: Any = self.game
        return SoftQTables(env, self.rng, self.config, game.follower_discount, game.temperature, game.horizon)


class SoftQTables(Stateful):
    """A table Q(s, b) for each agent of an environment.

    Parameters
    ----------
    env, rng
        The environment whose spaces count, and where random numbers come from.
    config
        See :class:`EnvironmentSoftQConfig`.
    discount, temperature
        Of the followers.
    horizon
        Steps after which an episode is cut.
    """

    state_fields = stateful.fields(q=stateful.Like())

    def __init__(
        self, env: Any, rng: np.random.Generator, config: EnvironmentSoftQConfig, discount: float, temperature: float,
        horizon: int,
    ) -> None:  # fmt: skip
        self.rng, self.config, self.discount, self.temperature = rng, config, discount, temperature
        self.horizon = horizon
        rounds = Rounds(env)
        self.spaces = {agent: rounds.spaces(agent) for agent in rounds.agents}
        for agent, pair in self.spaces.items():
            if not all(hasattr(space, "start") for space in pair):
                raise ArgumentError(
                    f"follower 'soft_q_learning': expected Discrete observations and actions, got {pair} "
                    f"{f'of {agent}' if agent else ''}; try sb3, or a learner of your own"
                )
        shapes = {agent: (int(seen.n), int(acts.n)) for agent, (seen, acts) in self.spaces.items()}
        self.q = {agent: np.full(shape, float(config.initial_q)) for agent, shape in shapes.items()}
        self.visits: dict[str, Array] = {}

    def check_state(self, loaded: dict[str, Any], where: str) -> None:
        """Raise OutputError unless all values are finite."""
        if not all(np.isfinite(table).all() for table in loaded["q"].values()):
            raise OutputError(f"{where}.q: expected finite numbers, got others")

    def learn(self, env: Any, steps: int) -> None:
        """Learn by so many steps, all agents' counted."""
        rounds, done = Rounds(env), 0
        self.visits = {agent: np.zeros_like(table) for agent, table in self.q.items()}
        while done < steps:
            observations = rounds.reset(int(self.rng.integers(2**31)))
            for _ in range(self.horizon):
                actions = {
                    agent: self._draw(agent, seen, self.rng, explore=True) for agent, seen in observations.items()
                }
                made = rounds.step(actions)
                for agent, step in made.items():
                    self._update(agent, observations[agent], actions[agent], step)
                done += len(actions)
                observations = {agent: step[0] for agent, step in made.items() if not (step[2] or step[3])}
                if done >= steps or not observations:
                    break

    def act(self, observation: Any, rng: np.random.Generator) -> Any:
        """Draw actions from the Gibbs policy of the tables."""
        if "" in self.q:
            return self._draw("", observation, rng, explore=False)
        return {agent: self._draw(agent, seen, rng, explore=False) for agent, seen in observation.items()}

    def _draw(self, agent: str, observation: Any, rng: np.random.Generator, *, explore: bool) -> int:
        seen, acts = self.spaces[agent]
        if explore and rng.random() < self.config.exploration:
            return int(rng.integers(acts.n)) + int(acts.start)
        row = gibbs(self.q[agent][int(observation) - int(seen.start)], self.temperature)
        return int(np.searchsorted(np.cumsum(row)[:-1], rng.random(), side="right")) + int(acts.start)

    def _update(self, agent: str, observation: Any, action: int, step: GymStep) -> None:
        following, reward, terminated, _, _ = step
        seen, acts = self.spaces[agent]
        place = int(observation) - int(seen.start), action - int(acts.start)
        target = float(reward)
        if not terminated:
            target += self.discount * soft_value(self.q[agent][int(following) - int(seen.start)], self.temperature)
        self.visits[agent][place] += 1.0
        rate = max(self.config.least_step, 1.0 / self.visits[agent][place])
        self.q[agent][place] += rate * (target - self.q[agent][place])
