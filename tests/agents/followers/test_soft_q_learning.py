"""Soft Q-learning comes to the best response."""

import numpy as np
import pytest

from agents.followers import follower_class
from stackelberg_envs.envs import discrete_toy_v1, four_rooms_v0, random_tabular_v1
from stackelberg_envs.solvers.responses import soft_best_response
from stackelberg_envs.solvers.soft import response_gap


def make(name, seed=0, **options):
    kind = follower_class(name)
    return kind(kind.Config(**options), np.random.default_rng(seed))


def gap(follower, view):
    best = soft_best_response(view.primitives)
    return response_gap(view.primitives, follower.policy, best.state_values)


@pytest.mark.parametrize(
    ("game", "limit"),
    [
        (discrete_toy_v1.make_game(reward=2.0), 0.01),
        (random_tabular_v1.make_game(S=6, K=2, terminal=1, commitment="policy", seed=3), 0.03),
        (random_tabular_v1.make_game(S=6, commitment="policy", follower_discount=0.0, seed=3), 0.005),
    ],
    ids=["toy", "contexts", "myopic"],
)
def test_soft_q_learning_closes_the_response_gap(game, limit):
    x = np.random.default_rng(0).dirichlet(np.ones(2), size=game.shape[0])
    view = game.under(x)
    follower = make("soft_q_learning", steps=3_000_000, least_step=0.01, exploration=0.3)
    assert follower.learn(view) == 3_000_000
    np.testing.assert_allclose(follower.policy.sum(axis=2), 1.0)
    untrained = make("soft_q_learning", steps=1)
    untrained.learn(view)
    assert gap(follower, view) < limit < gap(untrained, view)


def test_soft_q_learning_finds_the_goal_of_four_rooms_by_itself():
    game = four_rooms_v0.make_game()
    view = game.under(np.zeros(104))
    follower = make("soft_q_learning", steps=3_000_000, exploration=0.2, least_step=0.02)
    follower.learn(view)
    assert gap(follower, view) < 0.02  # of a value of 0.73


def test_the_table_is_kept_or_restarted_between_commitments():
    game = discrete_toy_v1.make_game()
    view = game.under(np.full((3, 2), 0.5))
    kept, restarted = (make("soft_q_learning", steps=3_000, restart=restart) for restart in (False, True))
    for follower in (kept, restarted):
        for _ in range(30):
            follower.learn(view)
    assert gap(kept, view) < gap(restarted, view)


def test_equal_generators_learn_equal_tables():
    view = discrete_toy_v1.make_game().under(np.full((3, 2), 0.5))
    one, two, other = (make("soft_q_learning", seed=seed, steps=500) for seed in (1, 1, 2))
    for follower in (one, two, other):
        follower.learn(view)
    np.testing.assert_array_equal(one.policy, two.policy)
    assert not np.array_equal(one.policy, other.policy)
