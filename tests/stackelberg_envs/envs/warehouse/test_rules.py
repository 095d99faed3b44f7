"""Costs and closed directions: what they change, and their derivative against differences."""

import numpy as np

import stackelberg_envs as se
from stackelberg_envs.games.commitments.base import finite_difference_vjp
from stackelberg_envs.games.cotangents import Cotangents

RULES = se.make_game("stackelberg/Warehouse-v0").commitment


def entry(name):
    return RULES.names.index(name)


def test_a_closed_direction_fails_in_that_direction_only():
    x = np.zeros(RULES.shape)
    x[entry("closed (1, 2) to (3, 2) backwards")] = 0.25
    opened, changed = RULES.open_floor.probabilities, RULES.effect(x).transition.probabilities
    differ = np.argwhere((opened != changed).any(axis=(1, 3)))
    assert len(differ) == 3 * 3  # three cells, three tasks
    assert set(differ[:, 1]) == {0}  # up
    state = int(differ[0, 0])
    np.testing.assert_allclose(changed[state, 0, 0], [0.95 * 0.75, 0.05 + 0.95 * 0.25])


def test_costs_are_paid_in_the_aisle_and_nowhere_else():
    x = np.zeros(RULES.shape)
    x[entry("cost (1, 2) to (3, 2)")] = 0.5
    paid = RULES.effect(x).follower_reward[:, 0, 0]
    assert sorted(set(paid.tolist())) == [-0.5, 0.0]
    assert (paid == -0.5).sum() == 3 * 3


def test_the_derivative_is_that_of_differences():
    rng = np.random.default_rng(0)
    shape = RULES.open_floor.probabilities.shape
    cotangents = Cotangents(follower_reward=rng.normal(size=shape[:3]), transition=rng.normal(size=shape))
    x = rng.uniform(0.1, 0.4, RULES.shape)
    np.testing.assert_allclose(RULES.vjp(x, cotangents), finite_difference_vjp(RULES, x, cotangents), atol=1e-8)


def test_every_closing_is_between_all_open_and_all_closed():
    opened, shut = RULES.possible_transitions()
    x = np.random.default_rng(1).uniform(0, 0.5, RULES.shape)
    between = RULES.effect(x).transition.probabilities
    low, high = (f(opened.probabilities, shut.probabilities) for f in (np.minimum, np.maximum))
    assert ((between >= low - 1e-12) & (between <= high + 1e-12)).all()
