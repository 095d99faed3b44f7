"""A commitment that is a function."""

import numpy as np
import pytest

from stackelberg_envs.games.commitments.base import Effect, finite_difference_vjp
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


def two_kernels(x):
    """A kernel whose support shrinks at x = 0: the lists on the two sides of a difference differ."""
    near, far = np.zeros((2, S, A, B, S))
    near[..., 0], far[..., 1] = 1.0, 1.0
    weight = np.clip(x[0], 0, 1)
    return Effect(transition=Transition.from_dense((1 - weight) * near + weight * far))


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


def test_difference_fallback_follows_a_support_that_changes():
    commitment = FunctionCommitment(two_kernels, [0.0], [1.0], frozenset({"transition"}))
    weights = rng(9).standard_normal((S, A, B, S))
    found = finite_difference_vjp(commitment, np.array([0.5]), Cotangents(transition=weights))
    assert found == pytest.approx([(weights[..., 1] - weights[..., 0]).sum()], rel=1e-9)
    at_edge = finite_difference_vjp(commitment, np.array([0.0]), Cotangents(transition=weights))
    assert at_edge == pytest.approx(0.5 * found, rel=1e-6)  # one of the two sides is clipped


def test_difference_fallback_leaves_x_alone():
    x = np.full(S, 0.3)
    COMMITMENTS["function"].vjp(x, cotangents_for(COMMITMENTS["function"], True))
    assert (x == 0.3).all()
