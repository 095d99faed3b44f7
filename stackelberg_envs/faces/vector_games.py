"""Many copies of a vector game's follower environment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array, require_flag
from stackelberg_envs.errors import PhaseError
from stackelberg_envs.faces.vector_base import FollowerVectorEnv, Step, masked
from stackelberg_envs.games.actions import action_bounds, checked_actions, no_actions
from stackelberg_envs.games.vector import BatchStep, call_game
from stackelberg_envs.play.session import simulator_of
from stackelberg_envs.play.simulators import record
from stackelberg_envs.play.vector import draw_contexts

__all__ = ["VectorGameVectorEnv"]

Mask = NDArray[np.bool_]


class VectorGameVectorEnv(FollowerVectorEnv):
    """See :class:`FollowerVectorEnv`.

    The game's functions take many copies at once, but one random generator. With a stream of its own for each copy they
    are called once a copy; with ``shared_stream`` once for all.
    """

    def __init__(self, *args: Any, shared_stream: bool = False, **options: Any) -> None:
        super().__init__(*args, **options)
        self._shares = require_flag(shared_stream, "shared_stream")
        self._streams: list[np.random.Generator | None] = [None] * (1 if self._shares else self.num_envs)
        space = simulator_of(self.game).follower_action_space
        self._bounds = action_bounds(space)
        self._scalar = space.shape == ()
        self._nothing = no_actions(self._bounds, self.num_envs)

    def _begin(self, x: Array, seeds: Sequence[int | None]) -> None:
        n, game, layout = self.num_envs, self.game, self.observation_layout
        for i, seed in enumerate(seeds[: len(self._streams)]):
            if seed is not None or self._streams[i] is None:
                self._streams[i] = np.random.default_rng(seed)
        self._x = x
        space = game.leader_action_space
        self._contexts, self._played = np.zeros((2, n), np.int64)
        self._states = np.zeros((n, game.state_space.shape[0]))
        self._leader_actions = np.zeros((n, 0 if space is None else space.shape[0]))
        self._over = np.ones(n, np.bool_)
        width = self._observer.space.shape[0]
        self._observations: NDArray[np.float32] = np.zeros((n, width), np.float32)
        self._observations[:, layout["phase"]] = (0.0, 1.0)
        if self._observer.observes == "all":
            self._observations[:, layout["commitment"]] = x.ravel()

    def _checked(self, actions: Any) -> NDArray[Any]:
        meant = self._form.meant_by_all(actions, self.num_envs)
        return checked_actions(meant, self.num_envs, self._bounds, "actions")

    def _advance(self, actions: NDArray[Any]) -> Step:
        began, before, shown = self._over, self._states, self._leader_actions
        # New arrays each step, since infos hand the old ones out.
        self._states = before.copy()
        leader_rewards, follower_rewards, terminated = self._move(actions, ~began, shown)
        self._draw_episodes(began)
        self._played = np.where(began, 0, self._played + 1)
        truncated = ~began & ~terminated & (self._played >= self._last_step)
        self._over = terminated | truncated
        self._leader_actions = _hidden(shown, terminated)
        self._lead(~terminated)
        self._observe()
        infos = self._infos(
            (~began).astype(np.int64),
            _hidden(before, began),
            _hidden(shown, began),
            np.where(began[:, None], self._nothing, actions)[:, 0 if self._scalar else slice(None)],
            terminated,
            leader_rewards,
            follower_rewards,
        )
        if self._same_step and self._over.any():
            infos = self._begin_anew(infos)
        paid = follower_rewards * self._follower_share
        return self._seen(self._observations), paid, terminated, truncated, infos

    def _infos(
        self,
        played: NDArray[np.int64],
        states: Array,
        shown: Array,
        actions: NDArray[Any],
        terminated: Mask,
        leader_rewards: Array,
        follower_rewards: Array,
    ) -> dict[str, Any]:
        seen = record(
            played,
            self._played.copy(),
            self._contexts.copy(),
            states,
            shown,
            actions,
            self._states.copy(),
            terminated.astype(np.int64),
            leader_rewards,
            follower_rewards if self.game.observe_rewards else None,
        )
        return masked(seen, np.ones(self.num_envs, np.bool_))

    def _begin_anew(self, infos: dict[str, Any]) -> dict[str, Any]:
        """Begin the episodes that a step ended; return infos with the last of those that are over."""
        over, n = self._over, self.num_envs
        last: NDArray[Any] = np.full(n, None, dtype=object)
        for i in np.flatnonzero(over):
            last[i] = self._seen(self._observations[i : i + 1])[0].copy()
        final = {key: _only(value, over) for key, value in infos.items() if key[0] != "_"}
        self._states = self._states.copy()
        self._draw_episodes(over)
        self._played = np.where(over, 0, self._played)
        self._lead(over)
        self._observe()
        first = self._infos(
            np.zeros(n, np.int64),
            np.zeros_like(self._states),
            np.zeros_like(self._leader_actions),
            self._nothing[:, 0 if self._scalar else slice(None)],
            np.zeros(n, np.bool_),
            np.zeros(n),
            np.zeros(n),
        )
        for key, value in final.items():
            infos[key] = np.where(over.reshape(-1, *[1] * (value.ndim - 1)), first[key], infos[key])
        self._over = np.zeros(n, np.bool_)
        ends = {"final_obs": last, "_final_obs": over, "final_info": masked(final, over.copy())}
        return infos | ends | {"_final_info": over.copy()}

    def _move(self, actions: NDArray[Any], moves: Mask, shown: Array) -> tuple[Array, Array, Mask]:
        """Step the copies that play; return both rewards and what terminated, shape (n,), zero for the others."""
        n = self.num_envs
        leader_rewards, follower_rewards, terminated = np.zeros(n), np.zeros(n), np.zeros(n, np.bool_)
        for rng, rows in self._calls(moves):
            given = self._states[rows], self._contexts[rows].astype(np.int32), shown[rows], actions[rows]
            made: BatchStep = call_game(self.game, "step", rng, self._x, *given)
            self._states[rows] = made.next_state
            leader_rewards[rows], follower_rewards[rows] = made.leader_reward, made.follower_reward
            terminated[rows] = made.terminated
        return leader_rewards, follower_rewards, terminated

    def _draw_episodes(self, begins: Mask) -> None:
        """Draw the context and the state of the copies whose episode begins."""
        self._contexts = self._contexts.copy()
        for rng, rows in self._calls(begins):
            drawn = draw_contexts(self.game, rng, len(rows))
            self._contexts[rows] = drawn
            self._states[rows] = call_game(self.game, "initial_states", rng, drawn)

    def _lead(self, moves: Mask) -> None:
        """Draw the actions that some copies show next."""
        if self.game.leader_action_space is None:
            return
        shown = self._leader_actions.copy()
        for rng, rows in self._calls(moves):
            given = self._states[rows], self._contexts[rows].astype(np.int32)
            shown[rows] = call_game(self.game, "leader_actions", rng, self._x, *given)
        self._leader_actions = shown

    def _calls(self, chosen: Mask) -> list[tuple[np.random.Generator, NDArray[np.int64]]]:
        """Return the calls that serve some copies: which generator draws, and for which rows."""
        rows = np.flatnonzero(chosen)
        if self._shares:
            return [(self._stream(0), rows)] if rows.size else []
        return [(self._stream(int(i)), rows[k : k + 1]) for k, i in enumerate(rows)]

    def _stream(self, i: int) -> np.random.Generator:
        stream = self._streams[i]
        if stream is None:
            raise PhaseError("step: expected reset() first")
        return stream

    def _observe(self) -> None:
        layout, rows = self.observation_layout, self._observations
        rows[:, layout["state"]] = self._states
        if "leader_action" in layout:
            rows[:, layout["leader_action"]] = self._leader_actions
        if "context" in layout:
            rows[:, layout["context"]] = 0.0
            rows[np.arange(len(rows)), layout["context"].start + self._contexts] = 1.0
        rows[:, layout["time"].start] = self._played * (1.0 / self.game.horizon)


def _only(array: NDArray[Any], rows: Mask) -> NDArray[Any]:
    """Return an array with zeros in all rows but some."""
    return np.where(rows.reshape(-1, *[1] * (array.ndim - 1)), array, 0)


def _hidden(array: Array, hides: Mask) -> Array:
    """Return an array with zeros in some rows."""
    return np.where(hides[:, None], 0.0, array)
