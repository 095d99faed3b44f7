"""Collecting play: on a game's fast path, and from any PettingZoo environment.

Apart from :mod:`agents.observing.trajectories`, so that what leaders import cannot reach a simulator.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike

from stackelberg_envs.arrays import require_count
from stackelberg_envs.errors import ArgumentError
from stackelberg_envs.games.tabular import Game
from stackelberg_envs.games.vector import AnyGame
from stackelberg_envs.play.rollout import rollout_of

from ..observing.trajectories import Trajectories
from .env_collection import Policy, collect_from_env

__all__ = ["HasPolicy", "collect"]


class HasPolicy(Protocol):
    """Anything with a response: a table of shape (Z, A, B), or a policy of a vector game."""

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
        A tabular or vector game (its fast path is used), or a PettingZoo environment, parallel or AEC, whose infos
        tell an observer what happened, as those of this suite do.
    x
        The commitment.
    follower
        A follower, or its response: an array of shape ([K,] S, A, B), in vector games a
        :class:`stackelberg_envs.games.vector.FollowerPolicy`; for environments also a function
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
    if steps is not None:
        require_count(steps, "steps")
    if episodes is not None:
        require_count(episodes, "episodes")
    rng = _generator(rng)
    if not isinstance(game, Game):
        return collect_from_env(game, x, follower, steps=steps, episodes=episodes, rng=rng)
    players = getattr(follower, "players", [follower])
    return rollout_of(game.under(x), players, rng, steps=steps, episodes=episodes)


def _generator(rng: Any) -> np.random.Generator:
    try:
        return np.random.default_rng(rng)
    except (TypeError, ValueError):
        raise ArgumentError(f"rng: expected a generator, a seed of at least 0 or None, got {rng!r}") from None
