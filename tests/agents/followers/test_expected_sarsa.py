"""Expected SARSA and its stated fixed point."""

import numpy as np
import pytest

from agents.followers import follower_class
from agents.followers.expected_sarsa import expected_sarsa
from agents.followers.tabular import LearningTask
from stackelberg_envs.envs import random_tabular_v1
from stackelberg_envs.play.rollout import GameTables
from stackelberg_envs.solvers.responses import soft_best_response
from stackelberg_envs.solvers.soft import response_gap

RANDOM = random_tabular_v1.make_game(S=5, A=2, B=3, K=2, terminal=1, commitment="policy", temperature=2.0,
                                     follower_discount=0.8, horizon=30, seed=3)  # fmt: skip


def make(name, seed=0, **options):
    kind = follower_class(name)
    return kind(kind.Config(**options), np.random.default_rng(seed))


def view_of(game, seed=0):
    return game.under(np.random.default_rng(seed).dirichlet(np.ones(2), size=game.shape[0]))


def sarsa_fixed_point(play, exploration, sweeps=3_000):
    """Iterate the equation in the follower's docstring."""
    q = np.zeros_like(play.follower_reward)
    for _ in range(sweeps):
        gibbs = np.exp((q - q.max(axis=2, keepdims=True)) / play.temperature)
        mu = (1 - exploration) * gibbs / gibbs.sum(axis=2, keepdims=True) + exploration / q.shape[2]
        values = np.einsum("za,zab,zab->z", play.leader_policy, mu, q - play.temperature * np.log(mu))
        following = (play.transition.probabilities * values[play.transition.successors]).sum(axis=3)
        q = play.follower_reward + play.follower_discount * play.continuing[:, None, None] * following
    return q


@pytest.mark.parametrize("exploration", [0.0, 0.5])
def test_expected_sarsa_converges_to_its_stated_fixed_point(exploration):
    view = view_of(RANDOM)
    follower = make("expected_sarsa", steps=3_000_000, least_step=5e-4, exploration=exploration)
    assert follower.learn(view) == 3_000_000
    truth = sarsa_fixed_point(view.primitives, exploration)
    # A constant step of 5e-4 leaves sqrt(2.5e-4) = 0.016 of a target's standard deviation, which is about 2; an
    # entry visited 2,000 times is as good. Five of these; the seed is fixed.
    assert follower.visits.min() > 2_000
    np.testing.assert_allclose(follower.q, truth, atol=0.16)


def test_the_fixed_point_depends_on_the_exploration_and_is_the_best_response_without():
    view = view_of(RANDOM)
    best = soft_best_response(view.primitives)
    np.testing.assert_allclose(sarsa_fixed_point(view.primitives, 0.0), best.q, atol=1e-9)
    assert np.abs(sarsa_fixed_point(view.primitives, 0.5) - best.q).max() > 0.25


def test_expected_sarsa_without_exploration_closes_the_response_gap():
    view = view_of(RANDOM)
    follower = make("expected_sarsa", steps=1_000_000, least_step=0.005, exploration=0.0)
    follower.learn(view)
    best = soft_best_response(view.primitives)
    assert response_gap(view.primitives, follower.policy, best.state_values) < 0.01


def test_one_step_of_expected_sarsa_by_hand():
    # One state, actions 0 and 1 pay 1 and 0; Q = 0, so the Gibbs policy is even and its value is log 2.
    q, visits = np.zeros((1, 1, 2)), np.zeros((1, 1, 2))
    reward, successors = np.array([[[1.0, 0.0]]]), np.zeros((1, 1, 2, 1), np.int32)
    rng, ones = np.random.default_rng(0), np.ones(1)
    game = GameTables(ones, np.ones((1, 1)), successors, np.ones((1, 1, 2, 1)), ones, horizon=10)
    task = LearningTask(reward, discount=0.5, temperature=1.0, least_step=0.1, exploration=0.0)
    episodes = expected_sarsa(rng, game, task, 1, visits, q)
    taken = int(visits[0, 0].argmax())
    assert episodes == 1
    assert q[0, 0, taken] == pytest.approx(reward[0, 0, taken] + 0.5 * np.log(2.0))
    assert q[0, 0, 1 - taken] == 0.0
