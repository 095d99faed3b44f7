"""Jitted loops of the agents: one forward pass over recorded steps, and tabular learning.

Index letters, and why loops over steps are cut into slices, as in :mod:`stackelberg_envs.kernels`. Nothing is checked
here.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array, IntArray
from stackelberg_envs.jit import compiled
from stackelberg_envs.kernels import slice_of

__all__ = [
    "count_actions",
    "discount_powers",
    "discounted_returns",
    "evaluate_behaviour",
    "expected_sarsa",
    "record_successors",
    "scatter_add",
    "soft_q_learning",
    "trace_coefficients",
    "visit_trace",
]


@compiled
def count_actions(states: IntArray, leader_actions: IntArray, follower_actions: IntArray, out: Array) -> None:
    """Add one to `out` (Z, A, B) for every recorded step."""
    for t in range(states.shape[0]):
        out[states[t], leader_actions[t], follower_actions[t]] += 1.0


@compiled
def scatter_add(
    states: IntArray, leader_actions: IntArray, follower_actions: IntArray, values: Array, out: Array
) -> None:
    """Add `values` (T,) to `out` (Z, A, B) where the steps were."""
    for t in range(states.shape[0]):
        out[states[t], leader_actions[t], follower_actions[t]] += values[t]


@compiled
def discounted_returns(rewards: Array, offsets: NDArray[np.int64], tails: Array, discount: float, out: Array) -> None:
    """Write the return from each step to the end of its episode into `out` (T,); `tails` (N,) follow the ends."""
    for i in range(offsets.shape[0] - 1):
        ahead = tails[i]
        for t in range(offsets[i + 1] - 1, offsets[i] - 1, -1):
            ahead = rewards[t] + discount * ahead
            out[t] = ahead


@compiled
def discount_powers(offsets: NDArray[np.int64], discount: float, out: Array) -> None:
    """Write discount^t, t counted from the start of each episode, into `out` (T,)."""
    for i in range(offsets.shape[0] - 1):
        scale = 1.0
        for t in range(offsets[i], offsets[i + 1]):
            out[t] = scale
            scale *= discount


@compiled
def trace_coefficients(
    offsets: NDArray[np.int64],
    ends: NDArray[np.bool_],
    weights: Array,
    scales: Array,
    impulses: Array,
    leader_discount: float,
    follower_discount: float,
    leader_action_values: Array,
    follower_action_values: Array,
    leader_next_values: Array,
    follower_next_values: Array,
    by_follower_reward: Array,
    by_leader_reward: Array,
    by_leader_policy: Array,
    by_transition: Array,
) -> None:
    """Boltzmann covariance with an eligibility trace (theory, section 5), one forward pass.

    Everything has an entry per step (T,), but `weights`, which has one per step into an episode. `scales` are the
    leader's discounts gamma_L^t, `impulses` what each step adds to the trace. The last four arrays are overwritten with
    the coefficients of d r_F, d r_L, d log f and d log P.
    """
    for i in range(offsets.shape[0] - 1):
        trace = 0.0
        for t in range(offsets[i], offsets[i + 1]):
            weight, scale = weights[t - offsets[i]], scales[t]
            carried = follower_discount * trace
            trace = carried + impulses[t]
            by_follower_reward[t] = weight * trace
            by_leader_reward[t] = weight * scale
            by_leader_policy[t] = weight * (scale * leader_action_values[t] + carried * follower_action_values[t])
            by_transition[t] = 0.0
            if not ends[t]:
                by_transition[t] = weight * (
                    scale * leader_discount * leader_next_values[t]
                    + follower_discount * trace * follower_next_values[t]
                )


def evaluate_behaviour(
    states: IntArray,
    leader_actions: IntArray,
    follower_actions: IntArray,
    next_states: IntArray,
    ends: NDArray[np.bool_],
    rewards: Array,
    leader_policy: Array,
    behaviour: Array,
    bonus: Array,
    discount: float,
    least_step: float,
    sweeps: int,
    visits: Array,
    q: Array,
    state_values: Array,
) -> float:
    """Expected SARSA over recorded steps, last to first, `sweeps` times.

    `q` (Z, A, B) and its average `state_values` (Z,) are modified in place; `visits` (Z, A, B) is scratch. The
    target is reward + discount * sum_{a,b} f g (q + bonus) at the next state. The step is 1 / visits within the
    sweep, at least `least_step`: each sweep averages its own targets, so those of the first sweeps, made with
    values that had not converged, are forgotten. Backwards, because a reward then travels a whole episode in one
    sweep. Returns the mean absolute temporal-difference error of the last sweep.
    """
    steps = (states, leader_actions, follower_actions, next_states, ends, rewards)
    _average(leader_policy, behaviour, bonus, q, state_values)
    error = 0.0
    T, most = states.shape[0], slice_of(1)
    for _ in range(sweeps):
        error = 0.0
        visits[:] = 0.0
        for last in range(T, 0, -most):
            first = max(0, last - most)
            error = _evaluate_behaviour(
                *steps, leader_policy, behaviour, discount, least_step, first, last, error, visits, q, state_values
            )
    return float(error / max(T, 1))


@compiled
def _average(leader_policy: Array, behaviour: Array, bonus: Array, q: Array, out: Array) -> None:
    """Write sum_{a,b} f g (q + bonus) into `out` (Z,)."""
    Z, A, B = q.shape
    for s in range(Z):
        total = 0.0
        for a in range(A):
            for b in range(B):
                total += leader_policy[s, a] * behaviour[s, a, b] * (q[s, a, b] + bonus[s, a, b])
        out[s] = total


@compiled
def _evaluate_behaviour(
    states: IntArray,
    leader_actions: IntArray,
    follower_actions: IntArray,
    next_states: IntArray,
    ends: NDArray[np.bool_],
    rewards: Array,
    leader_policy: Array,
    behaviour: Array,
    discount: float,
    least_step: float,
    first: int,
    last: int,
    error: float,
    visits: Array,
    q: Array,
    state_values: Array,
) -> float:
    """Sweep over the steps from `last` - 1 down to `first`; returns `error` plus the absolute errors of these."""
    for t in range(last - 1, first - 1, -1):
        s, a, b = states[t], leader_actions[t], follower_actions[t]
        target = rewards[t]
        if not ends[t]:
            target += discount * state_values[next_states[t]]
        visits[s, a, b] += 1.0
        gap = target - q[s, a, b]
        change = max(least_step, 1.0 / visits[s, a, b]) * gap
        q[s, a, b] += change
        state_values[s] += leader_policy[s, a] * behaviour[s, a, b] * change
        error += abs(gap)
    return error


def record_successors(
    states: IntArray,
    leader_actions: IntArray,
    follower_actions: IntArray,
    next_states: IntArray,
    ends: NDArray[np.bool_],
    first: int,
    successors: IntArray,
    counts: Array,
) -> int:
    """Count transitions from step `first` on into successor lists with free places; returns the step reached.

    `successors` and `counts` (Z, A, B, N) are modified in place; a place with count zero is free. Stops at
    the first step whose list is full. Steps that end an episode lead nowhere and are passed over.
    """
    T, done, most = states.shape[0], first, slice_of(counts.shape[3])
    while done < T:
        last = min(T, done + most)
        done = _record(states, leader_actions, follower_actions, next_states, ends, done, last, successors, counts)
        if done < last:
            break
    return int(done)


@compiled
def _record(
    states: IntArray,
    leader_actions: IntArray,
    follower_actions: IntArray,
    next_states: IntArray,
    ends: NDArray[np.bool_],
    first: int,
    last: int,
    successors: IntArray,
    counts: Array,
) -> int:
    """Count the transitions of the steps from `first` to `last` - 1; returns the step reached."""
    N = counts.shape[3]
    for t in range(first, last):
        if ends[t]:
            continue
        s, a, b, u = states[t], leader_actions[t], follower_actions[t], next_states[t]
        n = 0
        while n < N and counts[s, a, b, n] > 0.0 and successors[s, a, b, n] != u:
            n += 1
        if n == N:
            return t
        successors[s, a, b, n] = u
        counts[s, a, b, n] += 1.0
    return last


@compiled
def _pick(weights: Array, u: float) -> int:
    """Return the index at which the cumulative weights pass u."""
    total = 0.0
    last = weights.shape[0] - 1
    for i in range(last):
        total += weights[i]
        if u < total:
            return i
    return last


@compiled
def _gibbs(q: Array, temperature: float, out: Array) -> float:
    """Write the Gibbs policy of the row `q` (B,) into `out`; return its soft value."""
    B = q.shape[0]
    top = q[0]
    for b in range(1, B):
        top = max(top, q[b])
    mass = 0.0
    for b in range(B):
        out[b] = np.exp((q[b] - top) / temperature)
        mass += out[b]
    for b in range(B):
        out[b] /= mass
    return top + temperature * np.log(mass)


def soft_q_learning(
    rng: np.random.Generator,
    initial: Array,
    leader_policy: Array,
    reward: Array,
    successors: IntArray,
    probabilities: Array,
    continuing: Array,
    horizon: int,
    discount: float,
    temperature: float,
    least_step: float,
    exploration: float,
    steps: int,
    visits: Array,
    q: Array,
) -> int:
    """Tabular soft Q-learning in a simulator, `steps` follower steps, from one episode to the next.

    `q` and `visits` (Z, A, B) are modified in place. The learner reads the arrays of the game only to be
    told where it is, what the leader plays, what it is paid and whether the episode is over. Its behaviour
    is its Gibbs policy, replaced by an even draw with probability `exploration`. Returns the number of episodes.
    """
    policy, place = np.empty(q.shape[2]), np.zeros(4, dtype=np.int64)
    game = (initial, leader_policy, reward, successors, probabilities, continuing, horizon)
    options = (discount, temperature, least_step, exploration)
    most = slice_of(q.shape[1] + 4 * q.shape[2] + probabilities.shape[3])
    for done in range(0, steps, most):
        _soft_q_learning(rng, *game, *options, min(most, steps - done), visits, q, policy, place)
    return int(place[3])


@compiled
def _soft_q_learning(
    rng: np.random.Generator,
    initial: Array,
    leader_policy: Array,
    reward: Array,
    successors: IntArray,
    probabilities: Array,
    continuing: Array,
    horizon: int,
    discount: float,
    temperature: float,
    least_step: float,
    exploration: float,
    steps: int,
    visits: Array,
    q: Array,
    policy: Array,
    place: NDArray[np.int64],
) -> None:
    """Go on for so many steps; `place` is the state, the leader's action, steps left of the episode, and episodes."""
    A, B = q.shape[1], q.shape[2]
    s, a, left, episodes = place[0], place[1], place[2], place[3]
    for _ in range(steps):
        if left == 0:
            s = min(np.searchsorted(initial, rng.random(), side="right"), initial.shape[0] - 1)
            a = _pick(leader_policy[s], rng.random()) if A > 1 else 0
            left = horizon
            episodes += 1
            _gibbs(q[s, a], temperature, policy)
        explores = rng.random() < exploration
        b = min(int(rng.random() * B), B - 1) if explores else _pick(policy, rng.random())
        target = reward[s, a, b]
        ended = continuing[s] == 0.0
        u, v = s, a
        if not ended:
            u = successors[s, a, b, _pick(probabilities[s, a, b], rng.random())]
            v = _pick(leader_policy[u], rng.random()) if A > 1 else 0
            target += discount * _gibbs(q[u, v], temperature, policy)
        visits[s, a, b] += 1.0
        q[s, a, b] += max(least_step, 1.0 / visits[s, a, b]) * (target - q[s, a, b])
        left = 0 if ended else left - 1
        if u == s and v == a:
            _gibbs(q[s, a], temperature, policy)
        s, a = u, v
    place[0], place[1], place[2], place[3] = s, a, left, episodes


