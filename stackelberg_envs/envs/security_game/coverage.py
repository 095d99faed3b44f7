"""Which targets guards stand at, and how likely each target should be covered.

A schedule says where all guards stand. A mixture of schedules covers target i with probability c_i, and only that
matters: any c in [0, 1]^n that sums to the number of guards is such a mixture (Kiekintveld et al., 2009).
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import ConvergenceError

__all__ = ["best_coverage", "coverage_value", "payoffs", "schedules"]


def schedules(targets: int, guards: int) -> Array:
    """Return which targets each schedule covers, shape (schedules, targets), zeros and ones."""
    chosen = list(itertools.combinations(range(targets), guards))
    covered = np.zeros((len(chosen), targets))
    for row, places in zip(covered, chosen, strict=True):
        row[list(places)] = 1.0
    return covered


def payoffs(covered: Array, uncovered_pay: Array, covered_pay: Array) -> Array:
    """Return what an attack pays one side, shape (schedules, targets), by what it pays at targets of both kinds."""
    return np.asarray(covered * covered_pay + (1.0 - covered) * uncovered_pay)


def best_coverage(attacker: Array, penalty: Array, defender: Array, guards: int) -> tuple[float, Array]:
    """Return the defender's value and the best coverage, ties for the defender, by a linear program for each target.

    Parameters
    ----------
    attacker, penalty
        What an attack on each target pays the attacker if nobody is there, and if a guard is; shape (targets,).
    defender
        What an attack that meets nobody pays the defender; one that meets a guard pays 0.
    guards
        Their number.
    """
    from scipy.optimize import linprog

    best: tuple[float, Array] | None = None
    slope = penalty - attacker
    for target in range(len(attacker)):
        # Nobody gains by another target: attacker_j + slope_j c_j <= attacker_t + slope_t c_t.
        rows, right = np.diag(slope), attacker[target] - attacker
        rows[:, target] -= slope[target]
        cost = np.zeros(len(attacker))
        cost[target] = defender[target]  # of defender_t (1 - c_t), to be as large as it can be
        everyone = np.ones((1, len(attacker)))
        found = linprog(cost, A_ub=rows, b_ub=right, A_eq=everyone, b_eq=[guards], bounds=(0.0, 1.0))
        if found.status == 2:  # no coverage makes this target the best one
            continue
        if found.x is None:
            raise ConvergenceError(f"best_coverage: a linear program ended without a solution: {found.message}")
        value = float(defender[target] - found.fun)
        if best is None or value > best[0]:
            best = value, np.asarray(found.x)
    assert best is not None  # noqa: S101 - some target is the best one
    return best


def coverage_value(game: Any) -> float:
    """Return the defender's value of a game again, by the programs in coverage."""
    facts = game.facts
    reward, penalty, loss = (
        np.asarray(facts[name]) for name in ("attacker_reward", "attacker_penalty", "defender_reward")
    )
    return best_coverage(reward, penalty, loss, facts["guards"])[0]
