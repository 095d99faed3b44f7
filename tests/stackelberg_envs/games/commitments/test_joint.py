"""Commitments put together."""

import numpy as np
import pytest

from stackelberg_envs.errors import GameError
from stackelberg_envs.games.commitments.incentives import Incentive, IncentiveCost, LinearFeatures, StateIncentive
from stackelberg_envs.games.commitments.joint import Joint
from stackelberg_envs.games.commitments.policy_table import PolicyTable
from stackelberg_envs.games.commitments.transition_mixture import TransitionMixture
from stackelberg_envs.games.transitions import Transition

S, A, B, K = 4, 2, 3, 2


def rng(seed=0):
    return np.random.default_rng(seed)


def kernels(*lead):
    return rng(1).dirichlet(np.full(S, 0.5), size=(*lead, S, A, B))


def list_kernels():
    successors = rng(2).integers(S, size=(S, A, B, 2))
    return [Transition.from_lists(successors, w) for w in rng(3).dirichlet([1, 1], size=(3, S, A, B))]


def test_joint_adds_rewards():
    part = StateIncentive(-1, 0, np.ones(S))
    effect = Joint(part, part).effect(np.full(S, -0.5))
    np.testing.assert_array_equal(effect.follower_reward.ravel(), -np.ones(S))


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (Joint, "Joint: expected at least one commitment, got none"),
        (
            lambda: Joint(Incentive(0, 1, (1, 1, 2)), Incentive(0, 1, (1, 1, 3))),
            r"Joint: expected commitments of one shape",
        ),
        (lambda: Joint(PolicyTable(2, 2), PolicyTable(2, 2)), "at most one part that sets the leader_policy"),
        (lambda: LinearFeatures(np.ones((2, 2)), 0, 1), r"features: expected shape \(\[K,\] S, A, B, D\)"),
        (lambda: PolicyTable(0, 2), "S: expected an integer of at least 1, got 0"),
        (lambda: TransitionMixture(np.ones((2, 2))), r"kernels: expected shape \(M, S, A, B, S\), got"),
        (lambda: TransitionMixture(0.4 * kernels(2)), r"kernels\[0\]: expected rows that sum to one"),
        (lambda: TransitionMixture(kernels(2), groups=[0, 1]), r"groups: expected shape \(4,\), got \(2,\)"),
        (lambda: TransitionMixture(kernels(2), groups=[0, -1, 0, 1]), "groups: expected row numbers"),
        (lambda: TransitionMixture(kernels(2), groups=[0, 0.5, 0, 1]), "groups: expected integers"),
        (
            lambda: TransitionMixture([list_kernels()[0], Transition.from_dense(kernels())]),
            "expected transitions with equal successors",
        ),
        (
            lambda: TransitionMixture([Transition.from_dense(kernels(2))]),
            r"kernels: expected successors of shape",
        ),
    ],
)
def test_parts_that_do_not_fit_are_refused(make, match):
    with pytest.raises((GameError, ValueError), match=match):
        make()


def test_a_joint_bends_where_its_parts_do():
    low, high = np.array([-1.0, 0.0, -1.0]), np.array([1.0, 1.0, 0.0])
    cost = IncentiveCost(low, high, 0.5, np.ones(3))
    np.testing.assert_array_equal(Joint(StateIncentive(low, high, np.ones(3)), cost).kinks, [0.0, np.nan, np.nan])
    assert Joint(StateIncentive(low, high, np.ones(3)), cost).affine
    assert np.isnan(Joint(StateIncentive(low, high, np.ones(3))).kinks).all()
    assert StateIncentive(low, high, np.ones(3)).kinks is None
