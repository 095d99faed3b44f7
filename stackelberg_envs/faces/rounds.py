"""The compiled pass that makes one round in every copy of a tabular game; see :mod:`stackelberg_envs.faces.copies`."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array, IntArray
from stackelberg_envs.jit import compiled
from stackelberg_envs.play.simulators import NOTHING

__all__ = ["COMMITTING", "OVER", "PLAYING", "Round", "advance", "respond"]

#: Phases of a copy. An episode that is over begins anew in the next round.
OVER, COMMITTING, PLAYING = 0, 1, 2
#: Of a copy that a round leaves as it is.
LEFT_ALONE = 3
#: Rows of `Round.integers`, which are entries of infos.
PLAYED, STEP, CONTEXT, STATE, LEADER_ACTION, FOLLOWER_ACTION, NEXT_STATE, TERMINAL = range(8)


class Round(NamedTuple):
    """What a round gave: n copies with m followers each; column i m + j is follower j of copy i.

    Attributes
    ----------
    observations
        Of the followers, shape (n m, L).
    integers
        Entries of infos, shape (8, n m).
    floats
        The leader's and the followers' rewards, and the latter in the units of the face, shape (3, n m).
    leader_rewards
        The mean over a copy's followers, shape (n,); the next round overwrites them.
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
def advance(
    numbers: Array,
    place: NDArray[np.int64],
    phase: NDArray[np.int64],
    steps: NDArray[np.int64],
    contexts: NDArray[np.int64],
    now: NDArray[np.int64],
    reward_slot: NDArray[np.int64],
    rewards: Array,
    policy_slot: NDArray[np.int64],
    policies: Array,
    move_slot: NDArray[np.int64],
    successors: IntArray,
    probabilities: Array,
    terminal: NDArray[np.bool_],
    feasible: NDArray[np.bool_],
    first_context: Array,
    first_state: Array,
    shown: NDArray[np.float32],
    local_slot: NDArray[np.int64],
    local: NDArray[np.float32],
    sizes: NDArray[np.int64],
    tick: float,
    share: float,
    observations: NDArray[np.float32],
    leader_rewards: Array,
    actions: NDArray[np.int64],
    integers: NDArray[np.int64],
    floats: Array,
    flags: NDArray[np.bool_],
    only_play: bool,
    only_begin: bool,
) -> int:
    """Make a round in every copy; return the column of the first illegal action, in which case nothing has moved.

    Arguments come one by one, because Numba is slow to take tuples from Python; those that stay the same from round to
    round come first. `share` is what the followers' rewards are multiplied by for `Round.floats`. `feasible` has no
    entries in games where every action can always be taken.
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
        illegal = _first_illegal(at, actions, m, rewards.shape[4], feasible, first_state.shape[1])
        if illegal >= 0:
            return illegal
    begins = False
    for i in range(phase.shape[0]):
        left = (only_play and phase[i] != PLAYING) or (only_begin and phase[i] != OVER)
        before[i] = LEFT_ALONE if left else phase[i]
        begins |= not left and phase[i] != PLAYING
    _clear(m, at, only_begin, out)
    if not only_begin:  # a copy that waits for its next episode plays no more
        _play(m, at, tables, actions, sizes[1], share, out)
    if begins and sizes[0] == 1:
        _open(m, at, view, out)
    if begins:  # rare, and slow to ask each copy where there are few
        _begin(m, at, tables, view, shown, out)
    if policies.shape[2] > 1:
        _lead(m, at, tables)
    _show(m, at, view, local_slot, local, out)
    return -1


@compiled
def _first_illegal(
    at: _Places, actions: NDArray[np.int64], m: int, num_actions: int, feasible: NDArray[np.bool_], num_states: int
) -> int:
    """Return the first column whose follower plays and whose action does not exist or is not feasible, or -1."""
    for i in range(at.phase.shape[0]):
        if at.phase[i] != PLAYING:
            continue
        for column in range(i * m, i * m + m):
            if at.finished[column] == 1:
                continue
            if not 0 <= actions[column] < num_actions:
                return column
            if feasible.size > 0:
                z = at.contexts[i] * num_states + at.states[column]
                if not feasible[z, max(at.leader_actions[column], 0), actions[column]]:
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
            if not only_begin:  # what the last step of an episode paid is still to be told
                out.floats[2, j] = 0.0


@compiled
def _play(
    m: int, at: _Places, tables: _Lookup, actions: NDArray[np.int64], last_step: int, share: float, out: Round
) -> None:
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
            out.floats[2, j] = out.floats[1, j] * share
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
    S = tables.first_state.shape[1]
    for i in range(at.before.shape[0]):
        if at.before[i] == LEFT_ALONE:
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
    for i in range(at.before.shape[0]):
        if at.before[i] == LEFT_ALONE:
            continue
        for j in range(i * m, i * m + m):
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
