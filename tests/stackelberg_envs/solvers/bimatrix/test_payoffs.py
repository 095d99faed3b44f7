"""Payoffs on one scale."""

import numpy as np

from stackelberg_envs.solvers.bimatrix.payoffs import checked_payoffs


def test_payoffs_are_parts_of_their_range_and_the_way_back_is_known():
    leader, follower = (
        np.array([[2.0, 4.0], [1.0, 3.0]]),
        np.array([[[5.0, 7.0], [5.0, 5.0]], [[0.0, 0.0], [0.0, 0.0]]]),
    )
    made = checked_payoffs(leader, follower, [0.5, 0.5])
    assert made.leader.shape == made.follower.shape == (2, 2, 2)
    assert (made.leader.min(), made.leader.max()) == (0.0, 1.0)
    np.testing.assert_allclose(made.lowest + made.width * made.leader[1], leader)
    scale = made.follower_width[:, None, None]
    np.testing.assert_allclose(made.follower_lowest[:, None, None] + scale * made.follower, follower)
