"""Collecting play: on a game's fast path, and from any PettingZoo environment.

Apart from :mod:`agents.observing.trajectories`, so that what leaders import cannot reach a simulator.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike

from agents.observing.trajectories import Trajectories, concatenate
from agents.runs.env_collection import Policy, collect_from_env, sampled_policy, table_policy
from stackelberg_envs.arrays import Array, as_float, require_count, require_rows_sum_to_one, require_shape
from stackelberg_envs.errors import ArgumentError
from stackelberg_envs.games.batched import AnyGame, BatchedGame, play
from stackelberg_envs.games.tabular import Primitives, TabularGame
from stackelberg_envs.play.rollout_kernel import GameTables, tabular_rollout

__all__ = ["HasPolicy", "collect"]

RESPONSE_AXES = ("joint state", "leader action")


class HasPolicy(Protocol):
    """Anything with a response: a table of shape (Z, A, B), or a policy of a batched game."""

    @property
    def policy(self) -> Any: ...  # noqa: D102


def collect(
    game: AnyGame | Any,
    x: ArrayLike,
    follower: HasPolicy | ArrayLike | Policy,
    *,
    steps: int | None = None,
    episodes: int | None = None,
    rng: np.random.Generator | int | None = None,
) -> Trajectories:
    """Play episodes under a commitment and record what an observer sees.

    Parameters
    ----------
    game
        A tabular or batched game (its fast path is used), or a PettingZoo environment, parallel or AEC, whose infos
        tell an observer what happened, as those of this suite do.
    x
        The commitment.
    follower
        A follower, or its response: an array of shape ([K,] S, A, B), in batched games a
        :class:`stackelberg_envs.games.batched.FollowerPolicy`; for environments also a function
        (observation, info, rng) -> action.
    steps
        Follower steps in all; the last episode is cut when they are used up, and then it is not `whole`.
    episodes
        Whole episodes instead of steps; give one of the two.
    rng
        Generator or seed. Equal generators give equal play.

    Returns
    -------
    Trajectories
        With the follower's rewards where the game lets them be observed. Of several followers that share a run, each
        plays an equal part of the steps, or so many episodes, in episodes of its own, one follower after the other.

    Raises
    ------
    ArgumentError
        Neither or both of `steps` and `episodes`, a response that does not fit the game, or no generator.
    """
    if (steps is None) == (episodes is None):
        raise ArgumentError(f"collect: expected either steps or episodes, got steps={steps}, episodes={episodes}")
    rng = _generator(rng)
    if isinstance(game, BatchedGame):
        return _collect_batched(game, x, follower, steps, episodes, rng)
    if not isinstance(game, TabularGame):
        return _collect_from_env(game, x, follower, steps, episodes, rng)
    checked = game.commitment.check(x)
    play = game.primitives(checked)
    responses = [_response_table(player, play) for player in getattr(follower, "players", [follower])]
    if steps is None:
        episodes = require_count(episodes, "episodes")
        steps = episodes * game.horizon * len(responses)
    shares = _shares(require_count(steps, "steps"), len(responses))
    return concatenate(
        [
            _record(game, checked, play, response, share, episodes or share, rng)
            for response, share in zip(responses, shares, strict=True)
            if share
        ]
    )


def _collect_batched(
    game: BatchedGame, x: ArrayLike, follower: Any, steps: int | None, episodes: int | None, rng: np.random.Generator
) -> Trajectories:
    checked = game.commitment.check(x)
    policies = [_sampling(player) for player in getattr(follower, "players", [follower])]
    whole = None if episodes is None else require_count(episodes, "episodes")
    shares = [None] * len(policies) if steps is None else _shares(require_count(steps, "steps"), len(policies))
    parts = [
        play(game, checked, policy, rng, steps=share, episodes=whole)
        for policy, share in zip(policies, shares, strict=True)
        if share != 0
    ]
    seen = concatenate(parts)
    return seen if game.observe_rewards else seen.without("follower_reward")


def _generator(rng: Any) -> np.random.Generator:
    try:
        return np.random.default_rng(rng)
    except (TypeError, ValueError):
        raise ArgumentError(f"rng: expected a generator, a seed of at least 0 or None, got {rng!r}") from None


def _shares(steps: int, n: int) -> list[int]:
    """Return n equal parts of a number of steps; what does not divide goes to the first."""
    return [steps // n + (i < steps % n) for i in range(n)]


def _collect_from_env(
    env: Any,
    x: ArrayLike,
    follower: HasPolicy | ArrayLike | Policy,
    steps: int | None,
    episodes: int | None,
    rng: np.random.Generator,
) -> Trajectories:
    if not (hasattr(env, "action_space") and hasattr(env, "possible_agents")):
        raise ArgumentError(f"collect: expected a game or a PettingZoo environment, got {type(env).__name__}")
    game = getattr(env.unwrapped, "game", None)
    num_states = 1 if game is None else 0 if isinstance(game, BatchedGame) else game.shape[0]
    policy = follower if callable(follower) else _env_policy(env, game, x, follower)
    budget = require_count(2**62 if steps is None else steps, "steps")
    if episodes is not None:
        require_count(episodes, "episodes")
    return collect_from_env(env, x, policy, num_states=num_states, steps=budget, episodes=episodes, rng=rng)


def _env_policy(env: Any, game: Any, x: ArrayLike, follower: HasPolicy | ArrayLike) -> Policy:
    """Return a follower's response as a function of what the environment shows."""
    if game is None:
        raise ArgumentError("follower: expected a function for an environment that is not of this suite, got a table")
    if isinstance(game, BatchedGame):
        return sampled_policy(env, _sampling(follower))
    table = _response_table(follower, game.primitives(game.commitment.project(x)))
    return table_policy(env, table, game.shape[0])


def _sampling(follower: Any) -> Any:
    policy = getattr(follower, "policy", follower)
    if not hasattr(policy, "sample"):
        raise ArgumentError(
            f"follower: expected a policy with sample() in a batched game, got {type(follower).__name__}"
        )
    return policy


def _response_table(follower: HasPolicy | ArrayLike | Policy, play: Primitives) -> Array:
    if hasattr(follower, "players"):
        raise ArgumentError("follower: expected one, got several; no follower plays the mean of their tables")
    policy: Any = getattr(follower, "policy", follower)
    rows = play.leader_reward.shape
    if isinstance(policy, np.ndarray) and policy.ndim == len(rows) + 1:
        policy = policy.reshape(-1, *policy.shape[2:])  # places in messages are joint states
    table = as_float(policy, "response", ArgumentError)
    table = table.reshape(-1, *table.shape[2:]) if table.ndim == len(rows) + 1 else table
    require_shape(table, [rows], "response", ArgumentError)
    # Checked only: normalising would change what equal seeds play in the last bit.
    require_rows_sum_to_one(table, "response", ArgumentError, axes=RESPONSE_AXES)
    return table


def _record(
    game: TabularGame,
    x: Array,
    play: Primitives,
    response: Array,
    budget: int,
    max_episodes: int,
    rng: np.random.Generator,
) -> Trajectories:
    tables = GameTables.of(play, game.horizon)
    z, a, b, u, offsets = tabular_rollout(rng, tables, response, budget, max_episodes)
    S, K = game.shape[0], game.num_contexts
    terminated = play.continuing[z[offsets[1:] - 1]] == 0.0
    return Trajectories(
        commitment=x,
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
        whole=terminated | (np.diff(offsets) >= game.horizon),
    )
