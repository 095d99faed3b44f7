import numpy as np
import pytest

import stackelberg_envs as se
from stackelberg_envs.errors import ArgumentError, CommitmentError, GameError
from tests.games import interacting_game


def test_arrays_under_a_commitment_are_sums_by_hand():
    game, x = interacting_game(), np.array([0.25, 1.0])
    prices = game.commitment.parts[0].features[:, :, 0]
    arrays = game.under(x).arrays
    np.testing.assert_allclose(arrays.follower_rewards, game.follower_rewards - prices @ x)
    # The leader receives what the average follower pays, and pays for its prices.
    np.testing.assert_allclose(arrays.leader_reward, game.leader_reward + (prices @ x).mean(axis=0) - 0.3 * 1.25)
    assert (game.shape, game.table_shape, game.num_followers) == ((4, 2, 8), (3, 4, 2), 3)


def test_arrays_may_have_an_axis_for_each_follower():
    game = interacting_game()
    shaped = interacting_game(
        follower_rewards=game.follower_rewards.reshape(3, 4, 2, 2, 2),
        leader_reward=game.leader_reward.reshape(4, 2, 2, 2),
        transition=game.transition.to_dense()[:, 0].reshape(4, 2, 2, 2, 4),
    )
    np.testing.assert_array_equal(shaped.follower_rewards, game.follower_rewards)
    assert se.solve(shaped, [0.1, 0.1]).leader_value == pytest.approx(se.solve(game, [0.1, 0.1]).leader_value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"follower_rewards": np.zeros((3, 4, 7))}, r"as many actions for each of 3 followers.* got shape \(3, 4, 7\)"),
        ({"follower_rewards": np.zeros(3)}, r"expected shape \(n, S, B, ..., B\)"),
        ({"leader_reward": np.zeros((4, 4))}, r"leader_reward: expected shape \(4, 8\)"),
        ({"transition": np.ones((4, 8, 4))}, "transition: expected rows that sum to one"),
        ({"transition": np.ones((4, 8))}, r"transition: expected shape .* got \(4, 8\)"),
        ({"initial": [1.0, 1.0, 0.0, 0.0]}, "initial: expected rows that sum to one"),
        ({"terminal": [0.0, 0.5, 0.0, 0.0]}, "terminal: expected 0 or 1, got 0.5"),
        ({"follower_discount": 1.0}, r"follower_discount: expected a number in \[0, 1\)"),
        ({"feasible": np.zeros((3, 4, 2))}, "an action in each state, got none of follower 0 in state 0"),
        ({"transition": np.full((8, 4, 4), 0.25)}, r"transition: expected shape \(4, 8, 4\) or .* got \(8, 4, 4\)"),
        ({"feasible": np.full((3, 4, 2), 0.5)}, "feasible: expected True or False, got 0.5"),
        ({"follower_rewards": np.full((3, 4, 8), 1e149)}, "follower_rewards, with the commitment's part: .* at most"),
        ({"leader_reward": np.full((4, 8), 1e149)}, "leader_reward, with the commitment's part: .* at most"),
        ({"zero_sum": True}, "zero_sum: expected two followers, got 3"),
        ({"commitment": se.PolicyTable(4, 8)}, "in games of interacting followers the leader only configures"),
        ({"commitment": se.StateIncentive(0.0, 1.0, np.ones(5))}, r"its follower_reward has shape \(5, 1, 1\)"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(changes, message):
    with pytest.raises(GameError, match=message):
        interacting_game(**changes)


def test_what_arrays_say_of_actions_that_are_not_feasible_is_never_read():
    feasible = np.ones((3, 4, 2))
    feasible[1, 2, 0] = 0.0
    game, x = interacting_game(feasible=feasible), [0.25, 1.0]
    rewards, leader = game.follower_rewards.copy(), game.leader_reward.copy()
    taken_by_1 = np.arange(8) // 2 % 2 == 0
    rewards[:, 2, taken_by_1], leader[2, taken_by_1] = 1e12, -1e12
    odd = game.replace(follower_rewards=rewards, leader_reward=leader)
    mine, theirs = se.solve(game, x), se.solve(odd, x)
    np.testing.assert_array_equal(mine.policy, theirs.policy)
    assert (mine.leader_value, mine.residual) == (theirs.leader_value, theirs.residual)


def test_arguments_that_do_not_exist_are_refused_by_name():
    with pytest.raises(ArgumentError, match=r"replace: expected arguments among follower_rewards, .* got junk"):
        interacting_game().replace(junk=1)


def test_a_commitment_outside_its_space_is_refused():
    with pytest.raises(CommitmentError):
        interacting_game().under([2.0, 0.0])
