"""The counted model of a tabular game: how it fills what was seen rarely or never."""

from dataclasses import replace

import numpy as np
import pytest

import agents
import stackelberg_envs as se
from agents.estimators.likelihood import CommitmentHistory
from agents.estimators.models.counted import ObservedModel
from agents.observing.brief import Information
from agents.runs.briefing import make_brief
from stackelberg_envs.solvers.soft import solve_primitives
from tests.games import toll_game


def seen_twice(noise, steps):
    """Return play of the toy in two parts, the leader's rewards in it with normal noise, and their means by action."""
    game, x = se.make_game("stackelberg/DiscreteToy-v1", temperature=1.0), np.full((3, 2), 0.5)
    parts, rng = [], np.random.default_rng(1)
    for seed in (0, 1):
        play = agents.collect(game, x, se.solve(game, x).response, steps=steps, rng=seed)
        rewards = play.leader_reward + noise * rng.standard_normal(play.num_steps)
        parts.append(replace(play, leader_reward=rewards))
    visits, sums = np.zeros(game.shape), np.zeros(game.shape)
    for play in parts:
        where = play.state, play.leader_action, play.follower_action
        np.add.at(visits, where, 1.0)
        np.add.at(sums, where, play.leader_reward)
    return game, x, parts, visits, sums


def test_a_reward_without_noise_is_known_once_it_was_seen():
    game, x, parts, visits, sums = seen_twice(0.0, 12)
    model = ObservedModel(make_brief(game, Information.REWARDS_OBSERVED))
    for play in parts:
        model.observe(play)
    made, pooled = (
        model.primitives(x).leader_reward.reshape(game.shape),
        sums.sum(axis=2) / np.maximum(visits.sum(axis=2), 1),
    )
    assert (visits == 1).any()
    np.testing.assert_allclose(made[visits > 0], (sums / np.maximum(visits, 1))[visits > 0], atol=1e-12)
    np.testing.assert_allclose(made, np.where(visits > 0, made, pooled[..., None]), atol=1e-12)


@pytest.mark.parametrize("shrinkage", [0.5, 4.0])
def test_shrinkage_is_the_weight_of_the_average_over_the_followers_actions_where_rewards_are_mostly_noise(shrinkage):
    game, x, parts, visits, sums = seen_twice(50.0, 100)
    model = ObservedModel(make_brief(game, Information.REWARDS_OBSERVED), shrinkage=shrinkage)
    for play in parts:
        model.observe(play)
    mean = sums.sum(axis=2, keepdims=True) / np.maximum(visits.sum(axis=2, keepdims=True), 1.0)
    expected = (sums + shrinkage * mean) / (visits + shrinkage)
    np.testing.assert_allclose(model.primitives(x).leader_reward.reshape(game.shape), expected, atol=1e-12)


def test_who_does_not_come_says_what_an_untried_action_ahead_is_worth():
    # Nobody ever waited on the way round; at these tolls everybody walks at once. If waiting there were worth what the
    # others' average is, they would come.
    game = toll_game()
    brief = make_brief(game, Information.REWARDS_OBSERVED)
    model, history = ObservedModel(brief), CommitmentHistory(brief.table_shape)
    for seed, x in enumerate(([0.0, 1.0, 0, 0, 0, 0], [0.9, 1.0, 0.3, 1.0, 0, 0])):
        seen = agents.collect(game, x, se.solve(game, x).response, steps=500, rng=seed)
        model.observe(seen)
        history.add(seen)
    waiting = (2, 0, 1)  # at C
    assert model.counts.visits[2, 0, 0] > 0
    assert model.counts.visits[waiting] == 0
    before, guess = model.untried_penalty[waiting], solve_primitives(model.primitives(x)).best.policy[0, 0, 2]
    for _ in range(8):
        model.calibrate(history.tables())
    after = solve_primitives(model.primitives(x)).best.policy[0, 0, 2]
    assert model.untried_penalty[waiting] > before + 1.0
    truth = se.solve(game, x).response[0, 0, 2]
    assert abs(after - truth) < 0.05 < abs(guess - truth)
    # From a part of the play penalties only rise.
    kept = model.untried_penalty.copy()
    model.calibrate([], whole=False)
    np.testing.assert_array_equal(model.untried_penalty, kept)


def test_how_bad_an_action_is_that_would_be_taken_all_the_time_is_found_in_a_few_rounds():
    # At the mean of the competitor's profits it would stop to produce: hundreds of temperatures better than that.
    game, x = se.make_game("stackelberg/Duopoly-v0"), np.array([2_500.0])
    brief = make_brief(game, Information.REWARDS_OBSERVED)
    model, history = ObservedModel(brief), CommitmentHistory(brief.table_shape)
    seen = agents.collect(game, x, se.solve(game, x).response, steps=400, rng=0)
    model.observe(seen)
    history.add(seen)
    untried = model.counts.visits == 0
    for rounds, low, high in ((1, 399.0, 401.0), (4, 0.1, 10.0)):
        model.calibrate(history.tables(), rounds=rounds)
        expected = 400.0 * solve_primitives(model.primitives(x)).best.policy[untried]
        assert low < expected.sum() and expected.max() < high
    assert model.untried_penalty[untried].max() > 300.0


def test_an_optimist_pays_for_what_is_little_known_and_moves_on_from_what_is_known():
    game = toll_game()
    model, x = ObservedModel(make_brief(game, Information.REWARDS_OBSERVED)), np.zeros(6)
    model.observe(agents.collect(game, x, se.solve(game, x).response, steps=500, rng=0))
    plain, hopeful = model.primitives(x), model.optimistic(x, 5.0)
    known = model.counts.visits / (1.0 + model.counts.visits)
    np.testing.assert_allclose(hopeful.leader_reward, known * plain.leader_reward + 5.0 * (1.0 - known))
    np.testing.assert_allclose(hopeful.transition.probabilities.sum(axis=-1), known)
    assert hopeful.believed_transition is plain.believed_transition
    assert solve_primitives(hopeful).leader.value > solve_primitives(plain).leader.value
