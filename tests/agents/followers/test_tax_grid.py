"""The exact follower of tax design."""

import numpy as np
import pytest

import agents
from agents.followers.exact import TaxGrid, TaxGridConfig
from stackelberg_envs.envs import bilevel_lqr_v0, tax_design_v0
from stackelberg_envs.errors import ArgumentError

GAME = tax_design_v0.make_game()
X = np.array([0.7, 0.2, 1.1, 0.4])


def follower(**options):
    return TaxGrid(TaxGridConfig(**options), np.random.default_rng(0))


def test_it_plays_the_exact_response_without_a_step():
    one = follower()
    assert one.learn(GAME.under(X)) == 0
    states, contexts = np.array([[-3.0], [12.5]]), np.array([0, 1])
    actions = np.array([[5, 1, 1, 1], [2, 0, 1, 4]])
    expected = GAME.solve(X).policy.log_prob(states, np.zeros((2, 0)), contexts, actions)
    np.testing.assert_array_equal(one.policy.log_prob(states, np.zeros((2, 0)), contexts, actions), expected)


def test_a_finer_grid_on_request():
    fine = follower(nodes=12)
    fine.learn(GAME.under(X))
    assert fine.solution.nodes == 12


def test_a_rougher_solution_on_request():
    rough, exact = follower(tolerance=1e-2), follower()
    for one in (rough, exact):
        one.learn(GAME.under(X))
    assert rough.solution.tolerance == 1e-2
    assert 0 < abs(rough.solution.follower_value - exact.solution.follower_value) < 0.1


def test_other_games_and_odd_options_are_refused():
    with pytest.raises(ArgumentError, match="expected no options of its solver, got nodes, tolerance"):
        follower().learn(bilevel_lqr_v0.make_game().under(np.zeros((1, 2))))
    with pytest.raises(ArgumentError, match="nodes"):
        follower(nodes=1)
    with pytest.raises(ArgumentError, match="tolerance"):
        follower(tolerance=0.0)


def test_it_is_the_follower_of_a_run_by_default():
    record = agents.run("stackelberg/TaxDesign-v0", leader="random_search", updates=2, steps_per_update=400)
    assert record.follower == "tax_grid"
    assert record.leader_value == pytest.approx(GAME.solve(record.commitment).leader_value)
