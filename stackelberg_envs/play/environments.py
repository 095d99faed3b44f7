"""Play in environments that nobody looks into: followers act, and what an observer sees is written down."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias, cast

import numpy as np

from stackelberg_envs.errors import ArgumentError, GameError
from stackelberg_envs.games.environments import CommittedEnvironment
from stackelberg_envs.games.observed import EnvironmentStep, Row
from stackelberg_envs.games.trajectories import Trajectories

__all__ = ["Acting", "Rounds", "play_environment"]


#: Observation, reward, terminated, truncated, info.
GymStep: TypeAlias = tuple[Any, float, bool, bool, dict[str, Any]]


class Acting(Protocol):
    """A response in an environment."""

    def act(self, observation: Any, rng: np.random.Generator) -> Any:
        """Return an action; in a PettingZoo environment one for each agent, from a dict of their observations."""


class Rounds:
    """Rounds of a Gymnasium or a parallel PettingZoo environment, as dicts by agent; the agent of Gymnasium is "".

    Parameters
    ----------
    env
        The environment.
    """

    def __init__(self, env: Any) -> None:
        self.env, self.is_parallel = env, hasattr(env, "possible_agents")
        self.agents: list[str] = list(env.possible_agents) if self.is_parallel else [""]

    def spaces(self, agent: str) -> tuple[Any, Any]:
        """Return the spaces of an agent's observations and actions."""
        if self.is_parallel:
            return self.env.observation_space(agent), self.env.action_space(agent)
        return self.env.observation_space, self.env.action_space

    def reset(self, seed: int) -> dict[str, Any]:
        """Begin an episode and return the observations."""
        seen, _ = self.env.reset(seed=seed)
        return cast("dict[str, Any]", seen) if self.is_parallel else {"": seen}

    def step(self, actions: dict[str, Any]) -> dict[str, GymStep]:
        """Make a step; return what Gymnasium returns, by agent."""
        if not self.is_parallel:
            return {"": self.env.step(actions[""])}
        made = self.env.step(actions)
        return {agent: tuple(part.get(agent, {}) for part in made) for agent in actions}

    def act(self, policy: Acting, observations: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
        """Return the actions of a response."""
        if self.is_parallel:
            return dict(policy.act(observations, rng))
        return {"": policy.act(observations[""], rng)}


def play_environment(
    committed: CommittedEnvironment,
    policy: Any,
    rng: np.random.Generator,
    *,
    steps: int | None = None,
    episodes: int | None = None,
) -> Trajectories:
    """Play until there are so many steps or episodes; each agent's play is an episode of its own.

    Raises
    ------
    ArgumentError
        A response that cannot act.
    GameError
        The environment pays what is no number.
    """
    if not hasattr(policy, "act"):
        raise ArgumentError(f"follower: expected a response with act(observation, rng), got {type(policy).__name__}")
    log = _Log(committed, rng, steps)
    rounds = Rounds(committed.bare())
    played = 0
    while not log.is_full() and (episodes is None or played < episodes):
        observations = rounds.reset(int(rng.integers(2**31)))
        log.open(observations)
        for t in range(1, committed.game.horizon + 1):
            actions = rounds.act(policy, observations, rng)
            made = rounds.step(actions)
            log.add(observations, actions, made, at_horizon=t == committed.game.horizon)
            observations = {agent: step[0] for agent, step in made.items() if not (step[2] or step[3])}
            if log.is_full() or not observations:
                break
        played += 1
    rounds.env.close()
    return log.trajectories()


@dataclass
class _Episode:
    """The play of one agent from reset to end."""

    rows: list[Row] = field(default_factory=list)
    terminated: bool = False
    whole: bool = False


class _Log:
    """Steps as they come in, by agent and episode, until there are enough."""

    def __init__(self, committed: CommittedEnvironment, rng: np.random.Generator, steps: int | None) -> None:
        self.committed, self.rng, self.left = committed, rng, np.inf if steps is None else steps
        self.episodes: list[_Episode] = []
        self.current: dict[str, _Episode] = {}

    def is_full(self) -> bool:
        return self.left <= 0

    def open(self, agents: Iterable[str]) -> None:
        """Begin an episode of each agent."""
        self.current = {agent: _Episode() for agent in agents}
        self.episodes += self.current.values()

    def add(
        self, before: dict[str, Any], actions: dict[str, Any], made: dict[str, GymStep], *, at_horizon: bool
    ) -> None:
        """Write a round down; of what is too much, nothing."""
        game, committed = self.committed.game, self.committed
        for agent, (following, reward, terminated, truncated, info) in made.items():
            if not np.isfinite(reward):
                raise GameError(f"{game.name}: expected finite rewards, got {reward!r}")
            step = EnvironmentStep(
                observation=before[agent],
                action=actions[agent],
                reward=float(reward),
                next_observation=following,
                terminated=bool(terminated),
                truncated=bool(truncated),
                info=info,
                agent=agent,
                commitment=committed.commitment,
            )
            bonus = committed.bonus(step.observation, step.action, following)[0]
            rows = game.seen.rows(step, (step.reward + bonus, committed.paid_to_leader(step)), self.rng)
            kept, episode = rows[: int(min(self.left, len(rows)))], self.current[agent]
            episode.rows += kept
            self.left -= len(kept)
            if len(kept) == len(rows):
                episode.terminated = step.terminated
                episode.whole = step.terminated or step.truncated or at_horizon

    def trajectories(self) -> Trajectories:
        """Return all that was written down."""
        game, episodes = self.committed.game, [episode for episode in self.episodes if episode.rows]
        rows = [row for episode in episodes for row in episode.rows]
        leader, follower = (np.array([row[i] for row in rows], dtype=np.float64) for i in (3, 4))
        return Trajectories(
            commitment=self.committed.commitment.copy(),
            **game.seen.arrays(rows),
            leader_reward=leader,
            follower_reward=follower if game.observe_rewards else None,
            offsets=np.cumsum([0, *(len(episode.rows) for episode in episodes)], dtype=np.int64),
            terminated=np.array([episode.terminated for episode in episodes]),
            context=np.zeros(len(episodes), dtype=np.int32),
            whole=np.array([episode.whole for episode in episodes]),
        )
