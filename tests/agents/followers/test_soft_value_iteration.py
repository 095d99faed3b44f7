""""""

import numpy as np
import pytest

from agents.followers import follower_class
from agents.followers.soft_value_iteration import SoftValueIteration, SoftValueIterationConfig
from stackelberg_envs.envs import discrete_toy_v1, four_rooms_v0, random_tabular_v1
from stackelberg_envs.errors import ArgumentError
from stackelberg_envs.solvers.solving import solve

GAMES = [
    discrete_toy_v1.make_game(),
    four_rooms_v0.make_game(),
    random_tabular_v1.make_game(S=6, A=3, B=2, K=2, terminal=1, commitment="policy", seed=3),
]


def make(**options):
    return SoftValueIteration(SoftValueIterationConfig(**options), np.random.default_rng(0))


def some_commitment(game, seed=0):
    low, high = game.commitment.low, game.commitment.high
    return game.commitment.project(np.random.default_rng(seed).uniform(low, high))


def plain_sweep(play, q):
    """One soft Bellman sweep, in as many lines as the equation has terms."""
    soft = play.temperature * np.logaddexp.reduce(q / play.temperature, axis=2)
    ahead = (play.leader_policy * soft).sum(axis=1)
    believed = play.believed_transition
    following = (believed.probabilities * ahead[believed.successors]).sum(axis=3)
    return play.follower_reward + play.follower_discount * play.continuing[:, None, None] * following


@pytest.mark.parametrize("game", GAMES, ids=lambda game: game.name)
@pytest.mark.parametrize("sweeps", [1, 2, 7])
def test_n_sweeps_are_n_plain_sweeps_from_the_present_table(game, sweeps):
    follower = make(sweeps=sweeps)
    q = np.zeros_like(game.under(some_commitment(game)).primitives.follower_reward)
    for seed in range(3):
        view = game.under(some_commitment(game, seed))
        assert follower.learn(view) == 0
        for _ in range(sweeps):
            q = plain_sweep(view.primitives, q)
        np.testing.assert_allclose(follower.q, q, atol=1e-12)
        weights = np.exp((q - q.max(axis=2, keepdims=True)) / game.temperature)
        np.testing.assert_allclose(follower.policy, weights / weights.sum(axis=2, keepdims=True), atol=1e-9)


@pytest.mark.parametrize("game", GAMES, ids=lambda game: game.name)
def test_many_sweeps_and_no_limit_end_in_the_same_place(game):
    view = game.under(some_commitment(game))
    exact, swept = make(tolerance=1e-11), make(sweeps=5_000)
    exact.learn(view)
    swept.learn(view)
    np.testing.assert_allclose(swept.q, exact.q, atol=1e-9)
    np.testing.assert_allclose(exact.policy.reshape(game.array_shape), solve(game, view.commitment).response, atol=1e-6)


def test_iterates_are_the_policies_on_the_way():
    view = GAMES[0].under(some_commitment(GAMES[0]))
    found = make().iterates(view, [1, 4, 9])
    for sweeps, policy in zip([1, 4, 9], found, strict=True):
        alone = make(sweeps=sweeps)
        alone.learn(view)
        np.testing.assert_allclose(policy, alone.policy, atol=1e-12)


@pytest.mark.parametrize("counts", [[0], [3, 3], [4, 2]])
def test_iterations_that_do_not_rise_are_refused(counts):
    with pytest.raises(ArgumentError, match="iterations: expected rising numbers of at least 1"):
        make().iterates(GAMES[0].under(some_commitment(GAMES[0])), counts)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sweeps": 0}, "sweeps: expected an integer of at least 1, got 0"),
        ({"sweeps": 2.0}, "sweeps: expected an integer of at least 1, got 2.0"),
        ({"tolerance": 0.0}, "tolerance: expected a number greater than 0"),
    ],
)
def test_bad_options_are_refused_by_name(options, message):
    with pytest.raises(ArgumentError, match=message):
        make(**options)


def make_any(name, seed=0, **options):
    kind = follower_class(name)
    return kind(kind.Config(**options), np.random.default_rng(seed))


def test_soft_value_iteration_is_the_best_response_to_each_commitment():
    game = four_rooms_v0.make_game()
    follower = make_any("soft_value_iteration")
    for scale in (0.0, 0.01, 0.2):
        x = np.full(104, -scale / 105)
        assert follower.learn(game.under(x)) == 0
        np.testing.assert_allclose(follower.policy.reshape(104, 1, 4), solve(game, x).response, atol=1e-6)
