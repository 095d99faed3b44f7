"""Judgements of commitments from few episodes, against exact values."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import agents
import stackelberg_envs as se
from agents.estimators.first_states import FirstStates
from agents.estimators.judging import judged
from agents.observing.trajectories import Trajectories, concatenate
from stackelberg_envs.games.linear_forms import BumpReward

BUILDING = "stackelberg/BuildingThermal-v1"
TAX = "stackelberg/TaxDesign-v0"


def _played(game: Any, x: Any, steps: int, rng: Any) -> Trajectories:
    return agents.collect(game, np.asarray(x), se.solve(game, x).policy, steps=steps, rng=rng)


def _errors(game: Any, points: Any, steps: int, rng: np.random.Generator) -> tuple[Any, Any]:
    """Return errors of judgements with common first states, and the errors that they state."""
    plays = [_played(game, x, steps, rng) for x in points]
    first = FirstStates(plays[0].state.shape[1])
    for play in plays:
        first.add(play)
    found = np.array([judged(play, game.leader_discount, first) for play in plays])
    exact = [se.solve(game, x).leader_value for x in points]
    return found[:, 0] - exact, found[:, 1]


def test_two_episodes_in_the_building_tell_commitments_apart() -> None:
    game, rng = se.make_game(BUILDING), np.random.default_rng(1)
    errors, stated = _errors(game, rng.uniform(0.2, 0.8, (12, 8)), 200, rng)
    # What first states add is common to all; returns of two episodes are off by more than a hundred.
    errors -= np.median(errors)
    assert np.median(np.abs(errors)) < 15.0
    assert np.mean(np.abs(errors) < 3.0 * stated) > 0.7


def test_its_own_starts_are_a_part_of_the_error() -> None:
    game, x = se.make_game(BUILDING), np.full(8, 0.5)
    rng, exact = np.random.default_rng(2), se.solve(game, x).leader_value
    value, error = judged(_played(game, x, 4_000, rng), game.leader_discount)
    assert abs(value - exact) < 3.5 * error  # Normal: one in two thousand.
    assert error > 10.0


@pytest.mark.parametrize("x", [(0.3, 0.3, 0.3, 0.3), (0.64, 0.0, 0.0, 0.0), (0.9, 0.5, 0.2, 1.0)])
def test_tax_design_is_judged_within_its_stated_error(x: Any) -> None:
    game, exact = se.make_game(TAX), se.solve(se.make_game(TAX), x).leader_value
    found = np.array([judged(_played(game, x, 1_600, seed), 0.9) for seed in range(12)])
    # Normal scores: the mean of twelve stays within one, but for one time in two thousand.
    scores = (found[:, 0] - exact) / found[:, 1]
    assert abs(scores.mean()) < 1.0
    assert np.abs(scores).max() < 5.0
    returns = [_played(game, x, 1_600, seed).mean_return(0.9) - exact for seed in range(12)]
    assert np.std(found[:, 0]) < 0.8 * np.std(returns)


def test_where_the_end_is_felt_episodes_count_as_played() -> None:
    game = se.make_game("stackelberg/BilevelLqr-v1")
    seen = _played(game, [[-9.96, -10.0]], 1_000, 0)
    returns = seen.returns(game.leader_discount)
    assert judged(seen, game.leader_discount) == (
        pytest.approx(returns.mean()),
        pytest.approx(returns.std(ddof=1) / np.sqrt(10)),
    )


def test_what_the_step_budget_cut_counts_as_if_play_went_on() -> None:
    game, x = se.make_game(TAX), [0.5, 0.2, 0.2, 0.2]
    exact = se.solve(game, x).leader_value
    short = [_played(game, x, 90, seed) for seed in range(20)]
    assert not any(play.whole.any() for play in short)
    value, error = judged(concatenate(short), game.leader_discount)
    assert abs(value - exact) < 3.5 * error
    # Ninety steps of one household say something of it, but not how sure that is.
    assert judged(short[0], game.leader_discount)[1] == np.inf


def test_rewards_that_are_not_quadratic_are_fitted_beside() -> None:
    game = se.make_game("stackelberg/BilevelLqr-v1", leader_discount=0.8)
    assert isinstance(game.reward, BumpReward)
    x = [[2.0, 1.0]]
    value, error = judged(_played(game, x, 2_000, 3), 0.8)
    assert value == pytest.approx(se.solve(game, x).leader_value, abs=4.0 * error + 1e-3)


def test_one_episode_and_rewards_of_zero() -> None:
    game = se.make_game(BUILDING)
    seen = _played(game, np.full(8, 0.5), 100, 0)
    assert judged(seen, game.leader_discount)[1] == np.inf
    free = replace(seen, leader_reward=np.zeros(100))
    assert judged(free, game.leader_discount)[0] == 0.0
    few = _played(game, np.full(8, 0.5), 3, 0)
    assert np.isfinite(judged(few, game.leader_discount)[0])
