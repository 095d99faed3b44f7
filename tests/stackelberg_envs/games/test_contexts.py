"""Combining games into contexts."""

import numpy as np
import pytest

from stackelberg_envs.envs import random_tabular_v1
from stackelberg_envs.errors import ArgumentError, GameError
from stackelberg_envs.games.commitments.base import Commitment, Effect
from stackelberg_envs.games.commitments.policy_table import PolicyTable
from stackelberg_envs.games.contexts import combine, one_context
from stackelberg_envs.games.transitions import Transition
from stackelberg_envs.solvers.solving import solve


def game(seed=0, **changes):
    plain = random_tabular_v1.make_game(S=4, A=2, B=2, seed=seed, commitment="policy")
    return plain.replace(**({"leader_policy": None} | changes))


def dense(seed):
    return Transition.from_dense(np.random.default_rng(seed).dirichlet(np.ones(4), size=(4, 2, 2)))


X = np.full((4, 2), 0.5)


@pytest.mark.parametrize("K", [1, 2, 3])
def test_the_combined_value_is_the_mean(K):
    games = [game(seed) for seed in range(K)]
    weights = np.arange(1, K + 1) / np.arange(1, K + 1).sum()
    combined = solve(combine(games, weights), X)
    expected = sum(w * solve(g, X).leader_value for w, g in zip(weights, games, strict=True))
    assert combined.leader_value == pytest.approx(expected, abs=1e-9)
    gradient = sum(w * solve(g, X).gradient for w, g in zip(weights, games, strict=True))
    np.testing.assert_allclose(combined.gradient, gradient, atol=1e-8)


def test_lists_of_different_length_are_padded_and_stay_lists():
    games = [game(0), game(1, transition=random_tabular_v1.make_game(S=4, A=2, B=2, branching=2).transition)]
    transition = combine(games, [0.5, 0.5]).transition
    assert not transition.dense
    assert transition.successors.shape == (2, 4, 2, 2, 4)
    for k in range(2):
        np.testing.assert_allclose(transition.to_dense()[k], games[k].transition.to_dense(), atol=1e-15)


def test_dense_kernels_stay_dense():
    combined = combine([game(0, transition=dense(0)), game(1, transition=dense(1))], [0.5, 0.5])
    assert combined.transition.dense
    assert solve(combined, X).cotangents.transition.shape == (2, 4, 2, 2, 4)


def test_a_shared_kernel_is_kept_once():
    shared = dense(0)
    combined = combine([game(0, transition=shared), game(1, transition=shared)], [0.5, 0.5])
    assert combined.transition is shared


def test_beliefs_are_combined_too():
    games = [game(k, transition=dense(k), believed_transition=dense(k + 5)) for k in range(2)]
    combined = solve(combine(games, [0.5, 0.5]), X)
    mean = np.mean([solve(g, X).leader_value for g in games])
    assert combined.leader_value == pytest.approx(mean, abs=1e-9)


@pytest.mark.parametrize(
    ("games", "match"),
    [
        ([], "games: expected at least one game, got none"),
        ([game(), game(temperature=0.9)], r"games\[1\]: expected temperature 0\.2, got 0\.9"),
        ([game(), game(leader_discount=0.5)], r"games\[1\]: expected leader_discount 0\.95, got 0\.5"),
        ([game(), random_tabular_v1.make_game(S=5)], r"games\[1\]: .* of shape \(4, 2, 2\), got \(5, 2, 3\)"),
        ([game(), game(leader_policy=X)], r"games\[1\]: expected leader_policy None"),
        (
            [game(), game(believed_transition=dense(0))],
            "believed_transition: expected one in every game or in none, got 1 of 2",
        ),
        (
            [random_tabular_v1.make_game(S=4, A=2, B=2, K=2)],
            r"games\[0\]: expected a game without contexts",
        ),
    ],
)
def test_games_that_differ_in_what_they_must_share_are_refused(games, match):
    with pytest.raises(GameError, match=match):
        combine(games, [1.0 / max(1, len(games))] * len(games))


def test_probabilities_are_checked():
    with pytest.raises(GameError, match="context_probabilities: expected rows that sum to one"):
        combine([game(0), game(1)], [0.5, 0.6])


def test_changes_are_other_arguments_than_those_that_are_combined():
    game = random_tabular_v1.make_game(seed=0)
    with pytest.raises(GameError, match="changes: expected arguments that the games do not bring, got initial"):
        combine([game, game], [0.5, 0.5], initial=game.initial)
    with pytest.raises(ArgumentError, match=r"replace: expected arguments among .*, got colour"):
        combine([game, game], [0.5, 0.5], colour="red")


def test_changes_are_applied():
    combined = combine([game(0), game(1)], [0.5, 0.5], name="both", commitment=PolicyTable(4, 2))
    assert combined.name == "both"


class Mixed(Commitment):
    """Changes rewards and dynamics differently in each of three contexts."""

    changes = frozenset({"follower_reward", "leader_reward", "transition"})

    def __init__(self):
        super().__init__(np.zeros(2), 1.0)
        self.kernel = Transition.from_dense(np.random.default_rng(9).dirichlet(np.ones(4), size=(3, 4, 2, 2)))

    def effect(self, x):
        by_context = np.arange(3.0).reshape(3, 1, 1, 1) * x[0]
        shared = np.full((1, 1, 1, 1), x[1])
        return Effect(follower_reward=by_context, leader_reward=shared, transition=self.kernel)


@pytest.mark.parametrize("k", range(3))
def test_one_context_of_a_game_is_the_game_it_was(k):
    games = [game(seed, transition=dense(seed), believed_transition=dense(seed + 5)) for seed in range(3)]
    alone = one_context(combine(games, [0.2, 0.3, 0.5]), k)
    assert alone.num_contexts == 1
    expected, found = solve(games[k], X), solve(alone, X)
    assert found.leader_value == pytest.approx(expected.leader_value, abs=1e-12)
    np.testing.assert_allclose(found.gradient, expected.gradient, atol=1e-6)  # by central differences


def test_a_commitment_is_felt_in_each_context_as_in_the_whole():
    games = [game(seed, leader_policy=np.full((4, 2), 0.5)) for seed in range(3)]
    whole = combine(games, [0.2, 0.3, 0.5], commitment=Mixed())
    x = np.array([0.3, 0.8])
    play = whole.primitives(x)
    for k in range(3):
        alone = one_context(whole, k).primitives(x)
        rows = slice(4 * k, 4 * k + 4)
        np.testing.assert_array_equal(alone.follower_reward, play.follower_reward[rows])
        np.testing.assert_array_equal(alone.leader_reward, play.leader_reward[rows])
        np.testing.assert_array_equal(alone.transition.successors, play.transition.successors[rows] - 4 * k)
        np.testing.assert_array_equal(alone.transition.probabilities, play.transition.probabilities[rows])


def test_a_context_that_is_not_there_is_refused():
    with pytest.raises(GameError, match=r"k: expected a context in 0\.\.1, got 2"):
        one_context(combine([game(0), game(1)], [0.5, 0.5]), 2)
    plain = game(0)
    assert one_context(plain, 0) is plain
