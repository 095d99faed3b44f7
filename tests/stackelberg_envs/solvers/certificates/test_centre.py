import numpy as np
import pytest

from stackelberg_envs.solvers.certificates.centre import soft_response
from tests.stackelberg_envs.solvers.certificates.small_games import NAMES, Box


@pytest.mark.parametrize("name", NAMES)
def test_the_response_at_the_centre_is_the_solver_s(name):
    box = Box(name, 0.2, seed=1)
    solution = box.solution(box.centre)
    values, soft, q, policy, _, error = soft_response(box.box, np.zeros(len(box.arrays.initial)))
    np.testing.assert_allclose(values, solution.best.state_values, atol=error + 1e-9)
    np.testing.assert_allclose(soft, solution.best.values, atol=error + 1e-9)
    np.testing.assert_allclose(q, solution.best.q, atol=error + 1e-9)
    np.testing.assert_allclose(policy, solution.policy, atol=1e-8)
