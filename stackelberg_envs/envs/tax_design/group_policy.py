"""The households' policy over groups of actions that move the assets alike, at any assets: compiled loops."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array
from stackelberg_envs.jit import compiled, slice_of
from stackelberg_envs.play.rollout import draw
from stackelberg_envs.solvers.soft.best_response import LEAST_EXPONENT

__all__ = ["GroupPolicy", "draw_groups", "group_log_probabilities"]


class GroupPolicy(NamedTuple):
    """The Gibbs policy of a saving problem.

    Attributes
    ----------
    displacement, rewards
        d_g and R_g, shape (G,).
    pieces
        W as a polynomial of degree five in each of N even pieces of its range, shape (N, 6): rising powers of the place
        in the piece.
    low, high
        The range; W does not change beyond it.
    discount, temperature
        The follower's.
    """

    displacement: Array
    rewards: Array
    pieces: Array
    low: float
    high: float
    discount: float
    temperature: float


def draw_groups(uniforms: Array, assets: Array, policy: GroupPolicy, out: NDArray[np.int64]) -> None:
    """Draw a group of actions for each of the `assets` (n,) from the Gibbs policy of a saving problem, into `out`."""
    most = slice_of(policy.displacement.shape[0])
    for first in range(0, assets.shape[0], most):
        part = slice(first, first + most)
        _draw_groups(uniforms[part], assets[part], policy, out[part])


@compiled
def _draw_groups(uniforms: Array, assets: Array, policy: GroupPolicy, out: NDArray[np.int64]) -> None:
    """Do one slice."""
    values = np.empty(policy.displacement.shape[0])
    for i in range(assets.shape[0]):
        top = _group_values(assets[i], policy, values)
        total = 0.0
        for g in range(values.shape[0]):
            exponent = values[g] - top
            values[g] = np.exp(exponent) if exponent > LEAST_EXPONENT else 0.0
            total += values[g]
        out[i] = draw(values, uniforms[i] * total)


def group_log_probabilities(groups: NDArray[np.int64], assets: Array, policy: GroupPolicy, out: Array) -> None:
    """Write the log-probability of each of the `groups` (n,), as :func:`draw_groups` draws them, into `out` (n,)."""
    most = slice_of(policy.displacement.shape[0])
    for first in range(0, assets.shape[0], most):
        part = slice(first, first + most)
        _group_log_probabilities(groups[part], assets[part], policy, out[part])


@compiled
def _group_log_probabilities(groups: NDArray[np.int64], assets: Array, policy: GroupPolicy, out: Array) -> None:
    """Do one slice."""
    values = np.empty(policy.displacement.shape[0])
    for i in range(assets.shape[0]):
        top = _group_values(assets[i], policy, values)
        total = 0.0
        for g in range(values.shape[0]):
            total += np.exp(values[g] - top)
        out[i] = values[groups[i]] - top - np.log(total)


@compiled
def _group_values(assets: float, policy: GroupPolicy, values: Array) -> float:
    """Write (rewards[g] + discount W(assets + displacement[g])) / temperature to `values` (G,); return the largest."""
    N = policy.pieces.shape[0]
    scale, top = N / (policy.high - policy.low), -np.inf
    for g in range(policy.displacement.shape[0]):
        place = (min(max(assets + policy.displacement[g], policy.low), policy.high) - policy.low) * scale
        n = min(int(place), N - 1)
        s = place - n
        p = policy.pieces[n]
        ahead = p[0] + s * (p[1] + s * (p[2] + s * (p[3] + s * (p[4] + s * p[5]))))
        values[g] = (policy.rewards[g] + policy.discount * ahead) / policy.temperature
        top = max(top, values[g])
    return top
