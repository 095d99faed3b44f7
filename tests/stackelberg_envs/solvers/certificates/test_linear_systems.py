import numpy as np

from stackelberg_envs.solvers.certificates.linear_systems import policy_system, reach, solve_factorised, visits
from stackelberg_envs.solvers.soft.krylov import policy_matrix
from tests.games import small_game


def test_systems_are_those_of_the_solver():
    game = small_game()
    own, rng = game.primitives(np.full((3, 2), 0.5)), np.random.default_rng(0)
    policy = rng.dirichlet(np.ones(2), size=(3, 2))
    lists = own.transition
    factors = policy_system(
        own.leader_policy, policy, lists.successors, lists.probabilities, own.continuing, own.leader_discount
    )
    matrix = np.eye(3) - own.leader_discount * policy_matrix(own.joint_policy(policy), lists, own.continuing).toarray()
    rhs = rng.standard_normal((3, 4))
    expected = np.linalg.solve(matrix, rhs)
    solve_factorised(factors, rhs)
    np.testing.assert_allclose(rhs, expected, rtol=1e-12)
    np.testing.assert_allclose(visits(factors, own.initial), np.linalg.solve(matrix.T, own.initial), rtol=1e-12)


def test_reach_leaves_the_constant_out():
    assert reach(np.array([9.0, -1.0, 2.0])) == 3.0
