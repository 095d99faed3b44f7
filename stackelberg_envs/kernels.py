"""The numeric core: pure functions over arrays, jitted where that measured faster.

Index letters: s joint state, a leader action, b follower action, n position in a successor list, t next
state. Nothing is checked here; the callers have. A signal is heeded only between two calls of machine code, so
loops over steps are cut into slices that go on where the last one ended. Kernels that call each other stay in one
file: the disk cache notices a change in a callee only there and, for the rest of the project, here.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array, IntArray
from stackelberg_envs.jit import compiled

__all__ = [
    "draw_groups",
    "gibbs_policy",
    "group_log_probabilities",
    "next_values",
    "policy_band",
    "policy_matrix",
    "policy_matrix_data",
    "push_flow",
    "read_terms",
    "rollout",
    "scatter_terms",
    "slice_of",
    "soft_bellman_backup",
    "vector_observe",
    "vector_step",
]

#: Simple steps that a loop makes before it returns to Python, which looks up whether a signal has come: some 20 ms.
SLICE = 1 << 18
#: exp of this is a thousandth of the unit of rounding.
LEAST_EXPONENT = -43.0


def slice_of(work: int) -> int:
    """Return how many steps make a slice, where each passes so many numbers."""
    return max(1, SLICE // max(1, work // 8))


@compiled
def soft_bellman_backup(
    reward: Array,
    successors: IntArray,
    probabilities: Array,
    leader_policy: Array,
    continuing: Array,
    discount: float,
    temperature: float,
    values: Array,
    q: Array,
    soft_values: Array,
    out: Array,
) -> tuple[float, float]:
    """Soft Bellman backup of `values`; temperature 0 takes the maximum instead.

    `q` (Z, A, B), `soft_values` (Z, A) and `out` (Z,) are overwritten. Returns the largest |out - values| and
    the largest |out|.
    """
    Z, A, B = q.shape
    N = successors.shape[3]
    residual, largest = 0.0, 0.0
    for s in range(Z):
        scale = discount * continuing[s]
        total = 0.0
        for a in range(A):
            best = 0
            for b in range(B):
                ahead = 0.0
                if scale != 0.0:
                    for n in range(N):
                        ahead += probabilities[s, a, b, n] * values[successors[s, a, b, n]]
                q[s, a, b] = reward[s, a, b] + scale * ahead
                if q[s, a, b] > q[s, a, best]:
                    best = b
            soft = q[s, a, best]
            if temperature > 0.0:
                mass = 1.0
                for b in range(B):
                    # The best action's own term is 1; terms below rounding are not worth an exponential.
                    if b != best and q[s, a, b] - soft > LEAST_EXPONENT * temperature:
                        mass += np.exp((q[s, a, b] - soft) / temperature)
                soft += temperature * np.log(mass)
            soft_values[s, a] = soft
            total += leader_policy[s, a] * soft
        out[s] = total
        residual = max(residual, abs(total - values[s]))
        largest = max(largest, abs(total))
    return residual, largest


@compiled
def gibbs_policy(q: Array, soft_values: Array, temperature: float, out: Array) -> None:
    """Write exp((q - v) / temperature), normalised, into `out` (Z, A, B)."""
    Z, A, B = q.shape
    for s in range(Z):
        for a in range(A):
            mass = 0.0
            for b in range(B):
                out[s, a, b] = np.exp((q[s, a, b] - soft_values[s, a]) / temperature)
                mass += out[s, a, b]
            for b in range(B):
                out[s, a, b] /= mass


@compiled
def policy_matrix(
    joint_policy: Array, successors: IntArray, probabilities: Array, continuing: Array, out: Array
) -> None:
    """Write P_pi[k, s, t] into `out` (K, S, S); joint states are k * S + s and contexts do not mix."""
    K, S, _ = out.shape
    _, A, B, N = successors.shape
    out[:] = 0.0
    for z in range(K * S):
        k = z // S
        if continuing[z] == 0.0:
            continue
        for a in range(A):
            for b in range(B):
                weight = joint_policy[z, a, b]
                for n in range(N):
                    out[k, z - k * S, successors[z, a, b, n] - k * S] += weight * probabilities[z, a, b, n]


@compiled
def policy_band(
    joint_policy: Array, successors: IntArray, probabilities: Array, continuing: Array, diagonal: int, out: Array
) -> None:
    """Write P_pi[s, t] into `out[t, diagonal + s - t]`: LAPACK's band storage, transposed, (Z, rows)."""
    Z, A, B, N = successors.shape
    out[:] = 0.0
    for s in range(Z):
        if continuing[s] == 0.0:
            continue
        for a in range(A):
            for b in range(B):
                weight = joint_policy[s, a, b]
                for n in range(N):
                    if probabilities[s, a, b, n] > 0.0:
                        t = successors[s, a, b, n]
                        out[t, diagonal + s - t] += weight * probabilities[s, a, b, n]


