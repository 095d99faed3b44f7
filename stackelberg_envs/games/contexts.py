"""Contexts: K games that share their spaces, drawn by nature once per episode; combined, and taken apart again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stackelberg_envs.arrays import Array, as_float, frozen
from stackelberg_envs.errors import GameError
from stackelberg_envs.games.commitments.base import Commitment, Effect
from stackelberg_envs.games.tabular import TabularGame
from stackelberg_envs.games.transitions import Transition

__all__ = ["InContext", "combine", "one_context"]

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
    games = _listed(games)
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
    if any(game.feasible is not None for game in games):
        arrays["feasible"] = np.stack([_feasible(game) for game in games])
    arrays["context_probabilities"] = as_float(probabilities, "probabilities")
    twice = sorted(arrays.keys() & changes.keys())
    if twice:
        raise GameError(f"changes: expected arguments that the games do not bring, got {', '.join(twice)}")
    made = first.replace(**arrays, **changes)
    return made.averaging(frozenset().union(*(game.averaged for game in games)))


def _listed(games: Any) -> list[TabularGame]:
    if not isinstance(games, list | tuple):
        raise GameError(f"games: expected a list of games, got {type(games).__name__}")
    if not games:
        raise GameError("games: expected at least one game, got none")
    for k, game in enumerate(games):
        if not isinstance(game, TabularGame):
            raise GameError(f"games[{k}]: expected a TabularGame, got {type(game).__name__}")
    return list(games)


def _feasible(game: TabularGame) -> NDArray[np.bool_]:
    return np.ones(game.shape, np.bool_) if game.feasible is None else game.feasible


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


class InContext(Commitment):
    """A commitment of a game with contexts, as it is felt in one of them.

    Its derivative is by central differences.

    Parameters
    ----------
    commitment
        The commitment of the whole game.
    k
        Number of the context.
    """

    def __init__(self, commitment: Commitment, k: int) -> None:
        super().__init__(commitment.low, commitment.high, names=commitment.names)
        self.commitment, self.k = commitment, k
        self.changes, self.parametrisation = commitment.changes, commitment.parametrisation
        self.affine, self.kinks = commitment.affine, commitment.kinks

    def check(self, x: ArrayLike) -> Array:
        """Check by the whole commitment's rule."""
        return self.commitment.check(x)

    def project(self, x: ArrayLike) -> Array:
        """Project by the whole commitment's rule."""
        return self.commitment.project(x)

    def effect(self, x: Array) -> Effect:
        """Return what x changes in this context."""
        whole = self.commitment.effect(x)
        return replace(
            whole,
            follower_reward=_slice(whole.follower_reward, self.k, without=3),
            leader_reward=_slice(whole.leader_reward, self.k, without=3),
            transition=_transition_in(whole.transition, self.k),
        )

    def possible_transitions(self) -> list[Transition] | None:
        """Return those of the whole commitment, in this context."""
        whole = self.commitment.possible_transitions()
        return None if whole is None else [_in_context(one, self.k) for one in whole]

    def local(self, x: Array) -> Array | None:
        """Return the whole commitment's local view."""
        return self.commitment.local(x)


def one_context(game: TabularGame, k: int) -> TabularGame:
    """Return one context of a game as a game of its own, with nothing in it of the others.

    Parameters
    ----------
    game
        A game; one without contexts is its own context 0.
    k
        Number of the context, 0..K-1.

    Raises
    ------
    GameError
        A context the game does not have.
    """
    number: Any = k
    if isinstance(number, bool) or not isinstance(number, int | np.integer) or not 0 <= number < game.num_contexts:
        raise GameError(f"k: expected a context in 0..{game.num_contexts - 1}, got {k!r}")
    if game.context_probabilities is None:
        return game
    arrays = {
        name: _slice(getattr(game, name), k, without=axes)
        for name, axes in (
            *(("leader_reward", 3), ("follower_reward", 3), ("feasible", 3)),
            *(("initial", 1), ("terminal", 1)),
        )
    }
    transitions = {name: _transition_in(getattr(game, name), k) for name in ("transition", "believed_transition")}
    made = game.replace(
        **arrays,
        **transitions,
        commitment=InContext(game.commitment, k),
        context_probabilities=None,
        name=f"{game.name}, context {k}",
        facts={},
    )
    return made.averaging(game.averaged)


def _slice(array: Any, k: int, *, without: int) -> Any:
    """Return the part of an array for one context; `without` is the number of axes it has when contexts share it."""
    if array is None or array.ndim <= without:
        return array
    return array[k if len(array) > 1 else 0]


def _transition_in(transition: Transition | None, k: int) -> Transition | None:
    return None if transition is None else _in_context(transition, k)


def _in_context(transition: Transition, k: int) -> Transition:
    if transition.num_contexts is None:
        return transition
    return Transition(transition.successors[k], transition.probabilities[k], transition.dense)
