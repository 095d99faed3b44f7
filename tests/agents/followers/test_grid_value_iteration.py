"""The follower that plans on a grid."""

import numpy as np
import pytest

import agents
from agents.followers import follower_class
from stackelberg_envs.envs import bilevel_lqr_v1, guided_cartpole_v0, guided_pendulum_v0
from stackelberg_envs.errors import ArgumentError
from stackelberg_envs.solvers.grids.response import respond

CART, PENDULUM = guided_cartpole_v0.make_game(), guided_pendulum_v0.make_game()


def follower(**options):
    kind = follower_class("grid_value_iteration", "vector")
    return kind(kind.Config(**options), np.random.default_rng(0))


def test_it_plays_the_response_of_its_grid_without_a_step():
    player, x = follower(points=(5, 7, 5, 5), tolerance=0.1), np.full(5, 0.2)
    assert player.learn(CART.under(x)) == 0
    np.testing.assert_array_equal(player.policy.values, respond(CART, x, points=(5, 7, 5, 5), tolerance=0.1).values)


def test_it_begins_where_it_was_unless_it_restarts():
    x, sweeps = np.full(5, 0.2), {}
    for restart in (False, True):
        player = follower(points=(5, 7, 5, 5), restart=restart)
        player.learn(CART.under(x))
        player.learn(CART.under(x + 0.01))
        sweeps[restart] = player.policy.sweeps
    assert sweeps[False] < sweeps[True]


def test_it_is_the_follower_of_guided_games_by_default():
    record = agents.run(PENDULUM, leader="random_search", updates=2, steps_per_update=400, evaluate_every=0)
    assert record.follower == "grid_value_iteration"
    assert record.follower_steps == 0


def test_a_stored_follower_goes_on_from_its_values():
    player, twin = (follower(points=(24, 31)).show(PENDULUM) for _ in range(2))
    player.learn(PENDULUM.under(np.zeros(4)))
    twin.checked_state(player.state_dict(), "follower").apply()
    for one in (player, twin):
        one.learn(PENDULUM.under(np.full(4, 0.5)))
    np.testing.assert_array_equal(player.policy.values, twin.policy.values)


def test_it_refuses_games_without_a_grid():
    game = bilevel_lqr_v1.make_game()
    with pytest.raises(ArgumentError, match="expected a guided game"):
        follower().learn(game.under(np.zeros((1, 2))))
