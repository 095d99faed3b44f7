r"""Soft policy iteration on a grid of states: what a policy is worth is found by passes that cost little.

Improving the policy at all grid points costs many exponentials. What a policy is worth solves a linear equation with a
few numbers per point, so after each improvement the values are moved most of the way to that solution by Gauss-Seidel
passes, one there and one back. Improvements converge as Newton's method does, since the maximum with an entropy is
convex and policies are its slopes: M. L. Puterman and S. L. Brumelle, "On the Convergence of Policy Iteration in
Stationary Dynamic Programming", Mathematics of Operations Research 4 (1979).

Some coordinates of what follows are the same whatever is done in a step. Grid points that share them are a group. The
others, such as speeds, lie between grid points; what W is at their grid points *after* the step is a landing value.

Letters: G groups, L points in each, P grid points between which a landing lies, N successors of a point.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import ConvergenceError
from stackelberg_envs.jit import compiled

__all__ = ["Indices", "Landings", "Policy", "Solved", "landing_values", "policy_iteration", "settle"]

Indices: TypeAlias = NDArray[np.int64]

#: Passes go on until no value changes by more than this part of what the improvement changed, or of the tolerance.
SHARE, FINE = 0.3, 0.3
#: Passes between two improvements at most.
MOST_PASSES = 100


class Landings(NamedTuple):
    """Landing values as mixtures of values.

    Attributes
    ----------
    places
        Points in the landing's neighbourhood, as group * L + point, shape (G, L, P).
    shares
        Their weights, of the same shape.
    fixed
        What is added, shape (G, L): the value of an end.
    """

    places: Indices
    shares: Array
    fixed: Array


class Policy(NamedTuple):
    """A policy, as what it leads to: the value is constant + sum_n weights[n] landing[first + offsets[n]].

    Attributes
    ----------
    image
        What one step of the policy and the values it was improved from are worth, shape (G, L).
    constant
        Shape (G, L).
    weights
        Discounted probabilities of landings, shape (G, L, N).
    first
        The first of these landings in its group, shape (G, L).
    offsets
        Of the others from it, shape (N,).
    """

    image: Array
    constant: Array
    weights: Array
    first: Indices
    offsets: Indices

    @classmethod
    def empty(cls, values: Array, offsets: Indices) -> Policy:
        """Return room for one."""
        first, weights = np.zeros(values.shape, np.int64), np.zeros((*values.shape, len(offsets)))
        return cls(np.empty_like(values), np.empty_like(values), weights, first, offsets)


class Solved(NamedTuple):
    """Where an iteration ended.

    Attributes
    ----------
    values
        The last image, shape (G, L).
    residual
        The greatest distance, in size, of an entry from that of what it is the image of.
    sweeps
        Improvements and passes.
    """

    values: Array
    residual: float
    sweeps: int


def policy_iteration(
    improved: Callable[[Array], Policy], landings: Landings, start: Array, *, tolerance: float, most: int
) -> Solved:
    """Return the values of which one step is worth the same, to a residual of at most `tolerance`.

    Parameters
    ----------
    improved
        The best policy for values of shape (G, L).
    landings
        Those of the grid.
    start
        Where it begins, shape (G, L).
    tolerance
        Of the residual, in the unit of the values.
    most
        Improvements and passes at most.

    Raises
    ------
    ConvergenceError
        The residual is larger after so many.
    """
    values, sweeps = start, 0
    while sweeps < most:
        policy = improved(values)
        residual = float(np.abs(policy.image - values).max())
        sweeps += 1
        if residual <= tolerance:
            return Solved(policy.image, residual, sweeps)
        values = policy.image.copy()
        for passes in range(MOST_PASSES):
            change = _pass(values, landings, policy, bool(passes % 2))
            sweeps += 1
            if passes % 2 and change <= max(SHARE * residual, FINE * tolerance):
                break
    raise ConvergenceError(f"expected a residual of at most {tolerance:g} within {most} sweeps, got {residual:g}")


@compiled
def landing_values(values: Array, landings: Landings, group: int, out: Array) -> None:
    """Set the landing values of a group, shape (L,)."""
    flat, P = values.ravel(), landings.places.shape[2]
    for n in range(out.shape[0]):
        total = landings.fixed[group, n]
        for p in range(P):
            total += landings.shares[group, n, p] * flat[landings.places[group, n, p]]
        out[n] = total


@compiled
def settle(policy: Policy, group: int, point: int, landing: Array) -> None:
    """Set the constant of a point whose image, weights and first landing are known."""
    rest, first = policy.image[group, point], policy.first[group, point]
    for n in range(policy.offsets.shape[0]):
        rest -= policy.weights[group, point, n] * landing[first + policy.offsets[n]]
    policy.constant[group, point] = rest


@compiled
def _pass(values: Array, landings: Landings, policy: Policy, backwards: bool) -> float:
    """Set each value to what a step of the policy is worth, group after group; return the greatest change."""
    G, L = values.shape
    landing, change = np.empty(L), 0.0
    for n in range(G):
        group = G - 1 - n if backwards else n
        landing_values(values, landings, group, landing)
        for point in range(L):
            worth, first = policy.constant[group, point], policy.first[group, point]
            for k in range(policy.offsets.shape[0]):
                worth += policy.weights[group, point, k] * landing[first + policy.offsets[k]]
            change = max(change, abs(worth - values[group, point]))
            values[group, point] = worth
    return change