@compiled
def policy_matrix_data(joint_policy: Array, probabilities: Array, continuing: Array, out: Array) -> None:
    """Write the entries of the sparse P_pi, row by row in the order of the successor lists, into `out`."""
    Z, A, B, N = probabilities.shape
    i = 0
    for s in range(Z):
        for a in range(A):
            for b in range(B):
                weight = continuing[s] * joint_policy[s, a, b]
                for n in range(N):
                    out[i] = weight * probabilities[s, a, b, n]
                    i += 1


@compiled
def next_values(successors: IntArray, probabilities: Array, values: Array, out: Array) -> None:
    """Write sum_t P(t | s, a, b) values[t] into `out` (Z, A, B)."""
    Z, A, B, N = probabilities.shape
    for s in range(Z):
        for a in range(A):
            for b in range(B):
                total = 0.0
                for n in range(N):
                    total += probabilities[s, a, b, n] * values[successors[s, a, b, n]]
                out[s, a, b] = total


@compiled
def push_flow(flow: Array, successors: IntArray, probabilities: Array, continuing: Array, out: Array) -> None:
    """Write sum_{s,a,b} continuing flow P(t | s, a, b) into `out` (Z,)."""
    Z, A, B, N = probabilities.shape
    out[:] = 0.0
    for s in range(Z):
        if continuing[s] == 0.0:
            continue
        for a in range(A):
            for b in range(B):
                for n in range(N):
                    out[successors[s, a, b, n]] += flow[s, a, b] * probabilities[s, a, b, n]


@compiled
def _draw(weights: Array, u: float) -> int:
    """Return the first index whose cumulative weight passes u, or the last positive one."""
    last = 0
    total = 0.0
    for i in range(weights.shape[0]):
        if weights[i] > 0.0:
            total += weights[i]
            last = i
            if u < total:
                return i
    return last


def rollout(
    rng: np.random.Generator,
    initial: Array,
    leader_policy: Array,
    response: Array,
    successors: IntArray,
    probabilities: Array,
    continuing: Array,
    horizon: int,
    max_episodes: int,
    states: IntArray,
    leader_actions: IntArray,
    follower_actions: IntArray,
    next_states: IntArray,
    offsets: NDArray[np.int64],
) -> tuple[int, int]:
    """Play episodes one after the other until the arrays or `max_episodes` are full.

    The step arrays (T,) and `offsets` (episodes + 1) are overwritten; `initial` is cumulative (Z,). Draws
    per step, in this order: the leader's action if A > 1, the follower's, the next state unless it is
    terminal. Returns (steps, episodes) written; the last episode may be cut by the end of the arrays.
    """
    T = states.shape[0]
    game = (initial, leader_policy, response, successors, probabilities, continuing, horizon)
    out = (states, leader_actions, follower_actions, next_states, offsets)
    place = np.zeros(4, dtype=np.int64)
    offsets[0] = 0
    most = slice_of(leader_policy.shape[1] + response.shape[2] + probabilities.shape[3])
    while place[0] < T and place[1] < max_episodes:
        _rollout(rng, *game, max_episodes, *out, min(T, int(place[0]) + most), place)
    return int(place[0]), int(place[1])


