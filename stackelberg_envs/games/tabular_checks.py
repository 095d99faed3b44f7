"""What a tabular game is checked for at its door: its numbers, its arrays, and what its commitment does to them.

Everything comes back converted, and arrays are copies that nobody can write to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.arrays import (
    LARGEST,
    Array,
    as_float,
    first_index,
    frozen,
    own_facts,
    require_count,
    require_discount,
    require_flag,
    require_number,
    require_rows_sum_to_one,
    require_shape,
    require_temperature,
    require_text,
)
from stackelberg_envs.errors import GameError
from stackelberg_envs.games.commitments.base import ENTRIES, Commitment, Effect, as_effect
from stackelberg_envs.games.primitives import DecisionProcess
from stackelberg_envs.games.transitions import Transition

if TYPE_CHECKING:
    from stackelberg_envs.games.tabular import TabularGame

__all__ = [
    "checked_arrays",
    "checked_effect",
    "checked_scalars",
    "possible_transitions",
    "require_commitment",
    "require_follower_scale",
    "require_room_to_end",
    "require_same_moves",
    "require_scale",
    "require_scales",
    "require_sums",
    "require_zero_or_one",
    "shared_scalars",
    "with_facts_left",
]

#: What a game's rewards and its commitment may be made for.
MADE_FOR = frozenset({"temperature", "leader_discount", "follower_discount"})
#: Facts on what a leader can reach, and the arguments of games that this does not depend on.
OF_VALUES = frozenset({"setting", "best_known", "best_commitment", "reference"})
WITHOUT_EFFECT = frozenset({"facts", "horizon", "name", "num_followers", "observe_rewards", "publish_temperature"})


def with_facts_left(game: Any, changes: dict[str, Any]) -> dict[str, Any]:
    """Return changes of a game's arguments; where its values change, what was known of them is no fact any more."""
    if changes.keys() & {"facts"} or changes.keys() <= WITHOUT_EFFECT:
        return changes
    return {**changes, "facts": {name: value for name, value in game.facts.items() if name not in OF_VALUES}}


def shared_scalars(game: Any, *, whole_discount: bool = False) -> dict[str, Any]:
    """Return the checked numbers, flags and names that games of every kind have; a discount of 1 if it may be one."""
    return {
        "leader_discount": require_discount(game.leader_discount, "leader_discount", whole=whole_discount),
        "follower_discount": require_discount(game.follower_discount, "follower_discount", whole=whole_discount),
        "temperature": require_temperature(game.temperature),
        "horizon": require_count(game.horizon, "horizon", error=GameError),
        "num_followers": require_count(game.num_followers, "num_followers", error=GameError),
        "observe_rewards": require_flag(game.observe_rewards, "observe_rewards", GameError),
        "publish_temperature": require_flag(game.publish_temperature, "publish_temperature", GameError),
        "name": require_text(game.name, "name"),
        "facts": own_facts(game.facts),
    }


def require_commitment(commitment: object, kind: type[Commitment]) -> None:
    """Raise unless this is a commitment of the kind, with bounds, a parametrisation and names of what it changes."""
    if not isinstance(commitment, kind):
        raise GameError(f"commitment: expected a {kind.__name__}, got {type(commitment).__name__}")
    if not hasattr(commitment, "low") or not hasattr(commitment, "high"):
        raise GameError(f"commitment: expected bounds; {type(commitment).__name__} does not call Commitment.__init__")
    require_text(commitment.parametrisation, "commitment: its parametrisation")
    changes: Any = commitment.changes
    if not isinstance(changes, frozenset | set) or not changes <= ENTRIES:
        raise GameError(f"commitment: expected `changes` to be a set of names among {sorted(ENTRIES)}, got {changes!r}")


def checked_scalars(game: TabularGame) -> dict[str, Any]:
    """Return the checked numbers of a tabular game."""
    require_commitment(game.commitment, Commitment)  # type: ignore[type-abstract]
    scalars = shared_scalars(game, whole_discount=True)
    return scalars | {"made_for": _checked_made_for(game.made_for, scalars)}


