"""Coordinates of which some leave the follower's policy alone, where a game has such.

Tolls on the roads of one way matter by their sum. Boxes whose sides are the single tolls have to be small in each of
them; boxes with the sum as one side have to be small in that side only.
"""

from __future__ import annotations

import numpy as np

from stackelberg_envs.arrays import Array, IntArray
from stackelberg_envs.solvers.certificates.affine import AffineArrays, AffineGame
from stackelberg_envs.solvers.certificates.centre import soft_response
from stackelberg_envs.solvers.certificates.linear_systems import on_box, policy_system, solve_factorised, visits

__all__ = ["policy_derivatives", "reduced_rows", "turned"]

#: Directions that move the follower's policy less than this part of what the strongest does are left to the last.
FLAT = 0.05
#: Entries below this part of the largest are rounding.
ROUNDING = 1e-9


def turned(made: AffineGame, z: Array) -> AffineGame:
    """Return a game in coordinates of which as few as possible move the follower's policy near z, shape (D,).

    As many entries of z as there are directions that move it are replaced by sums, each of the entry itself and of
    multiples of entries that stay; what they were is then bounded by rows of :attr:`AffineArrays.limits`. Where all
    directions move it, the game is returned as it is.
    """
    free = np.setdiff1d(rewards_alone(made.arrays), made.kinks.coordinates)
    if len(free) < 2:
        return made
    _, strengths, axes = np.linalg.svd(policy_derivatives(made.arrays, z)[:, free], full_matrices=False)
    count = int((strengths > FLAT * strengths[0]).sum())
    if not 0 < count < len(free):
        return made
    rows, pivots = reduced_rows(axes[:count])
    sums, replaced = np.eye(len(z)), free[pivots]
    sums[np.ix_(replaced, free)] = rows
    least, most = np.minimum(sums, 0.0).sum(axis=1), np.maximum(sums, 0.0).sum(axis=1)
    # The old coordinates as functions of the new ones, which go from 0 to 1 as well.
    back = 2.0 * np.eye(len(z)) - sums
    back[replaced, replaced] = 1.0
    offset, matrix = back @ least, back * (most - least)
    return _in_terms_of(made, offset, matrix, replaced)


def rewards_alone(arrays: AffineArrays) -> IntArray:
    """Return the coordinates that change nothing but rewards."""
    D = len(arrays.groups)
    others = (arrays.leader_policy, arrays.probabilities, arrays.believed_probabilities)
    moved = [array[..., 1:].reshape(-1, D).any(axis=0) for array in others if array.shape[-1] > 1]
    return np.flatnonzero(~np.any(moved, axis=0)).astype(np.int32)


def policy_derivatives(arrays: AffineArrays, z: Array) -> Array:
    """Return how fast differences of the follower's logits move with the rewards at z, shape (Z A B B, D).

    Each is weighted by the root of how often its two actions are in question.
    """
    Z, columns = arrays.follower_reward.shape[0], arrays.follower_reward.shape[3]
    here = on_box(arrays, z, np.ones(columns - 1))
    _, _, _, policy, system, _ = soft_response(here, np.zeros(Z))
    kernel, leader_policy = here.believed_probabilities[..., 0].copy(), here.leader_policy[..., 0].copy()
    values = np.einsum("sa,sab,sabi->si", leader_policy, policy, here.follower_reward[..., 1:])
    solve_factorised(system, values)
    ahead = np.einsum("sabn,sabni->sabi", kernel, values[here.believed_successors])
    logits = here.follower_reward[..., 1:] + here.follower_discount * here.continuing[:, None, None, None] * ahead
    own = policy_system(
        leader_policy,
        policy,
        here.successors,
        here.probabilities[..., 0].copy(),
        here.continuing,
        here.leader_discount,
    )
    often = visits(own, here.initial)[:, None, None, None] * leader_policy[:, :, None, None]
    weights = np.sqrt(np.maximum(often * policy[:, :, :, None] * policy[:, :, None, :], 0.0))
    apart = logits[:, :, :, None] - logits[:, :, None, :]
    return np.asarray((weights[..., None] * apart / here.temperature).reshape(-1, columns - 1))


def reduced_rows(rows: Array) -> tuple[Array, IntArray]:
    """Return rows that span the same, each with a one where all others have a zero, and where those are."""
    rows, pivots = rows.copy(), np.zeros(len(rows), dtype=np.intp)
    for k in range(len(rows)):
        pivots[k] = np.abs(rows[k]).argmax()
        rows[k] /= rows[k, pivots[k]]
        others = np.arange(len(rows)) != k
        rows[others] -= rows[others, pivots[k], None] * rows[k]
    rows[np.abs(rows) < ROUNDING] = 0.0
    return rows, pivots.astype(np.int32)


def _in_terms_of(made: AffineGame, offset: Array, matrix: Array, replaced: IntArray) -> AffineGame:
    """Return the game in coordinates v of which z = offset + matrix v."""

    def changed(array: Array) -> Array:
        if array.shape[-1] == 1:
            return array
        moved = [array[..., :1] + (array[..., 1:] @ offset)[..., None], array[..., 1:] @ matrix]
        return np.ascontiguousarray(np.concatenate(moved, axis=-1))

    arrays = made.arrays
    return AffineGame(
        arrays._replace(
            leader_policy=changed(arrays.leader_policy),
            follower_reward=changed(arrays.follower_reward),
            leader_reward=changed(arrays.leader_reward),
            probabilities=changed(arrays.probabilities),
            believed_probabilities=changed(arrays.believed_probabilities),
            limits=np.column_stack([offset, matrix])[replaced],
        ),
        made.base + offset @ made.directions,
        np.ascontiguousarray(matrix.T @ made.directions),
        made.shape,
        made.kinks,
    )