@compiled
def _rollout(
    rng: np.random.Generator,
    initial: Array,
    leader_policy: Array,
    response: Array,
    successors: IntArray,
    probabilities: Array,
    continuing: Array,
    horizon: int,
    max_episodes: int,
    states: IntArray,
    leader_actions: IntArray,
    follower_actions: IntArray,
    next_states: IntArray,
    offsets: NDArray[np.int64],
    end: int,
    place: NDArray[np.int64],
) -> None:
    """Play on up to step `end`; `place` is steps, episodes, the state, and the steps left of the episode."""
    T = states.shape[0]
    A = leader_policy.shape[1]
    t, episode, s, left = place[0], place[1], place[2], place[3]
    while t < end and episode < max_episodes:
        if left == 0:
            s = min(np.searchsorted(initial, rng.random(), side="right"), initial.shape[0] - 1)
            left = horizon
        for _ in range(min(left, end - t)):
            left -= 1
            a = _draw(leader_policy[s], rng.random()) if A > 1 else 0
            b = _draw(response[s, a], rng.random())
            states[t] = s
            leader_actions[t] = a
            follower_actions[t] = b
            if continuing[s] == 0.0:
                next_states[t] = s
                t += 1
                left = 0
                break
            s = successors[s, a, b, _draw(probabilities[s, a, b], rng.random())]
            next_states[t] = s
            t += 1
        if left == 0 or t == T:
            episode += 1
            offsets[episode] = t
    place[0], place[1], place[2], place[3] = t, episode, s, left


@compiled
def vector_step(
    uniforms: Array,
    actions: IntArray,
    initial: Array,
    leader_policy: Array,
    leader_reward: Array,
    follower_reward: Array,
    successors: IntArray,
    probabilities: Array,
    continuing: Array,
    horizon: int,
    states: IntArray,
    leader_actions: IntArray,
    played: IntArray,
    over: NDArray[np.bool_],
    leader_rewards: Array,
    follower_rewards: Array,
    terminated: NDArray[np.bool_],
    truncated: NDArray[np.bool_],
) -> None:
    """Make one step in each of n copies, or begin a new episode in those that are `over`.

    `uniforms` is (2, n): one for the state, one for the leader's action. All arguments from `states` on are
    (n,) and overwritten; `initial` is cumulative (Z,). After a terminal state the leader's action is -1.
    """
    A = leader_policy.shape[1]
    for i in range(states.shape[0]):
        s = states[i]
        leader_rewards[i] = 0.0
        follower_rewards[i] = 0.0
        terminated[i] = False
        truncated[i] = False
        if over[i]:
            s = min(np.searchsorted(initial, uniforms[0, i], side="right"), initial.shape[0] - 1)
            played[i] = 0
        else:
            a = leader_actions[i]
            b = actions[i]
            leader_rewards[i] = leader_reward[s, a, b]
            follower_rewards[i] = follower_reward[s, a, b]
            played[i] += 1
            if continuing[s] == 0.0:
                terminated[i] = True
            else:
                s = successors[s, a, b, _draw(probabilities[s, a, b], uniforms[0, i])]
                truncated[i] = played[i] >= horizon
        states[i] = s
        over[i] = terminated[i] or truncated[i]
        if A > 1:
            leader_actions[i] = -1 if terminated[i] else _draw(leader_policy[s], uniforms[1, i])


@compiled
def vector_observe(
    previous: IntArray,
    states: IntArray,
    leader_actions: IntArray,
    played: IntArray,
    num_states: int,
    one_hot: bool,
    action_start: int,
    num_actions: int,
    context_start: int,
    num_contexts: int,
    local_start: int,
    local: NDArray[np.float32],
    horizon: int,
    out: NDArray[np.float32],
) -> None:
    """Bring the observations `out` (n, L) up to date; `previous` and `states` are joint.

    Parts that a game does not have are of size zero.
    """
    last = out.shape[1] - 1
    for i in range(states.shape[0]):
        s = states[i] % num_states
        if one_hot:
            out[i, previous[i] % num_states] = 0.0
            out[i, s] = 1.0
        else:
            out[i, 0] = s / (num_states - 1)
        for a in range(num_actions):
            out[i, action_start + a] = 1.0 if leader_actions[i] == a else 0.0
        for k in range(num_contexts):
            out[i, context_start + k] = 1.0 if states[i] // num_states == k else 0.0
        for j in range(local.shape[1]):
            out[i, local_start + j] = local[s, j]
        out[i, last] = played[i] / horizon


