"""Contexts: K games that share their spaces, drawn by nature once per episode."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stackelberg_envs.arrays import frozen
from stackelberg_envs.errors import GameError
from stackelberg_envs.games import TabularGame
from stackelberg_envs.transitions import Transition

__all__ = ["combine"]

SHARED = ("leader_discount", "follower_discount", "temperature", "horizon", "leader_policy")


def combine(games: list[TabularGame], probabilities: ArrayLike, **changes: Any) -> TabularGame:
    """Return one game whose contexts are the given games.

    Parameters
    ----------
    games
        K games without contexts, of one shape, with equal discounts, temperature and horizon. The first
        one's commitment is in force in every context.
    probabilities
        Of each context, shape (K,).
    changes
        Further arguments of :class:`TabularGame`.

    Raises
    ------
    GameError
        Games that differ in what they must share.
    """
    if not games:
        raise GameError("games: expected at least one game, got none")
    first = games[0]
    for k, game in enumerate(games):
        if game.context_probabilities is not None or game.shape != first.shape:
            raise GameError(f"games[{k}]: expected a game without contexts of shape {first.shape}, got {game.shape}")
        for name in SHARED:
            if not np.array_equal(getattr(game, name), getattr(first, name)):
                raise GameError(f"games[{k}]: expected {name} {getattr(first, name)}, got {getattr(game, name)}")
    arrays: dict[str, Any] = {
        name: np.stack([getattr(game, name) for game in games])
        for name in ("leader_reward", "follower_reward", "initial", "terminal")
    }
    for name in ("transition", "believed_transition"):
        arrays[name] = _stacked([getattr(game, name) for game in games], name)
    return first.replace(context_probabilities=np.asarray(probabilities), **arrays, **changes)


def _stacked(transitions: list[Transition | None], name: str) -> Transition | None:
    given = [transition for transition in transitions if transition is not None]
    if not given:
        return None
    if len(given) < len(transitions):
        raise GameError(f"{name}: expected one in every game or in none, got {len(given)} of {len(transitions)}")
    if all(transition is given[0] for transition in given):
        return given[0]
    # Rows padded to one length: densifying would cost S entries a row.
    width = max(transition.successors.shape[-1] for transition in given)
    return Transition(
        frozen(np.stack([_padded(transition.successors, width) for transition in given])),
        frozen(np.stack([_padded(transition.probabilities, width) for transition in given])),
        dense=all(transition.dense for transition in given),
    )


def _padded(lists: NDArray[Any], width: int) -> NDArray[Any]:
    shape = (*lists.shape[:-1], width)
    out = np.zeros(shape, dtype=lists.dtype)
    out[..., : lists.shape[-1]] = lists
    return out
