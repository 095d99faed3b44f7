"""Many copies of a vector game's follower environment: the game's own functions, called once a step."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array
from stackelberg_envs.faces.vector_base import FollowerVectorEnv, Step, masked
from stackelberg_envs.games.actions import action_bounds, checked_actions, no_actions
from stackelberg_envs.games.vector import call_game
from stackelberg_envs.play.simulators import record
from stackelberg_envs.play.vector import draw_contexts

__all__ = ["VectorGameVectorEnv"]

Mask = NDArray[np.bool_]


class VectorGameVectorEnv(FollowerVectorEnv):
    """See :class:`FollowerVectorEnv`."""

    def _commit(self, x: Array) -> None:
        self._x = x

    def _restart(self) -> NDArray[Any]:
        n, game = self.num_envs, self.game
        space = game.leader_action_space
        self._bounds = action_bounds(self.single_action_space)
        self._contexts, self._played = np.zeros((2, n), np.int32)
        self._states = np.zeros((n, game.state_space.shape[0]))
        self._leader_actions = np.zeros((n, 0 if space is None else space.shape[0]))
        self._over = np.ones(n, np.bool_)
        self._scalar = self.single_action_space.shape == ()
        self._nothing = no_actions(self._bounds, n)
        return self._nothing

    def _checked(self, actions: Any) -> NDArray[Any]:
        return checked_actions(actions, self.num_envs, self._bounds, "actions")

    def _advance(self, actions: NDArray[Any]) -> Step:
        began, before, shown = self._over, self._states, self._leader_actions
        # New arrays each step, since infos hand the old ones out.
        self._states = before.copy()
        leader_rewards, follower_rewards, terminated = self._move(actions, ~began, shown)
        self._begin(began)
        self._played = np.where(began, 0, self._played + 1).astype(np.int32)
        truncated = ~began & ~terminated & (self._played >= self._last_step)
        self._over = terminated | truncated
        self._leader_actions = self._draw_leader_actions(terminated)
        self._observe()
        infos = record(
            (~began).astype(np.int32),
            self._played,
            self._contexts,
            _hidden(before, began),
            _hidden(shown, began),
            np.where(began[:, None], self._nothing, actions)[:, 0 if self._scalar else slice(None)],
            self._states.copy(),
            terminated.astype(np.int32),
            leader_rewards,
            follower_rewards.copy() if self.game.observe_rewards else None,
        )
        return self._seen(), follower_rewards, terminated, truncated, masked(infos)

    def _move(self, actions: NDArray[Any], moves: Mask, shown: Array) -> tuple[Array, Array, Mask]:
        """Step the copies that play; return both rewards and what terminated, shape (n,), zero for the others."""
        n = self.num_envs
        leader_rewards, follower_rewards, terminated = np.zeros(n), np.zeros(n), np.zeros(n, np.bool_)
        if moves.any():
            rows: Any = slice(None) if moves.all() else moves
            given = self._states[rows], self._contexts[rows], shown[rows], actions[rows]
            made = call_game(self.game, "step", self.np_random, self._x, *given)
            self._states[rows] = made.next_state
            leader_rewards[rows], follower_rewards[rows] = made.leader_reward, made.follower_reward
            terminated[rows] = made.terminated
        return leader_rewards, follower_rewards, terminated

    def _begin(self, begins: Mask) -> None:
        """Draw the context and the state of the copies whose episode is over."""
        count = int(begins.sum())
        if count:
            self._contexts = self._contexts.copy()
            self._contexts[begins] = draw_contexts(self.game, self.np_random, count)
            self._states[begins] = call_game(self.game, "initial_states", self.np_random, self._contexts[begins])

    def _draw_leader_actions(self, terminated: Mask) -> Array:
        """Draw the actions shown next; none where nothing follows."""
        drawn = call_game(self.game, "leader_actions", self.np_random, self._x, self._states, self._contexts)
        return _hidden(drawn, terminated) if terminated.any() else drawn

    def _observe(self) -> None:
        layout, rows = self.observation_layout, self._observations
        rows[:, layout["state"]] = self._states
        if "leader_action" in layout:
            rows[:, layout["leader_action"]] = self._leader_actions
        if "context" in layout:
            rows[:, layout["context"]] = 0.0
            rows[np.arange(len(rows)), layout["context"].start + self._contexts] = 1.0
        rows[:, layout["time"].start] = self._played * (1.0 / self.game.horizon)


def _hidden(array: Array, hides: Mask) -> Array:
    """Return an array with zeros in some rows."""
    return np.where(hides[:, None], 0.0, array)
