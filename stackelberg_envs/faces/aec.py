"""The native AEC environments, in which agents take turns: leader and followers, or the followers alone.

A play step is made when the last follower has acted. With ``commitment="per_step"`` the turns go leader,
followers, leader, followers, and so on: the leader sees the state it acts in. With ``commitment="episode"`` the
leader has a last turn when play is over, which changes nothing and in which it is paid.
"""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
from pettingzoo import AECEnv
from pettingzoo.utils.wrappers import AssertOutOfBoundsWrapper, OrderEnforcingWrapper

from stackelberg_envs.errors import ActionError, PhaseError
from stackelberg_envs.faces.common import LEADER, TwoSides
from stackelberg_envs.faces.followers import FollowersFace
from stackelberg_envs.games.tabular import Game
from stackelberg_envs.play.session import DONE, READY, Session

__all__ = ["FollowersAecEnv", "RawEnv", "followers_aec_env", "wrapped_env"]


class _Turns(AECEnv[str, Any, Any]):  # type: ignore[misc]  # PettingZoo ships no types
    """What agents do one after the other, whoever they are."""

    session: Session
    followers: list[str]
    render_mode: str | None

    def _open_turns(self, first: str) -> None:
        """Begin an episode with all agents, one of whom is first to act."""
        self.agents = self.possible_agents[:]
        self.rewards = dict.fromkeys(self.agents, 0.0)
        self._cumulative_rewards = dict.fromkeys(self.agents, 0.0)
        self.terminations = dict.fromkeys(self.agents, False)
        self.truncations = dict.fromkeys(self.agents, False)
        self.infos = self._infos()
        self.agent_selection = first
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

    def _choose(self, agent: str, action: Any) -> None:
        # An action is checked when it is chosen, so that the error meets the agent that chose it.
        i = len(self._chosen)
        session = self.session
        checked = action if session.finished[i] else session.checked_action(i, action)
        self._cumulative_rewards[agent] = 0.0
        self._chosen.append(checked)
        if i + 1 < len(self.followers):
            self.rewards = dict.fromkeys(self.agents, 0.0)
            self.agent_selection = self.followers[i + 1]
        else:
            self._play()

    def _play(self) -> None:
        session = self.session
        session.advance(self._chosen)
        self._chosen = []
        self.observer.update()
        self._pay(self._earned())
        self.infos = self._infos()
        self._turn_over(session.phase == DONE)

    def _pay(self, rewards: dict[str, float]) -> None:
        self.rewards = rewards
        for agent, reward in rewards.items():
            self._cumulative_rewards[agent] += reward

    def _end(self) -> None:
        """Tell all agents that the episode is over."""
        self.terminations = dict.fromkeys(self.agents, self.session.terminated)
        self.truncations = dict.fromkeys(self.agents, self.session.truncated)
        self.agent_selection = self.agents[0]


class RawEnv(TwoSides, _Turns):
    """A game as an AEC environment, without PettingZoo's wrappers.

    Parameters and infos are those of :class:`stackelberg_envs.faces.parallel.ParallelFace`. `commitment` may also be
    "episode": the leader acts once more when play is over, and is paid for all of it then. That is for libraries that
    count rewards only at the turns of an agent that acts again.
    """

    is_parallelizable = False
    modes = ("once", "per_step", "episode")
    opening_rounds = 0

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
        self._open_turns(LEADER)

    def _lead(self, action: Any) -> None:
        self._cumulative_rewards[LEADER] = 0.0
        if self.session.phase == DONE:
            earned = dict.fromkeys(self.agents, 0.0)
            self._pay(earned | {LEADER: self.session.leader_return * self._leader_share})
            self._end()
            return
        self._leader_acts(action)
        self.observer.begin_play()
        self.rewards = dict.fromkeys(self.agents, 0.0)
        self.infos = self._infos()
        self.agent_selection = self.followers[0]

    def _earned(self) -> dict[str, float]:
        earned = self._rewards()
        return earned | {LEADER: 0.0} if self._settles else earned

    def _turn_over(self, over: bool) -> None:
        if over and not self._settles:
            self._end()
        else:
            self.agent_selection = LEADER if over or self.session.per_step else self.followers[0]


class FollowersAecEnv(FollowersFace, _Turns):
    """The followers of a game as an AEC environment, without PettingZoo's wrappers.

    Parameters and infos are those of :class:`stackelberg_envs.faces.followers.FollowersEnv`.
    """

    is_parallelizable = True

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> None:
        """Begin an episode, in the play phase; the parameters are those of :class:`FollowersEnv`."""
        self._begin(seed, options)
        self._open_turns(self.followers[0])

    def _earned(self) -> dict[str, float]:
        return self._rewards()

    def _turn_over(self, over: bool) -> None:
        if over:
            self._end()
        else:
            self.agent_selection = self.followers[0]


class _OutOfBounds(AssertOutOfBoundsWrapper):  # type: ignore[misc]  # PettingZoo ships no types
    """PettingZoo's check of bounds, which also takes a commitment in its own shape."""

    def step(self, action: Any) -> None:
        if isinstance(action, np.ndarray) and action.ndim > 1:
            action = action.reshape(-1)
        super().step(action)


def wrapped_env(game: Game, **options: Any) -> AECEnv[str, Any, Any]:
    """Return :class:`RawEnv` inside PettingZoo's bounds and order checks."""
    return OrderEnforcingWrapper(_OutOfBounds(RawEnv(game, **options)))


def followers_aec_env(game: Game, **options: Any) -> AECEnv[str, Any, Any]:
    """Return :class:`FollowersAecEnv` inside PettingZoo's bounds and order checks."""
    return OrderEnforcingWrapper(AssertOutOfBoundsWrapper(FollowersAecEnv(game, **options)))


# The registry reads the options off the signature.
wrapped_env.__signature__ = inspect.signature(RawEnv)  # type: ignore[attr-defined]
followers_aec_env.__signature__ = inspect.signature(FollowersAecEnv)  # type: ignore[attr-defined]
