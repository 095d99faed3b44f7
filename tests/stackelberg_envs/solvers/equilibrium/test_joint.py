import numpy as np

from stackelberg_envs.solvers.equilibrium.joint import (
    entropies,
    expected,
    expected_pair,
    joint_policy,
    next_values,
    soft_values,
    softmax,
)
from tests.stackelberg_envs.solvers.equilibrium.markov_arrays import random_arrays

SIZES = (2, 3, 4)


def policies(S=3, seed=1):
    rng = np.random.default_rng(seed)
    return [rng.dirichlet(np.ones(B), size=S) for B in SIZES]


def test_sums_over_the_others_are_what_einsum_says():
    g, payoff = policies(), np.random.default_rng(2).normal(size=(3, 24))
    full = payoff.reshape(3, *SIZES)
    np.testing.assert_allclose(expected(payoff, g, 1), np.einsum("sabc,sa,sc->sb", full, g[0], g[2]))
    np.testing.assert_allclose(expected_pair(payoff, g, 0, 2), np.einsum("sabc,sb->sac", full, g[1]))
    np.testing.assert_allclose(expected_pair(payoff, g, 2, 0), np.einsum("sabc,sb->sca", full, g[1]))
    np.testing.assert_allclose(joint_policy(g), np.einsum("sa,sb,sc->sabc", *g).reshape(3, 24))


def test_softmax_takes_nothing_that_is_not_feasible_and_no_overflow():
    q, mask = np.array([[1e3, 0.0, 2e3]]), np.array([[True, True, False]])
    np.testing.assert_array_equal(softmax(q, mask, 1e-3), [[1.0, 0.0, 0.0]])
    assert soft_values(q, mask, 1e-3) == [1e3]
    assert entropies(np.array([[0.5, 0.5], [1.0, 0.0]])).tolist() == [np.log(2.0), 0.0]


def test_nothing_follows_a_terminal_state():
    game = random_arrays()
    ahead = next_values(game, np.ones((2, 4)))
    np.testing.assert_allclose(ahead[:, :-1], 1.0)
    assert not ahead[:, -1].any()