@compiled
def visit_trace(
    states: IntArray,
    leader_actions: IntArray,
    follower_actions: IntArray,
    next_states: IntArray,
    offsets: NDArray[np.int64],
    terminated: NDArray[np.bool_],
    per_visit: Array,
    arriving: Array,
    discount: float,
    carried: Array,
    trace: Array,
    leftover: Array,
) -> None:
    """Spread weights per visit over the steps that follow each visit, one forward pass.

    Every visit of (s, a, b) starts with weight `per_visit` (Z, A, B), every visit of s with `arriving` (Z,) before
    its actions are drawn. Adds to `carried` (T,) the weight that reached a step from earlier ones, to `trace`
    (T,) that plus the step's own; overwrites `leftover` (Z,) with what was carried past the ends of cut episodes.
    """
    leftover[:] = 0.0
    for i in range(offsets.shape[0] - 1):
        weight = 0.0
        for t in range(offsets[i], offsets[i + 1]):
            s = states[t]
            reached = discount * weight + arriving[s]
            weight = reached + per_visit[s, leader_actions[t], follower_actions[t]]
            carried[t] += reached
            trace[t] += weight
        if not terminated[i]:
            leftover[next_states[offsets[i + 1] - 1]] += discount * weight


@compiled
def _mixed_gibbs(q: Array, temperature: float, exploration: float, out: Array) -> float:
    """Write the Gibbs policy of `q` (B,) mixed with an even draw into `out`; return its entropy-regularised value."""
    B = q.shape[0]
    _gibbs(q, temperature, out)
    value = 0.0
    for b in range(B):
        out[b] = (1.0 - exploration) * out[b] + exploration / B
        if out[b] > 0.0:
            value += out[b] * (q[b] - temperature * np.log(out[b]))
    return value


