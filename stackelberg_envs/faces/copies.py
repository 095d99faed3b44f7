"""Many copies of a tabular game, each with its own random stream and its own commitment, played in one compiled pass.

Copy i plays, number for number, the episode that a :class:`~stackelberg_envs.play.session.Session` with the same seed
plays: it draws the same numbers in the same order and adds up rewards in the same order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array, IntArray
from stackelberg_envs.errors import ActionError
from stackelberg_envs.faces.observations import Observer, local_rows
from stackelberg_envs.games.primitives import Primitives
from stackelberg_envs.games.tabular import TabularGame
from stackelberg_envs.jit import compiled
from stackelberg_envs.play.simulators import NOTHING, cumulative, record
from stackelberg_envs.play.streams import UniformStreams
from stackelberg_envs.play.tabular import MAX_ONE_HOT, UNIFORMS_PER_DRAW

__all__ = ["COMMITTING", "OVER", "PLAYING", "Round", "TabularCopies", "respond"]

#: Phases of a copy. An episode that is over begins anew in the next round.
OVER, COMMITTING, PLAYING = 0, 1, 2
#: Of a copy that a round leaves as it is.
LEFT_ALONE = 3
#: Rows of `Round.integers`, which are entries of infos.
PLAYED, STEP, CONTEXT, STATE, LEADER_ACTION, FOLLOWER_ACTION, NEXT_STATE, TERMINAL = range(8)
#: Commitments whose arrays are kept for the next copy that is under one of them.
KEPT = 64


class Round(NamedTuple):
    """What a round gave: n copies with m followers each; column i m + j is follower j of copy i.

    Attributes
    ----------
    observations
        Of the followers, shape (n m, L).
    integers
        Entries of infos, shape (8, n m).
    floats
        The leader's and the followers' rewards, shape (2, n m).
    leader_rewards
        The mean over a copy's followers, shape (n,).
    flags
        Whether the copies' episodes have terminated, and whether they were truncated, shape (2, n).
    """

    observations: NDArray[np.float32]
    integers: NDArray[np.int64]
    floats: Array
    leader_rewards: Array
    flags: NDArray[np.bool_]


class _Places(NamedTuple):
    """Where the copies are, as the loop takes it; see :class:`TabularCopies`."""

    numbers: Array
    place: NDArray[np.int64]
    phase: NDArray[np.int64]
    before: NDArray[np.int64]
    steps: NDArray[np.int64]
    contexts: NDArray[np.int64]
    states: NDArray[np.int64]
    leader_actions: NDArray[np.int64]
    finished: NDArray[np.int64]
    shown_states: NDArray[np.int64]


class _Lookup(NamedTuple):
    """Tables that copies look things up in, with each copy's slot; all but rewards are running sums."""

    reward_slot: NDArray[np.int64]
    rewards: Array
    policy_slot: NDArray[np.int64]
    policies: Array
    move_slot: NDArray[np.int64]
    successors: IntArray
    probabilities: Array
    terminal: NDArray[np.bool_]
    first_context: Array
    first_state: Array


class _View(NamedTuple):
    """How observations are laid out: where parts begin, and the size of those that some games do not have."""

    one_hot: bool
    last_state: int
    action: int
    num_actions: int
    context: int
    num_contexts: int
    commitment: int
    phase: int
    time: int
    tick: float


class _Slots:
    """Arrays of one shape in which copies look things up, one slot each; copies with the same object share a slot."""

    def __init__(self, n: int, shape: tuple[int, ...], dtype: Any) -> None:
        self.arrays = np.zeros((1, *shape), dtype)
        self.of = np.zeros(n, np.int64)
        self._held: list[Any] = [None]
        self._users = [n]
        self._free: list[int] = []
        self._slot_of: dict[int, int] = {}

    def put(self, i: int, thing: Any, array: NDArray[Any]) -> None:
        """Let copy i look things up in `array`, which stands for `thing`."""
        mine = int(self.of[i])
        if self._held[mine] is thing:
            return
        self._leave(mine)
        slot = self._slot_of.get(id(thing))
        if slot is None:
            slot = self._free.pop() if self._free else self._room()
            self.arrays[slot], self._held[slot], self._slot_of[id(thing)] = array, thing, slot
        self.of[i] = slot
        self._users[slot] += 1

    def _leave(self, slot: int) -> None:
        self._users[slot] -= 1
        if not self._users[slot]:
            self._slot_of.pop(id(self._held[slot]), None)
            self._held[slot] = None
            self._free.append(slot)

    def _room(self) -> int:
        if len(self._held) == len(self.arrays):
            grown = np.zeros((2 * len(self.arrays), *self.arrays.shape[1:]), self.arrays.dtype)
            grown[: len(self.arrays)] = self.arrays
            self.arrays = grown
        self._held.append(None)
        self._users.append(0)
        return len(self._held) - 1


