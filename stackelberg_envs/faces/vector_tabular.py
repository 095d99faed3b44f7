"""Many copies of a tabular follower's environment, stepped in one jitted pass."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array, IntArray, as_integers
from stackelberg_envs.errors import ActionError
from stackelberg_envs.faces.observations import local_rows
from stackelberg_envs.faces.vector_base import FollowerVectorEnv, Step, masked
from stackelberg_envs.jit import compiled
from stackelberg_envs.play.rollout import draw, first_state
from stackelberg_envs.play.simulators import NOTHING, cumulative, record
from stackelberg_envs.play.tabular import MAX_ONE_HOT

__all__ = ["TabularVectorEnv"]


class TabularVectorEnv(FollowerVectorEnv):
    """See :class:`FollowerVectorEnv`."""

    def _commit(self, x: Array) -> None:
        self._primitives = self.game.primitives(x)
        self._local: NDArray[np.float32] = np.zeros((0, 0), np.float32)
        if self._observer.observes == "local":
            rows = local_rows(self.game, x)
            self._local = self._local if rows is None else rows

    def _restart(self) -> IntArray:
        n = self.num_envs
        self._initial = cumulative(self.game.joint_initial)
        self._states, self._leader_actions, self._played = (np.zeros(n, np.int32) for _ in range(3))
        self._over, self._terminated, self._truncated = np.ones(n, np.bool_), *np.zeros((2, n), np.bool_)
        self._leader_rewards, self._follower_rewards = np.zeros((2, n))
        return np.zeros(n, np.int32)

    def _checked(self, actions: Any) -> IntArray:
        array = actions if type(actions) is np.ndarray else as_integers(actions, "actions", ActionError)
        if array.shape != (self.num_envs,) or array.dtype.kind not in "iu":
            raise ActionError(
                f"actions: expected {self.num_envs} integers, got an array of {array.dtype} and shape {array.shape}"
            )
        B = self.game.shape[2]
        illegal = (array < 0) | (array >= B)
        if illegal.any():
            where = int(illegal.argmax())
            raise ActionError(f"actions: expected integers in 0..{B - 1}, got {array[where]} at index {where}")
        return array.astype(np.int32, copy=False)

    def _advance(self, actions: IntArray) -> Step:
        game, n = self._primitives, self.num_envs
        before, shown, began = self._states.copy(), self._leader_actions.copy(), self._over.copy()
        _step(
            self.np_random.random((2, n)),
            actions,
            self._initial,
            game.leader_policy,
            game.leader_reward,
            game.follower_reward,
            game.transition.successors,
            game.transition.probabilities,
            game.continuing,
            self._last_step,
            self._states,
            self._leader_actions,
            self._played,
            self._over,
            self._leader_rewards,
            self._follower_rewards,
            self._terminated,
            self._truncated,
        )
        self._observe(before)
        return (
            self._seen(),
            self._follower_rewards.copy(),
            self._terminated.copy(),
            self._truncated.copy(),
            self._infos(before, shown, actions, began),
        )

    def _observe(self, before: IntArray) -> None:
        S, A, _ = self.game.shape
        layout, K = self.observation_layout, self.game.num_contexts
        starts = [layout[part].start if part in layout else 0 for part in ("leader_action", "context", "commitment")]
        _observe(
            before,
            self._states,
            self._leader_actions,
            self._played,
            S,
            S <= MAX_ONE_HOT,
            starts[0],
            A if A > 1 else 0,
            starts[1],
            K if K > 1 else 0,
            starts[2],
            self._local,
            self.game.horizon,
            self._observations,
        )

    def _infos(self, before: IntArray, shown: IntArray, actions: IntArray, began: NDArray[np.bool_]) -> dict[str, Any]:
        S, A, _ = self.game.shape
        return masked(
            record(
                (~began).astype(np.int32),
                self._played.copy(),
                self._states // S,
                np.where(began, NOTHING, before % S),
                np.where(began, NOTHING, shown) if A > 1 else np.full(self.num_envs, NOTHING),
                np.where(began, NOTHING, actions),
                self._states % S,
                self._terminated.astype(np.int32),
                self._leader_rewards.copy(),
                self._follower_rewards.copy() if self.game.observe_rewards else None,
            )
        )


@compiled
def _step(
    uniforms: Array,
    actions: IntArray,
    initial: Array,
    leader_policy: Array,
    leader_reward: Array,
    follower_reward: Array,
    successors: IntArray,
    probabilities: Array,
    continuing: Array,
    horizon: int,
    states: IntArray,
    leader_actions: IntArray,
    played: IntArray,
    over: NDArray[np.bool_],
    leader_rewards: Array,
    follower_rewards: Array,
    terminated: NDArray[np.bool_],
    truncated: NDArray[np.bool_],
) -> None:
    """Make one step in each of n copies, or begin a new episode in those that are `over`.

    `uniforms` is (2, n): one for the state, one for the leader's action. All arguments from `states` on are
    (n,) and overwritten; `initial` is cumulative (Z,). After a terminal state the leader's action is -1.
    """
    A = leader_policy.shape[1]
    for i in range(states.shape[0]):
        s = states[i]
        leader_rewards[i] = 0.0
        follower_rewards[i] = 0.0
        terminated[i] = False
        truncated[i] = False
        if over[i]:
            s = first_state(initial, uniforms[0, i])
            played[i] = 0
        else:
            a = leader_actions[i]
            b = actions[i]
            leader_rewards[i] = leader_reward[s, a, b]
            follower_rewards[i] = follower_reward[s, a, b]
            played[i] += 1
            if continuing[s] == 0.0:
                terminated[i] = True
            else:
                s = successors[s, a, b, draw(probabilities[s, a, b], uniforms[0, i])]
                truncated[i] = played[i] >= horizon
        states[i] = s
        over[i] = terminated[i] or truncated[i]
        if A > 1:
            leader_actions[i] = -1 if terminated[i] else draw(leader_policy[s], uniforms[1, i])


@compiled
def _observe(
    previous: IntArray,
    states: IntArray,
    leader_actions: IntArray,
    played: IntArray,
    num_states: int,
    one_hot: bool,
    action_start: int,
    num_actions: int,
    context_start: int,
    num_contexts: int,
    local_start: int,
    local: NDArray[np.float32],
    horizon: int,
    out: NDArray[np.float32],
) -> None:
    """Bring the observations `out` (n, L) up to date; `previous` and `states` are joint.

    Parts that a game does not have are of size zero.
    """
    last = out.shape[1] - 1
    for i in range(states.shape[0]):
        s = states[i] % num_states
        if one_hot:
            out[i, previous[i] % num_states] = 0.0
            out[i, s] = 1.0
        else:
            out[i, 0] = s / (num_states - 1)
        for a in range(num_actions):
            out[i, action_start + a] = 1.0 if leader_actions[i] == a else 0.0
        for k in range(num_contexts):
            out[i, context_start + k] = 1.0 if states[i] // num_states == k else 0.0
        for j in range(local.shape[1]):
            out[i, local_start + j] = local[s, j]
        out[i, last] = played[i] / horizon
