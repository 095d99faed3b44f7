"""Commitments that make the follower show what is not known yet."""

from __future__ import annotations

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.games.commitments.base import as_effect
from stackelberg_envs.games.cotangents import Cotangents
from stackelberg_envs.games.transitions import Transition

from ..observing.brief import TabularBrief
from .search import Found, Objective, ascend

__all__ = ["barring", "best_of", "drawn_policy"]

GOLDEN_RATIO = 0.5 * (5.0**0.5 - 1.0)
#: From how many of the best points there is an ascent, and its evaluations.
ASCENTS, ASCENT = 3, 30


def barring(brief: TabularBrief, visits: Array, number: int) -> Array:
    """Return an extreme commitment that makes the follower leave the ways that were seen most.

    The entries that pay the follower for what was seen most are set to the bound that pays less, and all others to the
    bound that pays more. So the follower has to find another way.

    Parameters
    ----------
    brief
        Of a game whose commitment changes the follower's rewards.
    visits
        Of each (z, a, b), shape (Z, A, B).
    number
        Which of many: how many entries are set low varies with it, on a logarithmic scale.
    """
    commitment = brief.commitment
    x = commitment.project(0.5 * (commitment.low + commitment.high))
    paid = commitment.vjp(
        x, _payments_alone(visits.reshape(brief.array_shape), as_effect(commitment.effect(x)).transition)
    )
    # Multiples of the golden ratio fill the range evenly, however many of them there are.
    count = int(np.exp(number * GOLDEN_RATIO % 1.0 * np.log(paid.size)))
    barred = np.abs(paid) >= np.sort(np.abs(paid), axis=None)[-count]
    return commitment.project(np.where(barred == (paid >= 0), commitment.low, commitment.high))


def _payments_alone(weight: Array, transition: Transition | None) -> Cotangents:
    """Return weights of the follower's rewards, and zeros for whatever else a commitment may change."""
    moves = None
    if transition is not None:
        width = weight.shape[-3] if transition.dense else transition.successors.shape[-1]
        moves = np.zeros((*weight.shape, width))
    return Cotangents(weight, np.zeros_like(weight), np.zeros(weight.shape[:-1]), moves)


def drawn_policy(brief: TabularBrief, rng: np.random.Generator) -> Array:
    """Draw a commitment whose rows are sparse distributions: the leader sees what it does itself."""
    commitment = brief.commitment
    rows = rng.dirichlet(np.full(commitment.shape[-1], 0.5), size=commitment.shape[:-1])
    return commitment.project(rows)


def best_of(objective: Objective, points: list[Array], evaluations: int) -> Found:
    """Return the best end of ascents from the best of some points, with about so many evaluations in all.

    Half of them are spent on looking at points, in the order given.
    """
    values = [objective.value(point) for point in points[: max(1, evaluations // 2)]]
    best, left = Found(-np.inf, points[0]), evaluations - len(values)
    for place in np.argsort(-np.asarray(values), kind="stable")[:ASCENTS]:
        share = min(ASCENT, left)
        found = ascend(objective, points[place], iterations=share, evaluations=max(1, share))
        best, left = (found if found.value > best.value else best), left - share
        if left <= 0:
            break
    return best
