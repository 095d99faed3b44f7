"""The carried estimate of the follower's policy: right to first order, and the less trusted the further it went."""

import numpy as np
import pytest

import agents
import stackelberg_envs as se
from agents.estimators.behaviour import CarriedBehaviour
from agents.estimators.counts import BehaviourEstimate, TabularCounts
from agents.estimators.expected import counted_primitives, response_shift
from agents.observing.brief import Information
from agents.runs.briefing import make_brief
from stackelberg_envs.envs import random_tabular_v1


def counted_game(commitment, seed=0):
    """Return a game, its brief, and counts of so much play that they are nearly the game itself."""
    game = random_tabular_v1.make_game(
        S=6, A=2, B=2, D=3, branching=3, commitment=commitment, temperature=1.0, seed=seed, horizon=50
    )
    brief = make_brief(game, Information.REWARDS_OBSERVED)
    counts = TabularCounts(brief.table_shape)
    rng = np.random.default_rng(seed)
    for _ in range(20):
        x = brief.parametrisation(rng.standard_normal(brief.parametrisation.size))
        seen = agents.collect(game, x, np.full(brief.table_shape, 0.5), steps=20_000, rng=rng)
        effect = brief.effect(x)
        counts.observe(seen, {"leader": effect.leader_reward, "follower": effect.follower_reward})
    return game, brief, counts


@pytest.mark.parametrize("commitment", ["features", "policy"])
def test_what_is_left_out_is_of_second_order(commitment):
    game, brief, counts = counted_game(commitment)
    rng = np.random.default_rng(1)
    theta = rng.standard_normal(brief.parametrisation.size)
    direction = rng.standard_normal(theta.size)
    errors, sizes = [], []
    for step in (0.8, 0.4, 0.2):
        before, after = (brief.parametrisation(theta + part * direction) for part in (0.0, step))
        start, truth = (se.solve(game, x).response for x in (before, after))
        carried = CarriedBehaviour(brief.table_shape)
        carried.policy, carried.weight = start.copy(), np.full(brief.table_shape[:2], 1e9)
        games = [game.primitives(x) for x in (before, after)]
        carried.carry(response_shift(*games, carried.smoothed, counts))
        errors.append(np.abs(np.log(carried.policy / truth)).max())
        sizes.append(np.abs(np.log(start / truth)).max())
    # A quarter of the error at half the step.
    assert errors[0] > 2.8 * errors[1] > 2.8 * 2.0 * errors[2]
    assert errors[-1] < 0.1 * sizes[-1]


def test_far_away_old_counts_are_worth_nothing_and_near_by_all():
    behaviour = CarriedBehaviour((2, 1, 3))
    behaviour.weight[:] = 50.0
    behaviour.carry(np.full((2, 1, 3), 1e-9))
    np.testing.assert_allclose(behaviour.weight, 50.0)
    behaviour.carry(np.broadcast_to([30.0, 0.0, -30.0], (2, 1, 3)))
    assert behaviour.weight.max() < 1e-4
    behaviour.carry(np.broadcast_to([1e200, 0.0, -1e200], (2, 1, 3)))
    assert np.isfinite(behaviour.policy).all()
    assert behaviour.weight.max() == 0.0


def test_without_a_move_it_counts():
    game, brief, _ = counted_game("features")
    x = np.zeros(3)
    response = se.solve(game, x).response
    carried = CarriedBehaviour(brief.table_shape)
    for seed in range(3):
        seen = agents.collect(game, x, response, steps=500, rng=seed)
        carried.carry(np.zeros(brief.table_shape))
        carried.update(seen)
    everything = TabularCounts(brief.table_shape)
    for seed in range(3):
        everything.observe(agents.collect(game, x, response, steps=500, rng=seed), {"leader": None})
    visits = everything.visits.sum(axis=2, keepdims=True)
    expected = np.where(visits > 0, everything.visits / np.maximum(visits, 1), 0.5)
    np.testing.assert_allclose(carried.policy, expected, atol=1e-3)


def test_it_knows_the_policy_better_than_counts_of_the_present_play():
    game, brief, counts = counted_game("features")
    rng = np.random.default_rng(2)
    theta = rng.standard_normal(3)
    carried, counted = CarriedBehaviour(brief.table_shape), BehaviourEstimate(brief.table_shape, prior_visits=1.0)
    last, errors = None, []
    for update in range(30):
        theta = theta + 0.05 * rng.standard_normal(3)
        x = brief.parametrisation(theta)
        truth = se.solve(game, x).response
        seen = agents.collect(game, x, truth, steps=100, rng=update)
        if last is not None:
            games = [counted_primitives(brief, counts, brief.effect(y), game.temperature) for y in (last, x)]
            carried.carry(response_shift(*games, carried.smoothed, counts))
        last = x
        errors.append([np.abs(estimate.update(seen) - truth).mean() for estimate in (carried, counted)])
    mean = np.array(errors)[10:].mean(axis=0)
    assert mean[0] < 0.5 * mean[1]
