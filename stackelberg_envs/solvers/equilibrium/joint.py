"""Products of policies and sums over the others' actions: what all solvers of interacting followers share.

Letters as in :mod:`stackelberg_envs.games.markov_primitives`. Arrays over m columns hold the followers' own actions
side by side: those of follower i are ``columns(sizes)[i]``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array
from stackelberg_envs.games.markov_primitives import MarkovPrimitives

__all__ = [
    "columns",
    "dense_solver",
    "entropies",
    "expected",
    "expected_pair",
    "joint_policy",
    "next_values",
    "others",
    "play_system",
    "soft_values",
    "softmax",
    "sparse_solver",
]


def columns(sizes: Sequence[int]) -> list[slice]:
    """Return the columns of each follower's actions in arrays over all m of them."""
    ends = np.cumsum(sizes)
    return [slice(int(end) - size, int(end)) for end, size in zip(ends, sizes, strict=True)]


def softmax(q: Array, mask: NDArray[np.bool_], temperature: float) -> Array:
    """Return g(b | s) for values of shape (S, B), and nothing on actions that are not feasible; rows sum to one."""
    weights: Array = np.where(mask, np.exp(np.where(mask, q - _top(q, mask), 0.0) / temperature), 0.0)
    weights /= weights.sum(axis=1, keepdims=True)
    return weights


def soft_values(q: Array, mask: NDArray[np.bool_], temperature: float) -> Array:
    """Return temperature log sum exp(q / temperature) over feasible actions, shape (S,)."""
    top = _top(q, mask)
    weights = np.where(mask, np.exp(np.where(mask, q - top, 0.0) / temperature), 0.0)
    values: Array = top[:, 0] + temperature * np.log(weights.sum(axis=1))
    return values


def _top(q: Array, mask: NDArray[np.bool_]) -> Array:
    top: Array = np.where(mask, q, -np.inf).max(axis=1, keepdims=True)
    return top


def entropies(policy: Array) -> Array:
    """Return the entropy of each row, shape (S,)."""
    made: Array = -(policy * np.log(np.where(policy > 0.0, policy, 1.0))).sum(axis=1)
    return made


def _spread(policy: Array, i: int, n: int) -> Array:
    """Return a policy of shape (S, B_i) with axes for the actions of all followers."""
    shape = [1] * n
    shape[i] = policy.shape[1]
    return policy.reshape(len(policy), *shape)


def others(policies: Sequence[Array], *without: int) -> Array:
    """Return the probability of what all followers but some do, shape (S, B_1, ..., 1, ..., B_n): a 1 for those."""
    n = len(policies)
    made: Array = np.ones((len(policies[0]), *[1] * n))
    for j, policy in enumerate(policies):
        if j not in without:
            made = made * _spread(policy, j, n)
    return made


def joint_policy(policies: Sequence[Array]) -> Array:
    """Return the probability of each joint action, shape (S, M)."""
    return others(policies).reshape(len(policies[0]), -1)


def expected(payoff: Array, policies: Sequence[Array], i: int) -> Array:
    """Return what each action of follower i is worth against the others: payoff (S, M) to (S, B_i)."""
    S, sizes = len(payoff), [policy.shape[1] for policy in policies]
    axes = tuple(1 + j for j in range(len(sizes)) if j != i)
    made: Array = (payoff.reshape(S, *sizes) * others(policies, i)).sum(axis=axes)
    return made


def expected_pair(payoff: Array, policies: Sequence[Array], i: int, j: int) -> Array:
    """Return what each pair of actions of followers i and j is worth against the rest: (S, M) to (S, B_i, B_j)."""
    S, sizes = len(payoff), [policy.shape[1] for policy in policies]
    axes = tuple(1 + k for k in range(len(sizes)) if k not in (i, j))
    made: Array = (payoff.reshape(S, *sizes) * others(policies, i, j)).sum(axis=axes)
    return made if i < j else made.transpose(0, 2, 1)


def next_values(game: MarkovPrimitives, values: Array) -> Array:
    """Return sum_s' P(s' | s, b) values(s') of each row of values (n, S), shape (n, S, M); zero at terminal states."""
    S, M = game.num_states, game.num_joint
    made: Array = np.stack([(game.kernel @ row).reshape(S, M) for row in values])
    return made


def play_system(game: MarkovPrimitives, policy: Array, discount: float) -> Any:
    """Return a solver of (I - discount P) v = a for a joint policy (S, M), and with "T" of the transposed system."""
    from scipy.sparse import csr_array, eye_array

    S, M = policy.shape
    if isinstance(game.kernel, np.ndarray):
        moves = np.einsum("sm,smt->st", policy, game.kernel.reshape(S, M, S))
        return dense_solver(np.eye(S) - discount * moves)
    spread = csr_array((policy.ravel(), np.arange(S * M), np.arange(0, S * M + 1, M)), shape=(S, S * M))
    return sparse_solver(eye_array(S) - discount * (spread @ game.kernel))


def dense_solver(matrix: Array) -> Any:
    """Return a function of a right side, and "N" or "T" for a system or the transposed one."""
    from scipy.linalg import lu_factor, lu_solve

    factors = lu_factor(matrix)
    return lambda right, which: lu_solve(factors, right, trans=0 if which == "N" else 1)


def sparse_solver(matrix: Any) -> Any:
    """Return the same for a sparse matrix."""
    from scipy.sparse.linalg import splu

    return splu(matrix.tocsc()).solve