class _Tables(NamedTuple):
    """The arrays of one commitment, as the loop takes them."""

    primitives: Primitives
    rewards: Array
    leader_policy: Array
    probabilities: Array
    local: NDArray[np.float32]
    shown: NDArray[np.float32]
    transition: Any


class TabularCopies:
    """n copies of a game with m followers each.

    Parameters
    ----------
    game
        The game.
    n, m
        Copies, and followers of each.
    observer
        Says how observations are laid out.
    commits
        Whether an episode begins with a round in which the leader commits.
    last_step
        Play steps after which an episode is truncated.

    Attributes
    ----------
    phase
        OVER, COMMITTING or PLAYING, shape (n,).
    steps, contexts
        Play steps made, and each copy's context, shape (n,).
    now
        Each follower's state, the leader's action shown to it, whether it is finished, and the state that its
        observation shows, shape (4, n m).
    """

    def __init__(self, game: TabularGame, n: int, m: int, observer: Observer, *, commits: bool, last_step: int) -> None:
        self.game, self.n, self.m = game, n, m
        S, A, B = game.shape
        K, Z = game.num_contexts, game.num_contexts * game.shape[0]
        base = game.uncommitted
        self._reserve = 1 + 2 * m
        self.streams = UniformStreams(n, UNIFORMS_PER_DRAW, backwards=True)
        self.phase = np.zeros(n, np.int64)
        self.steps, self.contexts = np.zeros((2, n), np.int64)
        self.now = np.zeros((4, n * m), np.int64)
        self.now[1] = NOTHING
        layout = observer.layout
        self.observations: NDArray[np.float32] = np.zeros((n * m, observer.space.shape[0]), np.float32)
        width = layout["commitment"].stop - layout["commitment"].start if "commitment" in layout else 0
        self._observes = observer.observes
        self._shown = np.zeros((n, width if self._observes == "all" else 0), np.float32)
        self._rewards = _Slots(n, (2, Z, A, B), np.float64)
        self._policies = _Slots(n, (Z, A), np.float64)
        successors = base.transition.successors.shape
        self._successors = _Slots(n, successors, np.int32)
        self._probabilities = _Slots(n, successors, np.float64)
        self._locals = _Slots(n, (S, width) if self._observes == "local" else (0, 0), np.float32)
        self._terminal = base.continuing == 0.0
        initial = game.joint_initial.reshape(-1, S)
        self._first_context = cumulative(initial.sum(axis=1))
        self._first_state = cumulative(initial / initial.sum(axis=1, keepdims=True))
        start = {name: part.start for name, part in layout.items()}
        self._sizes = np.array(
            [
                int(commits),
                last_step,
                int(S <= MAX_ONE_HOT),
                start.get("leader_action", 0),
                A if A > 1 else 0,
                start.get("context", 0),
                K if K > 1 else 0,
                start.get("commitment", 0),
                start["phase"],
                start["time"],
            ],
            np.int64,
        )
        self._tick = 1.0 / game.horizon
        self._known: dict[bytes, _Tables] = {}

    # --- commitments ---------------------------------------------------------------------------------

    def commit(self, i: int, x: Array) -> None:
        """Put an admissible commitment in force in copy i."""
        tables = self._tables(x)
        primitives = tables.primitives
        self._rewards.put(i, primitives, tables.rewards)
        self._policies.put(i, primitives.leader_policy, tables.leader_policy)
        self._successors.put(i, primitives.transition, primitives.transition.successors)
        self._probabilities.put(i, primitives.transition, tables.probabilities)
        if self._observes == "local":
            self._locals.put(i, primitives, tables.local)
        elif self._observes == "all":
            self._shown[i] = tables.shown

    def primitives(self, x: Array) -> Primitives:
        """Return the game's arrays under an admissible commitment; those of the last ones are kept."""
        return self._tables(x).primitives

    def _tables(self, x: Array) -> _Tables:
        key = x.tobytes()
        tables = self._known.pop(key, None)
        if tables is None:
            tables = self._made(x)
            if len(self._known) >= KEPT:
                del self._known[next(iter(self._known))]
        self._known[key] = tables
        return tables

    def _made(self, x: Array) -> _Tables:
        made = self.game.primitives(x)
        latest = next(reversed(self._known.values()), None)
        same = latest is not None and latest.transition is made.transition
        return _Tables(
            made,
            np.stack([made.leader_reward, made.follower_reward]),
            cumulative(made.leader_policy),
            latest.probabilities if same and latest is not None else cumulative(made.transition.probabilities),
            self._local(x),
            x.astype(np.float32).ravel(),
            made.transition,
        )

    def _local(self, x: Array) -> NDArray[np.float32]:
        rows = local_rows(self.game, x) if self._observes == "local" else None
        return np.zeros((0, 0), np.float32) if rows is None else rows

    def committing(self) -> NDArray[np.bool_]:
        """Return which copies wait for a commitment, shape (n,)."""
        return np.equal(self.phase, COMMITTING)

    def playing(self) -> NDArray[np.bool_]:
        """Return which copies are at play, shape (n,)."""
        return np.equal(self.phase, PLAYING)

    # --- rounds --------------------------------------------------------------------------------------

    def restart(self, seeds: Sequence[int | None]) -> None:
        """Let every copy begin an episode in the next round, after its stream where that has a new seed."""
        self.streams.seed(seeds)
        self.phase[:] = OVER

    def advance(self, actions: NDArray[np.int64], former: Round | None = None, *, only_play: bool = False) -> Round:
        """Make a round in every copy: begin what is over, show what was committed, play the rest.

        Parameters
        ----------
        actions
            Of the followers, shape (n m,); looked at only where a follower plays.
        former
            Only begin the episodes that this round ended, and write what they show over its numbers.
        only_play
            Leave the copies alone that are not at play; what is returned for them has no meaning.

        Raises
        ------
        ActionError
            An illegal action; nothing has moved.
        """
        columns = self.n * self.m
        self.streams.need(self._reserve)
        made = (
            Round(
                self.observations,
                np.empty((8, columns), np.int64),
                np.empty((2, columns)),
                np.empty(self.n),
                np.empty((2, self.n), np.bool_),
            )
            if former is None
            else former
        )
        illegal = _advance(
            self.streams.numbers,
            self.streams.place,
            self.phase,
            self.steps,
            self.contexts,
            self.now,
            actions,
            self._rewards.of,
            self._rewards.arrays,
            self._policies.of,
            self._policies.arrays,
            self._successors.of,
            self._successors.arrays,
            self._probabilities.arrays,
            self._terminal,
            self._first_context,
            self._first_state,
            self._shown,
            self._locals.of,
            self._locals.arrays,
            self._sizes,
            self._tick,
            only_play,
            former is not None,
            self.observations,
            made.integers,
            made.floats,
            made.leader_rewards,
            made.flags,
        )
        if illegal >= 0:
            raise self._refusal(actions, illegal)
        return made

    def _refusal(self, actions: NDArray[np.int64], column: int) -> ActionError:
        copy, follower = divmod(column, self.m)
        whose = f"follower_{follower} at index {copy}" if self.m > 1 else f"index {copy}"
        return ActionError(
            f"actions: expected integers in 0..{self.game.shape[2] - 1}, got {actions[column]} at {whose}"
        )

    def leader_observations(self) -> NDArray[np.float32]:
        """Return what the leaders observe, shape (n, L): a follower's own, or the mean over several."""
        rows = self.observations.reshape(self.n, self.m, -1)
        seen = rows[:, 0].copy()
        if self.m > 1:
            end = int(self._sizes[8])
            seen[:, :end] = np.mean(rows[:, :, :end], axis=1, dtype=np.float64)
        return seen

    def seen(self, made: Round) -> dict[str, Any]:
        """Return the entries of infos, each of shape (n m,)."""
        rows = made.integers
        return record(
            rows[PLAYED],
            rows[STEP],
            rows[CONTEXT],
            rows[STATE],
            rows[LEADER_ACTION],
            rows[FOLLOWER_ACTION],
            rows[NEXT_STATE],
            rows[TERMINAL],
            made.floats[0],
            made.floats[1].copy() if self.game.observe_rewards else None,
        )


