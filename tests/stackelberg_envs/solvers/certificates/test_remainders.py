import numpy as np
import pytest

from stackelberg_envs.solvers.certificates.centre import soft_response
from stackelberg_envs.solvers.certificates.policy_sets import leader_intervals
from stackelberg_envs.solvers.certificates.quadratics import follower_polynomials
from stackelberg_envs.solvers.certificates.remainders import follower_errors
from tests.stackelberg_envs.solvers.certificates.small_games import NAMES, Box


@pytest.mark.parametrize("width", [0.3, 0.05, 0.005])
@pytest.mark.parametrize("name", NAMES)
def test_logits_and_policies_of_points_are_no_further_off_than_the_bounds(name, width):
    box = Box(name, width, seed=6)
    values, _, _, _, system, _ = soft_response(box.box, np.zeros(len(box.arrays.initial)))
    bounds = leader_intervals(box.box.leader_policy)
    v, soft, logits, errors = follower_polynomials(box.box, values, system, box.factors)
    known, doubts, low, high = follower_errors(box.box, v, soft, logits, errors, *bounds, box.factors)
    if not known:
        assert width > 0.01
        return
    for z, t in box.points(10):
        best = box.solution(z).best
        off = best.q / box.game.temperature - logits @ box.terms(t)
        assert (np.abs(off) <= doubts + 1e-9 * (1 + np.abs(best.q / box.game.temperature))).all()
        assert (low <= best.policy + 1e-12).all()
        assert (best.policy <= high + 1e-12).all()
