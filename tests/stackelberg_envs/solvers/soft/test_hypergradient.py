"""The exact hypergradient against finite differences of J, the follower solved anew, and against tables."""

import numpy as np
import pytest

from stackelberg_envs.games.commitments.base import Effect
from stackelberg_envs.games.commitments.function import FunctionCommitment
from stackelberg_envs.games.commitments.incentives import Incentive, IncentiveCost, LinearFeatures, StateIncentive
from stackelberg_envs.games.commitments.joint import Joint
from stackelberg_envs.games.commitments.policy_table import PolicyTable
from stackelberg_envs.games.commitments.transition_mixture import TransitionMixture
from stackelberg_envs.games.tabular import TabularGame
from stackelberg_envs.games.transitions import Transition
from stackelberg_envs.solvers.soft import leader_value, linear
from stackelberg_envs.solvers.solving import solve

TIGHT = 1e-13


STEP = 3e-4


def as_lists(kernel):
    """The same kernel as successor lists in reversed order, each successor named twice."""
    kernel = np.asarray(kernel)
    S = kernel.shape[-1]
    order = np.tile(np.arange(S)[::-1], 2)
    successors = np.broadcast_to(order, (*kernel.shape[:-1], 2 * S))
    return Transition.from_lists(successors, 0.5 * kernel[..., order])


def softmax(theta):
    weights = np.exp(theta - theta.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)


def identity_map(theta):
    return theta


def through_identity(theta, gradient):
    return gradient


def through_softmax(theta, gradient):
    x = softmax(theta)
    return x * (gradient - (gradient * x).sum(axis=1, keepdims=True))


class Sizes:
    """Arrays of one random game; S, A, B, K vary with the seed."""

    def __init__(self, seed, K=1, A=None):
        self.rng = np.random.default_rng(seed)
        self.S, self.B, self.K = int(self.rng.integers(3, 6)), int(self.rng.integers(2, 4)), K
        self.A = int(self.rng.integers(1, 4)) if A is None else A
        self.lead = (K,) if K > 1 else ()
        self.full = (*self.lead, self.S, self.A, self.B)

    def kernels(self, *lead):
        S, A, B = self.S, self.A, self.B
        return self.rng.dirichlet(np.full(S, 0.5), size=(*lead, S, A, B))

    def terminal(self, wanted):
        terminal = np.zeros((*self.lead, self.S))
        if wanted:
            terminal[..., -1] = 1
            if self.K > 1:  # not the same state in every context
                terminal[0] = np.roll(terminal[0], 1)
        return terminal

    def game(self, commitment, terminal, **changes):
        rng = self.rng
        arguments = {
            "transition": self.kernels(*self.lead),
            "leader_reward": rng.standard_normal(self.full),
            "follower_reward": rng.standard_normal(self.full),
            "initial": rng.dirichlet(np.ones(self.S), size=self.lead),
            "terminal": self.terminal(terminal),
            "leader_policy": rng.dirichlet(np.ones(self.A), size=self.S),
            "leader_discount": float(rng.choice([0.0, 0.5, 0.9, 0.97])),
            "follower_discount": float(rng.choice([0.3, 0.8, 0.95])),
            "temperature": float(rng.uniform(0.2, 1.0)),
            "context_probabilities": rng.dirichlet(np.ones(self.K)) if self.K > 1 else None,
            "commitment": commitment,
        }
        return TabularGame(**(arguments | changes))


def function_effect(S, A, B):
    """A commitment nobody wrote a derivative for: it moves a policy, both rewards and a kernel at once."""
    rng = np.random.default_rng(5)
    base, other = rng.dirichlet(np.ones(S), size=(2, S, A, B))
    logits = rng.standard_normal((2, S, A))

    def effect(x):
        mix = 0.5 + 0.4 * np.sin(x[0])
        return Effect(
            leader_policy=softmax(logits[0] + x[1] * logits[1]),
            follower_reward=np.full((S, 1, 1), np.cos(x[2])) * np.arange(B),
            leader_reward=x[0] * x[2] * np.arange(S)[:, None, None],
            transition=Transition.from_dense(mix * base + (1 - mix) * other),
        )

    changes = frozenset({"leader_policy", "follower_reward", "leader_reward", "transition"})
    return FunctionCommitment(effect, -np.ones(3), np.ones(3), changes)


