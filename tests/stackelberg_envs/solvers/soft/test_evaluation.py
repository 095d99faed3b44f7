"""Values and occupancies: two ways to the same number."""

import dataclasses

import numpy as np
import pytest

from stackelberg_envs.envs import random_tabular_v1
from stackelberg_envs.solvers.responses import soft_best_response
from stackelberg_envs.solvers.soft import evaluate, leader_value, linear, occupancy


@pytest.fixture(params=[0, 10**6], ids=["krylov", "dense"], autouse=True)
def both_solvers(request, monkeypatch):
    monkeypatch.setattr(linear, "choose", lambda *_: "dense" if request.param else "krylov")


def game_and_response(seed=0, **changes):
    arguments = {"S": 8, "A": 2, "B": 3, "K": 2, "commitment": "policy", "seed": seed}
    game = random_tabular_v1.make_game(**(arguments | changes)).primitives(np.full((8, 2), 0.5))
    rng = np.random.default_rng(seed)
    return game, rng.dirichlet(np.ones(3), size=game.leader_policy.shape)


@pytest.mark.parametrize("discount", [0.0, 0.9, 0.999])
def test_occupancy_sums_to_the_effective_horizon(discount):
    game, response = game_and_response(leader_discount=discount)
    assert occupancy(game, response).sum() == pytest.approx(1 / (1 - discount), rel=1e-11)


def test_occupancy_with_terminal_states_is_shorter_and_not_negative():
    game, response = game_and_response(terminal=2)
    d = occupancy(game, response)
    assert d.min() >= -1e-15
    assert d.sum() < 1 / (1 - game.leader_discount)


@pytest.mark.parametrize("seed", range(4))
def test_value_is_the_reward_weighted_by_occupancy(seed):
    game, response = game_and_response(seed, terminal=seed % 2)
    d = occupancy(game, response)
    expected = np.einsum("s,sa,sab,sab->", d, game.leader_policy, response, game.leader_reward)
    assert leader_value(game, response) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("seed", range(4))
def test_value_is_the_limit_of_finite_sums(seed):
    game, response = game_and_response(seed, terminal=1, leader_discount=0.8)
    joint = game.leader_policy[:, :, None] * response
    kernel = game.continuing[:, None] * np.einsum("sab,sabt->st", joint, game.transition.to_dense())
    reward = (joint * game.leader_reward).sum(axis=(1, 2))
    here, total = game.initial, 0.0
    for t in range(200):
        total += 0.8**t * here @ reward
        here = here @ kernel
    assert leader_value(game, response) == pytest.approx(total, rel=1e-11)


def test_action_values_average_to_state_values():
    game, response = game_and_response(2, terminal=1)
    evaluation = evaluate(game, response)
    averaged = (evaluation.joint_policy * evaluation.q).sum(axis=(1, 2))
    np.testing.assert_allclose(averaged, evaluation.state_values, atol=1e-11)


def test_terminal_states_pay_once():
    game, response = game_and_response(1, terminal=2)
    evaluation = evaluate(game, response)
    ended = game.continuing == 0
    np.testing.assert_array_equal(evaluation.q[ended], game.leader_reward[ended])


def test_tiny_rewards_are_valued_to_the_same_relative_accuracy():
    game, response = game_and_response(3)
    tiny = dataclasses.replace(game, leader_reward=1e-9 * game.leader_reward)
    assert leader_value(tiny, response) == pytest.approx(1e-9 * leader_value(game, response), rel=1e-9)


def test_zero_rewards_are_worth_zero():
    game, response = game_and_response(3)
    nothing = dataclasses.replace(game, leader_reward=0.0 * game.leader_reward)
    assert leader_value(nothing, response) == 0.0


def test_contexts_never_mix():
    game, response = game_and_response(0, K=2)
    d = occupancy(game, response).reshape(2, 8).sum(axis=1)
    weights = game.initial.reshape(2, 8).sum(axis=1)
    np.testing.assert_allclose(d, weights / (1 - game.leader_discount), rtol=1e-10)


def test_soft_response_of_a_larger_game_passes_through_evaluation():
    game = random_tabular_v1.make_game(S=300, K=2, commitment="policy").primitives(np.full((300, 2), 0.5))
    best = soft_best_response(game)
    assert occupancy(game, best.policy).sum() == pytest.approx(20.0, rel=1e-10)
