"""Extreme equilibria: known ones, no gain from changing alone, supports one by one, and other packages."""

import itertools
import json

import numpy as np
import pytest
from scipy.optimize import linprog

import stackelberg_envs as se
from stackelberg_envs.errors import GameError
from tests.house import ROOT

#: Equilibria that other packages found, with their versions.
RECORDED = json.loads((ROOT / "tests" / "data" / "matrix_games.json").read_text(encoding="utf-8"))


def drawn(seed, shape):
    """Payoffs of both players, integers so that ties come up."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 6, shape).astype(float), rng.integers(0, 6, shape).astype(float)


def by_supports(leader, follower):
    """The best equilibrium value of the leader: for every pair of supports two linear programs."""
    (A, B), best = leader.shape, -np.inf
    subsets = [[list(s) for n in range(1, size + 1) for s in itertools.combinations(range(size), n)] for size in (A, B)]
    for rows, columns in itertools.product(*subsets):
        if strategy_on(rows, follower.T, columns, np.zeros(1 + A)) is not None:
            found = strategy_on(columns, leader, rows, np.append(np.zeros(B), -1.0))
            best = best if found is None else max(best, found[-1])
    return best


def strategy_on(support, payoff, answers, cost):
    """A strategy with that support at most, to which all `answers` are best, and what they pay; None if none."""
    M, N = payoff.shape
    rows = np.hstack([payoff, -np.ones((M, 1))])
    others = [m for m in range(M) if m not in answers]
    equal, right = np.vstack([rows[answers], np.append(np.ones(N), 0.0)]), np.append(np.zeros(len(answers)), 1.0)
    bounds = [(0, 1 if n in support else 0) for n in range(N)] + [(None, None)]
    found = linprog(
        cost, rows[others] if others else None, np.zeros(len(others)) if others else None, equal, right, bounds=bounds
    )
    return found.x


def test_the_three_equilibria_of_a_battle_over_where_to_meet():
    found = se.nash_equilibria([[3, 0], [0, 2]], [[2, 0], [0, 3]])
    assert [(each.leader.tolist(), each.follower.tolist()) for each in found[:2]] == [
        ([1, 0], [1, 0]),
        ([0, 1], [0, 1]),
    ]
    np.testing.assert_allclose(found[2].leader, [0.6, 0.4])
    np.testing.assert_allclose(found[2].follower, [0.4, 0.6])
    assert found[2][2:] == pytest.approx((1.2, 1.2))
    assert len(found) == 3


@pytest.mark.parametrize("seed", range(8))
def test_nobody_gains_by_changing_alone_and_the_first_is_the_best_of_all(seed):
    leader, follower = drawn(seed, (3, 3))
    found = se.nash_equilibria(leader, follower)
    for each in found:
        assert (leader @ each.follower).max() == pytest.approx(each.leader_value, abs=1e-9)
        assert (each.leader @ follower).max() == pytest.approx(each.follower_value, abs=1e-9)
    assert found[0].leader_value == pytest.approx(by_supports(leader, follower), abs=1e-7)


def test_a_game_without_stakes_is_all_equilibria_of_which_the_corners_are_told():
    assert len(se.nash_equilibria(np.zeros((2, 3)), np.zeros((2, 3)))) == 6


@pytest.mark.parametrize("low", [1e4, 1e5])
@pytest.mark.parametrize("seed", range(2))
def test_a_dominated_action_that_pays_far_less_changes_nothing(seed, low):
    rng = np.random.default_rng(seed)
    leader, follower = rng.random((4, 4)), rng.random((4, 4))
    wide = np.pad(leader, (0, 1), constant_values=0.5), np.pad(follower, (0, 1), constant_values=0.5)
    wide[0][-1], wide[1][:, -1] = -low, -low
    few, many = se.nash_equilibria(leader, follower), se.nash_equilibria(*wide)
    assert [each.leader_value for each in many] == pytest.approx([each.leader_value for each in few], abs=1e-5)


def test_what_pays_a_little_less_is_no_best_answer():
    found = se.nash_equilibria([[1e7 + 1, 0], [1e7, -5]], [[1, 0], [1, 0]])
    assert [each.leader.tolist() for each in found] == [[1, 0]]


@pytest.mark.parametrize("case", RECORDED, ids=lambda case: case["name"])
def test_equilibria_are_those_that_other_packages_found(case):
    found = se.nash_equilibria(case["leader"], case["follower"])
    mine = sorted(tuple(np.round([*each.leader, *each.follower], 6)) for each in found)
    theirs = sorted(tuple(np.round(each, 6)) for each in case["equilibria"])
    np.testing.assert_allclose(mine, theirs, atol=1e-6)


@pytest.mark.parametrize("case", RECORDED, ids=lambda case: case["name"])
def test_what_is_recorded_of_other_packages_is_what_they_say_now(case):
    nash = pytest.importorskip("nashpy")
    game = nash.Game(np.array(case["leader"]), np.array(case["follower"]))
    theirs = sorted(tuple(np.round([*x, *y], 6)) for x, y in game.vertex_enumeration())
    np.testing.assert_allclose(theirs, sorted(tuple(np.round(each, 6)) for each in case["equilibria"]), atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (([1], [[1]]), "leader_payoff: expected shape"),
        (([[1]], [[1, 2]]), r"follower_payoff: expected shape \(1, 1\)"),
        ((np.zeros((15, 15)), np.zeros((15, 15))), "at most 200,000 choices"),
    ],
)
def test_what_is_no_small_game_is_refused(arguments, words):
    with pytest.raises(GameError, match=words):
        se.nash_equilibria(*arguments)