def policy(z):
    return PolicyTable(z.S, z.A)


def incentive(*distinguished):
    def make(z):
        sizes = {"s": z.S, "a": z.A, "b": z.B}
        return Incentive(-1, 1, tuple(sizes[letter] if letter in distinguished else 1 for letter in "sab"))

    return make


def state_incentive(z):
    return StateIncentive(-1, 1, where=z.rng.uniform(size=(*z.lead, z.S)))


def shared_state_incentive(z):
    return StateIncentive(-1, 1, where=z.rng.uniform(size=z.S))


def cost(z):
    return IncentiveCost(-np.ones(z.S), 0, price=1.5, where=z.rng.uniform(size=(*z.lead, z.S)))


def priced(z):
    return Joint(
        StateIncentive(-1, 0, where=z.rng.uniform(size=(*z.lead, z.S))),
        IncentiveCost(-np.ones(z.S), 0, price=0.7, where=z.rng.uniform(size=z.S)),
    )


def two_sided_price(z):
    return Joint(StateIncentive(-1, 1, where=np.ones(z.S)), IncentiveCost(-np.ones(z.S), 1, 0.7, np.ones(z.S)))


def features(z):
    return LinearFeatures(z.rng.standard_normal((z.S, z.A, z.B, 3)), -1, 1)


def context_features(z):
    return LinearFeatures(z.rng.standard_normal((*z.full, 3)), -1, 1)


def mixture(z):
    return TransitionMixture(z.kernels(3))


def grouped_mixture(z):
    return TransitionMixture(z.kernels(2), groups=np.arange(z.S) % 2)


def list_mixture(z):
    successors = z.rng.integers(z.S, size=(z.S, z.A, z.B, 2))
    weights = z.rng.dirichlet(np.ones(2), size=(3, z.S, z.A, z.B))
    return TransitionMixture([Transition.from_lists(successors, w) for w in weights], np.arange(z.S) % 2)


def sparse_mixture(z):
    """Kernels whose supports differ, so that the common lists carry padding."""
    eye = np.eye(z.S)[z.rng.integers(z.S, size=(2, z.S, z.A, z.B))]
    return TransitionMixture(np.concatenate([eye, z.kernels(1)]))


def function(z):
    return function_effect(z.S, z.A, z.B)


def believes(z):
    """With equal discounts a solver may be tempted to reuse the leader's matrix for the follower."""
    return {"believed_transition": z.kernels(*z.lead), "leader_discount": 0.8, "follower_discount": 0.8}


def believes_lists(z):
    return {"believed_transition": as_lists(z.kernels(*z.lead)), "transition": as_lists(z.kernels())}


# name: commitment, contexts, leader actions (None: drawn), terminal states, further arguments
CASES = {
    "policy": (policy, 1, 3, False, None),
    "policy, terminal": (policy, 1, 2, True, None),
    "policy, contexts": (policy, 2, 2, True, None),
    "policy, wrong beliefs": (policy, 2, 2, True, believes),
    "incentive by s, a, b": (incentive("s", "a", "b"), 1, 2, True, None),
    "incentive by s, b": (incentive("s", "b"), 2, 2, False, None),
    "incentive by b, wrong beliefs": (incentive("b"), 3, 2, True, believes),
    "incentive for all": (incentive("a"), 1, 3, True, None),
    "state incentive": (shared_state_incentive, 1, 1, True, None),
    "state incentive, two masks": (state_incentive, 2, 2, True, None),
    "cost": (cost, 2, None, True, None),
    "incentive and cost": (priced, 3, 1, True, None),
    "incentive and cost of either sign": (two_sided_price, 1, 2, False, believes_lists),
    "features": (features, 2, None, False, None),
    "features by context": (context_features, 3, 2, True, None),
    "mixture": (mixture, 1, 2, True, None),
    "mixture, contexts, wrong beliefs": (grouped_mixture, 2, 2, True, believes),
    "mixture of lists": (list_mixture, 2, 2, True, None),
    "mixture of sparse kernels": (sparse_mixture, 1, 2, False, None),
    "function": (function, 2, 2, True, None),
}