def _checked_made_for(made_for: Any, scalars: dict[str, Any]) -> dict[str, float] | None:
    """Return a copy of the values that a game's parts were made for; the game must have the same ones."""
    if made_for is None:
        return None
    if not isinstance(made_for, Mapping) or not made_for or not set(made_for) <= MADE_FOR:
        raise GameError(
            f"made_for: expected a dict of values for some of {', '.join(sorted(MADE_FOR))}, got {made_for!r:.80}"
        )
    for name, given in made_for.items():
        value = require_number(given, f"made_for: {name}")
        if value != scalars[name]:
            raise GameError(
                f"{name}: expected {value!r}, for which this game's rewards or its commitment were made, got "
                f"{scalars[name]!r}; make the game anew, or replace these as well, and say so in made_for"
            )
    return {name: scalars[name] for name in made_for}


def checked_arrays(game: TabularGame) -> dict[str, Any]:
    """Return the checked arrays of a tabular game, frozen."""
    K, probabilities = _checked_contexts(game.context_probabilities)
    rewards = {name: as_float(getattr(game, name), name) for name in ("leader_reward", "follower_reward")}
    S, A, B = _sizes(rewards["leader_reward"], K)
    arrays: dict[str, Any] = {"context_probabilities": probabilities}
    for name, shape in {"initial": (S,), "terminal": (S,)}.items():
        value = getattr(game, name)
        array = as_float(np.zeros(S) if value is None else value, name)
        require_shape(array, [shape] if K is None else [shape, (K, *shape)], name)
        arrays[name] = frozen(array)
    arrays["initial"] = frozen(require_rows_sum_to_one(arrays["initial"], "initial", axes=("context",)))
    require_zero_or_one(arrays["terminal"])
    for name in ("transition", "believed_transition"):
        arrays[name] = _checked_transition(getattr(game, name), name, (S, A, B), K)
    for name, reward in rewards.items():
        mean = _mean_reward(reward, name, game, arrays["transition"]) if _by_transition(reward, K) else reward
        require_shape(mean, [(S, A, B)] if K is None else [(S, A, B), (K, S, A, B)], name)
        arrays[name] = frozen(mean)
    arrays["averaged"] = frozenset(name for name, reward in rewards.items() if _by_transition(reward, K))
    if game.leader_policy is not None:
        policy = as_float(game.leader_policy, "leader_policy")
        require_shape(policy, [(S, A)], "leader_policy")
        arrays["leader_policy"] = frozen(require_rows_sum_to_one(policy, "leader_policy"))
    arrays["feasible"] = _checked_feasible(game.feasible, (S, A, B), K)
    return arrays


def _by_transition(reward: Array, K: int | None) -> bool:
    """Return whether a reward has an axis of next states."""
    return reward.ndim == (4 if K is None else 5)


def _sizes(reward: Array, K: int | None) -> tuple[int, int, int]:
    """Return (S, A, B), by the leader's reward."""
    if not 3 <= reward.ndim <= (4 if K is None else 5) or 0 in reward.shape:
        raise GameError(f"leader_reward: expected shape ([K,] S, A, B) or ([K,] S, A, B, S), got {reward.shape}")
    if K is not None and reward.ndim == 4 and len(reward) != K:
        shapes = f"(S, A, B), ({K}, S, A, B) or ({K}, S, A, B, S)"
        raise GameError(f"leader_reward: expected shape {shapes}, got {reward.shape}")
    S, A, B = reward.shape[-4:-1] if _by_transition(reward, K) else reward.shape[-3:]
    return S, A, B


def _mean_reward(reward: Array, name: str, game: TabularGame, transition: Transition | None) -> Array:
    """Return the mean of a reward over next states, shape ([K,] S, A, B).

    The last axis of the reward is that of the transition's lists, or has an entry for each state.
    """
    if transition is None or "transition" in game.commitment.changes:
        raise GameError(
            f"{name}: expected shape ([K,] S, A, B) where the commitment brings the transition, got {reward.shape}: "
            f"the mean over next states would change with it, which derivatives leave out"
        )
    if name == "follower_reward" and game.believed_transition is not None:
        raise GameError(
            f"{name}: expected shape ([K,] S, A, B) where the follower believes in another transition, got "
            f"{reward.shape}: its mean under the belief is not what it is paid"
        )
    successors, probabilities = transition.successors, transition.probabilities
    S, width = successors.shape[-4], successors.shape[-1]
    along = reward.shape[-4:] == successors.shape[-4:] and not transition.dense
    mean = np.asarray((probabilities * reward).sum(axis=-1)) if along else None
    if mean is not None and width != S:
        return mean
    if reward.shape[-4:] != (*successors.shape[-4:-1], S):
        last = f"{S}" if transition.dense else f"{width} or {S}"
        raise GameError(f"{name}: expected {(*successors.shape[-4:-1],)} and a last axis of {last}, got {reward.shape}")
    shape = np.broadcast_shapes(reward.shape[:-1], successors.shape[:-1])
    rows, places = np.broadcast_to(reward, (*shape, S)), np.broadcast_to(successors, (*shape, width))
    rows = np.take_along_axis(rows, places.astype(np.intp), axis=-1)
    if mean is not None and ((rows != reward) & (probabilities > 0)).any():
        raise GameError(
            f"{name}: expected one way to read its last axis, got {reward.shape} where the transition's lists are as "
            f"long as there are states: by next states or by places in the lists; a dense transition has one"
        )
    return np.asarray((probabilities * rows).sum(axis=-1))


