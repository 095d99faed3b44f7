"""Wrappers that pay followers of an environment what a commitment adds to their rewards."""

from __future__ import annotations

from typing import Any

import gymnasium
from pettingzoo.utils.wrappers import BaseParallelWrapper

from stackelberg_envs.games.observed import Bonus

__all__ = ["GymnasiumBonus", "ParallelBonus"]


class GymnasiumBonus(gymnasium.Wrapper[Any, Any, Any, Any]):
    """A Gymnasium environment whose rewards contain a bonus."""

    def __init__(self, env: Any, bonus: Bonus) -> None:
        super().__init__(env)
        self._bonus, self._seen = bonus, None

    def reset(self, **options: Any) -> Any:
        """Begin an episode."""
        self._seen, info = self.env.reset(**options)
        return self._seen, info

    def step(self, action: Any) -> Any:
        """Make a step and add the bonus to its reward."""
        following, reward, terminated, truncated, info = self.env.step(action)
        paid = float(reward) + self._bonus(self._seen, action, following)[0]
        self._seen = following
        return following, paid, terminated, truncated, info


class ParallelBonus(BaseParallelWrapper):  # type: ignore[misc] # PettingZoo has little type information
    """A parallel environment of PettingZoo whose rewards contain a bonus for each agent."""

    def __init__(self, env: Any, bonus: Bonus) -> None:
        super().__init__(env)
        self._bonus = bonus
        self._seen: dict[str, Any] = {}

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        """Begin an episode."""
        self._seen, infos = self.env.reset(seed=seed, options=options)
        return self._seen, infos

    def step(self, actions: dict[str, Any]) -> Any:
        """Make a step and add the bonus to each agent's reward."""
        following, rewards, terminations, truncations, infos = self.env.step(actions)
        paid = {
            agent: float(reward) + self._bonus(self._seen[agent], actions[agent], following[agent])[0]
            for agent, reward in rewards.items()
        }
        self._seen = following
        return following, paid, terminations, truncations, infos
