"""Play in a tabular game under a commitment, many episodes in one compiled loop."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array, IntArray
from stackelberg_envs.games.primitives import Primitives
from stackelberg_envs.jit import compiled, slice_of

__all__ = ["GameTables", "TabularSteps", "draw", "first_state", "tabular_rollout"]


class GameTables(NamedTuple):
    """What moves play in a tabular game under a commitment, as compiled loops take it.

    Attributes
    ----------
    initial
        Running sums of rho, shape (Z,).
    leader_policy
        f, shape (Z, A).
    successors, probabilities
        P, each of shape (Z, A, B, N).
    continuing
        0 in terminal states, else 1, shape (Z,).
    horizon
        Steps after which an episode is cut.
    """

    initial: Array
    leader_policy: Array
    successors: IntArray
    probabilities: Array
    continuing: Array
    horizon: int

    @classmethod
    def of(cls, game: Primitives, horizon: int) -> GameTables:
        """Return those of a game under a commitment."""
        lists = game.transition
        start = np.cumsum(game.initial)
        return cls(start, game.leader_policy, lists.successors, lists.probabilities, game.continuing, horizon)


class TabularSteps(NamedTuple):
    """Recorded steps, one after the other: joint states and actions, shape (T,), and where each episode begins.

    Attributes
    ----------
    state, leader_action, follower_action, next_state
        Each of shape (T,).
    offsets
        Episode i is steps ``offsets[i]`` to ``offsets[i + 1] - 1``, shape (episodes + 1,).
    """

    state: IntArray
    leader_action: IntArray
    follower_action: IntArray
    next_state: IntArray
    offsets: NDArray[np.int64]


def tabular_rollout(
    rng: np.random.Generator, game: GameTables, response: Array, steps: int, max_episodes: int
) -> TabularSteps:
    """Play episodes one after the other until there are so many steps or episodes; the last may be cut.

    Draws per step, in this order: the leader's action if A > 1, the follower's, the next state unless it is terminal.

    Parameters
    ----------
    rng
        Draws the play.
    game
        Its tables.
    response
        g(b | s, a), shape (Z, A, B).
    steps, max_episodes
        At most.
    """
    z, a, b, u = np.empty((4, steps), dtype=np.int32)
    offsets = np.empty(min(max_episodes, steps) + 1, dtype=np.int64)
    out, offsets[0] = TabularSteps(z, a, b, u, offsets), 0
    place = np.zeros(4, dtype=np.int64)
    most = slice_of(game.leader_policy.shape[1] + response.shape[2] + game.probabilities.shape[3])
    while place[0] < steps and place[1] < max_episodes:
        _rollout(rng, game, response, max_episodes, out, min(steps, int(place[0]) + most), place)
    T, episodes = int(place[0]), int(place[1])
    return TabularSteps(z[:T], a[:T], b[:T], u[:T], offsets[: episodes + 1])


@compiled
def _rollout(
    rng: np.random.Generator,
    game: GameTables,
    response: Array,
    max_episodes: int,
    out: TabularSteps,
    end: int,
    place: NDArray[np.int64],
) -> None:
    """Play on up to step `end`; `place` is steps, episodes, the state, and the steps left of the episode."""
    T = out.state.shape[0]
    A = game.leader_policy.shape[1]
    t, episode, s, left = place[0], place[1], place[2], place[3]
    while t < end and episode < max_episodes:
        if left == 0:
            s = first_state(game.initial, rng.random())
            left = game.horizon
        for _ in range(min(left, end - t)):
            left -= 1
            a = draw(game.leader_policy[s], rng.random()) if A > 1 else 0
            b = draw(response[s, a], rng.random())
            out.state[t] = s
            out.leader_action[t] = a
            out.follower_action[t] = b
            if game.continuing[s] == 0.0:
                out.next_state[t] = s
                t += 1
                left = 0
                break
            s = game.successors[s, a, b, draw(game.probabilities[s, a, b], rng.random())]
            out.next_state[t] = s
            t += 1
        if left == 0 or t == T:
            episode += 1
            out.offsets[episode] = t
    place[0], place[1], place[2], place[3] = t, episode, s, left


@compiled
def first_state(initial: Array, u: float) -> int:
    """Return the first state whose running sum passes u."""
    return int(min(np.searchsorted(initial, u, side="right"), initial.shape[0] - 1))


@compiled
def draw(weights: Array, u: float) -> int:
    """Return the first index whose cumulative weight passes u, or the last positive one."""
    last = 0
    total = 0.0
    for i in range(weights.shape[0]):
        if weights[i] > 0.0:
            total += weights[i]
            last = i
            if u < total:
                return i
    return last
