"""The leader's output as a commitment, and the formula of the best one against a search within a search."""

import numpy as np
import pytest

import stackelberg_envs as se
from stackelberg_envs.envs.duopoly.output import LeaderOutput, best_output, leader_profit
from stackelberg_envs.games.commitments.base import finite_difference_vjp
from stackelberg_envs.games.cotangents import Cotangents


def test_its_derivative_is_that_of_differences():
    rng = np.random.default_rng(0)
    commitment, x = LeaderOutput(4.0, 5.0, np.linspace(0, 2, 5)), np.array([1.3])
    weights = Cotangents(follower_reward=rng.normal(size=(1, 1, 5)), leader_reward=rng.normal(size=(1, 1, 5)))
    assert commitment.vjp(x, weights) == pytest.approx(finite_difference_vjp(commitment, x, weights), abs=1e-7)


@pytest.mark.parametrize("states", [1, 3])
def test_so_is_that_of_several_followers_and_of_an_output_by_state(states):
    rng, x = np.random.default_rng(1), np.array([1.3, 0.4, 2.0])[:states]
    sold = rng.uniform(size=(2, 3, 1, 4)) if states == 1 else rng.uniform(size=(3, 1, 1))
    commitment = LeaderOutput(4.0, 5.0, sold, sold.sum(axis=0), states=states)
    shape = (2, 3, 1, 4) if states == 1 else (3, 1, 4)
    weights = Cotangents(follower_reward=rng.normal(size=shape), leader_reward=rng.normal(size=shape))
    if states > 1:
        commitment = LeaderOutput(4.0, 5.0, sold, states=states)
    assert commitment.vjp(x, weights) == pytest.approx(finite_difference_vjp(commitment, x, weights), abs=1e-7)


@pytest.mark.parametrize(("choke_price", "unit_cost"), [(5000.0, 1000.0), (9.0, 1.0), (1.0, 0.0)])
def test_no_output_earns_more(choke_price, unit_cost):
    _, _, value = best_output(choke_price, unit_cost)
    game = se.make_game("stackelberg/Duopoly-v0", choke_price=choke_price, unit_cost=unit_cost, temperature=1.0)
    assert game.facts["reference"]["value"] == value
    assert leader_profit(game) == pytest.approx(value, rel=1e-6)


@pytest.mark.parametrize("n", [2, 3, 5])
def test_no_output_earns_more_against_several(n):
    game = se.make_game("stackelberg/Duopoly-v0", num_followers=n, outputs=5)
    assert leader_profit(game) == pytest.approx(best_output(5000.0, 1000.0, n)[2], rel=1e-6)


def test_the_best_output_of_the_page():
    assert best_output(5000.0, 1000.0) == (2000.0, 1000.0, 2_000_000.0)
