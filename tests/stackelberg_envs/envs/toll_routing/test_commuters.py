import numpy as np
import pytest

import stackelberg_envs as se
from stackelberg_envs.envs.toll_routing.commuters import commuters_game, routes
from stackelberg_envs.envs.toll_routing.networks import named_network, towards_destinations


def test_braess_has_three_routes():
    network = towards_destinations(named_network("braess", 1.0)[0], 0.1)
    assert {tuple(np.flatnonzero(way)) for way in routes(network)} == {(0, 2), (1, 3), (0, 3, 4)}


def test_two_commuters_of_pigou_are_a_matrix_game_by_hand():
    """Both on the second road take a time of 1 each, one alone half of it: road 2 is never worse."""
    network = towards_destinations(named_network("pigou", 1.0)[0], 0.1)
    game = commuters_game(network, 2, np.array([0, 1]), 1.0, 0.1, ["first", "second"])
    assert game.follower_rewards[:, 0].tolist() == [[-1.0, -1.0, -0.5, -1.0], [-1.0, -0.5, -1.0, -1.0]]
    assert game.leader_reward[0].tolist() == [-1.0, -0.75, -0.75, -1.0]
    share = 0.5
    for _ in range(2000):  # by a second method: both answer each other, again and again
        share = 1.0 / (1.0 + np.exp((share * 1.0 + (1.0 - share) * 0.5 - 1.0) / 0.1))
    assert se.solve(game, [0.0, 0.0]).policy[0, 0, 1] == pytest.approx(share, abs=1e-9)
