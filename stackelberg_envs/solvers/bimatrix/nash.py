"""Nash equilibria of small matrix games: what both players can expect where nobody commits."""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stackelberg_envs.arrays import Array, require_shape
from stackelberg_envs.errors import GameError
from stackelberg_envs.solvers.bimatrix.payoffs import TIE, checked_table

__all__ = ["NashEquilibrium", "nash_equilibria"]

#: Of choices of constraints that hold with equality.
MOST_CHOICES = 200_000
#: What a constraint may be missed by, in parts of the range of payoffs.
NEAR = 1e-9


class NashEquilibrium(NamedTuple):
    """A pair of strategies, each a best answer to the other.

    Attributes
    ----------
    leader, follower
        Shapes (A,) and (B,).
    leader_value, follower_value
        What each is paid, reward units.
    """

    leader: Array
    follower: Array
    leader_value: float
    follower_value: float


def nash_equilibria(leader_payoff: ArrayLike, follower_payoff: ArrayLike) -> list[NashEquilibrium]:
    """Return all extreme Nash equilibria of a matrix game in which nobody commits, the best for the leader first.

    Every equilibrium is a mixture of extreme ones; of finitely many in most games, which are then all there are. No
    equilibrium pays the leader more than the first, and a mixed commitment is worth at least as much.

    Parameters
    ----------
    leader_payoff, follower_payoff
        Shape (A, B), reward units.

    Raises
    ------
    GameError
        Shapes that do not fit, entries that are no finite numbers, or a game too large to try all choices of which
        actions are played and which are best answers.

    Notes
    -----
    Payoffs of one player that differ by less than 1e-8 of their range are ties.

    The vertices of both players' best-answer polytopes are found by solving for every choice of constraints; those that
    complete each other are equilibria (Mangasarian, 1964).

    Examples
    --------
    >>> import stackelberg_envs as se
    >>> [(each.leader.tolist(), each.leader_value) for each in se.nash_equilibria([[2, 4], [1, 3]], [[1, 0], [0, 1]])]
    [([1.0, 0.0], 2.0)]
    """
    leader = checked_table(leader_payoff, "leader_payoff")
    follower = checked_table(follower_payoff, "follower_payoff")
    require_shape(follower, [leader.shape], "follower_payoff")
    A, B = leader.shape
    if math.comb(A + B, A) > MOST_CHOICES:
        raise GameError(
            f"leader_payoff: expected a game with at most {MOST_CHOICES:,} choices of supports and best answers, "
            f"got shape {leader.shape}"
        )
    # Labels of an x: rows that are not played, then columns that are best answers; of a y the other way round.
    x, unused_rows = _vertices(_positive(follower).T)
    y, unused_columns = _vertices(_positive(leader))
    labels_x = unused_rows
    labels_y = np.hstack([unused_columns[:, B:], unused_columns[:, :B]])
    complete = ~np.einsum("il,jl->ij", ~labels_x, ~labels_y)
    found = []
    for i, j in np.argwhere(complete):
        paid, own = float(x[i] @ leader @ y[j]), float(x[i] @ follower @ y[j])
        found.append(NashEquilibrium(x[i], y[j], paid, own))
    return sorted(found, key=lambda each: -each.leader_value)


def _positive(payoff: Array) -> Array:
    """Return payoffs moved and scaled to [1, 2], which changes no equilibrium."""
    spread = float(np.ptp(payoff))
    return np.asarray(1.0 + (payoff - payoff.min()) / (spread if spread > 0 else 1.0))


def _vertices(answers: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Return the vertices of {z >= 0, answers z <= 1} but zero, as strategies, and which constraints are equalities.

    Parameters
    ----------
    answers
        What each action of the other player pays against each own action, shape (M, N), positive.

    Returns
    -------
    tuple
        Strategies, shape (V, N), and equalities, shape (V, N + M): first z = 0, then best answers.
    """
    M, N = answers.shape
    rows, right = np.vstack([-np.eye(N), answers]), np.append(np.zeros(N), np.ones(M))
    chosen = np.array(list(itertools.combinations(range(N + M), N)))
    systems = rows[chosen]
    # Determinants of sound systems are small where payoffs are close together.
    regular = np.linalg.cond(systems, 1) < 1.0 / NEAR
    points = np.linalg.solve(systems[regular], right[chosen[regular]][..., None])[..., 0]
    slack = right - points @ rows.T
    points = points[(slack >= -NEAR).all(axis=1) & (points.sum(axis=1) > NEAR)]
    points = np.unique(np.round(np.maximum(points, 0.0), 12), axis=0)
    tight = np.abs(right - points @ rows.T) <= TIE
    return points / points.sum(axis=1, keepdims=True), tight
