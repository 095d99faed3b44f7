"""Counted without error, the covariance of all followers' actions is the exact gradient with the others held fixed."""

import numpy as np
import pytest

import stackelberg_envs as se
from agents.estimators.interacting import (
    InteractingCounts,
    direct_estimate,
    fit_common_temperature,
    implicit_estimate,
    own_estimate,
    own_play,
    own_shifts,
)
from agents.observing.brief import Information
from agents.runs.briefing import make_brief
from stackelberg_envs.play.rollout import rollout
from stackelberg_envs.solvers.equilibrium.one_follower import faced
from stackelberg_envs.solvers.soft import soft_best_response
from tests.games import interacting_game, weakly_interacting_game

X = np.array([0.3, 0.6])
VISITS = 1e12


def moving_game():
    game = interacting_game()
    kernel = game.transition.to_dense()
    return interacting_game(commitment=se.TransitionMixture([kernel, np.roll(kernel, 1, axis=0)]))


def barred_game():
    feasible = np.ones((3, 4, 2), dtype=bool)
    feasible[1, 2, 0] = feasible[0, 0, 1] = False
    return interacting_game(feasible=feasible, leader_discount=0.8)


def zero_sum_game(**changes):
    rng = np.random.default_rng(0)
    reward, half = rng.uniform(-1.0, 1.0, size=(4, 9)), rng.uniform(size=(4, 1, 9, 1))
    given = {
        "follower_rewards": np.stack([reward, -reward]),
        "leader_reward": rng.uniform(size=(4, 9)),
        "transition": rng.dirichlet(np.ones(4), size=(4, 9)),
        "commitment": se.Transfer(np.stack([half, -half]), 0.0, 1.0),
        "zero_sum": True,
    }
    return interacting_game(**(given | changes))


def moving_zero_sum_game():
    kernel = zero_sum_game().transition.to_dense()
    return zero_sum_game(commitment=se.TransitionMixture([kernel, np.roll(kernel, 1, axis=0)]))


def counted(game, x):
    """Return the brief, counts without any error, what holds under x, and the policies: (n, S, 1, B)."""
    brief = make_brief(game, Information.REWARDS_OBSERVED)
    counts, one = InteractingCounts(brief), game.follower_rewards[:, :, None]
    able = np.ones(brief.as_one.table_shape) if brief.as_one.feasible is None else brief.as_one.feasible
    joint = counts.joint
    joint.visits, joint.starts, joint.ends = VISITS * able, VISITS * game.initial, VISITS * game.terminal
    joint.leader_reward, counts.paid = joint.visits * game.leader_reward[:, None], joint.visits * one
    effect, lists = brief.effect(x), game.transition
    going = (1.0 - game.terminal)[:, None, None, None]
    joint.successors, joint.counts = lists.successors, joint.visits[..., None] * lists.probabilities * going
    return brief, counts, effect, se.solve(game, x).policy[:, :, None]


MADE = [interacting_game, weakly_interacting_game, barred_game, moving_game, zero_sum_game, moving_zero_sum_game]


@pytest.mark.parametrize("make", MADE)
def test_counted_without_error_it_is_the_gradient_with_the_others_held_fixed(make):
    game = make()
    middle = 0.5 * (game.commitment.low + game.commitment.high)
    x = game.commitment.project(middle + 0.1 * np.arange(middle.size).reshape(middle.shape))
    solved = se.solve(game, x)
    brief, counts, effect, policies = counted(game, x)
    found = own_estimate(brief, counts, effect, policies, game.temperature)
    plain = direct_estimate(brief, counts, effect, policies)
    whole = implicit_estimate(brief, counts, effect, policies, game.temperature)
    assert found.value == pytest.approx(solved.leader_value, rel=1e-9)
    truths = solved.own_gradient, solved.direct_gradient, solved.gradient
    for estimate, truth in zip((found, plain, whole), truths, strict=True):
        dx = game.commitment.vjp(x, estimate.cotangents)
        np.testing.assert_allclose(dx, truth, rtol=1e-7, atol=1e-9 * np.abs(solved.gradient).max())
    assert np.abs(solved.own_gradient - solved.direct_gradient).max() > 1e-3


def test_shifts_are_to_first_order_what_each_does_while_the_others_go_on():
    """By a second method: one's soft best response to the others as before, under a commitment a little further."""
    game, step = interacting_game(), 1e-5 * np.array([1.0, -2.0])
    brief, counts, effect, policies = counted(game, X)
    shifts = own_shifts(brief, counts, (effect, brief.effect(X + step)), policies, game.temperature)
    for i in range(3):
        arrays = game.under(X + step).arrays
        reward, leader, moves = faced(arrays, list(policies[:, :, 0]), i)
        alone = se.TabularGame(
            transition=moves,
            leader_reward=leader,
            follower_reward=reward,
            initial=game.initial,
            terminal=game.terminal,
            leader_discount=0.9,
            follower_discount=0.8,
            temperature=game.temperature,
            commitment=se.StateIncentive(0.0, 1.0, np.ones(4)),
        )
        after = soft_best_response(alone.primitives(np.zeros(4))).policy
        change = np.log(after) - np.log(policies[i])
        change -= (policies[i] * change).sum(axis=2, keepdims=True)
        np.testing.assert_allclose(shifts[i], change, atol=1e-3 * np.abs(change).max())


def test_play_of_one_follower_has_its_own_actions():
    game = interacting_game()
    brief = make_brief(game, Information.ACTIONS_ONLY)
    seen = rollout(game.under(X), se.solve(game, X).policy, np.random.default_rng(0), steps=200)
    digits = np.stack([own_play(seen, brief, i).follower_action for i in range(3)])
    np.testing.assert_array_equal((digits[0] * 2 + digits[1]) * 2 + digits[2], seen.follower_action)


@pytest.mark.parametrize("make", [interacting_game, zero_sum_game])
def test_a_private_temperature_is_that_of_all_followers(make):
    """Five standard errors: a false alarm in less than one of a million."""
    game = make()
    x = 0.5 * game.commitment.high
    brief, counts, effect, policies = counted(game, x)
    seen = rollout(game.under(x), policies[:, :, 0], np.random.default_rng(0), steps=20_000)
    fit = fit_common_temperature(brief, counts, effect, policies, seen)
    assert fit.relative_error < 0.03
    assert abs(np.log(fit.temperature / game.temperature)) < 5.0 * fit.relative_error
