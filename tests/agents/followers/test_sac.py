"""SAC against exact responses, and its densities."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from gymnasium.spaces import Box

from agents.followers.sac import ActionBox, GaussianPolicy, Sac, SacConfig
from stackelberg_envs.envs import building_thermal_v1
from stackelberg_envs.errors import ArgumentError
from tests.agents.followers.deep_games import GAIN, LQ, QUICK, sac

NOTHING = np.zeros((1, 0))


def loss_against_the_best(game, x, policy, episodes=300, seed=5):
    """Return what the follower loses against its best response, and its standard error.

    By the identity J* - J = temperature * E sum gamma^t (log g - log g*) over the play of g.
    """
    rng, contexts, best = np.random.default_rng(seed), np.zeros(episodes, np.int32), game.solve(x).policy
    states, lost, weight = game.initial_states(rng, contexts), np.zeros(episodes), game.temperature
    while weight > 1e-4 * game.temperature:
        a = game.leader_actions(rng, x, states, contexts)
        b = policy.sample(rng, states, a, contexts)
        lost += weight * (policy.log_prob(states, a, contexts, b) - best.log_prob(states, a, contexts, b))
        states, weight = game.step(rng, x, states, contexts, a, b).next_state, weight * game.follower_discount
    return lost.mean(), lost.std() / np.sqrt(episodes)


@pytest.mark.parametrize("low", [-3.0, -np.inf])
def test_densities_of_actions_integrate_to_one(low):
    high = 1.0 if low > -np.inf else np.inf
    box = ActionBox(Box(np.array([low], np.float32), np.array([high], np.float32)), 0.7)
    actions = np.linspace(max(low, -8.0), 1.0 if low > -np.inf else 8.0, 200_001)[:, None]
    density = np.exp(GaussianPolicy(None, box, None, None).log_prob(actions, NOTHING, NOTHING, actions))
    assert (density[1:] + density[:-1]).sum() / 2 * (actions[1] - actions[0]) == pytest.approx(1.0, abs=1e-3)


def test_numbers_and_actions_are_each_others_inverse():
    box = ActionBox(Box(np.array([-1.0, -np.inf, 2.0], np.float32), np.array([1.0, np.inf, 8.0], np.float32)), 1.5)
    y = np.random.default_rng(0).normal(size=(20, 3))
    np.testing.assert_allclose(box.numbers(box.actions(y)), y, rtol=1e-6)
    step = 1e-6
    slopes = (box.actions(y + step) - box.actions(y - step)) / (2 * step)
    np.testing.assert_allclose(box.log_slope(y), np.log(slopes).sum(axis=1), rtol=1e-5)
    assert np.isfinite(box.numbers(np.array([[1.0, 0.0, 2.0]]))).all()


@pytest.mark.parametrize(("low", "high"), [(0.0, np.inf), (-np.inf, 1.0)])
def test_sac_refuses_a_box_that_is_bounded_on_one_side(low, high):
    space = Box(np.array([-1.0, low], np.float32), np.array([1.0, high], np.float32))
    follower = SimpleNamespace(config=SacConfig())  # a real one wants torch
    with pytest.raises(ArgumentError, match=r"sac: .*on both sides or on neither, got .* at entry 1; try sb3"):
        Sac.even(follower, SimpleNamespace(follower_action_space=space))


def test_what_sac_draws_lies_in_the_box_to_the_last_digit():
    low, high = np.array([0.1, -0.3, 1.0], np.float32), np.array([0.7, 0.1, 1.0 + 2**-20], np.float32)
    box, y = ActionBox(Box(low, high), 1.0), np.array([[-1e9] * 3, [1e9] * 3, [0.0] * 3])
    drawn = box.actions(y)
    assert (drawn >= low).all()
    assert (drawn <= high).all()


@pytest.fixture
def torch():
    return pytest.importorskip("torch", reason="the extra torch is not installed")


def test_sac_finds_the_exact_response_of_a_linear_quadratic_game(torch):
    follower = sac()
    assert follower.learn(LQ.under(GAIN)) == 6_400
    lost, error = loss_against_the_best(LQ, GAIN, follower.policy)
    assert lost + 4 * error > 0.0
    assert lost < 0.05  # its value is -2.18


@pytest.mark.parametrize("times", [2.0**-100, 2.0**100])
def test_what_sac_learns_depends_on_no_unit(torch, times):
    found = []
    for scale in (1.0, times):
        numbers = replace(LQ.numbers, **{n: scale * getattr(LQ.numbers, n) for n in ("state_cost", "action_cost")})
        game = LQ.replace(numbers=numbers, temperature=scale * LQ.temperature)
        follower = sac(**{**QUICK, "steps": 512})
        follower.learn(game.under(GAIN))
        states = np.random.default_rng(0).standard_normal((5, 2))
        found.append(follower.policy.moments(states, states @ GAIN.T, np.zeros(5, np.int32)))
    np.testing.assert_array_equal(found[1], found[0])


@pytest.mark.deep
def test_sac_in_the_building(torch):
    game, x = building_thermal_v1.make_game(), np.full(8, 0.5)
    follower = sac(steps=40_000, hidden=(64, 64), action_scale=5.0, learning_rate=3e-3, target_rate=0.05)
    follower.learn(game.under(x))
    lost, error = loss_against_the_best(game, x, follower.policy)
    assert lost - 4 * error < 0.05 * abs(game.solve(x).follower_value)