def require_same_moves(game: TabularGame, made: TabularGame, averaged: frozenset[str]) -> None:
    """Raise if these rewards of a game, means over its next states, stand in one that moves or is believed to move on.

    Parameters
    ----------
    game, made
        The one whose rewards were averaged, and the one made from it.
    averaged
        Names of rewards.
    """
    brought = "transition" in made.commitment.changes
    true = brought or not _same(game.transition, made.transition)
    others = {
        "leader_reward": true,
        "follower_reward": true or not _same(game.believed_transition, made.believed_transition),
    }
    for name in sorted(averaged):
        if others[name]:
            raise GameError(
                f"{name}: expected anew, along with another transition or belief: it was given by transition, and the "
                f"game keeps its mean over next states of the one before"
            )


def _same(one: Transition | None, two: Transition | None) -> bool:
    if one is two or one is None or two is None:
        return one is two
    pairs = ((one.successors, two.successors), (one.probabilities, two.probabilities))
    return all(np.array_equal(a, b) for a, b in pairs)


def require_scales(game: TabularGame) -> None:
    """Raise unless both players' values are numbers in units of the temperature."""
    base = game.uncommitted
    require_follower_scale(base.follower_reward, base.follower_process, game, "follower_reward")
    require_scale(base.leader_reward, base.leader_process, game.temperature, "leader_reward")


def require_follower_scale(reward: Array, process: DecisionProcess, game: TabularGame, name: str) -> None:
    """Raise unless the follower's values, the entropy's part included, are numbers in units of the temperature."""
    entropy = game.temperature * np.log(reward.shape[-1])
    require_scale(np.array([reward.max(), -reward.min(), entropy]), process, game.temperature, name)


def require_scale(reward: Array, process: DecisionProcess, temperature: float, name: str) -> None:
    """Raise unless the sums of a reward over play, and what they are in units of the temperature, are numbers."""
    require_sums(reward, process.discount, process.stopping_rate, temperature, name)


def require_sums(reward: Array, discount: float, stopping_rate: float, temperature: float, name: str) -> None:
    """Raise unless a reward's sums over play, which stops at this rate, are numbers in units of the temperature."""
    most = LARGEST * stopping_rate * min(1.0, temperature)
    greatest = float(max(reward.max(), -reward.min()))
    if not greatest <= most:
        raise GameError(
            f"{name}: expected numbers of at most {most:.3g} at discount {discount:g} and temperature "
            f"{temperature:g}, so that values divided by the temperature stay numbers, got {greatest:g}"
        )


def possible_transitions(game: TabularGame) -> list[Transition]:
    """Return transitions of which every row that play or the follower's plans can meet is a mixture.

    Raises
    ------
    GameError
        The commitment brings the transition, and nobody knows which ones it can bring.
    """
    made = [one for one in (game.transition, game.believed_transition) if one is not None]
    if "transition" not in game.commitment.changes:
        return made
    brought = game.commitment.possible_transitions()
    if brought is None:
        raise GameError(
            f"leader_discount, follower_discount: expected less than 1 with {type(game.commitment).__name__}, which "
            f"brings the transition and does not say, by possible_transitions(), which ones it can bring"
        )
    return made + brought


