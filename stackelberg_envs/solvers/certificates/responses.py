"""Followers that take nearly the best action, as a mixed-integer program: binaries say which one.

For a box of coordinates the variables are the place t in [-1, 1]^D, the follower's values and the leader's, and for
each state and action of the leader one binary for each action of the follower. The leader may choose that action among
those whose value is within `slack` of the best. Products of t and values, where the leader's policy or the dynamics
move, are relaxed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from stackelberg_envs.arrays import Array, IntArray
from stackelberg_envs.games.primitives import DecisionProcess
from stackelberg_envs.games.transitions import Transition
from stackelberg_envs.solvers.certificates.affine import AffineArrays
from stackelberg_envs.solvers.certificates.best_actions import best_within
from stackelberg_envs.solvers.certificates.policy_sets import OptimisticProcess, leader_intervals, optimistic_values
from stackelberg_envs.solvers.certificates.programs import ONE, Expression, Program, combined

__all__ = ["Nearness", "Responses", "most_worth", "response_program", "value_range"]


class Nearness(NamedTuple):
    """How the follower may differ from one that takes the best action.

    Attributes
    ----------
    slack
        By how much the value of an action that it takes may be below the best.
    bonus
        By how much its value of a state may be above that of its best action, per step: temperature times log B.
    """

    slack: float
    bonus: float


class Responses(NamedTuple):
    """The program of a box.

    Attributes
    ----------
    program
        Its first D variables are t.
    goal
        The leader's value, which is to be maximised.
    choices
        The binary of each action, shape (Z, A, B).
    leader_low, leader_high
        Bounds on the leader's state values, shape (Z,).
    """

    program: Program
    goal: Expression
    choices: IntArray
    leader_low: Array
    leader_high: Array


def value_range(box: AffineArrays, bonus: float) -> tuple[Array, Array]:
    """Return bounds on the state values of a follower that takes nearly the best action, shape (Z,)."""
    Z, A, B = box.follower_reward.shape[:3]
    centre = Transition(box.believed_successors, np.ascontiguousarray(box.believed_probabilities[..., 0]))
    process = DecisionProcess(box.follower_reward[..., 0], centre, box.continuing, box.follower_discount, 1)
    _, _, choice = best_within(process, box.leader_policy[..., 0], np.ones((Z, A, B), dtype=bool))
    believed = box.believed_successors, box.believed_probabilities, box.follower_discount
    # The best response is worth at least what the one at the centre is, which is worth at least ..
    low = -most_worth(box, believed, -box.follower_reward, choice, choice)
    high = most_worth(box, believed, box.follower_reward, np.zeros((Z, A, B)), np.ones((Z, A, B)))
    return low, high + bonus / (1.0 - box.follower_discount) if bonus else high


def most_worth(
    box: AffineArrays, dynamics: tuple[IntArray, Array, float], reward: Array, low: Array, high: Array
) -> Array:
    """Return upper bounds on state values, shape (Z,), whichever policies of a set both players choose.

    Parameters
    ----------
    dynamics
        Successors, probabilities, and the discount.
    reward
        Shape (Z, A, B, 1 + D).
    low, high
        Bounds on the follower's probabilities, shape (Z, A, B).
    """
    successors, probabilities, discount = dynamics
    process = OptimisticProcess(
        successors, probabilities, box.continuing, discount, *leader_intervals(box.leader_policy), low, high
    )
    most = reward[..., 0] + np.abs(reward[..., 1:]).sum(axis=-1)
    return optimistic_values(process, np.ascontiguousarray(most), np.zeros(len(box.initial)))[0]


def response_program(box: AffineArrays, near: Nearness) -> Responses:
    """Return the program of a box."""
    Z, A, B, columns = box.follower_reward.shape
    program = Program()
    for _ in range(columns - 1):
        program.variable(-1.0, 1.0)
    _rows_of_probabilities(program, box)
    believed = box.believed_successors, box.believed_probabilities, box.follower_discount
    values, q = _action_values(program, box, box.follower_reward, believed, value_range(box, near.bonus))
    above = [[[_above(program, q[s][a], b) for b in range(B)] for a in range(A)] for s in range(Z)]
    possible = np.array([[[least <= near.slack for least, _ in row] for row in rows] for rows in above])
    true = box.successors, box.probabilities, box.leader_discount
    none, some = np.zeros((Z, A, B)), possible.astype(np.float64)
    leader_low = -most_worth(box, true, -box.leader_reward, none, some)
    leader_high = most_worth(box, true, box.leader_reward, none, some)
    leader_values, leader_q = _action_values(program, box, box.leader_reward, true, (leader_low, leader_high))
    choices = np.empty((Z, A, B), dtype=np.int32)
    for s in range(Z):
        over_actions: list[Expression] = []
        leader_over_actions: list[Expression] = []
        for a in range(A):
            most = _largest(program, q[s][a], near, above[s][a])
            choices[s, a] = _one_of(program, possible[s, a].tolist())
            far = [high + near.bonus for _, high in above[s][a]]
            _if_chosen(program, choices[s, a], most, q[s][a], near.slack, far)
            over_actions.append(most)
            leader_over_actions.append(_chosen_value(program, leader_q[s][a], choices[s, a]))
        own, leader_own = (_mean(program, box.leader_policy[s], each) for each in (over_actions, leader_over_actions))
        program.at_most_zero((1.0, {values[s]: 1.0}), (-1.0, own))
        program.at_most_zero((-1.0, {values[s]: 1.0}), (1.0, own))
        program.at_most_zero((1.0, {leader_values[s]: 1.0}), (-1.0, leader_own))
    goal = combined(*((float(p), {w: 1.0}) for p, w in zip(box.initial, leader_values, strict=True)))
    return Responses(program, goal, choices, leader_low, leader_high)


def _action_values(
    program: Program,
    box: AffineArrays,
    reward: Array,
    dynamics: tuple[IntArray, Array, float],
    ranges: tuple[Array, Array],
) -> tuple[list[int], list[list[list[Expression]]]]:
    """Return variables for a player's state values, and its action values by state and both actions."""
    Z, A, B = reward.shape[:3]
    successors, probabilities, discount = dynamics
    values = [program.variable(*ends) for ends in zip(*ranges, strict=True)]
    q: list[list[list[Expression]]] = []
    for s in range(Z):
        weight = float(box.continuing[s]) * discount
        lists = [[(successors[s, a, b], probabilities[s, a, b]) for b in range(B)] for a in range(A)]
        rows = [[_backup(program, reward[s, a, b], lists[a][b], weight, values) for b in range(B)] for a in range(A)]
        q.append(rows)
    return values, q


