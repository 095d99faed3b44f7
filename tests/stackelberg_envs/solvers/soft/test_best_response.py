"""Best responses against plain iteration, brute force, closed forms and each other."""

import dataclasses
import itertools

import numpy as np
import pytest

from stackelberg_envs.envs import random_tabular_v0
from stackelberg_envs.errors import ArgumentError
from stackelberg_envs.games.commitments.policy_table import PolicyTable
from stackelberg_envs.games.tabular import TabularGame
from stackelberg_envs.solvers.responses import hard_best_response, soft_best_response
from stackelberg_envs.solvers.soft import evaluate, leader_value, linear, response_gap

SIZES = {"S": 5, "A": 2, "B": 3, "commitment": "policy"}


def primitives(seed=0, x=None, **changes):
    game = random_tabular_v0.make_game(**({"seed": seed} | SIZES | changes))
    S, A, _ = game.shape
    return game.primitives(np.full((S, A), 1.0 / A) if x is None else x)


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


def one_state(rewards, leader_rewards=None, temperature=0.5, discount=0.9):
    """One state that leads to itself, one leader action."""
    B = len(rewards)
    leader = np.zeros(B) if leader_rewards is None else leader_rewards
    game = TabularGame(
        transition=np.ones((1, 1, B, 1)),
        leader_reward=np.reshape(leader, (1, 1, B)),
        follower_reward=np.reshape(rewards, (1, 1, B)),
        initial=[1.0],
        leader_discount=discount,
        follower_discount=discount,
        temperature=temperature,
        commitment=PolicyTable(1, 1),
    )
    return game.primitives([[1.0]])


# --- soft ----------------------------------------------------------------------------------------------


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


# --- hard ----------------------------------------------------------------------------------------------


def deterministic_policies(Z, A, B):
    for choice in itertools.product(range(B), repeat=Z * A):
        yield np.eye(B)[np.reshape(choice, (Z, A))]


def follower_values(game, policy):
    """Follower's values of a policy, no entropy, by one dense solve."""
    joint = game.leader_policy[:, :, None] * policy
    kernel = np.einsum("sab,sabt->st", joint, game.believed_transition.to_dense())
    matrix = np.eye(len(kernel)) - game.follower_discount * game.continuing[:, None] * kernel
    return np.linalg.solve(matrix, (joint * game.follower_reward).sum(axis=(1, 2)))


def brute_force(game, sign):
    """Best leader value, times sign, among the follower's optimal deterministic policies."""
    policies = list(deterministic_policies(*game.follower_reward.shape))
    values = np.array([follower_values(game, policy) for policy in policies])
    best = values.max(axis=0)
    optimal = [p for p, v in zip(policies, values, strict=True) if (v >= best - 1e-9).all()]
    return best, max(sign * leader_value(game, policy) for policy in optimal), len(optimal)


@pytest.mark.parametrize("seed", range(6))
def test_hard_response_is_the_best_of_all_policies(seed):
    game = primitives(seed, S=3, A=2, B=2, terminal=seed % 2)
    best = hard_best_response(game)
    expected, value, ties = brute_force(game, 1.0)
    np.testing.assert_allclose(best.state_values, expected, atol=1e-9)
    if ties == 1:
        assert leader_value(game, best.policy) == pytest.approx(value, abs=1e-9)
    assert set(np.unique(best.policy)) == {0.0, 1.0}


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("tie_break", "sign"), [("optimistic", 1.0), ("pessimistic", -1.0)])
@pytest.mark.parametrize("limit", [0, 10**6], ids=["krylov", "dense"])
def test_ties_go_for_or_against_the_leader(seed, tie_break, sign, limit, monkeypatch):
    monkeypatch.setattr(linear, "choose", lambda *_: "dense" if limit else "krylov")
    rng = np.random.default_rng(seed)
    game = TabularGame(
        transition=np.eye(3)[rng.integers(3, size=(3, 2, 2))],
        leader_reward=rng.integers(-1, 2, size=(3, 2, 2)),
        follower_reward=rng.integers(0, 2, size=(3, 2, 2)),
        initial=np.full(3, 1 / 3),
        leader_discount=0.9,
        follower_discount=0.5,
        temperature=1.0,
        commitment=PolicyTable(3, 2),
    ).primitives(np.full((3, 2), 0.5))
    _, value, ties = brute_force(game, sign)
    found = leader_value(game, hard_best_response(game, tie_break=tie_break).policy)
    assert ties > 1 or seed not in (0, 1)  # the instances are not all without ties
    assert sign * found == pytest.approx(value, abs=1e-8)


@pytest.mark.parametrize(("tie_break", "leader"), [("optimistic", 2.0), ("pessimistic", -1.0)])
def test_a_follower_without_preference_decides_by_the_rule(tie_break, leader):
    game = one_state([1.0, 1.0, 0.0, 1.0], [0.0, 2.0, 9.0, -1.0])
    best = hard_best_response(game, tie_break=tie_break)
    assert leader_value(game, best.policy) == pytest.approx(leader / 0.1)
    assert best.state_values[0] == pytest.approx(10.0)


def test_values_equal_up_to_rounding_are_ties():
    assert 0.1 + 0.2 > 0.3
    game = one_state([0.1 + 0.2, 0.3], [0.0, 1.0], discount=0.0)
    assert leader_value(game, hard_best_response(game).policy) == 1.0
    assert leader_value(game, hard_best_response(game, tie_break="pessimistic").policy) == 0.0


@pytest.mark.parametrize("discount", [0.9, 0.999])
@pytest.mark.parametrize("limit", [0, 10**6], ids=["krylov", "dense"])
def test_breaking_ties_never_cycles_between_equals(discount, limit, monkeypatch):
    monkeypatch.setattr(linear, "choose", lambda *_: "dense" if limit else "krylov")
    rng = np.random.default_rng(3)
    S = 40
    game = TabularGame(
        transition=np.eye(S)[rng.integers(S, size=(S, 1, 4))],
        leader_reward=np.full((S, 1, 4), 1 / 3),
        follower_reward=np.zeros((S, 1, 4)),
        initial=np.full(S, 1 / S),
        leader_discount=discount,
        follower_discount=discount,
        temperature=1.0,
        commitment=PolicyTable(S, 1),
    ).primitives(np.ones((S, 1)))
    for rule in ("optimistic", "pessimistic"):
        best = hard_best_response(game, tie_break=rule)
        assert leader_value(game, best.policy) == pytest.approx(1 / 3 / (1 - discount))


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


def test_unknown_tie_rule_is_refused():
    with pytest.raises(ArgumentError, match=r"tie_break: expected 'optimistic' or 'pessimistic', got 'lucky'"):
        hard_best_response(primitives(), tie_break="lucky")


# --- gap -----------------------------------------------------------------------------------------------


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
    belief = random_tabular_v0.make_game(**SIZES, seed=9).transition
    game = random_tabular_v0.make_game(**SIZES, seed=1).replace(believed_transition=belief)
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
    game = random_tabular_v0.make_game(S=3).primitives(np.zeros(4))
    with pytest.raises(ArgumentError, match="start: expected finite numbers, got nan"):
        soft_best_response(game, start=np.array([0.0, np.nan, 0.0]))
    with pytest.raises(ArgumentError, match="tolerance: expected a finite number of at least 0, got nan"):
        soft_best_response(game, tolerance=float("nan"))
