"""Games from tables of transitions, as the toy-text environments of Gymnasium publish them.

``P[s][a]`` is a list of ``(probability, next state, reward, terminated)``. Two things are written otherwise in a game:

* Rewards there belong to transitions, here to states and actions: a game pays their mean over the next states.
  Values, responses and gradients are the same; only the spread of single returns is smaller.
* Ends there belong to transitions, here to states. A state that is entered by ends only becomes a terminal state
  itself; ends that lead into other states lead to one more state, the last. An end is visited once more and pays
  nothing.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stackelberg_envs.arrays import (
    LARGEST,
    ROW_SUM_TOLERANCE,
    Array,
    as_float,
    require_number,
    require_rows_sum_to_one,
    require_shape,
)
from stackelberg_envs.errors import ArgumentError, GameError
from stackelberg_envs.games.commitments.base import MISTAKES, Commitment
from stackelberg_envs.games.commitments.incentives import StateIncentive
from stackelberg_envs.games.tabular import DEFAULT_HORIZON, TabularGame
from stackelberg_envs.games.transitions import Transition

if TYPE_CHECKING:
    from gymnasium import Env

__all__ = ["from_gymnasium", "from_transition_table"]

#: (state, action, next state) -> the leader's reward for that transition.
TransitionReward: TypeAlias = Callable[[int, int, int], float]
ENTRY = "(probability, next state, reward, terminated)"


class _Listed(NamedTuple):
    """The transitions of a table, one entry of each array per transition with a positive probability."""

    state: NDArray[np.int64]
    action: NDArray[np.int64]
    probability: Array
    following: NDArray[np.int64]
    reward: Array
    ends: NDArray[np.bool_]


def from_transition_table(
    P: Any,
    *,
    initial: ArrayLike = 0,
    leader_reward: ArrayLike | TransitionReward | None = None,
    commitment: Commitment | None = None,
    bonus: float = 1.0,
    leader_discount: float = 0.99,
    follower_discount: float = 0.99,
    temperature: float = 0.05,
    horizon: int = DEFAULT_HORIZON,
    name: str = "transition table",
    facts: dict[str, Any] | None = None,
    **unknown: Any,
) -> TabularGame:
    """Return the game in which a leader offers incentives to whoever acts in a table of transitions.

    Parameters
    ----------
    P
        ``P[s][a] = [(probability, next state, reward, terminated), ...]`` for states 0..S-1 and actions 0..B-1, as
        dicts or lists. The follower acts and is paid these rewards, in the mean over next states.
    initial
        A state, or a distribution of shape (S,).
    leader_reward
        What the leader earns, reward units: an array of shape (S,) or (S, B), paid when a state is visited; or a
        function (state, action, next state) -> number, of which the mean over next states is paid. By default the
        leader earns what the table pays.
    commitment
        What the leader announces; by default a bonus per state, up to `bonus`, which the follower is paid at each
        visit and which costs the leader nothing. Its arrays are those of the game: with ends that need it there is
        one more state than in the table.
    bonus
        Upper bound of each of these bonuses, reward units per step.
    leader_discount, follower_discount, temperature, horizon, name, facts
        As of :class:`stackelberg_envs.TabularGame`.
    unknown
        Refused by name.

    Returns
    -------
    TabularGame
        With A = 1: the leader never acts in play.

    Raises
    ------
    ArgumentError
        An option that nobody knows.
    GameError
        A table with actions missing, next states out of range, probabilities that do not sum to one, or numbers that
        are none; the message says at which state and action.

    Examples
    --------
    >>> import stackelberg_envs as se
    >>> P = {0: {0: [(1.0, 0, 0.0, False)], 1: [(0.5, 0, 0.0, False), (0.5, 1, 1.0, True)]},
    ...      1: {0: [(1.0, 1, 0.0, True)], 1: [(1.0, 1, 0.0, True)]}}
    >>> game = se.from_transition_table(P, leader_reward=[1.0, 0.0], bonus=0.5)
    >>> game.shape, game.terminal.tolist()
    ((2, 1, 2), [0.0, 1.0])
    """
    _require_known(unknown, "from_transition_table")
    listed, S, B = _read(P)
    start = _initial(initial, S)
    ended, own = _ends(listed, start)
    count = S + (1 if (ended == S).any() else 0)
    terminal = np.zeros(count)
    terminal[own] = 1.0
    terminal[S:] = 1.0
    transition = _transition(listed, ended, count, B, terminal)
    own_reward = _mean(listed, listed.reward, count, B, terminal)
    return TabularGame(
        transition=transition,
        follower_reward=own_reward[:, None],
        leader_reward=_leader_reward(leader_reward, listed, own_reward, S, terminal)[:, None],
        initial=np.append(start, np.zeros(count - S)),
        terminal=terminal,
        leader_discount=leader_discount,
        follower_discount=follower_discount,
        temperature=temperature,
        commitment=StateIncentive(0.0, _bound(bonus), where=1.0 - terminal) if commitment is None else commitment,
        horizon=horizon,
        name=name,
        facts={} if facts is None else facts,
    )


def from_gymnasium(env: Env[Any, Any] | str, **options: Any) -> TabularGame:
    """Return the game in which a leader offers incentives to whoever acts in a Gymnasium environment with a table.

    Parameters
    ----------
    env
        An environment with a table ``P``, such as FrozenLake, Taxi or CliffWalking, or the id of one.
    options
        As of :func:`from_transition_table`. By default play begins as ``initial_state_distrib`` says and is cut at the
        environment's time limit, and the game is named after the environment's id.

    Raises
    ------
    ArgumentError
        No environment, one that does not publish its table, or an option that nobody knows.
    GameError
        As :func:`from_transition_table`.

    Examples
    --------
    >>> import stackelberg_envs as se
    >>> game = se.from_gymnasium("FrozenLake-v1", bonus=0.1)
    >>> game.shape, game.horizon
    ((16, 1, 4), 100)
    """
    _require_known(options, "from_gymnasium")
    made = _made(env)
    bare = made.unwrapped
    if not hasattr(bare, "P"):
        raise ArgumentError(
            f"env: expected an environment with a table P[s][a], as FrozenLake and Taxi have, got "
            f"{type(bare).__name__} without one; wrap_commitment takes any environment"
        )
    given: dict[str, Any] = {"name": type(bare).__name__}
    if getattr(bare, "initial_state_distrib", None) is not None:
        given["initial"] = bare.initial_state_distrib
    if made.spec is not None:
        given["name"] = made.spec.id
        if made.spec.max_episode_steps is not None:
            given["horizon"] = made.spec.max_episode_steps
    return from_transition_table(bare.P, **{**given, **options})


def _require_known(options: dict[str, Any], where: str) -> None:
    parameters = inspect.signature(from_transition_table).parameters.values()
    known = [each.name for each in parameters if each.kind is each.KEYWORD_ONLY]
    unknown = [name for name in options if name not in known]
    if unknown:
        raise ArgumentError(f"{where}: expected options among {', '.join(known)}, got {', '.join(unknown)}")


def _made(env: Any) -> Any:
    import gymnasium

    if not isinstance(env, str):
        if not isinstance(env, gymnasium.Env):
            raise ArgumentError(f"env: expected a Gymnasium environment or an id, got {type(env).__name__}")
        return env
    try:
        return gymnasium.make(env)
    except (gymnasium.error.Error, ImportError) as exc:
        raise ArgumentError(f"env: expected an id that Gymnasium can make, got {env!r} ({exc})") from exc


def _bound(bonus: float) -> float:
    if require_number(bonus, "bonus") <= 0.0:
        raise GameError(f"bonus: expected a number greater than 0, got {bonus!r}")
    return float(bonus)


def _read(P: Any) -> tuple[_Listed, int, int]:
    """Return the transitions of a table, and its numbers of states and actions, S and B."""
    states = _numbered(P, "P", "states")
    rows: list[tuple[int, int, float, int, float, bool]] = []
    S, B = len(states), 0
    for s, choices in enumerate(states):
        actions = _numbered(choices, f"P[{s}]", "actions")
        B = B or len(actions)
        if len(actions) != B:
            raise GameError(f"P[{s}]: expected the actions 0..{B - 1}, as in state 0, got {len(actions)} actions")
        for a, entries in enumerate(actions):
            rows += _checked_row(entries, s, a, S)
    return _Listed(*(np.array(column) for column in zip(*rows, strict=True))), S, B


def _numbered(table: Any, name: str, what: str) -> list[Any]:
    """Return the entries of a dict with keys 0, 1, ... or of a list, in their order."""
    if isinstance(table, Mapping):
        missing = [i for i in range(len(table)) if i not in table]
        if missing:
            raise GameError(f"{name}: expected the {what} 0..{len(table) - 1}, got none of number {missing[0]}")
        table = [table[i] for i in range(len(table))]
    if not isinstance(table, Sequence) or isinstance(table, str | bytes) or not table:
        raise GameError(f"{name}: expected a dict or a list of {what}, P[s][a] = [{ENTRY}, ...], got {table!r:.60}")
    return list(table)


def _checked_row(entries: Any, s: int, a: int, S: int) -> list[tuple[int, int, float, int, float, bool]]:
    """Return the transitions of one state and action; those that never happen are left out."""
    place = f"P[{s}][{a}]"
    if not isinstance(entries, Sequence) or isinstance(entries, str | bytes):
        raise GameError(f"{place}: expected a list of {ENTRY}, got {entries!r:.60}")
    rows = []
    for entry in entries:
        try:
            probability, following, reward, ends = entry
            probability, reward = float(probability), float(reward)
        except (TypeError, ValueError):
            raise GameError(f"{place}: expected {ENTRY}, got {entry!r:.60}") from None
        if not 0.0 <= probability <= 1.0 + ROW_SUM_TOLERANCE:
            raise GameError(f"{place}: expected a probability, got {probability!r}")
        if isinstance(following, bool) or not isinstance(following, int | np.integer) or not 0 <= following < S:
            raise GameError(f"{place}: expected a next state in 0..{S - 1}, got {following!r}")
        if not abs(reward) <= LARGEST:
            raise GameError(f"{place}: expected a finite reward, got {reward!r}")
        if not isinstance(ends, bool | np.bool_):
            raise GameError(f"{place}: expected terminated to be True or False, got {ends!r}")
        if probability > 0.0:
            rows.append((s, a, probability, int(following), reward, bool(ends)))
    total = math.fsum(row[2] for row in rows)
    if abs(total - 1.0) > ROW_SUM_TOLERANCE:
        raise GameError(f"{place}: expected probabilities that sum to one, got a sum of {total:.9g}")
    return rows


def _initial(initial: ArrayLike, S: int) -> Array:
    """Return the initial distribution, shape (S,)."""
    if isinstance(initial, int | np.integer) and not isinstance(initial, bool):
        if not 0 <= int(initial) < S:
            raise GameError(f"initial: expected a state in 0..{S - 1} or a distribution over them, got {initial}")
        return np.asarray(np.eye(S)[int(initial)])
    array = as_float(initial, "initial")
    require_shape(array, [(S,)], "initial")
    return require_rows_sum_to_one(array, "initial", axes=())


def _ends(listed: _Listed, start: Array) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return where each transition leads to in the game, and the states of the table that are ends themselves."""
    S = len(start)
    lived = start > 0.0
    going = ~listed.ends
    while True:  # at most S rounds: states that play can be in without being over
        found = lived.copy()
        found[listed.following[going & lived[listed.state]]] = True
        if (found == lived).all():
            break
        lived = found
    leads = listed.ends & lived[listed.state]
    own = np.unique(listed.following[leads & ~lived[listed.following]])
    is_own = np.zeros(S, dtype=np.bool_)
    is_own[own] = True
    following = np.where(listed.ends & ~is_own[listed.following], S, listed.following)
    return following, own


