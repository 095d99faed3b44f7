import numpy as np
import pytest

import stackelberg_envs as se
from stackelberg_envs.errors import ArgumentError, GameError
from tests.games import interacting_game

X = np.array([0.3, 0.6])


@pytest.mark.parametrize("follower", [0, 2])
def test_the_best_response_of_one_is_its_part_of_the_equilibrium(follower):
    game = interacting_game()
    together, alone = se.solve(game, X), se.solve(se.one_follower(game, follower), X)
    np.testing.assert_allclose(alone.response[:, 0], together.policy[follower], atol=1e-9)
    assert alone.leader_value == pytest.approx(together.leader_value, abs=1e-9)
    assert alone.follower_value == pytest.approx(together.follower_values[follower], abs=1e-9)


def test_others_may_play_what_they_are_told_to():
    game, rng = interacting_game(), np.random.default_rng(0)
    policies = rng.dirichlet(np.ones(2), size=(3, 4))
    primitives = se.one_follower(game, 1, policies=policies).primitives(X)
    rewards = game.under(X).arrays.follower_rewards[1].reshape(4, 2, 2, 2)
    kernel = game.transition.to_dense().reshape(4, 2, 2, 2, 4)
    by_hand = np.einsum("sa,sc,sabc->sb", policies[0], policies[2], rewards)
    np.testing.assert_allclose(primitives.follower_reward[:, 0], by_hand)
    moves = np.einsum("sa,sc,sabct->sbt", policies[0], policies[2], kernel)
    np.testing.assert_allclose(primitives.transition.to_dense()[:, 0], moves, atol=1e-12)
    with pytest.raises(ArgumentError, match=r"expected shape \(3, 4, 2\), one table for each follower, got \(3, 4\)"):
        se.one_follower(game, 1, policies=policies[..., 0])


def test_who_does_not_exist_is_refused():
    with pytest.raises(ArgumentError, match=r"expected a number in 0..2, got 3"):
        se.one_follower(interacting_game(), 3)
    with pytest.raises(ArgumentError, match="game: expected a MarkovGame, got TabularGame"):
        se.one_follower(se.one_follower(interacting_game()))


@pytest.mark.parametrize("name", ["temperature", "follower_discount"])
def test_the_one_has_the_temperature_and_the_discount_that_the_others_have_answered_with(name):
    alone = se.one_follower(interacting_game())
    with pytest.raises(GameError, match=rf"{name}: expected 0\.[38], for which this game's rewards or its commitment"):
        alone.replace(**{name: 0.5})


def test_zero_sum_games_have_no_follower_alone():
    reward = np.zeros((4, 4))
    game = interacting_game(
        follower_rewards=[reward, reward],
        leader_reward=reward,
        transition=np.full((4, 4, 4), 0.25),
        commitment=se.StateIncentive(0.0, 1.0, np.zeros((2, 4))),
        zero_sum=True,
    )
    with pytest.raises(ArgumentError, match="own entropy only"):
        se.one_follower(game)
