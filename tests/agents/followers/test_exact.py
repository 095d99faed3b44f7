"""The exact follower."""

import numpy as np
import pytest

import agents
from agents.followers import follower_class
from stackelberg_envs.envs import bilevel_lqr_v0, building_thermal_v0, discrete_toy_v0, guided_pendulum_v0
from stackelberg_envs.errors import ArgumentError, InstabilityError
from stackelberg_envs.solvers.solving import solve

GAMES = [bilevel_lqr_v0.make_game(), building_thermal_v0.make_game()]


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
    game, x, player = discrete_toy_v0.make_game(), np.full((3, 2), 0.5), follower()
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
