"""Commitments that are networks: their derivative is right, and gradient leaders climb on them without any option."""

import numpy as np
import pytest

import agents
import stackelberg_envs as se
from benchmarks.neural_commitments import TASKS, random_game
from stackelberg_envs.games.cotangents import Cotangents

STEPS = 20_000


@pytest.fixture(scope="module")
def small():
    """A game of eight states with a network of 86 weights, the even policy's value, and that of the best table."""
    game, table = random_game(0, S=8, features=6, hidden=(9,))
    start = se.solve(game, np.zeros(game.commitment.shape)).leader_value
    return game, start, se.best_commitment(table).value


def test_the_derivative_is_that_of_the_policy(small):
    commitment, rng = small[0].commitment, np.random.default_rng(0)
    x, direction = rng.standard_normal((2, *commitment.shape))
    weights = rng.standard_normal((8, 2))
    step = 1e-6
    ends = [(weights * commitment.effect(x + sign * step * direction).leader_policy).sum() for sign in (1, -1)]
    slope = commitment.vjp(x, Cotangents(leader_policy=weights)) @ direction
    assert slope == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=1e-6)


@pytest.mark.parametrize(("leader", "share"), [("bchg", 0.6), ("hpgd", 0.6), ("naive", 0.3)])
def test_gradient_leaders_climb_on_a_network_without_any_option(small, leader, share):
    game, start, best = small
    value = agents.run(game, leader=leader, steps=STEPS, evaluate_every=0).leader_value
    assert start + share * (best - start) < value < best * (1 + 1e-9)


@pytest.mark.deep
def test_a_network_guides_the_cart_pole():
    """From 11.07, the value of no wind, with the budget of the table."""
    record = agents.run(
        "stackelberg/GuidedCartPole-v0",
        game_arguments={"policy": "mlp", "hidden": (8,)},
        leader="bchg",
        steps=TASKS["GuidedCartPole"][1],
        evaluate_every=0,
    )
    assert record.leader_value > 30.0