@compiled
def respond(
    numbers: Array,
    place: NDArray[np.int64],
    playing: NDArray[np.bool_],
    contexts: NDArray[np.int64],
    now: NDArray[np.int64],
    slots: NDArray[np.int64],
    responses: Array,
    num_states: int,
) -> NDArray[np.int64]:
    """Draw the actions of the followers that play and are not finished, shape (n m,), one number each.

    `responses` are running sums, (slots, Z, A, B); `slots` says which is each copy's.
    """
    n, columns = playing.shape[0], now.shape[1]
    m = columns // n
    actions = np.zeros(columns, np.int64)
    for j in range(columns):
        i = j // m
        if playing[i] and now[2, j] == 0:
            z, a = contexts[i] * num_states + now[0, j], max(now[1, j], 0)
            actions[j] = np.searchsorted(responses[slots[i], z, a], numbers[i, place[i]], side="right")
            place[i] += 1
    return actions


@compiled
def _advance(
    numbers: Array,
    place: NDArray[np.int64],
    phase: NDArray[np.int64],
    steps: NDArray[np.int64],
    contexts: NDArray[np.int64],
    now: NDArray[np.int64],
    actions: NDArray[np.int64],
    reward_slot: NDArray[np.int64],
    rewards: Array,
    policy_slot: NDArray[np.int64],
    policies: Array,
    move_slot: NDArray[np.int64],
    successors: IntArray,
    probabilities: Array,
    terminal: NDArray[np.bool_],
    first_context: Array,
    first_state: Array,
    shown: NDArray[np.float32],
    local_slot: NDArray[np.int64],
    local: NDArray[np.float32],
    sizes: NDArray[np.int64],
    tick: float,
    only_play: bool,
    only_begin: bool,
    observations: NDArray[np.float32],
    integers: NDArray[np.int64],
    floats: Array,
    leader_rewards: Array,
    flags: NDArray[np.bool_],
) -> int:
    """Make a round in every copy; return the column of the first illegal action, in which case nothing has moved.

    Arguments come one by one, because Numba is slow to take tuples from Python.
    """
    before = np.empty_like(phase)
    at = _Places(numbers, place, phase, before, steps, contexts, now[0], now[1], now[2], now[3])
    tables = _Lookup(
        reward_slot,
        rewards,
        policy_slot,
        policies,
        move_slot,
        successors,
        probabilities,
        terminal,
        first_context,
        first_state,
    )
    view = _View(
        sizes[2] == 1,
        first_state.shape[1] - 1,
        sizes[3],
        sizes[4],
        sizes[5],
        sizes[6],
        sizes[7],
        sizes[8],
        sizes[9],
        tick,
    )
    out = Round(observations, integers, floats, leader_rewards, flags)
    m = now.shape[1] // phase.shape[0]
    if not only_begin:
        illegal = _first_illegal(at, actions, m, rewards.shape[4])
        if illegal >= 0:
            return illegal
    for i in range(phase.shape[0]):
        left = (only_play and phase[i] != PLAYING) or (only_begin and phase[i] != OVER)
        before[i] = LEFT_ALONE if left else phase[i]
    _clear(m, at, only_begin, out)
    if not only_begin:  # a copy that waits for its next episode plays no more
        _play(m, at, tables, actions, sizes[1], out)
    if sizes[0] == 1:
        _open(m, at, view, out)
    _begin(m, at, tables, view, shown, out)
    _lead(m, at, tables)
    _show(m, at, view, local_slot, local, out)
    return -1


