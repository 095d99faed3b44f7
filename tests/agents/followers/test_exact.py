"""The exact follower."""

import numpy as np
import pytest

import agents
from agents.followers import follower_class
from agents.followers.exact import TaxGrid, TaxGridConfig
from stackelberg_envs.envs import (
    bilevel_lqr_v1,
    building_thermal_v1,
    discrete_toy_v1,
    guided_pendulum_v0,
    tax_design_v0,
)
from stackelberg_envs.errors import ArgumentError, InstabilityError
from stackelberg_envs.solvers.solving import solve

GAMES = [bilevel_lqr_v1.make_game(), building_thermal_v1.make_game()]


def follower(**options):
    kind = follower_class("maxent_lqr")
    return kind(kind.Config(**options), np.random.default_rng(0))


@pytest.mark.parametrize("game", GAMES, ids=lambda game: game.name)
def test_it_plays_the_exact_response_without_a_step(game):
    x = 0.6 * game.commitment.high + 0.4 * game.commitment.low
    player = follower()
    assert player.learn(game.under(x)) == 0
    expected = game.solve(x).policy
    for name in ("on_state", "on_action", "covariance"):
        np.testing.assert_array_equal(getattr(player.policy, name), getattr(expected, name))
    assert player.solution.leader_value == game.solve(x).leader_value


def test_it_responds_late_on_request():
    game, player = GAMES[1], follower(delay=1)
    first, second = np.full(8, 0.2), np.full(8, 0.8)
    player.learn(game.under(first))
    player.learn(game.under(second))
    np.testing.assert_array_equal(player.policy.on_state, game.solve(first).policy.on_state)


def test_it_is_exact_in_tabular_games_too():
    game, x, player = discrete_toy_v1.make_game(), np.full((3, 2), 0.5), follower()
    assert player.learn(game.under(x)) == 0
    np.testing.assert_array_equal(player.policy.reshape(game.array_shape), solve(game, x).response)


def test_it_refuses_games_without_an_exact_solution():
    game = guided_pendulum_v0.make_game()
    with pytest.raises(ArgumentError, match="expected a game with an exact solution"):
        follower().learn(game.under(np.zeros(game.commitment.shape)))


def test_it_says_when_it_has_no_response():
    with pytest.raises(InstabilityError, match="spectral radius") as caught:
        follower().learn(GAMES[0].under(np.array([[11.0, -10.0]])))
    assert caught.value.spectral_radius > 1


@pytest.mark.parametrize("game", GAMES, ids=lambda game: game.name)
def test_it_is_the_follower_of_runs_by_default_and_its_record_is_exact(game):
    record = agents.run(game, leader="random_search", updates=2, steps_per_update=300)
    assert record.follower == "maxent_lqr"
    assert record.follower_steps == 0
    x = np.asarray(record.commitment)
    assert record.leader_value == pytest.approx(game.solve(x).leader_value)


GAME = tax_design_v0.make_game()


X = np.array([0.7, 0.2, 1.1, 0.4])


def tax_grid(**options):
    return TaxGrid(TaxGridConfig(**options), np.random.default_rng(0))


def test_in_tax_design_it_plays_the_exact_response_without_a_step():
    one = tax_grid()
    assert one.learn(GAME.under(X)) == 0
    states, contexts = np.array([[-3.0], [12.5]]), np.array([0, 1])
    actions = np.array([[5, 1, 1, 1], [2, 0, 1, 4]])
    expected = GAME.solve(X).policy.log_prob(states, np.zeros((2, 0)), contexts, actions)
    np.testing.assert_array_equal(one.policy.log_prob(states, np.zeros((2, 0)), contexts, actions), expected)


def test_a_finer_grid_on_request():
    fine = tax_grid(nodes=12)
    fine.learn(GAME.under(X))
    assert fine.solution.nodes == 12


def test_a_rougher_solution_on_request():
    rough, exact = tax_grid(tolerance=1e-2), tax_grid()
    for one in (rough, exact):
        one.learn(GAME.under(X))
    assert rough.solution.tolerance == 1e-2
    assert 0 < abs(rough.solution.follower_value - exact.solution.follower_value) < 0.1


def test_other_games_and_odd_options_are_refused():
    with pytest.raises(ArgumentError, match="expected no options of its solver, got nodes, tolerance"):
        tax_grid().learn(bilevel_lqr_v1.make_game().under(np.zeros((1, 2))))
    with pytest.raises(ArgumentError, match="nodes"):
        tax_grid(nodes=1)
    with pytest.raises(ArgumentError, match="tolerance"):
        tax_grid(tolerance=0.0)


def test_it_is_the_follower_of_runs_in_tax_design_by_default():
    record = agents.run("stackelberg/TaxDesign-v0", leader="random_search", updates=2, steps_per_update=400)
    assert record.follower == "tax_grid"
    assert record.leader_value == pytest.approx(GAME.solve(record.commitment).leader_value)
