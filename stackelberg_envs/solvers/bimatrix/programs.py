"""The programs of a leader who commits to a mixed strategy, on payoffs in parts of their range.

Given which action each type answers with, the best commitment is a linear program (Conitzer and Sandholm, 2006). With
one type, every answer is tried. With several, a mixed-integer program chooses the answers (Paruchuri et al., 2008, in
the form without large constants).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import ConvergenceError
from stackelberg_envs.solvers.bimatrix.payoffs import TIE, Payoffs

__all__ = ["Answered", "all_profiles", "answered", "best_profile", "deepest", "equivalent"]

#: What HiGHS may miss a constraint by.
TOLERANCE = 1e-10
#: By how much, in parts of the range, the bound of the mixed-integer program may exceed what is found.
GAP = 1e-6


class Answered(NamedTuple):
    """The best commitment among those that given actions are best answers to.

    Attributes
    ----------
    value
        In parts of the leader's range.
    strategy
        Shape (A,).
    """

    value: float
    strategy: Array


def all_profiles(payoffs: Payoffs) -> Iterator[tuple[int, ...]]:
    """Yield every choice of an action for each type."""
    types, _, actions = payoffs.follower.shape
    return itertools.product(range(actions), repeat=types)


def equivalent(follower: Array, action: int) -> NDArray[np.bool_]:
    """Return which actions pay one type the same as this one whatever the leader does, shape (B,)."""
    return np.asarray((np.abs(follower - follower[:, action, None]) <= TIE).all(axis=0))


def answered(payoffs: Payoffs, profile: Sequence[int], *, worst: bool) -> Answered | None:
    """Return the best commitment to which each type answers with its action of the profile; None if there is none.

    Parameters
    ----------
    payoffs
        Of the game.
    profile
        An action of each type.
    worst
        Whether the leader counts on the worst of the actions that are the same to the follower.
    """
    types, actions, _ = payoffs.leader.shape
    rows = [_no_regret(payoffs.follower[k], b) for k, b in enumerate(profile)]
    regret = np.concatenate([np.hstack([each, np.zeros((len(each), types))]) for each in rows])
    paid = [_paid(payoffs, k, b, worst=worst) for k, b in enumerate(profile)]
    rows_at_most_zero = np.concatenate([regret, *paid])
    cost = np.concatenate([np.zeros(actions), -payoffs.prior])
    found = _minimise(cost, rows_at_most_zero, actions)
    return None if found is None else Answered(float(payoffs.prior @ found[actions:]), _shares(found[:actions]))


def deepest(payoffs: Payoffs, profile: Sequence[int]) -> tuple[float, Array]:
    """Return the commitment at which a profile is best by the widest margin, and that margin.

    Actions that are always the same to a type do not count. Where the margin is not positive, only ties lead to the
    profile.
    """
    actions = payoffs.follower.shape[1]
    rows = []
    for own, b in zip(payoffs.follower, profile, strict=True):
        regret = _no_regret(own, b)[~equivalent(own, b)]
        rows.append(np.hstack([regret, np.ones((len(regret), 1))]))
    cost = np.append(np.zeros(actions), -1.0)
    found = _minimise(cost, np.concatenate(rows), actions)
    if found is None:  # the margin may be any number below zero
        raise ConvergenceError("stackelberg_strategies: expected the program of the widest margin to have a solution")
    return float(found[-1]), _shares(found[:actions])


def best_profile(payoffs: Payoffs) -> tuple[tuple[int, ...], float]:
    """Return the profile of the best commitment where ties favour the leader, and a bound on its value.

    Variables: z[k, a, b], the probability that the leader plays a and type k answers b; x[a]; q[k, b], zero or one.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp

    types, actions, answers = payoffs.leader.shape
    joint, sizes = types * actions * answers, (types, actions, answers)
    total = joint + actions + types * answers
    cost = np.append(-(payoffs.prior[:, None, None] * payoffs.leader).ravel(), np.zeros(total - joint))
    equal = [np.append(np.zeros(joint), np.append(np.ones(actions), np.zeros(types * answers)))[None]]
    marginals = np.zeros((types, actions, total))
    answer = np.zeros((types, answers, total))
    regret = np.zeros((types, answers, answers, total))
    for k, a, b in np.ndindex(sizes):
        place = int(np.ravel_multi_index((k, a, b), sizes))
        marginals[k, a, place] = answer[k, b, place] = 1.0
        regret[k, b, :, place] = payoffs.follower[k, a] - payoffs.follower[k, a, b]
    marginals[:, np.arange(actions), joint + np.arange(actions)] = -1.0
    for k, b in np.ndindex(types, answers):
        answer[k, b, joint + actions + k * answers + b] = -1.0
    equal += [marginals.reshape(-1, total), answer.reshape(-1, total)]
    sums = np.append(1.0, np.zeros(len(np.concatenate(equal)) - 1))
    found = milp(
        cost,
        integrality=np.append(np.zeros(joint + actions), np.ones(types * answers)),
        bounds=Bounds(0.0, 1.0),
        constraints=[
            LinearConstraint(np.concatenate(equal), sums, sums),
            LinearConstraint(regret.reshape(-1, total), -np.inf, 0.0),
        ],
        options={"mip_rel_gap": 0.0},
    )
    if found.x is None:
        raise ConvergenceError(
            f"stackelberg_strategies: the mixed-integer program ended without a point: {found.message}"
        )
    chosen = np.asarray(found.x)[joint + actions :].reshape(types, answers)
    return tuple(int(b) for b in chosen.argmax(axis=1)), -float(found.mip_dual_bound)


def _no_regret(follower: Array, action: int) -> Array:
    """Return rows that are at most zero at commitments that an action is a best answer to, shape (B, A)."""
    return np.asarray((follower - follower[:, action, None]).T)


def _paid(payoffs: Payoffs, k: int, action: int, *, worst: bool) -> Array:
    """Return rows that keep the number of type k below what the leader is paid."""
    types = len(payoffs.prior)
    counted = equivalent(payoffs.follower[k], action) if worst else np.arange(payoffs.leader.shape[2]) == action
    paid = payoffs.leader[k][:, counted].T
    return np.hstack([-paid, np.tile(np.eye(types)[k], (len(paid), 1))])


def _minimise(cost: Array, rows: Array, actions: int) -> Array | None:
    """Return where the cost is least: the first variables are shares of actions, the others are free."""
    from scipy.optimize import linprog

    free = len(cost) - actions
    found = linprog(
        cost,
        A_ub=rows,
        b_ub=np.zeros(len(rows)),
        A_eq=np.append(np.ones(actions), np.zeros(free))[None],
        b_eq=np.ones(1),
        # Payoffs are in parts of their range; so are values and margins.
        bounds=[(0.0, 1.0)] * actions + [(-1.0, 1.0)] * free,
        method="highs",
        options={"primal_feasibility_tolerance": TOLERANCE, "dual_feasibility_tolerance": TOLERANCE},
    )
    if found.status == 2:  # infeasible
        return None
    if found.x is None:
        raise ConvergenceError(f"stackelberg_strategies: a linear program ended without a solution: {found.message}")
    return np.asarray(found.x)


def _shares(x: Array) -> Array:
    x = np.maximum(x, 0.0)
    return np.asarray(x / x.sum())
