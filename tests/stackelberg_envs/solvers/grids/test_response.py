"""Responses on grids: what one step ahead is worth, and that finer grids respond better."""

import numpy as np
import pytest
import scipy

import stackelberg_envs as se
from stackelberg_envs.errors import ArgumentError, CommitmentError
from stackelberg_envs.play.rollout import rollout
from stackelberg_envs.solvers.grids.response import respond

CART = se.make_game("stackelberg/GuidedCartPole-v0")
PENDULUM = se.make_game("stackelberg/GuidedPendulum-v0")
#: Of the cart-pole: a wind that leads it to the target, found by CMA-ES.
GUIDE = np.array([-9.29, -1.43, -1.26, -0.455, 2.6])
POINTS = {CART.name: [(5, 7, 5, 5), None], PENDULUM.name: [(24, 31), None]}


def soft_return(game, response, episodes=60):
    """Return what the follower maximises, by play."""
    seen = rollout(game.under(response.x), response, np.random.default_rng(0), episodes=episodes)
    said = response.log_prob(seen.state, seen.leader_action, np.zeros(seen.num_steps, np.int32), seen.follower_action)
    steps = np.concatenate([np.arange(length) for length in seen.lengths])
    return ((seen.follower_reward - game.temperature * said) * game.follower_discount**steps).sum() / episodes


@pytest.mark.parametrize("game", [CART, PENDULUM])
def test_a_finer_grid_responds_better(game):
    x = np.zeros(game.commitment.shape)
    coarse, fine = (soft_return(game, respond(game, x, points=points)) for points in POINTS[game.name])
    assert fine > coarse + 1.0


def test_the_pole_stands_for_the_whole_episode_and_the_cart_goes_where_the_leader_wants():
    seen = rollout(CART.under(GUIDE), respond(CART, GUIDE), np.random.default_rng(0), episodes=50)
    assert not seen.terminated.any()
    # Arriving takes eleven steps at least, whoever guides: sum of .99^t from 11 to 199 is 76.1.
    assert 75.0 < seen.mean_return(0.99) < 76.1


@pytest.mark.parametrize("game", [CART, PENDULUM])
def test_it_ends_at_one_response_wherever_it_starts(game):
    x = np.full(game.commitment.shape, 0.3)
    one = respond(game, x, tolerance=1e-6)
    other = respond(game, x, tolerance=1e-6, start=np.zeros_like(one.values))
    np.testing.assert_allclose(one.values, other.values, atol=2e-4)
    near = respond(game, x + 0.01, start=one.values)
    assert near.sweeps < respond(game, x + 0.01).sweeps


@pytest.mark.parametrize("game", [CART, PENDULUM])
def test_draws_follow_the_density_it_says(game):
    response = respond(game, np.full(game.commitment.shape, 0.3))
    state, n = game.initial_states(np.random.default_rng(1), np.zeros(1, np.int32)), 20_000
    states, contexts = np.repeat(state, n, axis=0), np.zeros(n, np.int32)
    drawn = response.sample(np.random.default_rng(2), states, np.full((n, 1), 0.4), contexts)[:, 0]
    limit = float(game.follower_action_space.high[0])
    ends = np.linspace(-limit, limit, n)
    density = np.exp(response.log_prob(states, np.full((n, 1), 0.4), contexts, ends[:, None]))
    below = scipy.integrate.cumulative_trapezoid(density, ends, initial=0.0)
    # Kolmogorov's statistic; false-alarm rate 1e-6.
    shares = np.searchsorted(np.sort(drawn), ends) / n
    assert np.abs(shares - below).max() < 2.7 / np.sqrt(n) + 1e-3


def test_bad_input_is_named():
    with pytest.raises(ArgumentError, match="expected a guided game"):
        respond(se.make_game("stackelberg/BilevelLqr-v1"), [[0.0, 0.0]])
    with pytest.raises(ArgumentError, match="points: expected 4 numbers of grid points"):
        respond(CART, np.zeros(5), points=(9, 9))
    with pytest.raises(ArgumentError, match=r"points\[1\]: expected an integer of at least 3, got 2"):
        respond(PENDULUM, np.zeros(4), points=(9, 2))
    with pytest.raises(ArgumentError, match="start: expected values of shape"):
        respond(PENDULUM, np.zeros(4), start=np.zeros((3, 3)))
    with pytest.raises(CommitmentError):
        respond(PENDULUM, np.full(4, 11.0))
