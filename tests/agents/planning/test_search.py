"""Ascents and searches that are cut short or go on in parts."""

import numpy as np
import pytest

import stackelberg_envs as se
from agents.observing.brief import Information
from agents.planning.search import ascend
from agents.planning.sets import SetObjective, SetSearchConfig, reached_set, set_search
from agents.planning.theta import ThetaObjective
from agents.runs.briefing import make_brief


def test_a_search_in_parts_keeps_to_its_evaluations_and_comes_to_its_end():
    game = se.make_game("stackelberg/FourRooms-v0", temperature=0.005)
    brief = make_brief(game, Information.MODEL)
    points, config = reached_set(brief), SetSearchConfig(vertices=120, starts=4, iterations=15)
    known = [np.zeros(points.size)]
    part, evaluations, values = set_search(points, config, np.random.default_rng(0), known), [], []
    while not part.done:
        objective = SetObjective(brief, points, game.primitives)
        values.append(part.run(objective, 40).value)
        evaluations.append(objective.evaluations)
    assert len(evaluations) > 5
    assert max(evaluations) <= 41  # one more to look at the best end again
    # The best end is looked at anew from another start, so that its last digits differ; the response is right to 1e-10.
    assert (np.diff(values) >= -1e-9 * max(values)).all()
    assert values[-1] > 0.4
    whole = set_search(points, config, np.random.default_rng(0), known).run(
        SetObjective(brief, points, game.primitives)
    )
    assert whole.value > 0.4


def test_an_ascent_that_is_cut_short_returns_the_best_point_it_saw():
    game = se.make_game("stackelberg/FourRooms-v0", temperature=0.01)
    objective = ThetaObjective(make_brief(game, Information.MODEL), game.primitives)
    start = 0.1 * np.random.default_rng(0).standard_normal(105)
    cut = ascend(objective, start, iterations=50, evaluations=7)
    assert objective.evaluations == 7
    assert cut.interrupted
    assert 0 < cut.iterations < 7
    assert objective(cut.point)[0] == pytest.approx(cut.value)
    assert cut.value > objective(start)[0]
