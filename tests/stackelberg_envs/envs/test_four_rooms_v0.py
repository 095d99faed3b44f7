"""Four-Rooms: map, moves, rewards, published and best known values."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from stackelberg_envs.envs import discrete_toy_v1, four_rooms_v0
from stackelberg_envs.errors import GameError
from stackelberg_envs.solvers.solving import solve


def table(q):
    """The policy table of which only q = f(1 | A) matters."""
    rows = np.full((3, 2), 0.5)
    rows[discrete_toy_v1.A] = (1 - q, q)
    return rows


def budget(theta):
    """The published parametrisation: -0.2 times a softmax of 105 logits, the last slot unused."""
    weights = np.exp(theta - theta.max())
    weights /= weights.sum()
    return -0.2 * weights[:104], weights


# Values in the matrix of slip 0.44, one goal, penalty 5: start (all logits zero) and no incentive.
@pytest.mark.parametrize(
    ("temperature", "start", "nothing"),
    [(0.001, -0.741, 0.001), (0.003, -0.726, 0.0015), (0.005, -0.667, 0.018)],
)
def test_four_rooms_start_and_no_incentive(temperature, start, nothing):
    game = four_rooms_v0.make_game(slip=0.44, temperature=temperature)
    assert solve(game, budget(np.zeros(105))[0]).leader_value == pytest.approx(start, abs=6e-4)
    assert solve(game, np.zeros(104)).leader_value == pytest.approx(nothing, abs=2.5e-4)


def test_four_rooms_as_published_believes_the_reported_matrix():
    game = four_rooms_v0.make_game(slip=0.33, follower_slip=0.44, temperature=0.003)
    x = budget(np.zeros(105))[0]
    assert solve(game.as_believed(), x).leader_value == pytest.approx(-0.726, abs=6e-4)
    assert solve(game, x).leader_value == pytest.approx(-0.795, abs=6e-4)
    reported = four_rooms_v0.make_game(slip=0.44, temperature=0.003)
    np.testing.assert_array_equal(solve(game, x).response, solve(reported, x).response)


def ascend(game, seed, rate=10.0, updates=400):
    """Exact gradient ascent on the logits; returns the value and the unused share at the end."""
    theta = np.random.default_rng(seed).standard_normal(105)
    start = None
    for _ in range(updates):
        x, weights = budget(theta)
        solution = solve(game, x, start=start)
        start = solution.best.state_values
        gradient = np.append(-0.2 * solution.gradient, 0.0)
        theta = theta + rate * weights * (gradient - weights @ gradient)
    return solution.leader_value, weights[-1]


@pytest.mark.parametrize("temperature", [0.001, 0.003])
def test_four_rooms_plain_gradient_ascent_ends_at_no_incentive(temperature):
    game = four_rooms_v0.make_game(slip=0.44, temperature=temperature)
    for seed in range(2):
        value, unused = ascend(game, seed)
        assert value == pytest.approx(0.0, abs=0.005)
        assert unused > 0.99


def test_four_rooms_map():
    assert four_rooms_v0.FREE.shape == (13, 13)
    assert len(four_rooms_v0.CELLS) == four_rooms_v0.FREE.sum() == 104
    keys = np.array(sorted(four_rooms_v0.STATE_OF))
    np.testing.assert_array_equal(keys, four_rooms_v0.CELLS)  # row by row
    doors = [(3, 6), (6, 2), (7, 9), (10, 6)]
    assert all(door in four_rooms_v0.STATE_OF for door in doors)


@pytest.mark.parametrize("slip", [0.0, 0.33, 0.44, 1.0])
def test_four_rooms_moves_slip_evenly_and_stop_at_walls(slip):
    kernel = four_rooms_v0.make_game(slip=slip).transition.to_dense()[:, 0]
    for cell, state in four_rooms_v0.STATE_OF.items():
        for b, wanted in enumerate(four_rooms_v0.MOVES):
            row = np.zeros(104)
            for move in four_rooms_v0.MOVES:
                there = four_rooms_v0.STATE_OF.get((cell[0] + move[0], cell[1] + move[1]), state)
                row[there] += 1 - slip if move == wanted else slip / 3
            np.testing.assert_allclose(kernel[state, b], row, atol=1e-15)


@pytest.mark.parametrize("goals", [four_rooms_v0.ONE_GOAL, four_rooms_v0.TWO_GOALS])
def test_four_rooms_rewards_goals_and_contexts(goals):
    game = four_rooms_v0.make_game(goals=goals, penalty=3.0)
    x = -np.linspace(0, 0.2, 104)
    parts = game.primitives(x)
    K = len(goals)
    assert game.num_contexts == K
    follower, leader = (r.reshape(K, 104, 4) for r in (parts.follower_reward, parts.leader_reward))
    target = np.zeros(104)
    target[four_rooms_v0.STATE_OF[8, 4]] = 1
    for k, goal in enumerate(goals):
        state = four_rooms_v0.STATE_OF[goal]
        assert np.flatnonzero(parts.continuing.reshape(K, 104)[k] == 0).tolist() == [state]
        pay, cost = x.copy(), target.copy()
        pay[state], cost[state] = 1.0, -3.0 * np.abs(x).sum()
        np.testing.assert_allclose(follower[k], np.tile(pay[:, None], 4), atol=1e-15)
        np.testing.assert_allclose(leader[k], np.tile(cost[:, None], 4), atol=1e-13)
    expected = np.zeros((K, 104))
    expected[:, four_rooms_v0.STATE_OF[4, 1]] = 1 / K
    np.testing.assert_allclose(parts.initial.reshape(K, 104), expected)


def test_four_rooms_values_at_the_goal_are_what_a_visit_pays():
    game = four_rooms_v0.make_game()
    x = np.full(104, -0.01)
    solution = solve(game, x)
    goal = four_rooms_v0.STATE_OF[1, 9]
    assert solution.best.state_values[goal] == pytest.approx(1 + 0.005 * np.log(4), abs=1e-12)
    assert solution.leader.state_values[goal] == pytest.approx(-5 * 1.04, abs=1e-12)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"goals": ((0, 0),)}, r"goals: expected free cells .*, got \(0, 0\)"),
        ({"goals": (1, 9)}, r"goals: expected free cells .*, got \(1, 9\)"),
        ({"goals": ()}, "goals: expected at least one"),
        ({"slip": 1.5}, r"slip: expected a probability in \[0, 1\], got 1\.5"),
        ({"slip": float("nan")}, r"slip: expected a probability in \[0, 1\], got nan"),
        ({"follower_slip": -0.1}, r"follower_slip: expected a probability in \[0, 1\], got -0\.1"),
        ({"discount": 1.0}, r"discount: expected a number in \[0, 1\)"),
        ({"temperature": 0.0}, "temperature: expected a number greater than 0"),
        (
            {"goals": four_rooms_v0.TWO_GOALS, "goal_probabilities": (0.5, 0.6)},
            "goal_probabilities: expected rows that sum to one",
        ),
    ],
)
def test_four_rooms_refuses_what_is_no_four_rooms(changes, match):
    with pytest.raises(GameError, match=match):
        four_rooms_v0.make_game(**changes)


CASES = {
    "one_goal": (four_rooms_v0.ONE_GOAL, 0.33),
    "two_goals": (four_rooms_v0.TWO_GOALS, 0.33),
    "one_goal_44": (four_rooms_v0.ONE_GOAL, 0.44),
    "two_goals_44": (four_rooms_v0.TWO_GOALS, 0.44),
}


ROOT = Path(__file__).parents[3]


def rooms(case, temperature, penalty):
    goals, slip = CASES[case]
    return four_rooms_v0.make_game(goals=goals, slip=slip, temperature=temperature, penalty=penalty)


@pytest.mark.parametrize("case", CASES)
def test_best_known_values_of_four_rooms_are_worth_what_is_said_and_keep_to_the_budget(case):
    temperatures = (0.001, 0.003, 0.005, 0.007, 0.01) if case == "one_goal" else (0.001, 0.003, 0.005)
    for temperature, penalty in itertools.product(temperatures, (1.0, 3.0, 5.0)):
        game = rooms(case, temperature, penalty)
        x = game.facts["best_commitment"]
        assert x.sum() >= four_rooms_v0.LOWEST_INCENTIVE - 1e-12
        assert solve(game, x).leader_value == pytest.approx(game.facts["best_known"], abs=1e-7)


@pytest.mark.parametrize(
    ("case", "temperature", "value"),
    [
        *(("one_goal", 0.001, 0.6054), ("one_goal", 0.005, 0.6224), ("one_goal", 0.01, 5.6522)),
        *(("one_goal_44", 0.001, 0.7684), ("one_goal_44", 0.003, 0.6161), ("one_goal_44", 0.005, 1.6227)),
        *(("two_goals", 0.003, 0.4652), ("two_goals_44", 0.005, 1.2358)),
    ],
)
def test_best_known_values_of_four_rooms_do_not_fall(case, temperature, value):
    assert rooms(case, temperature, 5.0).facts["best_known"] > value - 5e-5


def reported_values():
    """Yield (number of goals, temperature, penalty, value) of every run of the tables beside the published results."""
    tables = ROOT / "docs" / "tables"
    for line in (tables / "certainty_equivalent.jsonl").read_text(encoding="utf-8").splitlines():
        run = json.loads(line)
        if run["run"][0] in ("published", "consistent", "ablation"):
            yield *run["run"][1:4], run["reported"]
    for line in (tables / "published_figures.jsonl").read_text(encoding="utf-8").splitlines():
        run = json.loads(line)
        goals = 1 if run["part"].startswith("bchg") else 2
        yield goals, run["temperature"], run["penalty"], run["reported"]


def test_no_leader_exceeds_the_best_known_values():
    # Reports are values at slip 0.44.
    for goals, temperature, penalty, value in reported_values():
        case = "one_goal_44" if goals == 1 else "two_goals_44"
        assert value <= rooms(case, temperature, penalty).facts["best_known"] + 5e-5


@pytest.mark.parametrize(
    "other",
    [
        {"follower_slip": 0.4},
        {"slip": 0.4},
        {"goals": four_rooms_v0.TWO_GOALS, "goal_probabilities": [0.3, 0.7]},
        {"goals": ((1, 9), (1, 8))},
        {"penalty": 2.0},
        {"discount": 0.9},
    ],
)
def test_elsewhere_no_best_value_is_known(other):
    assert "best_known" not in four_rooms_v0.make_game(**other).facts


@pytest.mark.parametrize("probabilities", [["a"], [0.5, 0.5], [0.7]])
def test_goal_probabilities_are_checked_for_one_goal_too(probabilities):
    with pytest.raises(GameError, match="goal_probabilities: expected"):
        four_rooms_v0.make_game(goal_probabilities=probabilities)


@pytest.mark.parametrize("penalty", [float("nan"), "a"])
def test_a_penalty_that_is_no_number_is_refused(penalty):
    with pytest.raises(GameError, match="penalty: expected"):
        four_rooms_v0.make_game(penalty=penalty)
