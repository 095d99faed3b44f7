"""What solvers and simulators read of a game with interacting followers: one commitment in force, plain arrays.

Letters: n followers, S states, B_i actions of follower i, m their sum, M their product, N successors a row. A joint
action is one number, b = ((b_1 B_2 + b_2) B_3 + b_3) ..., the order of a C array over (B_1, ..., B_n).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array, as_float, first_index, require_rows_sum_to_one
from stackelberg_envs.errors import ArgumentError
from stackelberg_envs.games.transitions import Transition

__all__ = ["MarkovPrimitives", "checked_policies", "jointly"]

#: Up to so many entries a kernel is kept dense.
MOST_DENSE = 2**17


def jointly(tables: NDArray[Any]) -> NDArray[Any]:
    """Return the product over followers of tables of their own actions, (n, S, B): one of joint actions, (S, M).

    Of policies it is the joint policy, of masks the mask of joint actions.
    """
    made: NDArray[Any] = np.ones((tables.shape[1], 1), dtype=tables.dtype)
    for own in tables:
        made = (made[:, :, None] * own[:, None, :]).reshape(len(own), -1)
    return made


@dataclass(frozen=True, eq=False)
class MarkovPrimitives:
    """A game of n interacting followers under one commitment.

    Attributes
    ----------
    follower_rewards
        r_i(s, b) of each follower, shape (n, S, M), reward units per play step.
    leader_reward
        Shape (S, M).
    transition
        Lists of shape (S, 1, M, N).
    initial
        Shape (S,), sums to one.
    continuing
        0 at terminal states, else 1; shape (S,).
    feasible
        Which actions each follower has in each state: a boolean array of shape (S, B_i) for each follower.
    leader_discount, follower_discount
        In [0, 1), per play step.
    temperature
        Weight of each follower's entropy, reward units.
    zero_sum
        Whether each of two followers also loses what the entropy of the other is worth, so that one's gain is the
        other's loss.
    """

    follower_rewards: Array
    leader_reward: Array
    transition: Transition
    initial: Array
    continuing: Array
    feasible: tuple[NDArray[np.bool_], ...]
    leader_discount: float
    follower_discount: float
    temperature: float
    zero_sum: bool = False

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """(B_1, ..., B_n)."""
        return tuple(mask.shape[1] for mask in self.feasible)

    @property
    def num_followers(self) -> int:
        """The number n of followers."""
        return len(self.feasible)

    @property
    def num_states(self) -> int:
        """The number S of states."""
        return len(self.initial)

    @property
    def num_joint(self) -> int:
        """The number M of joint actions."""
        return math.prod(self.sizes)

    @cached_property
    def kernel(self) -> Any:
        """P(s' | s, b) where play goes on and nothing elsewhere, a matrix of shape (S M, S); sparse where large."""
        from scipy.sparse import csr_array

        S, M = self.num_states, self.num_joint
        lists = self.transition
        N = lists.successors.shape[-1]
        weights = (self.continuing[:, None, None] * lists.probabilities.reshape(S, M, N)).ravel()
        # Lists may name a successor twice and pad with zeros: converting sums the ones and drops the others.
        kernel = csr_array((weights, lists.successors.reshape(-1), np.arange(0, S * M * N + 1, N)), shape=(S * M, S))
        kernel.sum_duplicates()
        kernel.eliminate_zeros()
        return kernel.toarray() if S * M * S <= MOST_DENSE else kernel


def checked_policies(policy: Any, arrays: MarkovPrimitives) -> Array:
    """Return the followers' policies as a table of shape (n, S, B).

    Raises
    ------
    ArgumentError
        Another shape, rows that do not sum to one, or actions that are not feasible; the message says where.
    """
    table = as_float(policy, "response", ArgumentError)
    shape = (arrays.num_followers, arrays.num_states, arrays.sizes[0])
    if table.shape != shape:
        raise ArgumentError(f"response: expected shape {shape}, one table for each follower, got {table.shape}")
    require_rows_sum_to_one(table, "response", ArgumentError, axes=("follower", "state"))
    odd = (table != 0.0) & ~np.stack(arrays.feasible)
    if odd.any():
        i, s, b = first_index(odd)
        raise ArgumentError(
            f"response: expected 0 for actions that are not feasible, got {table[i, s, b]:.3g} of follower {i} for "
            f"action {b} in state {s}"
        )
    return table
