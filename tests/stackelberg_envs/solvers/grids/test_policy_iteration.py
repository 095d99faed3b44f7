"""Policy iteration on grids, against plain value iteration."""

import numpy as np
import pytest

import stackelberg_envs as se
from stackelberg_envs.errors import ConvergenceError
from stackelberg_envs.solvers.grids.policy_iteration import policy_iteration
from stackelberg_envs.solvers.grids.response import grid_of, respond

CART = se.make_game("stackelberg/GuidedCartPole-v0")
PENDULUM = se.make_game("stackelberg/GuidedPendulum-v0")
#: The least grids, where a step reaches all speeds, and larger ones.
GRIDS = [(CART, (3, 3, 3, 3)), (CART, (5, 7, 4, 5)), (PENDULUM, (3, 3)), (PENDULUM, (24, 41))]


def commitment(game):
    return np.random.default_rng(0).uniform(-3.0, 3.0, game.commitment.shape)


@pytest.mark.parametrize(("game", "points"), GRIDS)
def test_it_ends_where_value_iteration_does(game, points):
    x, grid = commitment(game), grid_of(game, points)
    winds = game.commitment.mean(x, grid.states)[:, 0].reshape(grid.shape)
    values = np.full(grid.shape, 0.5 * sum(grid.bounds))
    for _ in range(2_000):  # .99^2000 of a distance of thousands at most
        values = grid.backup(values, winds)
    np.testing.assert_allclose(respond(game, x, points=points, tolerance=1e-7).values, values, atol=2e-5)


@pytest.mark.parametrize(("game", "points"), GRIDS)
def test_a_policy_is_worth_what_its_weights_say(game, points):
    rng, grid = np.random.default_rng(1), grid_of(game, points)
    low, high = grid.bounds
    values = grid.grouped(rng.uniform(low, high, grid.shape))
    winds, change = rng.uniform(-1.2, 1.2, values.shape), rng.normal(size=values.shape)
    policy, size = grid.improved(values, winds), 1e-4
    rise = (grid.improved(values + size * change, winds).image - policy.image) / size
    landings = grid.landings
    landed = (landings.shares * change.ravel()[landings.places]).sum(axis=2)
    rows = np.arange(len(values))[:, None, None]
    expected = (policy.weights * landed[rows, policy.first[:, :, None] + policy.offsets]).sum(axis=2)
    np.testing.assert_allclose(policy.weights.sum(axis=2), game.follower_discount, rtol=1e-6)
    np.testing.assert_allclose(rise, expected, atol=0.02)


def test_values_to_start_from_take_one_improvement():
    x = commitment(PENDULUM)
    made = respond(PENDULUM, x, points=(24, 31), tolerance=1e-6)
    assert respond(PENDULUM, x, points=(24, 31), start=made.values).sweeps == 1


def test_it_says_when_it_has_not_arrived():
    grid = grid_of(PENDULUM, (24, 31))
    winds = np.zeros(grid.shape)
    with pytest.raises(ConvergenceError, match="residual of at most 1e-09 within 3 sweeps"):
        policy_iteration(
            lambda values: grid.improved(values, winds), grid.landings, np.zeros(grid.shape), tolerance=1e-9, most=3
        )