@compiled
def read_terms(first: NDArray[np.intp], weights: tuple[Array, ...], coefficients: Array, out: Array) -> None:
    """Write the sum of weights[term][i] * coefficients[first[i] + term] over the terms to out[i]."""
    for i in range(len(first)):
        total = 0.0
        for term in range(len(weights)):
            total += weights[term][i] * coefficients[first[i] + term]
        out[i] = total


@compiled
def scatter_terms(first: NDArray[np.intp], weights: tuple[Array, ...], amount: Array, out: Array) -> None:
    """Add amount[s, g] * weights[term][s, g] to out[s, first[s, g] + term], all of them."""
    S, G = amount.shape
    for s in range(S):
        for g in range(G):
            for term in range(len(weights)):
                out[s, first[s, g] + term] += amount[s, g] * weights[term][s, g]


@compiled
def _group_values(
    assets: float,
    displacement: Array,
    rewards: Array,
    pieces: Array,
    low: float,
    high: float,
    discount: float,
    temperature: float,
    values: Array,
) -> float:
    """Write (rewards[g] + discount W(assets + displacement[g])) / temperature into `values`; return the largest.

    The argument of W is clipped to the range. W is a polynomial of degree five in each of N even pieces, (N, 6),
    rising powers of the place in the piece.
    """
    N = pieces.shape[0]
    scale, top = N / (high - low), -np.inf
    for g in range(displacement.shape[0]):
        place = (min(max(assets + displacement[g], low), high) - low) * scale
        n = min(int(place), N - 1)
        s = place - n
        p = pieces[n]
        ahead = p[0] + s * (p[1] + s * (p[2] + s * (p[3] + s * (p[4] + s * p[5]))))
        values[g] = (rewards[g] + discount * ahead) / temperature
        top = max(top, values[g])
    return top


def draw_groups(
    uniforms: Array,
    assets: Array,
    displacement: Array,
    rewards: Array,
    pieces: Array,
    low: float,
    high: float,
    discount: float,
    temperature: float,
    out: NDArray[np.int64],
) -> None:
    """Draw a group of actions for each of the `assets` (n,) from the Gibbs policy of a saving problem, into `out`."""
    most = slice_of(displacement.shape[0])
    for first in range(0, assets.shape[0], most):
        part = slice(first, first + most)
        _draw_groups(
            uniforms[part], assets[part], displacement, rewards, pieces, low, high, discount, temperature, out[part]
        )


@compiled
def _draw_groups(
    uniforms: Array,
    assets: Array,
    displacement: Array,
    rewards: Array,
    pieces: Array,
    low: float,
    high: float,
    discount: float,
    temperature: float,
    out: NDArray[np.int64],
) -> None:
    """Do one slice."""
    values = np.empty(displacement.shape[0])
    for i in range(assets.shape[0]):
        top = _group_values(assets[i], displacement, rewards, pieces, low, high, discount, temperature, values)
        total = 0.0
        for g in range(values.shape[0]):
            exponent = values[g] - top
            values[g] = np.exp(exponent) if exponent > LEAST_EXPONENT else 0.0
            total += values[g]
        out[i] = _draw(values, uniforms[i] * total)


def group_log_probabilities(
    groups: NDArray[np.int64],
    assets: Array,
    displacement: Array,
    rewards: Array,
    pieces: Array,
    low: float,
    high: float,
    discount: float,
    temperature: float,
    out: Array,
) -> None:
    """Write the log-probability of each of the `groups` (n,), as :func:`draw_groups` draws them, into `out` (n,)."""
    most = slice_of(displacement.shape[0])
    for first in range(0, assets.shape[0], most):
        part = slice(first, first + most)
        _group_log_probabilities(
            groups[part], assets[part], displacement, rewards, pieces, low, high, discount, temperature, out[part]
        )


@compiled
def _group_log_probabilities(
    groups: NDArray[np.int64],
    assets: Array,
    displacement: Array,
    rewards: Array,
    pieces: Array,
    low: float,
    high: float,
    discount: float,
    temperature: float,
    out: Array,
) -> None:
    """Do one slice."""
    values = np.empty(displacement.shape[0])
    for i in range(assets.shape[0]):
        top = _group_values(assets[i], displacement, rewards, pieces, low, high, discount, temperature, values)
        total = 0.0
        for g in range(values.shape[0]):
            total += np.exp(values[g] - top)
        out[i] = values[groups[i]] - top - np.log(total)