def require_room_to_end(game: TabularGame) -> None:
    """Raise where an episode is cut that no play could make longer than some number of steps."""
    if game.ends is None or game.ends.longest is None:
        return
    longest = int(game.ends.longest[game.joint_initial > 0].max())
    if game.horizon < longest:
        raise GameError(
            f"horizon: expected at least {longest}, the steps of the longest episode, got {game.horizon}; with "
            f"discount 1 what is cut would be a part of the value"
        )


def checked_effect(effect: object, game: TabularGame) -> Effect:
    """Return what a commitment changes in a game, its arrays checked as the game's own are.

    Raises
    ------
    GameError
        No effect, shapes that do not fit, numbers that are not finite, or rows that are no distributions.
    """
    effect = as_effect(effect)
    S, A, B = game.shape
    full = (game.num_contexts, S, A, B)
    made: dict[str, Any] = {}
    for name in ("follower_reward", "leader_reward"):
        if getattr(effect, name) is None:
            continue
        array = made[name] = as_float(getattr(effect, name), f"commitment: its {name}")
        if not _broadcasts(array.shape, full):
            raise GameError(f"commitment: its {name} has shape {array.shape}, which does not broadcast to {full}")
    if effect.leader_policy is not None:
        policy = as_float(effect.leader_policy, "commitment: its leader_policy")
        require_shape(policy, [(S, A)], "commitment: its leader_policy")
        made["leader_policy"] = require_rows_sum_to_one(policy, "commitment: its leader_policy")
    contexts = None if game.context_probabilities is None else game.num_contexts
    made["transition"] = _checked_transition(effect.transition, "commitment: its transition", (S, A, B), contexts)
    return replace(effect, **made)


def _checked_contexts(value: Any) -> tuple[int | None, Array | None]:
    if value is None:
        return None, None
    probabilities = as_float(value, "context_probabilities")
    if probabilities.ndim != 1:
        raise GameError(f"context_probabilities: expected shape (K,), got {probabilities.shape}")
    return len(probabilities), frozen(require_rows_sum_to_one(probabilities, "context_probabilities"))


def _checked_transition(value: Any, name: str, shape: tuple[int, int, int], K: int | None) -> Transition | None:
    if value is None:
        return None
    transition = value.checked(name) if isinstance(value, Transition) else Transition.from_dense(value, name)
    if transition.shape != shape or transition.num_contexts not in (None, K):
        got = transition.successors.shape[:-1]
        expected = f"{shape}" if K is None else f"{shape} or {(K, *shape)}"
        raise GameError(f"{name}: expected leading shape {expected}, got {got}")
    return transition


def _checked_feasible(value: Any, shape: tuple[int, int, int], K: int | None) -> NDArray[np.bool_] | None:
    """Return feasible actions, shape ([K,] S, A, B), or None where all are."""
    if value is None:
        return None
    S, A, B = shape
    array = as_float(value, "feasible")
    shapes: list[tuple[int, ...]] = [(S, B), (S, A, B)]
    if K is not None:
        shapes += [(K, S, B), (K, S, A, B)]
    if array.ndim == 3 and K is not None and (K, S) == (S, A):
        raise GameError(f"feasible: expected shape {(K, S, A, B)} where {array.shape} can be read in two ways")
    require_shape(array, shapes, "feasible")
    odd = (array != 0) & (array != 1)
    if odd.any():
        where = first_index(odd)
        raise GameError(f"feasible: expected True or False, got {array[where]} at index {where}")
    none = np.asarray(~(array > 0).any(axis=-1))
    if none.any():
        raise GameError(f"feasible: expected at least one action in each state, got none at index {first_index(none)}")
    if (array > 0).all():
        return None
    # Without the axis of leader actions: it comes before the last.
    by_state = array.shape in ((S, B), (K, S, B)) and array.shape != (S, A, B)
    array = np.repeat(array[..., None, :], A, axis=-2) if by_state else array
    return frozen(array > 0)


def require_zero_or_one(terminal: Array) -> None:
    """Raise unless every entry of `terminal` is 0 or 1."""
    odd = (terminal != 0) & (terminal != 1)
    if odd.any():
        where = first_index(odd)
        raise GameError(f"terminal: expected 0 or 1, got {terminal[where]} at index {where}")


def _broadcasts(shape: tuple[int, ...], full: tuple[int, ...]) -> bool:
    try:
        return np.broadcast_shapes(shape, full) == full
    except ValueError:
        return False