SIMPLEX = (PolicyTable, TransitionMixture)


class Case:
    def __init__(self, name):
        make, K, A, terminal, more = CASES[name]
        seed = list(CASES).index(name)
        sizes = Sizes(seed, K, A)
        commitment = make(sizes)
        changes = {} if more is None else more(sizes)
        self.game = sizes.game(commitment, terminal, **changes)
        simplex = isinstance(commitment, SIMPLEX)
        self.to_x, self.pull_back = (softmax, through_softmax) if simplex else (identity_map, through_identity)
        middle, width = 0.5 * (commitment.low + commitment.high), commitment.high - commitment.low
        noise = sizes.rng.uniform(-0.3, 0.3, commitment.shape)
        self.theta = 3 * noise if simplex else middle + width * noise
        self.solution = solve(self.game, self.to_x(self.theta), tolerance=TIGHT)

    def numerical(self, value):
        """Five-point differences of value(x(theta)): the error is of fourth order in the step."""
        out = np.empty(self.theta.shape)
        for index in np.ndindex(self.theta.shape):
            shift = np.zeros(self.theta.shape)
            shift[index] = STEP
            near = value(self.to_x(self.theta + shift)) - value(self.to_x(self.theta - shift))
            far = value(self.to_x(self.theta + 2 * shift)) - value(self.to_x(self.theta - 2 * shift))
            out[index] = (8 * near - far) / (12 * STEP)
        return out


@pytest.fixture(scope="session")
def cases():
    return {name: Case(name) for name in CASES}


def assert_close(found, expected, scale, relative=1e-6):
    np.testing.assert_allclose(found, expected, rtol=0, atol=relative * max(np.abs(scale).max(), 1e-6))


@pytest.mark.parametrize("name", CASES)
def test_gradient_is_that_of_the_value_with_the_follower_solved_anew(name, cases):
    case = cases[name]
    numerical = case.numerical(lambda x: solve(case.game, x, tolerance=TIGHT).leader_value)
    found = case.pull_back(case.theta, case.solution.gradient)
    assert np.abs(numerical).max() > 1e-6
    assert_close(found, numerical, numerical)


@pytest.mark.parametrize("name", CASES)
def test_direct_term_is_the_gradient_with_the_response_held_fixed(name, cases):
    case = cases[name]
    response = case.solution.best.policy
    numerical = case.numerical(lambda x: leader_value(case.game.primitives(x), response))
    found = case.pull_back(case.theta, case.solution.direct_gradient)
    assert_close(found, numerical, np.append(numerical, 1.0))


@pytest.mark.parametrize("name", CASES)
def test_direct_and_response_terms_add_up(name, cases):
    solution = cases[name].solution
    total = solution.direct_gradient + solution.response_gradient
    np.testing.assert_allclose(solution.gradient, total, rtol=1e-14, atol=1e-14)
    pulled = solution.game.commitment.vjp(solution.x, solution.cotangents)
    np.testing.assert_allclose(pulled, solution.gradient, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("name", CASES)
def test_krylov_and_dense_gradients_agree(name, cases, monkeypatch):
    case = cases[name]
    monkeypatch.setattr(linear, "choose", lambda *_: "krylov")
    sparse = solve(case.game, case.to_x(case.theta), tolerance=TIGHT)
    assert sparse.leader_value == pytest.approx(case.solution.leader_value, abs=1e-9)
    assert_close(sparse.gradient, case.solution.gradient, np.append(case.solution.gradient, 1.0), 1e-9)


def test_wrong_beliefs_leave_the_response_to_the_true_kernel_at_zero(cases):
    cotangents = cases["policy, wrong beliefs"].solution.response_cotangents
    assert not cotangents.transition.any()


def test_each_reward_enters_one_of_the_two_terms_only(cases):
    solution = cases["policy"].solution
    assert not solution.direct_cotangents.follower_reward.any()
    assert not solution.response_cotangents.leader_reward.any()
