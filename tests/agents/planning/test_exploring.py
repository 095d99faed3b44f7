"""Commitments that explore. That the usual ways are barred is tested with the leader."""

import numpy as np

import stackelberg_envs as se
from agents.observing.brief import Information
from agents.planning.exploring import best_of, drawn_policy
from agents.planning.sets import SetObjective, reached_set
from agents.runs.briefing import make_brief
from tests.games import TOY, toll_game


def test_the_best_of_some_points_is_ascended_from_within_its_evaluations():
    game = toll_game()
    brief = make_brief(game, Information.MODEL)
    objective = SetObjective(brief, reached_set(brief), game.primitives)
    points = list(np.random.default_rng(0).random((12, 6)))
    found = best_of(objective, points, 40)
    assert objective.evaluations <= 41
    assert found.value > max(objective.value(point) for point in points) + 0.01
    one = SetObjective(brief, reached_set(brief), game.primitives)
    assert np.isfinite(best_of(one, points, 1).value)
    assert one.evaluations <= 2


def test_drawn_policies_are_policies():
    brief = make_brief(se.make_game(TOY), Information.MODEL)
    x = drawn_policy(brief, np.random.default_rng(0))
    np.testing.assert_allclose(x.sum(axis=1), 1.0)
    assert (x >= 0).all()