def _rows_of_probabilities(program: Program, box: AffineArrays) -> None:
    """Require of a row's coordinates, as of the leader's policy and of probabilities, that they are a distribution."""
    for table in (box.leader_policy, *(p for p in (box.probabilities, box.believed_probabilities) if p.shape[-1] > 1)):
        for row in np.unique(table.reshape(-1, table.shape[-1]), axis=0):
            if row[1:].any() and row[0] - np.abs(row[1:]).sum() < 0.0:
                program.at_most_zero((-1.0, _affine(row)))


def _affine(row: Array) -> Expression:
    """Return an affine function of t, its coefficients (1 + D,), as an expression."""
    return {ONE: float(row[0])} | {i: float(slope) for i, slope in enumerate(row[1:]) if slope != 0.0}


def _backup(
    program: Program, reward: Array, dynamics: tuple[IntArray, Array], weight: float, values: list[int]
) -> Expression:
    """Return an action's value; `dynamics` are successors (N,) and probabilities (N, 1 + D) or (N, 1)."""
    parts: list[tuple[float, Expression]] = [(1.0, _affine(reward))]
    if weight == 0.0:
        return parts[0][1]
    successors, probabilities = dynamics
    for i in range(probabilities.shape[-1]):
        slopes = zip(probabilities[:, i], successors, strict=True)
        ahead = combined(*((float(slope), {values[n]: 1.0}) for slope, n in slopes))
        if i == 0:
            parts.append((weight, ahead))
        elif any(ahead.values()):
            parts.append((weight, program.product(i - 1, ahead)))
    return combined(*parts)


def _mean(program: Program, leader_policy: Array, values: list[Expression]) -> Expression:
    """Return the mean under the leader's policy, (A, 1 + D), of values for each of its actions."""
    parts: list[tuple[float, Expression]] = []
    for i in range(leader_policy.shape[1]):
        weighted = combined(*((float(slope), value) for slope, value in zip(leader_policy[:, i], values, strict=True)))
        if i == 0:
            parts.append((1.0, weighted))
        elif any(weighted.values()):
            parts.append((1.0, program.product(i - 1, weighted)))
    return combined(*parts)


def _largest(program: Program, q: list[Expression], near: Nearness, above: list[tuple[float, float]]) -> Expression:
    """Return the follower's value of all its actions: the largest of them, or more by at most the bonus."""
    bounds = [program.range_of(one) for one in q]
    most = {program.variable(max(low for low, _ in bounds), max(high for _, high in bounds) + near.bonus): 1.0}
    for one in q:
        program.at_most_zero((1.0, one), (-1.0, most))
    if near.bonus > 0.0:
        best = _one_of(program, [least <= 0.0 for least, _ in above])
        _if_chosen(program, best, most, q, near.bonus, [high + near.bonus for _, high in above])
    return most


def _chosen_value(program: Program, q: list[Expression], choices: Sequence[int]) -> Expression:
    """Return the leader's value of the action that is chosen."""
    bounds = [program.range_of(one) for one in q]
    chosen = {program.variable(min(low for low, _ in bounds), max(high for _, high in bounds)): 1.0}
    _if_chosen(program, choices, chosen, q, 0.0, [_above(program, q, b)[1] for b in range(len(q))])
    return chosen


def _above(program: Program, q: list[Expression], b: int) -> tuple[float, float]:
    """Return bounds on how far the largest of some expressions is above one of them."""
    found = [program.range_of(combined((1.0, other), (-1.0, q[b]))) for c, other in enumerate(q) if c != b]
    return max([low for low, _ in found] + [0.0]), max([high for _, high in found] + [0.0])


def _one_of(program: Program, possible: list[bool]) -> list[int]:
    """Add binaries of which one is one, zeros where it is not possible."""
    made = [program.variable(0.0, 1.0 if each else 0.0, integer=True) for each in possible]
    total = combined((1.0, {ONE: 1.0}), *((-1.0, {variable: 1.0}) for variable in made))
    program.at_most_zero((1.0, total))
    return made


def _if_chosen(
    program: Program, choices: Sequence[int], value: Expression, q: list[Expression], near: float, far: list[float]
) -> None:
    """Require that a value is at most `near` above that of the action that is chosen, and `far` above each other."""
    for variable, one, most in zip(choices, q, far, strict=True):
        room = max(most, near)
        program.at_most_zero((1.0, value), (-1.0, one), (room - near, {int(variable): 1.0}), (-room, {ONE: 1.0}))
