import numpy as np
import pytest

from stackelberg_envs.solvers.certificates.centre import soft_response
from stackelberg_envs.solvers.certificates.linear_systems import policy_system
from stackelberg_envs.solvers.certificates.quadratics import follower_polynomials, leader_polynomials, monomials
from tests.stackelberg_envs.solvers.certificates.small_games import NAMES, Box


def test_monomials_are_in_order():
    np.testing.assert_array_equal(monomials(2), [[-1, -1, -1, 0, 0, 1], [-1, -1, -1, 0, 1, 1]])


@pytest.mark.parametrize("name", NAMES)
def test_values_are_met_to_third_order(name):
    # The error of a polynomial of degree two falls by a factor of eight, here at least six, where the box is halved.
    worst = []
    for width in (2e-3, 1e-3):
        box = Box(name, width, seed=3)
        box.radii[:] = 0.5 * width
        values, _, _, policy, system, _ = soft_response(box.box, np.zeros(len(box.arrays.initial)))
        v, _, logits, _ = follower_polynomials(box.box, values, system, box.factors)
        kernel = np.ascontiguousarray(box.box.probabilities[..., 0])
        own = policy_system(
            np.ascontiguousarray(box.box.leader_policy[..., 0]),
            policy,
            box.box.successors,
            kernel,
            box.box.continuing,
            box.box.leader_discount,
        )
        w, _, _, _ = leader_polynomials(box.box, logits, np.zeros_like(policy), own, box.factors)
        off = 0.0
        for z, t in box.points(6):
            solution = box.solution(z)
            off = max(off, np.abs(v @ box.terms(t) - solution.best.state_values).max())
            off = max(off, np.abs(w @ box.terms(t) - solution.leader.state_values).max())
        worst.append(off)
    assert worst[1] < max(worst[0] / 6, 1e-8)
