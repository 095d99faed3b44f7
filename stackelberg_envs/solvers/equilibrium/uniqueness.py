"""What proves that an equilibrium is the only one, or that there is one near a point, and how near.

Two theorems, both in the largest entry of Q. Where the map G of :mod:`.linearisation` contracts everywhere there is one
fixed point. Where Newton's method has a small step and the derivative does not turn too fast, there is one fixed point
within twice that step, and no other near by (Newton and Kantorovich).
"""

from __future__ import annotations

import math

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.games.markov_primitives import MarkovPrimitives
from stackelberg_envs.solvers.equilibrium.linearisation import Linearisation

__all__ = ["contraction_bound", "distance_bound"]

#: Up to so many unknowns S m the inverse of the derivative is written out.
MOST_UNKNOWNS = 1200


def contraction_bound(game: MarkovPrimitives) -> float:
    """Return a number that the derivative of G does not exceed anywhere, in the largest entry.

    Below one it proves that there is one logit equilibrium, and that iterating G leads to it. It is the discount, for
    what comes later, plus the sum over all other followers j of half of how much j's choice can matter, in units of
    the temperature.
    """
    gamma, n = game.follower_discount, game.num_followers
    worst = 0.0
    for i in range(n):
        reach = _value_range(game, i)
        matter = np.zeros(game.num_states)
        for j in range(n):
            if j != i:
                matter += _differences(game, game.follower_rewards[i], j) + gamma * reach * _steers(game, j)
        worst = max(worst, float(gamma * game.continuing.max() + matter.max() / (2.0 * game.temperature)))
    return worst


def _value_range(game: MarkovPrimitives, i: int) -> float:
    """Return how far apart the values of two states can be for follower i, whatever anybody does."""
    rewards, sizes = game.follower_rewards[i], game.feasible[i].sum(axis=1)
    high = rewards.max() + game.temperature * math.log(max(int(sizes.max()), 1))
    low = float(rewards.min())
    if not game.continuing.all():  # play may end, which is worth nothing
        high, low = max(float(high), 0.0), min(low, 0.0)
    return float(high - low) / (1.0 - game.follower_discount)


def _differences(game: MarkovPrimitives, payoff: Array, j: int) -> Array:
    """Return how far apart payoffs of joint actions are that differ in the action of follower j only, shape (S,)."""
    shaped = payoff.reshape(game.num_states, *game.sizes)
    gaps = shaped.max(axis=1 + j) - shaped.min(axis=1 + j)
    made: Array = gaps.reshape(game.num_states, -1).max(axis=1)
    return made


def _steers(game: MarkovPrimitives, j: int) -> Array:
    """Return 1 where the action of follower j can change where play leads to, else 0; shape (S,)."""
    S = game.num_states
    lists = game.transition
    rows = np.concatenate([lists.successors, lists.probabilities], axis=-1).reshape(S, *game.sizes, -1)
    first = np.take(rows, [0], axis=1 + j)
    made: Array = (rows != first).any(axis=tuple(range(1, rows.ndim))) * game.continuing
    return made


def distance_bound(at: Linearisation) -> float:
    """Return a bound on how far Q is from a fixed point, in reward units; infinite where none is proved.

    Rounding apart, there is an exact equilibrium within this distance of every value of an action, and so within half
    of it in units of the temperature of every probability. Infinite also for games with more unknowns than an inverse
    is written out for.
    """
    if at.q.size > MOST_UNKNOWNS:
        return math.inf
    try:
        inverse = np.linalg.inv(np.eye(at.q.size) - at.dense())
    except np.linalg.LinAlgError:
        return math.inf
    beta = float(np.abs(inverse).sum(axis=1).max())
    eta = float(np.abs(inverse @ at.residual.ravel()).max())
    turn = _turning(at, radius=2.0 * eta)
    if 2.0 * beta * eta * turn > 1.0:
        return math.inf
    return 2.0 * eta / (1.0 + math.sqrt(1.0 - 2.0 * beta * eta * turn))


def _turning(at: Linearisation, radius: float) -> float:
    """Return a bound on the second derivative of G within a radius: by policies twice, by both, by values."""
    game, temperature = at.game, at.temperature
    n, gamma = game.num_followers, game.follower_discount
    spread = float((at.payoffs.max(axis=2) - at.payoffs.min(axis=2)).max()) + 2.0 * gamma * radius
    policies = (n - 1) ** 2 * spread / temperature**2
    # The other's entropy, where it is lost: its second derivative is at most 1 + the largest difference of its Q.
    values = (1.0 + (3.0 + spread / temperature if game.zero_sum else 0.0)) * gamma / temperature
    slope = 1.0 + (spread / temperature if game.zero_sum else 0.0)
    return policies + values + 2.0 * (n - 1) * gamma * slope / temperature
