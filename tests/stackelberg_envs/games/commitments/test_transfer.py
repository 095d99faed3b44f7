"""What the follower pays, and the leader receives a share of."""

import numpy as np
import pytest

import stackelberg_envs as se
from stackelberg_envs.errors import GameError
from stackelberg_envs.games.commitments.transfer import Transfer
from tests.games import toll_game


def test_the_leader_receives_its_share_of_what_the_follower_pays():
    features = np.arange(12.0).reshape(1, 2, 3, 2)
    effect = Transfer(features, -1, 1, share=0.25).effect(np.array([1.0, 0.5]))
    paid = features[..., 0] + 0.5 * features[..., 1]
    np.testing.assert_allclose(effect.follower_reward, -paid)
    np.testing.assert_allclose(effect.leader_reward, 0.25 * paid)


@pytest.mark.parametrize("share", [0.0, 0.6, 1.0])
def test_it_is_features_for_the_follower_and_a_price_for_the_leader(share):
    """Two features of opposite sign and a function for the leader's part make the same game."""
    game = toll_game(2)
    features = game.commitment.features
    x = np.array([0.3, 0.8])

    def both(x):
        return se.Effect(follower_reward=-(features @ x), leader_reward=share * (features @ x))

    changes = {"follower_reward", "leader_reward"}
    by_hand = se.solve(game.replace(commitment=se.FunctionCommitment(both, np.zeros(2), 1.0, changes)), x)
    found = se.solve(game.replace(commitment=Transfer(features, 0.0, 1.0, share=share)), x)
    assert found.leader_value == pytest.approx(by_hand.leader_value, rel=1e-12)
    np.testing.assert_allclose(found.gradient, by_hand.gradient, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((np.ones((2, 2)), 0.0, 1.0), r"features: expected shape \(\[K,\] S, A, B, D\)"),
        ((np.ones((2, 1, 2, 3)), 0.0, np.ones(2)), "low, high: expected arrays that broadcast"),
        ((np.ones((2, 1, 2, 3)), 0.0, 1.0, "half"), r"share: expected a share in \[0, 1\], got 'half'"),
        ((np.ones((2, 1, 2, 3)), 0.0, 1.0, 1.5), r"share: expected a share in \[0, 1\], got 1.5"),
        ((np.ones((2, 1, 2, 3)), 0.0, 1.0, -0.1), r"share: expected a share in \[0, 1\], got -0.1"),
        ((np.ones((2, 1, 2, 3)), 0.0, 1.0, True), r"share: expected a share in \[0, 1\], got True"),
    ],
)
def test_odd_arguments_are_refused(arguments, words):
    with pytest.raises(GameError, match=words):
        Transfer(*arguments)