def expected_sarsa(
    rng: np.random.Generator,
    initial: Array,
    leader_policy: Array,
    reward: Array,
    successors: IntArray,
    probabilities: Array,
    continuing: Array,
    horizon: int,
    discount: float,
    temperature: float,
    least_step: float,
    exploration: float,
    steps: int,
    visits: Array,
    q: Array,
) -> int:
    """Tabular expected SARSA with entropy in a simulator; the arguments are those of :func:`soft_q_learning`.

    The target averages over the leader's next action by its announced policy, and over the follower's by what
    it plays: its Gibbs policy, mixed with an even draw. Returns the number of episodes.
    """
    policy, place = np.empty(q.shape[2]), np.zeros(4, dtype=np.int64)
    game = (initial, leader_policy, reward, successors, probabilities, continuing, horizon)
    options = (discount, temperature, least_step, exploration)
    most = slice_of(4 * q.shape[1] * q.shape[2] + probabilities.shape[3])
    for done in range(0, steps, most):
        _expected_sarsa(rng, *game, *options, min(most, steps - done), visits, q, policy, place)
    return int(place[3])


@compiled
def _expected_sarsa(
    rng: np.random.Generator,
    initial: Array,
    leader_policy: Array,
    reward: Array,
    successors: IntArray,
    probabilities: Array,
    continuing: Array,
    horizon: int,
    discount: float,
    temperature: float,
    least_step: float,
    exploration: float,
    steps: int,
    visits: Array,
    q: Array,
    policy: Array,
    place: NDArray[np.int64],
) -> None:
    """Go on for so many steps; `policy` (B,) is scratch, `place` is as for soft Q-learning."""
    A = q.shape[1]
    s, left, episodes = place[0], place[2], place[3]
    for _ in range(steps):
        if left == 0:
            s = min(np.searchsorted(initial, rng.random(), side="right"), initial.shape[0] - 1)
            left = horizon
            episodes += 1
        a = _pick(leader_policy[s], rng.random()) if A > 1 else 0
        _mixed_gibbs(q[s, a], temperature, exploration, policy)
        b = _pick(policy, rng.random())
        target = reward[s, a, b]
        u = s
        ended = continuing[s] == 0.0
        if not ended:
            u = successors[s, a, b, _pick(probabilities[s, a, b], rng.random())]
            for v in range(A):
                if leader_policy[u, v] > 0.0:
                    target += discount * leader_policy[u, v] * _mixed_gibbs(q[u, v], temperature, exploration, policy)
        visits[s, a, b] += 1.0
        q[s, a, b] += max(least_step, 1.0 / visits[s, a, b]) * (target - q[s, a, b])
        left = 0 if ended else left - 1
        s = u
    place[0], place[2], place[3] = s, left, episodes
