"""Best responses against plain iteration, brute force, closed forms and each other."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from stackelberg_envs.envs import random_tabular_v1
from stackelberg_envs.errors import ArgumentError
from stackelberg_envs.games.primitives import Primitives
from stackelberg_envs.games.transitions import Transition
from stackelberg_envs.solvers.responses import hard_best_response, soft_best_response
from stackelberg_envs.solvers.soft import evaluate, linear, response_gap
from tests.stackelberg_envs.solvers.soft.small_games import SIZES, one_state, primitives

DATA = Path(__file__).parents[3] / "data"


def iterated_soft_values(game, iterations=20_000):
    """Soft value iteration in NumPy, until it stands still."""
    kernel = game.believed_transition.to_dense()
    values = np.zeros(len(game.initial))
    for _ in range(iterations):
        ahead = game.continuing[:, None, None] * (kernel @ values)
        q = (game.follower_reward + game.follower_discount * ahead) / game.temperature
        top = q.max(axis=2)
        soft = game.temperature * (top + np.log(np.exp(q - top[:, :, None]).sum(axis=2)))
        new = (game.leader_policy * soft).sum(axis=1)
        if np.abs(new - values).max() < 1e-15 * np.abs(new).max():
            break
        values = new
    return new


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("temperature", [1e-3, 0.2, 10.0])
def test_newton_agrees_with_plain_iteration(seed, temperature):
    game = primitives(seed, terminal=seed % 2, K=1 + seed // 2, temperature=temperature)
    best = soft_best_response(game)
    expected = iterated_soft_values(game)
    np.testing.assert_allclose(best.state_values, expected, rtol=0, atol=1e-9)


def test_one_state_has_the_closed_form():
    rewards, temperature, discount = np.array([0.3, -0.2, 1.0]), 0.5, 0.9
    best = soft_best_response(one_state(rewards, temperature=temperature, discount=discount))
    soft = temperature * np.log(np.exp(rewards / temperature).sum())
    assert best.state_values[0] == pytest.approx(soft / (1 - discount), abs=1e-10)
    gibbs = np.exp(rewards / temperature)
    np.testing.assert_allclose(best.policy[0, 0], gibbs / gibbs.sum(), rtol=1e-12)


def test_temperature_times_log_response_is_the_advantage():
    game = primitives(3, temperature=0.7)
    best = soft_best_response(game)
    advantage = best.q - best.values[:, :, None]
    np.testing.assert_allclose(game.temperature * np.log(best.policy), advantage, atol=1e-12)
    averaged = (game.leader_policy * best.values).sum(axis=1)
    np.testing.assert_allclose(averaged, best.state_values, atol=1e-10)


@pytest.mark.parametrize("limit", [0, 10**6], ids=["krylov", "dense"])
@pytest.mark.parametrize("discount", [0.5, 0.9, 0.999])
@pytest.mark.parametrize("tolerance", [1.0, 1e-2, 1e-5, 1e-9])
def test_reported_error_bounds_the_true_error(tolerance, discount, limit, monkeypatch):
    monkeypatch.setattr(linear, "choose", lambda *_: "dense" if limit else "krylov")
    for seed in range(5):
        game = primitives(seed, S=12, follower_discount=discount, temperature=0.3, terminal=seed % 2)
        best = soft_best_response(game, tolerance=tolerance)
        exact = soft_best_response(game, tolerance=1e-15)
        error = np.abs(best.state_values - exact.state_values).max()
        assert error <= best.error + exact.error
        rounding = 64 * np.finfo(float).eps * np.abs(best.state_values).max() / (1 - discount)
        assert best.error <= tolerance + rounding


def test_reported_error_bounds_the_true_error_at_discount_zero():
    game = primitives(1, follower_discount=0.0)
    best = soft_best_response(game)
    assert np.abs(best.state_values - iterated_soft_values(game)).max() <= best.error < 1e-13


@pytest.mark.parametrize("offset", [-1e3, -1.0, 0.3, 1e3])
def test_any_start_gives_the_same_answer(offset):
    game = primitives(2, temperature=0.05)
    cold = soft_best_response(game)
    rng = np.random.default_rng(0)
    start = cold.state_values + offset * rng.standard_normal(len(game.initial))
    before = start.copy()
    warm = soft_best_response(game, start=start)
    np.testing.assert_allclose(warm.state_values, cold.state_values, atol=3e-10)
    assert (start == before).all()


def test_values_far_off_do_not_lead_round_in_circles():
    # A model that a leader has fitted to play on a warehouse, and values of another model to start from. With the first
    # factorisation kept while it gains, these go round with period 3.
    with np.load(DATA / "warm_start_in_circles.npz") as kept:
        lists = Transition(kept["successors"], kept["probabilities"])
        game = Primitives(
            leader_policy=np.ones((57, 1)), follower_reward=kept["follower_reward"],
            leader_reward=np.zeros((57, 1, 4)), transition=lists, believed_transition=lists, initial=kept["initial"],
            continuing=kept["continuing"], leader_discount=0.97, follower_discount=0.97, temperature=0.05,
            num_contexts=1,
        )  # fmt: skip
        warm = soft_best_response(game, start=kept["start"])
    np.testing.assert_allclose(warm.policy, soft_best_response(game).policy, atol=1e-9)


def test_start_of_another_length_is_refused():
    with pytest.raises(ArgumentError, match=r"start: expected shape \(5,\), got \(4,\)"):
        soft_best_response(primitives(), start=np.zeros(4))


@pytest.mark.parametrize("scale", [1e-8, 1e6])
def test_rewards_of_any_scale_are_solved_to_rounding(scale):
    game = primitives(4)
    scaled = dataclasses.replace(
        game, follower_reward=scale * game.follower_reward, temperature=scale * game.temperature
    )
    best = soft_best_response(scaled, tolerance=1e-11)
    expected = scale * soft_best_response(game).state_values
    np.testing.assert_allclose(best.state_values, expected, rtol=1e-8)


def test_soft_response_tends_to_the_hard_one_as_temperature_falls():
    gaps = []
    for temperature in (0.3, 0.03, 0.003):
        game = primitives(5, temperature=temperature)
        gaps.append(np.abs(soft_best_response(game).policy - hard_best_response(game).policy).max())
    assert gaps[0] > gaps[1] > gaps[2]
    assert gaps[2] < 1e-3
    bound = 0.003 * np.log(3) / (1 - game.follower_discount)  # entropy is worth at most lambda log B a step
    difference = soft_best_response(game).state_values - hard_best_response(game).state_values
    assert (difference >= -1e-10).all()
    assert (difference <= bound).all()


def test_response_gap_is_zero_at_the_best_response_and_positive_elsewhere():
    rng = np.random.default_rng(0)
    for seed in range(5):
        game = primitives(seed, terminal=1, K=2)
        best = soft_best_response(game)
        assert response_gap(game, best.policy, best.state_values) == pytest.approx(0.0, abs=1e-10)
        other = rng.dirichlet(np.ones(3), size=best.policy.shape[:2])
        assert response_gap(game, other, best.state_values) > 1e-3
        greedy = hard_best_response(game).policy
        assert response_gap(game, greedy, best.state_values) > 0


def test_response_gap_is_measured_by_what_the_follower_believes():
    belief = random_tabular_v1.make_game(**SIZES, seed=9).transition
    game = random_tabular_v1.make_game(**SIZES, seed=1).replace(believed_transition=belief)
    parts = game.primitives(np.full((5, 2), 0.5))
    best = soft_best_response(parts)
    assert response_gap(parts, best.policy, best.state_values) == pytest.approx(0.0, abs=1e-10)


def test_response_gap_in_one_state_is_the_scaled_divergence():
    rewards, temperature, discount = np.array([0.3, -0.2, 1.0]), 0.5, 0.9
    game = one_state(rewards, temperature=temperature, discount=discount)
    best = soft_best_response(game)
    other = np.array([0.5, 0.5, 0.0])
    support = other > 0
    divergence = (other * np.log(np.where(support, other, 1) / best.policy[0, 0]))[support].sum()
    gap = response_gap(game, other.reshape(1, 1, 3), best.state_values)
    assert gap == pytest.approx(temperature * divergence / (1 - discount), rel=1e-9)


def test_values_of_the_soft_response_are_its_evaluation_with_entropy():
    game = primitives(7)
    best = soft_best_response(game)
    entropy = -(best.policy * np.log(best.policy)).sum(axis=2)
    bonus = game.follower_reward + game.temperature * entropy[:, :, None]
    as_leader = dataclasses.replace(game, leader_reward=bonus, leader_discount=game.follower_discount)
    np.testing.assert_allclose(evaluate(as_leader, best.policy).state_values, best.state_values, atol=1e-9)


def test_a_start_or_tolerance_that_is_no_number_is_refused():
    game = random_tabular_v1.make_game(S=3).primitives(np.zeros(4))
    with pytest.raises(ArgumentError, match="start: expected finite numbers, got nan"):
        soft_best_response(game, start=np.array([0.0, np.nan, 0.0]))
    with pytest.raises(ArgumentError, match="tolerance: expected a finite number of at least 0, got nan"):
        soft_best_response(game, tolerance=float("nan"))
