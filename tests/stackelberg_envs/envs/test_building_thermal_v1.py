"""Known values of the building."""

import numpy as np
import pytest

from stackelberg_envs.envs import bilevel_lqr_v1, building_thermal_v1
from stackelberg_envs.games.cotangents import Cotangents
from stackelberg_envs.games.samples import Samples
from stackelberg_envs.play.rollout import rollout
from tests.games import BUILDING
from tests.stackelberg_envs.solvers.linear_quadratic.games import MIDDLE, climb, designs


def test_values_of_building_thermal():
    assert BUILDING.solve(BUILDING.facts["best_commitment"]).leader_value == pytest.approx(-162.50, abs=1e-2)
    assert BUILDING.solve(MIDDLE).leader_value == pytest.approx(-261.96, abs=1e-2)


def test_best_known_value_of_building_thermal_from_random_starts():
    ends = [climb(BUILDING, start) for start in designs(5, seed=0)]
    for value, place in ends:
        assert value == pytest.approx(BUILDING.facts["best_known"], abs=1e-2)
        np.testing.assert_allclose(place, BUILDING.facts["best_commitment"], atol=1e-3)


def test_facts_are_told_only_for_the_arguments_they_hold_for():
    assert "best_known" not in bilevel_lqr_v1.make_game(horizon=99).facts
    assert "best_known" not in building_thermal_v1.make_game(temperature=0.2).facts


ONE = np.zeros(1, np.int32)


def some_commitment(game, seed=0):
    low, high = game.commitment.low, game.commitment.high
    return np.random.default_rng(seed).uniform(0.8 * low, 0.8 * high)


def test_building_dynamics_are_those_of_the_story():
    """Written out link by link, without the basis."""
    il, aa = np.array([0.1, 0.4, 0.7, 1.0]), np.array([0.2, 0.3, 0.5, 0.9])
    base, effect = building_thermal_v1.BASE, building_thermal_v1.INSULATION_EFFECT
    expected = np.zeros((4, 4))
    for i, j, link in ((0, 1, 0), (1, 2, 1), (2, 3, 2), (3, 0, 3)):
        expected[i, j], expected[j, i] = base[i, j] * aa[link], base[j, i] * aa[link]
    for i in range(4):
        expected[i, i] = base[i, i] + effect[i] * (1 - il[i]) - expected[i, (i + 1) % 4] - expected[i, (i - 1) % 4]
    found = BUILDING.problem.under(np.concatenate([il, aa])).dynamics
    np.testing.assert_allclose(found, expected, atol=1e-15)
    # The rows of a building without insulation losses keep an even temperature even.
    even = BUILDING.problem.under(np.concatenate([np.ones(4), aa])).dynamics
    np.testing.assert_allclose(even.sum(axis=1), 1.0)


def test_building_numbers():
    numbers = BUILDING.numbers
    np.testing.assert_array_equal(numbers.follower_input, [[0.1, 0], [0.6, 0], [0, 0.55], [0, 0.3]])
    np.testing.assert_array_equal(numbers.state_cost, np.diag([8, 1, 5, 6]))
    np.testing.assert_array_equal(numbers.action_cost, 0.01 * np.eye(2))
    np.testing.assert_allclose(numbers.noise, 0.0004 * np.eye(4))
    np.testing.assert_array_equal(numbers.initial_covariance, 25 * np.eye(4))
    assert (BUILDING.horizon, BUILDING.leader_discount, BUILDING.follower_discount) == (100, 0.9, 0.9)
    assert (BUILDING.temperature, BUILDING.state_bound) == (0.1, 30)


def test_building_step_pays_both_for_the_state_before_it():
    x, s, b = some_commitment(BUILDING), np.array([[1.0, -2.0, 3.0, 4.0]]), np.array([[60.0, -70.0]])
    made = BUILDING.step(np.random.default_rng(0), x, s, ONE, np.zeros((1, 0)), b)
    assert made.leader_reward[0] == pytest.approx(-np.var(s[0]) - 0.5 * (3600 + 4900) - 0.1 * (x @ x))
    assert made.follower_reward[0] == pytest.approx(-(8 + 4 + 45 + 96) - 0.01 * (3600 + 4900))
    expected = BUILDING.problem.under(x).dynamics @ s[0] + BUILDING.numbers.follower_input @ b[0]
    np.testing.assert_allclose(made.next_state[0], np.clip(expected, -30, 30), atol=0.1)
    assert made.next_state[0, 1] == 30  # 0.6 times 60 and a little more: states are clipped, actions are not
    assert not made.terminated.any()


def test_clipping_concerns_one_episode_of_the_building_in_ten_thousand():
    """The figure of the best known values; 200,000 first steps, of which 20 are expected to be clipped."""
    x, rng, context = np.full(8, 0.5), np.random.default_rng(0), np.zeros(200_000, np.int32)
    states = BUILDING.initial_states(rng, context)
    actions = BUILDING.solve(x).policy.sample(rng, states, np.zeros((200_000, 0)), context)
    after = BUILDING.step(rng, x, states, context, np.zeros((200_000, 0)), actions).next_state
    assert 5 <= (np.abs(after) >= 30).any(axis=1).sum() <= 40


def test_building_noise():
    n = 20_000
    zero = np.zeros((n, 4)), np.zeros(n, np.int32), np.zeros((n, 0)), np.zeros((n, 2))
    made = BUILDING.step(np.random.default_rng(0), np.full(8, 0.5), *zero)
    covariance = np.cov(made.next_state.T)
    assert np.abs(covariance - 0.0004 * np.eye(4)).max() < 4 * 0.0004 * np.sqrt(2 / n)


def recorded(game, seed=0, steps=300):
    x = 0.2 * some_commitment(game, seed) + 0.1
    record = rollout(game.under(x), game.solve(x).policy, np.random.default_rng(seed), steps=steps)
    context = np.repeat(record.context, np.diff(record.offsets))
    return x, Samples(record.state, record.leader_action, record.follower_action, record.next_state, context)


def test_each_entry_of_building_has_its_own_derivative():
    x, samples = recorded(BUILDING)
    ones = np.ones(len(samples))
    price = BUILDING.commitment.vjp_at(x, samples, Cotangents(leader_reward=ones))
    np.testing.assert_allclose(price, -0.2 * x * len(samples))
    moves = BUILDING.commitment.vjp_at(x, samples, Cotangents(transition=ones))
    both = BUILDING.commitment.vjp_at(x, samples, Cotangents(transition=ones, leader_reward=ones))
    np.testing.assert_allclose(both, price + moves)


def test_the_box_of_learners_holds_what_the_best_response_needs():
    """Play of 100 followers with equal random numbers, cut to the box and not; what is said holds by a margin."""
    game = building_thermal_v1.make_game()
    lost = []
    for x in (game.facts["best_commitment"], np.full(8, 0.5), np.ones(8), np.zeros(8)):
        policy, earned = game.solve(x).policy, []
        for bound in (game.action_bound, np.inf):
            rng, contexts = np.random.default_rng(0), np.zeros(100, np.int32)
            states, paid = game.initial_states(rng, contexts), 0.0
            for _ in range(game.horizon):
                acts = np.clip(policy.sample(rng, states, np.zeros((100, 0)), contexts), -bound, bound)
                made = game.step(rng, x, states, contexts, np.zeros((100, 0)), acts)
                states, paid = made.next_state, paid + made.follower_reward.mean()
            earned.append(paid)
        lost.append(1 - earned[1] / earned[0])
    assert max(lost) < 0.05
    assert lost[2] > 0.01
