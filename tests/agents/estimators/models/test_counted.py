"""The counted model of a tabular game: how it fills what was seen rarely or never."""

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


@pytest.mark.parametrize("shrinkage", [0.5, 4.0])
def test_shrinkage_is_the_weight_of_the_average_over_the_followers_actions(shrinkage):
    game, x = se.make_game("stackelberg/DiscreteToy-v1", temperature=1.0), np.full((3, 2), 0.5)
    seen = agents.collect(game, x, se.solve(game, x).response, steps=100, rng=0)
    model = ObservedModel(make_brief(game, Information.REWARDS_OBSERVED), shrinkage=shrinkage)
    model.observe(seen)
    visits, sums = np.zeros(game.shape), np.zeros(game.shape)
    where = seen.state, seen.leader_action, seen.follower_action
    np.add.at(visits, where, 1.0)
    np.add.at(sums, where, seen.leader_reward)
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