def _transition(listed: _Listed, following: NDArray[np.int64], count: int, B: int, terminal: Array) -> Transition:
    """Return the dynamics as lists of successors; an end stays where it is."""
    rows: list[dict[int, float]] = [{} for _ in range(count * B)]
    columns = (listed.state, listed.action, listed.probability, following)
    for s, a, p, t in zip(*(column.tolist() for column in columns), strict=True):
        if not terminal[s]:
            row = rows[s * B + a]
            row[t] = row.get(t, 0.0) + p
    for s in np.flatnonzero(terminal):
        for a in range(B):
            rows[s * B + a] = {int(s): 1.0}
    N = max(map(len, rows))
    successors, probabilities = np.zeros((len(rows), N), dtype=np.int32), np.zeros((len(rows), N))
    for i, row in enumerate(rows):
        successors[i, : len(row)] = list(row)
        probabilities[i, : len(row)] = list(row.values())
    shape = count, 1, B, N
    return Transition.from_lists(successors.reshape(shape), probabilities.reshape(shape))


def _mean(listed: _Listed, values: Array, count: int, B: int, terminal: Array) -> Array:
    """Return the mean of a value of each transition by state and action, shape (count, B); zero at ends."""
    out = np.zeros((count, B))
    np.add.at(out, (listed.state, listed.action), listed.probability * values)
    return np.asarray(np.where(terminal[:, None] > 0, 0.0, out))


def _leader_reward(reward: Any, listed: _Listed, own: Array, S: int, terminal: Array) -> Array:
    """Return the leader's reward, shape (count, B)."""
    if reward is None:
        return own
    count, B = own.shape
    if callable(reward):
        values = np.empty(len(listed.state))
        for i, step in enumerate(zip(listed.state, listed.action, listed.following, strict=True)):
            values[i] = _number(reward, tuple(int(number) for number in step))
        return _mean(listed, values, count, B, terminal)
    array = as_float(reward, "leader_reward")
    require_shape(array, [(S,), (S, B)], "leader_reward")
    table = np.zeros((count, B))
    table[:S] = array[:, None] if array.ndim == 1 else array
    return table


def _number(reward: TransitionReward, step: tuple[int, ...]) -> float:
    try:
        value = reward(*step)
    except MISTAKES as exc:
        raise GameError(f"leader_reward: its function raised {type(exc).__name__}: {exc}; it was given {step}") from exc
    return require_number(value, f"leader_reward{step}")