@compiled
def _first_illegal(at: _Places, actions: NDArray[np.int64], m: int, num_actions: int) -> int:
    """Return the first column whose follower plays and whose action does not exist, or -1."""
    for column in range(actions.shape[0]):
        plays = at.phase[column // m] == PLAYING and at.finished[column] == 0
        if plays and not 0 <= actions[column] < num_actions:
            return column
    return -1


@compiled
def _clear(m: int, at: _Places, only_begin: bool, out: Round) -> None:
    """Write what stands where nobody moved."""
    for i in range(at.before.shape[0]):
        if at.before[i] == LEFT_ALONE:
            continue
        if not only_begin:
            out.flags[0, i] = False
            out.flags[1, i] = False
            out.leader_rewards[i] = 0.0
        for j in range(i * m, i * m + m):
            out.integers[PLAYED, j] = 0
            out.integers[STATE, j] = NOTHING
            out.integers[LEADER_ACTION, j] = NOTHING
            out.integers[FOLLOWER_ACTION, j] = NOTHING
            out.integers[TERMINAL, j] = 0
            out.floats[0, j] = 0.0
            out.floats[1, j] = 0.0


@compiled
def _play(m: int, at: _Places, tables: _Lookup, actions: NDArray[np.int64], last_step: int, out: Round) -> None:
    """Let every follower that is not finished move once: pay for the visit and send it on."""
    for i in range(at.before.shape[0]):
        if at.before[i] != PLAYING:
            continue
        at.steps[i] += 1
        base = at.contexts[i] * tables.first_state.shape[1]
        total = 0.0
        finished = m
        for j in range(i * m, i * m + m):
            if at.finished[j] == 1:
                continue
            s, b = at.states[j], actions[j]
            z, a = base + s, max(at.leader_actions[j], 0)
            out.integers[PLAYED, j] = 1
            out.integers[STATE, j] = s
            out.integers[LEADER_ACTION, j] = at.leader_actions[j]
            out.integers[FOLLOWER_ACTION, j] = b
            out.floats[0, j] = tables.rewards[tables.reward_slot[i], 0, z, a, b]
            out.floats[1, j] = tables.rewards[tables.reward_slot[i], 1, z, a, b]
            total += out.floats[0, j]
            if tables.terminal[z]:
                at.finished[j] = 1
                out.integers[TERMINAL, j] = 1
                continue
            finished -= 1
            slot, k = tables.move_slot[i], 0
            u = at.numbers[i, at.place[i]]
            at.place[i] += 1
            while u >= tables.probabilities[slot, z, a, b, k]:
                k += 1
            at.states[j] = tables.successors[slot, z, a, b, k] - base
        out.leader_rewards[i] = total * (1.0 / m)
        out.flags[0, i] = finished == m
        out.flags[1, i] = finished < m and at.steps[i] >= last_step
        if out.flags[0, i] or out.flags[1, i]:
            at.phase[i] = OVER


@compiled
def _open(m: int, at: _Places, view: _View, out: Round) -> None:
    """Let the copies whose episode is over wait for the leader's commitment."""
    for i in range(at.before.shape[0]):
        if at.before[i] != OVER:
            continue
        at.before[i] = LEFT_ALONE
        at.phase[i] = COMMITTING
        at.steps[i] = 0
        for j in range(i * m, i * m + m):
            at.finished[j] = 0
            out.integers[STEP, j] = 0
            out.integers[CONTEXT, j] = NOTHING
            out.integers[NEXT_STATE, j] = NOTHING
            out.observations[j, :] = 0.0
            out.observations[j, view.phase] = 1.0


@compiled
def _begin(m: int, at: _Places, tables: _Lookup, view: _View, shown: NDArray[np.float32], out: Round) -> None:
    """Draw the context and the first states of the copies whose play begins."""
    for i in range(at.before.shape[0]):
        if at.before[i] != OVER and at.before[i] != COMMITTING:
            continue
        at.phase[i] = PLAYING
        at.steps[i] = 0
        k = np.searchsorted(tables.first_context, at.numbers[i, at.place[i]], side="right")
        at.contexts[i] = k
        for j in range(i * m, i * m + m):
            u = at.numbers[i, at.place[i] + 1 + j - i * m]
            at.states[j] = np.searchsorted(tables.first_state[k], u, side="right")
            at.finished[j] = 0
            row = out.observations[j]
            row[:] = 0.0
            row[view.phase + 1] = 1.0
            if view.num_contexts > 0:
                row[view.context + k] = 1.0
            row[view.commitment : view.commitment + shown.shape[1]] = shown[i]
        at.place[i] += 1 + m


@compiled
def _lead(m: int, at: _Places, tables: _Lookup) -> None:
    """Draw the leader's next actions, also after the last step: who bootstraps needs a whole observation."""
    S, A = tables.first_state.shape[1], tables.policies.shape[2]
    for i in range(at.before.shape[0]):
        if at.before[i] == LEFT_ALONE or A == 1:
            continue
        slot = tables.policy_slot[i]
        for j in range(i * m, i * m + m):
            at.leader_actions[j] = NOTHING
            if at.finished[j] == 0:
                z, a = at.contexts[i] * S + at.states[j], 0
                u = at.numbers[i, at.place[i]]
                at.place[i] += 1
                while u >= tables.policies[slot, z, a]:
                    a += 1
                at.leader_actions[j] = a


@compiled
def _show(
    m: int,
    at: _Places,
    view: _View,
    local_slot: NDArray[np.int64],
    local: NDArray[np.float32],
    out: Round,
) -> None:
    """Bring the observations and infos up to date."""
    for j in range(at.states.shape[0]):
        i = j // m
        if at.before[i] == LEFT_ALONE:
            continue
        row, s = out.observations[j], at.states[j]
        out.integers[STEP, j] = at.steps[i]
        out.integers[CONTEXT, j] = at.contexts[i]
        out.integers[NEXT_STATE, j] = s
        for a in range(view.num_actions):
            row[view.action + a] = 1.0 if a == at.leader_actions[j] else 0.0
        if view.one_hot:
            row[at.shown_states[j]] = 0.0
            row[s] = 1.0
            at.shown_states[j] = s
        else:
            row[0] = s / view.last_state
        row[view.time] = at.steps[i] * view.tick
        for k in range(local.shape[2]):
            row[view.commitment + k] = local[local_slot[i], s, k]
