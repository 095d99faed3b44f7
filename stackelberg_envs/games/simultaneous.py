"""Games in which leader and follower move at once: neither sees what the other does in this round.

A tabular game's follower sees the leader's action before it acts. So a round is played in two half steps. In a state
the follower chooses, and the leader does nothing. This leads to a state that remembers the choice, in which the
leader's action is drawn from what it has committed to for the state, whatever the choice was; what the follower does
there has no effect. Rewards are paid and play moves on after the second half.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from stackelberg_envs.arrays import (
    Array,
    as_float,
    as_integers,
    own_facts,
    require_count,
    require_discount,
    require_shape,
    require_text,
)
from stackelberg_envs.errors import GameError
from stackelberg_envs.games.commitments.tied_policy import IDLE, TiedPolicy
from stackelberg_envs.games.tabular import TabularGame
from stackelberg_envs.games.transitions import Transition

__all__ = ["simultaneous_game"]


def simultaneous_game(
    leader_reward: ArrayLike,
    follower_reward: ArrayLike,
    transition: ArrayLike | Transition | None = None,
    *,
    initial: ArrayLike | None = None,
    classes: ArrayLike | None = None,
    leader_discount: float = 1.0,
    follower_discount: float = 1.0,
    temperature: float = 0.1,
    horizon: int | None = None,
    context_probabilities: ArrayLike | None = None,
    states: tuple[str, ...] | None = None,
    name: str = "simultaneous game",
    facts: dict[str, Any] | None = None,
) -> TabularGame:
    """Return a game in which both players choose at once in every round, and the leader has committed to how.

    Parameters
    ----------
    leader_reward, follower_reward
        Of a round, shape ([K,] S, A, B), or (A, B) for a single state; reward units.
    transition
        After a round, shape (S, A, B, S), or a :class:`Transition`. None: the game is over after one round.
    initial
        Initial distribution, shape (S,); default the first state.
    classes
        What the leader sees of each state, shape (S,): it commits to a row of probabilities for each class, 0, 1, ...
        Default: it sees the state.
    leader_discount, follower_discount
        Per round, above 0. 1 needs a game of one round.
    temperature
        Weight of the follower's entropy, reward units.
    horizon
        Rounds after which an episode is truncated; default 1 for a game of one round, else 100.
    context_probabilities
        Types of the follower, shape (K,): rewards may then differ by type.
    states
        Names of the states.
    name, facts
        As of :class:`stackelberg_envs.TabularGame`.

    Returns
    -------
    TabularGame
        Of S (1 + B) states: first those of the choice, then a state for each of them and each choice, in the order
        ``S + s B + b``. An episode has two steps a round, with the square root of the discount on each and rewards in
        the second, so that values are those of rounds; the follower's has a constant besides, the entropy of a choice
        without effect in every second half. Commitments are those of :class:`TiedPolicy`, shape (classes, A).

    Raises
    ------
    GameError
        Shapes that do not fit, and what :class:`stackelberg_envs.TabularGame` refuses.

    Examples
    --------
    >>> import numpy as np, stackelberg_envs as se
    >>> game = se.simultaneous_game([[2, 4], [1, 3]], [[1, 0], [0, 1]], temperature=0.01)
    >>> game.shape, game.commitment.shape
    ((3, 2, 2), (1, 2))
    >>> round(float(se.solve(game, [[0.45, 0.55]]).leader_value), 3)
    3.45
    """
    paid, own = _per_state(leader_reward, "leader_reward"), _per_state(follower_reward, "follower_reward")
    S, A, B = paid.shape[-3:]
    require_shape(own, [(*own.shape[:-3], S, A, B)], "follower_reward")
    _require_types(context_probabilities, {"leader_reward": paid, "follower_reward": own})
    half = [_half(leader_discount, "leader_discount"), _half(follower_discount, "follower_discount")]
    rounds = (
        (1 if transition is None else 100) if horizon is None else require_count(horizon, "horizon", error=GameError)
    )
    seen = np.arange(S) if classes is None else as_integers(classes, "classes")
    require_shape(seen, [(S,)], "classes")
    names = tuple(map(str, range(S))) if states is None else _names(states, S)
    known = {} if facts is None else own_facts(facts)
    first = np.eye(S)[0] if initial is None else as_float(initial, "initial")
    require_shape(first, [(S,)], "initial")
    return TabularGame(
        transition=_halves(_after(transition, (S, A, B)), (S, A, B)),
        leader_reward=_second_half(paid, half[0]),
        follower_reward=_second_half(own, half[1]),
        initial=np.append(first, np.zeros(S * B)),
        terminal=np.append(np.zeros(S), np.full(S * B, float(transition is None))),
        leader_discount=half[0],
        follower_discount=half[1],
        temperature=temperature,
        made_for={"leader_discount": half[0], "follower_discount": half[1]},
        commitment=TiedPolicy(np.append(np.full(S, IDLE), np.repeat(seen, B)), A),
        context_probabilities=context_probabilities,  # type: ignore[arg-type]
        horizon=2 * rounds,
        name=name,
        facts={"states": (*names, *(f"{s} | {b}" for s in names for b in range(B))), "rounds": rounds, **known},
    )


def _per_state(reward: ArrayLike, word: str) -> Array:
    array = as_float(reward, word)
    if array.ndim not in (2, 3, 4) or not array.size:
        raise GameError(f"{word}: expected shape ([K,] S, A, B), or (A, B) for a single state, got {array.shape}")
    return array[None] if array.ndim == 2 else array


def _require_types(probabilities: ArrayLike | None, rewards: dict[str, Array]) -> None:
    """Raise unless rewards that differ by type do so for the types that there are."""
    types = None if probabilities is None else as_float(probabilities, "context_probabilities").size
    for word, array in rewards.items():
        if array.ndim == 4 and types is None:
            raise GameError(f"context_probabilities: expected those of {len(array)} types, as {word} has, got None")
        if array.ndim == 4 and len(array) != types:
            raise GameError(f"{word}: expected a table for each of {types} types, got {len(array)}")


def _half(discount: float, word: str) -> float:
    """Return the discount of half a round."""
    half = float(np.sqrt(require_discount(discount, word, whole=True)))
    if half == 0:
        raise GameError(f"{word}: expected more than 0, or what the second half of a round pays is lost, got 0")
    return half


def _names(states: object, S: int) -> tuple[str, ...]:
    if not isinstance(states, list | tuple):
        raise GameError(f"states: expected a tuple of names, got {states!r:.80}")
    if len(states) != S:
        raise GameError(f"states: expected a name for each of {S} states, got {len(states)}")
    return tuple(require_text(each, "states") for each in states)


def _after(transition: ArrayLike | Transition | None, shape: tuple[int, int, int]) -> Transition:
    """Return how play goes on after a round; where it does not, it stays, which nobody sees."""
    S, A, B = shape
    if transition is None:
        return Transition.from_dense(np.broadcast_to(np.eye(S)[:, None, None], (S, A, B, S)))
    made = transition if isinstance(transition, Transition) else Transition.from_dense(transition)
    require_shape(made.successors[..., 0], [shape], "transition, without its last axis")
    return made


def _halves(after: Transition, shape: tuple[int, int, int]) -> Transition:
    """Return the kernel of half steps, as lists."""
    S, A, B = shape
    N = after.successors.shape[-1]
    total = S * (1 + B)
    successors, probabilities = np.zeros((total, A, B, N), dtype=np.int64), np.zeros((total, A, B, N))
    successors[:S, ..., 0] = S + np.arange(S)[:, None, None] * B + np.arange(B)
    probabilities[:S, ..., 0] = 1.0
    # In the second half everything is as the choice was, whatever the follower does there.
    for target, source in ((successors, after.successors), (probabilities, after.probabilities)):
        target[S:] = np.moveaxis(source, 2, 1).reshape(S * B, A, 1, N)
    return Transition.from_lists(successors, probabilities)


def _second_half(reward: Array, half: float) -> Array:
    """Return a reward per half step, shape ([K,] S (1 + B), A, B)."""
    S, A, B = reward.shape[-3:]
    later = np.moveaxis(reward, -1, -2).reshape(*reward.shape[:-3], S * B, A, 1) / half
    later = np.broadcast_to(later, (*later.shape[:-1], B))
    return np.concatenate([np.zeros((*reward.shape[:-3], S, A, B)), later], axis=-3)
