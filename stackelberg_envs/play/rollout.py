"""Play under a commitment without any face between: :func:`rollout` gives what an observer sees.

In tabular games many episodes go through one compiled loop; where states are vectors many copies make each step at
once.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import singledispatch
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array, IntArray, as_float, first_index, require_rows_sum_to_one
from stackelberg_envs.errors import ArgumentError
from stackelberg_envs.games.actions import checked_actions
from stackelberg_envs.games.committed import Committed, CommittedVector
from stackelberg_envs.games.environments import CommittedEnvironment
from stackelberg_envs.games.markov import CommittedMarkov
from stackelberg_envs.games.primitives import Primitives
from stackelberg_envs.games.tabular import CommittedTabular
from stackelberg_envs.games.trajectories import STEPS, Trajectories, concatenate
from stackelberg_envs.games.vector import FollowerPolicy, call_game
from stackelberg_envs.jit import compiled, slice_of
from stackelberg_envs.play.environments import play_environment
from stackelberg_envs.play.markov import rollout_markov

__all__ = [
    "GameTables",
    "TabularSteps",
    "checked_response",
    "draw",
    "first_state",
    "require_feasible",
    "rollout",
    "rollout_of",
    "sampling_policy",
    "tabular_rollout",
]

RESPONSE_AXES = ("joint state", "leader action")


@singledispatch
def rollout(
    committed: Committed,
    policy: Any,
    rng: np.random.Generator,
    *,
    steps: int | None = None,
    episodes: int | None = None,
) -> Trajectories:
    """Play episodes and record what an observer sees.

    Parameters
    ----------
    committed
        The game under a commitment, ``game.under(x)``.
    policy
        One follower's response: a table of shape ([K,] S, A, B) or (Z, A, B); of followers that affect each other one
        table each, shape (n, S, B); where states are vectors a
        :class:`stackelberg_envs.games.vector.FollowerPolicy`.
    rng
        Equal generators give equal play.
    steps
        Follower steps in all; the last episode is cut when they are used up, and then it is not `whole`.
    episodes
        Whole episodes instead; give one of the two.

    Returns
    -------
    Trajectories
        With the follower's rewards where the game lets them be observed.

    Raises
    ------
    ArgumentError
        The response does not fit the game, or `rng` is no generator.
    ActionError
        It draws actions outside the game's action space, unless the game takes any.
    """
    raise ArgumentError(f"rollout: expected a game under a commitment, as game.under(x) gives it, got {committed!r}")


def rollout_of(
    committed: Committed,
    players: Sequence[Any],
    rng: np.random.Generator,
    *,
    steps: int | None = None,
    episodes: int | None = None,
) -> Trajectories:
    """Return the play of several followers, one after the other: an equal part of the steps each, or so many episodes.

    `players` are followers or their responses. What does not divide goes to the first; see :func:`rollout`.
    """
    n = len(players)
    parts = []
    for i, player in enumerate(players):
        share = None if steps is None else steps // n + (i < steps % n)
        if share != 0:
            policy = getattr(player, "policy", player)
            parts.append(rollout(committed, policy, rng, steps=share, episodes=episodes))
    return parts[0] if len(parts) == 1 else concatenate(parts)


@rollout.register(CommittedTabular)
def _rollout_tables(
    committed: CommittedTabular,
    policy: Any,
    rng: np.random.Generator,
    *,
    steps: int | None = None,
    episodes: int | None = None,
) -> Trajectories:
    _require_one(rng, steps, episodes)
    game, play = committed.game, committed.primitives
    response = checked_response(policy, play.leader_reward.shape, play.feasible)
    budget = (episodes or 0) * game.horizon if steps is None else steps
    tables = GameTables.of(play, game.horizon)
    z, a, b, u, offsets = tabular_rollout(rng, tables, response, budget, episodes or budget)
    S, K, lengths = game.shape[0], game.num_contexts, np.diff(offsets)
    terminated = play.continuing[z[offsets[1:] - 1]] == 0.0
    return Trajectories.of_loop(
        commitment=committed.commitment.copy(),  # what an observer does to its own is not done to the game's
        num_states=S,
        state=z if K == 1 else z % S,
        leader_action=a,
        follower_action=b,
        next_state=u if K == 1 else u % S,
        leader_reward=play.leader_reward[z, a, b],
        follower_reward=play.follower_reward[z, a, b] if game.observe_rewards else None,
        offsets=offsets,
        terminated=terminated,
        context=np.zeros(len(offsets) - 1, dtype=np.int32) if K == 1 else z[offsets[:-1]] // S,
        whole=terminated | (lengths >= game.horizon),
        lengths=lengths,
        joint_state=z,
        next_joint_state=u,
    )


def _require_one(rng: object, steps: int | None, episodes: int | None) -> None:
    """Raise unless there is a generator, and either so many steps or so many episodes to play, at least 1."""
    if not isinstance(rng, np.random.Generator):
        raise ArgumentError(f"rng: expected a numpy.random.Generator, got {rng!r}")
    if (steps is None) == (episodes is None):
        raise ArgumentError(f"rollout: expected either steps or episodes, got steps={steps}, episodes={episodes}")
    if (steps if episodes is None else episodes) < 1:  # type: ignore[operator]
        raise ArgumentError(f"rollout: expected at least 1 of them, got steps={steps}, episodes={episodes}")


def checked_response(policy: Any, shape: tuple[int, ...], feasible: NDArray[np.bool_] | None = None) -> Array:
    """Return a response as a table of the given shape, (Z, A, B), its rows distributions over feasible actions.

    Raises
    ------
    ArgumentError
        Another shape, rows that do not sum to one, or actions that cannot be taken; the message says where.
    """
    if isinstance(policy, np.ndarray) and policy.ndim == len(shape) + 1:
        policy = policy.reshape(-1, *policy.shape[2:])  # places in messages are joint states
    table = as_float(policy, "response", ArgumentError)
    table = table.reshape(-1, *table.shape[2:]) if table.ndim == len(shape) + 1 else table
    if table.shape != shape:
        raise ArgumentError(f"response: expected shape {shape}, got {table.shape}")
    # Checked only: normalising would change what equal seeds play in the last bit.
    require_rows_sum_to_one(table, "response", ArgumentError, axes=RESPONSE_AXES)
    require_feasible(table, feasible)
    return table


def require_feasible(response: Array, feasible: NDArray[np.bool_] | None) -> None:
    """Raise unless a response takes feasible actions only; both of shape (Z, A, B), the latter None where all are."""
    if feasible is not None and (response[~feasible] != 0).any():
        z, a, b = first_index((response != 0) & ~feasible)
        raise ArgumentError(
            f"response: expected 0 for actions that are not feasible, got {response[z, a, b]:.3g} for action {b} at "
            f"joint state {z}, leader action {a}, where {np.flatnonzero(feasible[z, a]).tolist()} are"
        )


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


rollout.register(CommittedEnvironment, play_environment)


@rollout.register(CommittedMarkov)
def _rollout_interacting(
    committed: CommittedMarkov,
    policy: Any,
    rng: np.random.Generator,
    *,
    steps: int | None = None,
    episodes: int | None = None,
) -> Trajectories:
    _require_one(rng, steps, episodes)
    return rollout_markov(committed, policy, rng, steps=steps, episodes=episodes)


@rollout.register(CommittedVector)
def _rollout_vectors(
    committed: CommittedVector,
    policy: Any,
    rng: np.random.Generator,
    *,
    steps: int | None = None,
    episodes: int | None = None,
) -> Trajectories:
    _require_one(rng, steps, episodes)
    game, policy = committed.game, sampling_policy(policy)
    batches: list[Trajectories] = []
    missing = episodes if steps is None else -(-steps // game.horizon)
    done_steps = done_episodes = 0
    while missing:
        batch = _play_batch(committed, policy, rng, missing)
        batches.append(batch)
        done_steps, done_episodes = done_steps + len(batch.state), done_episodes + missing
        # Episodes that end early leave steps over; as many more as their mean length suggests are begun.
        left = 0 if steps is None else max(0, steps - done_steps)
        missing = -(-left * done_episodes // done_steps)
    seen = batches[0] if len(batches) == 1 else concatenate(batches)
    return seen if steps is None or steps == done_steps else _cut(seen, steps)


def sampling_policy(policy: Any) -> FollowerPolicy:
    """Return a response of a game whose states are vectors, or raise ArgumentError."""
    if not hasattr(policy, "sample"):
        raise ArgumentError(f"follower: expected a policy with sample() in a vector game, got {type(policy).__name__}")
    return cast("FollowerPolicy", policy)


def _play_batch(committed: CommittedVector, policy: FollowerPolicy, rng: np.random.Generator, n: int) -> Trajectories:
    """Return n whole episodes, played side by side."""
    game, x, K = committed.game, committed.commitment, len(committed.game.context_probabilities)
    context = rng.choice(K, size=n, p=game.context_probabilities) if K > 1 else np.zeros(n, np.int64)
    contexts = np.asarray(context, dtype=np.int32)
    states, bounds = call_game(game, "initial_states", rng, contexts), game.played_bounds
    running, lengths = np.ones(n, np.bool_), np.zeros(n, np.int64)
    rows: list[tuple[NDArray[Any], ...]] = []
    for _ in range(game.horizon):
        a = call_game(game, "leader_actions", rng, x, states, contexts)
        b = checked_actions(policy.sample(rng, states, a, contexts), n, bounds, "follower: what its policy draws")
        made = call_game(game, "step", rng, x, states, contexts, a, b)
        rows.append((states, a, b, made.next_state, made.leader_reward, made.follower_reward))
        lengths += running
        running = running & ~made.terminated
        if not running.any():
            break
        # Copies that are over are carried along and not recorded; their state stays where it was finite.
        states = made.next_state if running.all() else np.where(running[:, None], made.next_state, states)
    counted = np.arange(len(rows)) < lengths[:, None]
    flat: dict[str, Any] = {}
    for name, column in zip(STEPS, zip(*rows, strict=True), strict=True):
        array = np.stack(column, axis=1)
        flat[name] = array.reshape(counted.size, *array.shape[2:]) if counted.all() else array[counted]
    return Trajectories.of_loop(
        **{**flat, "follower_reward": flat["follower_reward"] if game.observe_rewards else None},
        commitment=x.copy(),  # what an observer does to its own is not done to the game's
        num_states=0,
        offsets=np.append(0, np.cumsum(lengths)),
        terminated=~running,
        context=contexts,
        whole=np.ones(n, np.bool_),
    )


def _cut(seen: Trajectories, steps: int) -> Trajectories:
    """Return the first steps of play; the last episode may be cut."""
    N = int(np.searchsorted(seen.offsets, steps))
    whole = seen.offsets[1 : N + 1] <= steps
    rewards = seen.follower_reward
    return Trajectories.of_loop(
        commitment=seen.commitment,
        num_states=seen.num_states,
        state=seen.state[:steps],
        leader_action=seen.leader_action[:steps],
        follower_action=seen.follower_action[:steps],
        next_state=seen.next_state[:steps],
        leader_reward=seen.leader_reward[:steps],
        follower_reward=None if rewards is None else rewards[:steps],
        offsets=np.minimum(seen.offsets[: N + 1], steps),
        terminated=seen.terminated[:N] & whole,
        context=seen.context[:N],
        whole=whole,
    )
