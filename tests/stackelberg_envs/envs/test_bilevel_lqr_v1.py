"""Known values of the bilevel LQR."""

import numpy as np
import pytest

from stackelberg_envs.envs import bilevel_lqr_v1
from stackelberg_envs.solvers.linear_quadratic.solution import (
    BumpValue,
)
from tests.games import LQR
from tests.stackelberg_envs.solvers.linear_quadratic.games import climb, gains


@pytest.mark.parametrize(
    ("gain", "value"),
    [((0, 0), 0.009417), ((-1, -2), 0.009846), ((-9.683, -10.25), 3.402418)],
)
def test_values_of_bilevel_lqr(gain, value):
    assert LQR.solve(gain).leader_value == pytest.approx(value, abs=1e-6)


def test_best_known_value_of_bilevel_lqr_from_random_starts():
    ends = [climb(LQR, start) for start in gains(12, seed=0, reach=12.0)]
    value, place = max(ends, key=lambda end: end[0])
    assert value == pytest.approx(11.309047, abs=1e-6)
    assert value >= 11.3
    np.testing.assert_allclose(place, [-9.9615, -10.0], atol=5e-5)
    assert sum(end[0] > 11.3 for end in ends) >= 2
    # Rounded to the digits of its commitment, the optimum is worth 3e-6 less.
    assert LQR.solve(LQR.facts["best_commitment"]).leader_value == pytest.approx(LQR.facts["best_known"], abs=5e-6)


def test_undiscounted_value_at_the_optimum_of_bilevel_lqr():
    loop, problem = LQR.solve(LQR.facts["best_commitment"]).loop, LQR.problem
    assert BumpValue(loop, problem.numbers, problem.reward, 1.0, 100).value == pytest.approx(18.4, abs=0.05)


ONE = np.zeros(1, np.int32)


def test_lqr_step_pays_both_for_the_state_before_it():
    K, s, a, b = np.array([[1.0, 2.0]]), np.array([[-0.7, 0.005]]), np.array([[3.0]]), np.array([[-400.0]])
    made = LQR.step(np.random.default_rng(0), K, s, ONE, a, b)
    assert made.leader_reward[0] == pytest.approx(np.exp(-0.5 * (0.5**2 + 0.5**2)))
    assert made.follower_reward[0] == pytest.approx(-(0.49 + 0.005**2 + 160_000))
    np.testing.assert_allclose(made.next_state, [[0.005 + 0.3, -40.0]])


def test_lqr_leader_plays_its_gain():
    K, s = np.array([[1.0, 2.0]]), np.tile([[0.5, -1.5]], (4000, 1))
    a = LQR.leader_actions(np.random.default_rng(0), K, s, np.zeros(4000, np.int32))
    assert a.shape == (4000, 1)
    # Mean and standard deviation of 4,000 draws, at four standard errors.
    assert abs(a.mean() + 2.5) < 4e-3 / np.sqrt(4000)
    assert abs(a.std() - 1e-3) < 4e-3 / np.sqrt(8000)


def test_exact_responses_stay_in_the_box_of_learners_under_most_commitments():
    """From (1, 0) play is certain up to small noise, so one episode a commitment is enough; 98.7 % on a finer grid."""
    game, contexts = bilevel_lqr_v1.make_game(horizon=30), np.zeros(1, np.int32)
    largest = []
    for gain in np.stack(np.meshgrid(np.linspace(-12, 12, 10), np.linspace(-12, 12, 10)), axis=-1).reshape(-1, 1, 2):
        policy, rng, played = game.solve(gain).policy, np.random.default_rng(0), []
        states = game.initial_states(rng, contexts)
        for _ in range(game.horizon):
            shown = game.leader_actions(rng, gain, states, contexts)
            acts = policy.sample(rng, states, shown, contexts)
            played.append(np.abs(acts).max())
            states = game.step(rng, gain, states, contexts, shown, acts).next_state
        largest.append(max(played))
    assert np.mean(np.array(largest) <= game.action_bound) >= 0.97
    assert np.mean(np.array(largest) <= 1.2) >= 0.8
    assert max(largest) > 0.5 * game.action_bound
