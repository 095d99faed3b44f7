"""The objective in theta: the values and gradients of the solver, and where an ascent leads."""

import numpy as np
import pytest

import stackelberg_envs as se
from agents.observing.brief import Information
from agents.planning.search import ascend
from agents.planning.theta import ThetaObjective
from agents.runs.briefing import make_brief


def test_the_objective_is_the_oracles_value_and_gradient():
    game = se.make_game("stackelberg/FourRooms-v0", temperature=0.01)
    brief = make_brief(game, Information.MODEL)
    theta = np.random.default_rng(0).standard_normal(105)
    solution = se.solve(game, brief.parametrisation(theta))
    value, gradient = ThetaObjective(brief, game.primitives)(theta)
    assert value == pytest.approx(solution.leader_value, abs=1e-7)
    np.testing.assert_allclose(gradient, brief.parametrisation.vjp(theta, solution.gradient), rtol=1e-5, atol=1e-9)


def test_an_ascent_in_logits_ends_at_no_incentive_in_four_rooms():
    game = se.make_game("stackelberg/FourRooms-v0", temperature=0.005)
    objective = ThetaObjective(make_brief(game, Information.MODEL), game.primitives)
    assert ascend(objective, np.zeros(105), iterations=200).value < 0.01
