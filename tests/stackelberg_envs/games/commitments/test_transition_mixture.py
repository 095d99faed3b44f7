"""Mixtures of kernels."""

import numpy as np

from stackelberg_envs.games.commitments.base import Effect
from stackelberg_envs.games.commitments.function import FunctionCommitment
from stackelberg_envs.games.commitments.incentives import Incentive, IncentiveCost, LinearFeatures, StateIncentive
from stackelberg_envs.games.commitments.joint import Joint
from stackelberg_envs.games.commitments.policy_table import PolicyTable
from stackelberg_envs.games.commitments.transition_mixture import TransitionMixture
from stackelberg_envs.games.cotangents import Cotangents
from stackelberg_envs.games.transitions import Transition

S, A, B, K = 4, 2, 3, 2


def rng(seed=0):
    return np.random.default_rng(seed)


def kernels(*lead):
    return rng(1).dirichlet(np.full(S, 0.5), size=(*lead, S, A, B))


def list_kernels():
    successors = rng(2).integers(S, size=(S, A, B, 2))
    return [Transition.from_lists(successors, w) for w in rng(3).dirichlet([1, 1], size=(3, S, A, B))]


COMMITMENTS = {
    "policy": PolicyTable(S, A),
    "incentive s a b": Incentive(-1, 1, (S, A, B)),
    "incentive s b": Incentive(-1, 1, (S, 1, B)),
    "incentive a": Incentive(-1, 1, (1, A, 1)),
    "state incentive": StateIncentive(-1, 0, where=rng().uniform(size=S)),
    "state incentive by context": StateIncentive(-1, 0, where=rng().uniform(size=(K, S))),
    "cost": IncentiveCost(-np.ones(S), 0, 2.0, where=rng().uniform(size=S)),
    "cost by context": IncentiveCost(-np.ones(S), 0, 2.0, where=rng().uniform(size=(K, S))),
    "reward paid": IncentiveCost(np.zeros(S), 1, 2.0, where=rng().uniform(size=S)),
    "cost of either sign": IncentiveCost(-np.ones(S), 1, 2.0, where=rng().uniform(size=S)),
    "features": LinearFeatures(rng().standard_normal((S, A, B, 5)), -1, 1),
    "features by context": LinearFeatures(rng().standard_normal((K, S, A, B, 5)), -1, 1),
    "mixture": TransitionMixture(kernels(3)),
    "mixture by group": TransitionMixture(kernels(2), groups=[0, 1, 1, 0]),
    "mixture of lists": TransitionMixture(list_kernels(), groups=[0, 1, 2, 1]),
    "joint": Joint(StateIncentive(-1, 0, np.ones(S)), IncentiveCost(-np.ones(S), 0, 2.0, np.ones(S))),
    "function": FunctionCommitment(
        lambda x: Effect(follower_reward=np.sin(x).reshape(S, 1, 1)),
        -np.ones(S),
        1,
        frozenset({"follower_reward"}),
    ),
}


def cotangents_for(commitment, contexts, dense=True):
    lead = (K,) if contexts else ()
    random = rng(7)
    width = S
    if isinstance(commitment, TransitionMixture) and not dense:
        width = commitment.successors.shape[-1]
    return Cotangents(
        follower_reward=random.standard_normal((*lead, S, A, B)),
        leader_reward=random.standard_normal((*lead, S, A, B)),
        leader_policy=random.standard_normal((*lead, S, A)),
        transition=random.standard_normal((*lead, S, A, B, width)),
    )


def inside(commitment):
    draw = rng(8).uniform(0.2, 0.8, commitment.shape)
    return commitment.check(commitment.project(commitment.low + draw * (commitment.high - commitment.low)))


def test_mixture_of_lists_takes_dense_cotangents_too():
    commitment = COMMITMENTS["mixture of lists"]
    x = inside(commitment)
    dense = cotangents_for(commitment, False, dense=True)
    index = commitment.successors.astype(np.intp)
    on_lists = Cotangents(transition=np.take_along_axis(dense.transition, index, axis=-1))
    np.testing.assert_allclose(commitment.vjp(x, dense), commitment.vjp(x, on_lists), rtol=1e-12)


def test_mixture_is_the_weighted_sum_of_its_kernels_by_group():
    dense = kernels(2)
    x = np.array([[1.0, 0.0], [0.25, 0.75]])
    found = TransitionMixture(dense, groups=[0, 1, 1, 0]).effect(x).transition.to_dense()
    np.testing.assert_allclose(found[[0, 3]], dense[0][[0, 3]], atol=1e-15)
    np.testing.assert_allclose(found[[1, 2]], (0.25 * dense[0] + 0.75 * dense[1])[[1, 2]], atol=1e-15)


def test_groups_are_copied():
    groups = np.array([0, 1, 0, 1])
    commitment = TransitionMixture(kernels(2), groups=groups)
    groups[:] = 0
    assert commitment.groups.tolist() == [0, 1, 0, 1]
