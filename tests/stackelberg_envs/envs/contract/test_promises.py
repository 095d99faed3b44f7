"""Backward induction over promises against a formula, a program, and all plans of the agent."""

import itertools

import numpy as np
import pytest
from scipy.optimize import linprog

from stackelberg_envs.envs.contract.program import best_contract
from stackelberg_envs.envs.contract.promises import _highest, _upper_edge, best_bonus, best_value, spreads

SUCCESS, COST = np.array([0.0, 0.5, 0.8]), np.array([0.0, 0.1, 0.3])


def drawn(seed):
    """Return efforts at random."""
    rng = np.random.default_rng(seed)
    B, worth = int(rng.integers(2, 5)), float(rng.choice([1.0, 30.0]))
    return rng.random(B).round(2), worth * np.sort(rng.random(B)) * 0.5 * (rng.random(B) < 0.9), worth


def over_plans(success, cost, worth):
    """Return the best of two stages: a linear program for each plan of what the agent does at the three nodes."""
    best = -np.inf
    for plan in itertools.product(range(len(success)), repeat=3):
        p, c = success[list(plan)], cost[list(plan)]
        # What success and failure of the second stage are worth: a constant, and weights of the three bonuses.
        good, bad = np.array([-c[1], 0, p[1], 0]), np.array([-c[2], 0, 0, p[2]])
        rows, most = [], []
        for node, (up, down) in enumerate(
            (
                (np.add(good, [0, 1, 0, 0]), bad),
                (np.array([0, 0, 1.0, 0]), np.zeros(4)),
                (np.array([0, 0, 0, 1.0]), np.zeros(4)),
            )
        ):
            for q, d in zip(success, cost, strict=True):
                gain = (q - p[node]) * (up - down)
                rows.append(gain[1:])
                most.append(d - c[node] - gain[0])
        reach = np.array([p[0], p[0] * p[1], (1 - p[0]) * p[2]])
        found = linprog(reach, A_ub=np.array(rows), b_ub=most, bounds=(0.0, worth))
        if found.status == 0:
            best = max(best, worth * reach.sum() - found.fun)
    return best


def test_the_numbers_of_the_page():
    assert best_bonus(SUCCESS, COST, 1.0) == pytest.approx((0.2, 0.4))
    assert spreads(SUCCESS, COST)[1] == pytest.approx([0.2, 2 / 3])
    values = [best_value(SUCCESS, COST, 1.0, stages) for stages in (1, 2, 3, 4)]
    assert values == pytest.approx([0.4, 5 / 6, 1.29, 1.7583333333])


@pytest.mark.parametrize("seed", range(20))
def test_one_stage_is_worth_what_the_formula_says(seed):
    success, cost, worth = drawn(seed)
    value = best_bonus(success, cost, worth)[1]
    assert best_value(success, cost, worth, 1) == pytest.approx(value, abs=1e-9 * worth)
    assert best_contract(success, cost, worth, 1)[0] == pytest.approx(value, abs=1e-5 * worth)


@pytest.mark.parametrize("seed", range(6))
def test_two_stages_are_worth_what_the_best_plan_is(seed):
    success, cost, worth = drawn(seed)
    assert best_value(success, cost, worth, 2) == pytest.approx(over_plans(success, cost, worth), abs=1e-7 * worth)


def test_an_effort_that_another_beats_is_never_best():
    assert spreads(np.array([0.5, 0.5]), np.array([0.2, 0.1])).tolist()[0] == [np.inf, -np.inf]
    # The middle one costs nearly what the last one does.
    low, high = spreads(SUCCESS, np.array([0.0, 0.29, 0.3]))[1]
    assert low > high


def height(pieces, u):
    """Return the height of the highest piece over a place."""
    over = [
        max(a, b) if right == left else a + (b - a) * (u - left) / (right - left)
        for left, a, right, b in pieces
        if left - 1e-12 <= u <= right + 1e-12
    ]
    return max(over, default=-np.inf)


@pytest.mark.parametrize("seed", range(4))
def test_the_upper_edge_is_that_of_all_mixtures_of_points(seed):
    rng = np.random.default_rng(seed)
    u, v = rng.random(8).round(1), rng.random(8)
    edge = _upper_edge(u, v)
    for place in rng.uniform(u.min(), u.max(), 30):
        mixed = linprog(-v, A_eq=np.stack([u, np.ones(8)]), b_eq=[place, 1.0])
        assert height(edge, place) == pytest.approx(-mixed.fun)


@pytest.mark.parametrize("seed", range(4))
def test_the_highest_pieces_are_as_high_as_all(seed):
    rng = np.random.default_rng(seed)
    left, length = rng.random(12), rng.random(12) * (rng.random(12) < 0.7)
    pieces = np.stack([left, rng.random(12), left + length, rng.random(12)], axis=-1)
    pieces[length == 0, 3] = pieces[length == 0, 1]
    kept = _highest(pieces)
    for place in [*rng.uniform(0, 2, 200), *left, *(left + length)]:
        assert height(kept, place) == pytest.approx(height(pieces, place), abs=1e-9)
