import numpy as np
import pytest

import stackelberg_envs as se
from stackelberg_envs.solvers.certificates.best_actions import best_within, hard_response
from tests.games import one_state
from tests.stackelberg_envs.solvers.certificates.small_games import NAMES, Box


@pytest.mark.parametrize("name", NAMES)
def test_the_response_is_the_limit_of_soft_ones(name):
    box = Box(name, 0.4, seed=5)
    x = box.game.commitment.project(box.made.commitment(next(box.points(1))[0]))
    found = hard_response(box.game.primitives(x))
    soft = se.solve(box.game.replace(temperature=1e-4), x)
    np.testing.assert_allclose(found.values, soft.best.state_values, atol=0.02)
    assert found.leader_value == pytest.approx(soft.leader_value, abs=0.02)
    assert set(np.unique(found.policy)) <= {0.0, 1.0}
    assert (found.policy.sum(axis=-1) == 1).all()


def test_ties_are_the_leader_s():
    # All is the same to the follower; the leader's first action is worth 1 with the follower's second, at discount 0.5.
    game = one_state([[0.0, 1.0], [0.0, 0.0]])
    found = hard_response(game.primitives([[1.0, 0.0]]))
    assert found.leader_value == pytest.approx(2.0)
    np.testing.assert_array_equal(found.policy[0, 0], [0.0, 1.0])


def test_only_what_is_allowed_is_chosen():
    own = Box("features", 0.4, seed=1).game.primitives([0.0, 0.0, 0.5])
    allowed = np.zeros(own.follower_reward.shape, dtype=bool)
    allowed[..., 1:] = True
    values, q, choice = best_within(own.follower_process, own.leader_policy, allowed)
    assert not choice[..., 0].any()
    np.testing.assert_allclose((own.leader_policy * q[..., 1:].max(axis=-1)).sum(axis=-1), values, rtol=1e-10)
