import numpy as np
import pytest

from agents.followers import follower_class, follower_names
from stackelberg_envs.envs import discrete_toy_v0, four_rooms_v0, random_tabular_v0
from stackelberg_envs.errors import ArgumentError, UnknownNameError
from stackelberg_envs.solvers.responses import soft_best_response
from stackelberg_envs.solvers.soft import response_gap
from stackelberg_envs.solvers.solving import solve


def make(name, seed=0, **options):
    kind = follower_class(name)
    return kind(kind.Config(**options), np.random.default_rng(seed))


def gap(follower, view):
    best = soft_best_response(view.primitives)
    return response_gap(view.primitives, follower.policy, best.state_values)


def test_the_reference_followers_are_registered():
    assert {"soft_value_iteration", "soft_q_learning"} <= set(follower_names())


def test_an_unknown_follower_is_refused_with_the_nearest_names():
    with pytest.raises(UnknownNameError, match="unknown follower 'soft_q_lerning'; did you mean 'soft_q_learning'"):
        follower_class("soft_q_lerning")


def test_soft_value_iteration_is_the_best_response_to_each_commitment():
    game = four_rooms_v0.make_game()
    follower = make("soft_value_iteration")
    for scale in (0.0, 0.01, 0.2):
        x = np.full(104, -scale / 105)
        assert follower.learn(game.under(x)) == 0
        np.testing.assert_allclose(follower.policy.reshape(104, 1, 4), solve(game, x).response, atol=1e-6)


@pytest.mark.parametrize(
    ("game", "limit"),
    [
        (discrete_toy_v0.make_game(reward=2.0), 0.01),
        (random_tabular_v0.make_game(S=6, K=2, terminal=1, commitment="policy", seed=3), 0.03),
        (random_tabular_v0.make_game(S=6, commitment="policy", follower_discount=0.0, seed=3), 0.005),
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
    game = discrete_toy_v0.make_game()
    view = game.under(np.full((3, 2), 0.5))
    kept, restarted = (make("soft_q_learning", steps=3_000, restart=restart) for restart in (False, True))
    for follower in (kept, restarted):
        for _ in range(30):
            follower.learn(view)
    assert gap(kept, view) < gap(restarted, view)


def test_equal_generators_learn_equal_tables():
    view = discrete_toy_v0.make_game().under(np.full((3, 2), 0.5))
    one, two, other = (make("soft_q_learning", seed=seed, steps=500) for seed in (1, 1, 2))
    for follower in (one, two, other):
        follower.learn(view)
    np.testing.assert_array_equal(one.policy, two.policy)
    assert not np.array_equal(one.policy, other.policy)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "steps: expected an integer of at least 1, got 0"),
        ({"least_step": 0.0}, "least_step: expected a number in"),
        ({"exploration": 1.5}, "exploration: expected a probability, got 1.5"),
    ],
)
def test_bad_options_are_refused_by_name(options, message):
    with pytest.raises(ArgumentError, match=message):
        make("soft_q_learning", **options)
