"""The twelve symmetric ordinal 2 x 2 games, and strategies that remember the last round, on plain arrays.

An observation is 0 at the start, and after a round 1 + a + 2 b, with a of the leader and b of the follower.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from stackelberg_envs.arrays import Array

__all__ = ["MEAN", "OBSERVATIONS", "ORDINAL", "Strategies", "best_pair", "payoffs", "planned_value", "total"]

#: What is taken from every payoff, so that a game is worth 0 on average.
MEAN = 2.5
OBSERVATIONS = ("start", "C, C", "D, C", "C, D", "D, D")
ROUNDS = 10
#: A discount at which the best plan for endless play is the best strategy for ten rounds, in every game.
PLANNED = 0.9

#: Name -> the leader's payoffs at (C, C), (C, D), (D, C), (D, D), own action first, and what ten rounds are worth.
ORDINAL: dict[str, tuple[tuple[int, int, int, int], float]] = {
    "prisoners_dilemma": ((3, 1, 4, 2), 6.0),
    "stag_hunt": ((4, 1, 3, 2), 15.0),
    "deadlock": ((2, 1, 4, 3), 5.0),
    "chicken": ((3, 2, 4, 1), 15.0),
    "assurance": ((4, 1, 2, 3), 15.0),
    "coordination": ((4, 2, 1, 3), 15.0),
    "harmony": ((4, 3, 2, 1), 15.0),
    "peace": ((4, 2, 3, 1), 15.0),
    "concord": ((4, 3, 1, 2), 15.0),
    "compromise": ((1, 2, 4, 3), 5.0),
    "leader": ((2, 3, 4, 1), 15.0),
    "hero": ((2, 4, 3, 1), 15.0),
}


class Strategies(NamedTuple):
    """A leader's best deterministic strategy of memory one, and the follower's best answer of memory one.

    Attributes
    ----------
    value
        The leader's total.
    leader, follower
        An action for each observation.
    """

    value: float
    leader: tuple[int, ...]
    follower: tuple[int, ...]


def payoffs(name: str) -> tuple[Array, Array]:
    """Return both players' payoffs less :data:`MEAN`, shape (2, 2), leader actions by follower actions."""
    leader = np.array(ORDINAL[name][0], dtype=np.float64).reshape(2, 2) - MEAN
    return leader, leader.T.copy()


def total(paid: Array, leader: Sequence[int], follower: Sequence[int], rounds: int = ROUNDS) -> float:
    """Return what one player is paid over so many rounds, when both play strategies of memory one."""
    seen, earned = 0, 0.0
    for _ in range(rounds):
        a, b = leader[seen], follower[seen]
        earned += float(paid[a, b])
        seen = 1 + a + 2 * b
    return earned


def best_pair(name: str, rounds: int = ROUNDS) -> Strategies:
    """Return the best of all pairs of deterministic strategies in which the follower's is a best answer."""
    paid, own = payoffs(name)
    all_strategies = list(itertools.product((0, 1), repeat=len(OBSERVATIONS)))
    best: Strategies | None = None
    for leader in all_strategies:
        earned = [total(own, leader, follower, rounds) for follower in all_strategies]
        ties = [each for each, value in zip(all_strategies, earned, strict=True) if value == max(earned)]
        follower = max(ties, key=lambda each: total(paid, leader, each, rounds))
        found = Strategies(total(paid, leader, follower, rounds), leader, follower)
        best = found if best is None or found.value > best.value else best
    assert best is not None  # noqa: S101 - there are 32 strategies
    return best


def planned_value(game: Any) -> float:
    """Return the reference value of an environment again: the follower plans by value iteration, and ten rounds follow.

    The best leader strategy is searched among all 32; ties of the follower's are broken for the leader.
    """
    paid, own = payoffs(game.facts["matrix"])
    return max(_against_a_planner(paid, own, each) for each in itertools.product((0, 1), repeat=len(OBSERVATIONS)))


def _against_a_planner(paid: Array, own: Array, leader: tuple[int, ...]) -> float:
    actions = np.array(leader)
    value = np.zeros(len(leader))
    for _ in range(400):
        ahead = own[actions] + PLANNED * value[1 + actions[:, None] + 2 * np.arange(2)]
        value = ahead.max(axis=1)
    choices = [np.flatnonzero(row >= row.max() - 1e-9).tolist() for row in ahead]
    return max(total(paid, leader, follower) for follower in itertools.product(*choices))
