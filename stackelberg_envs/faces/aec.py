"""The native AEC environment: the leader acts once, then the followers take turns.

A play step is made when the last follower has acted. With ``commitment="per_step"`` the turns go leader,
followers, leader, followers, and so on: the leader sees the state it acts in.
"""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
from pettingzoo import AECEnv
from pettingzoo.utils.wrappers import AssertOutOfBoundsWrapper, OrderEnforcingWrapper

from stackelberg_envs.errors import ActionError, PhaseError
from stackelberg_envs.faces.common import LEADER, TwoSides
from stackelberg_envs.games.tabular import Game
from stackelberg_envs.play.session import READY

__all__ = ["RawEnv", "wrapped_env"]


class RawEnv(TwoSides, AECEnv[str, Any, Any]):  # type: ignore[misc]  # PettingZoo ships no types
    """A game as an AEC environment, without PettingZoo's wrappers.

    Parameters and infos are those of :class:`stackelberg_envs.faces.parallel.ParallelFace`.
    """

    is_parallelizable = False

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> None:
        """Begin an episode; the leader is first to act.

        Parameters
        ----------
        seed
            Starts a new random stream; None goes on with the present one.
        options
            None are known.

        Raises
        ------
        ArgumentError
            An option, or a seed that is no integer of at least 0; nothing has changed then.
        """
        self._begin(seed, options)
        self.rewards = dict.fromkeys(self.agents, 0.0)
        self._cumulative_rewards = dict.fromkeys(self.agents, 0.0)
        self.terminations = dict.fromkeys(self.agents, False)
        self.truncations = dict.fromkeys(self.agents, False)
        self.infos = self._infos()
        self.agent_selection = LEADER
        self._skip_agent_selection: str | None = None
        self._chosen: list[Any] = []
        self._shown()

    def observe(self, agent: str) -> Any:
        """Return what an agent observes now, a new array."""
        if agent == LEADER:
            return self.observer.leader()
        return self.observer.follower(self.followers.index(agent))

    def step(self, action: Any) -> None:
        """Take the action of ``agent_selection``; None once it is finished.

        Raises
        ------
        PhaseError
            Before the first reset.
        CommitmentError, ActionError
            An action outside its space.
        """
        if self.session.phase == READY:
            raise PhaseError("step: expected reset() first")
        if not self.agents:
            return
        agent = self.agent_selection
        if self.terminations[agent] or self.truncations[agent]:
            if action is not None:
                raise ActionError(f"{agent}: expected None, because its episode is over, got {action!r}")
            self._was_dead_step(action)
            return
        if agent == LEADER:
            self._lead(action)
        else:
            self._choose(agent, action)
        if self.render_mode == "human" and not self._chosen:
            self.render()

    def _lead(self, action: Any) -> None:
        self._leader_acts(action)
        self.observer.begin_play()
        self._cumulative_rewards[LEADER] = 0.0
        self.rewards = dict.fromkeys(self.agents, 0.0)
        self.infos = self._infos()
        self.agent_selection = self.followers[0]

    def _choose(self, agent: str, action: Any) -> None:
        # An action is checked when it is chosen, so that the error meets the agent that chose it.
        i = len(self._chosen)
        session = self.session
        checked = action if session.finished[i] else session.simulator.check_follower_action(action)
        self._cumulative_rewards[agent] = 0.0
        self._chosen.append(checked)
        if i + 1 < len(self.followers):
            self.rewards = dict.fromkeys(self.agents, 0.0)
            self.agent_selection = self.followers[i + 1]
        else:
            self._play()

    def _play(self) -> None:
        session = self.session
        session.play(self._chosen)
        self._chosen = []
        self.observer.update()
        self.rewards = {
            LEADER: session.leader_reward,
            **dict(zip(self.followers, session.follower_rewards, strict=True)),
        }
        for agent, reward in self.rewards.items():
            self._cumulative_rewards[agent] += reward
        self.infos = self._infos()
        over = session.terminated or session.truncated
        if over:
            self.terminations = dict.fromkeys(self.agents, session.terminated)
            self.truncations = dict.fromkeys(self.agents, session.truncated)
        self.agent_selection = LEADER if over or session.per_step else self.followers[0]


class _OutOfBounds(AssertOutOfBoundsWrapper):  # type: ignore[misc]  # PettingZoo ships no types
    """PettingZoo's check of bounds, which also takes a commitment in its own shape."""

    def step(self, action: Any) -> None:
        if isinstance(action, np.ndarray) and action.ndim > 1:
            action = action.reshape(-1)
        super().step(action)


def wrapped_env(game: Game, **options: Any) -> AECEnv[str, Any, Any]:
    """Return :class:`RawEnv` inside PettingZoo's bounds and order checks."""
    return OrderEnforcingWrapper(_OutOfBounds(RawEnv(game, **options)))


# The registry reads the options off the signature.
wrapped_env.__signature__ = inspect.signature(RawEnv)  # type: ignore[attr-defined]
