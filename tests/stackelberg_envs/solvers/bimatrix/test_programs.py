"""The single programs: which answers a commitment can enforce, and by what margin."""

import numpy as np
import pytest

from stackelberg_envs.solvers.bimatrix.payoffs import checked_payoffs
from stackelberg_envs.solvers.bimatrix.programs import all_profiles, answered, best_profile, deepest, equivalent


def test_an_action_that_another_dominates_is_answered_by_nobody():
    payoffs = checked_payoffs([[1, 2], [3, 4]], [[1, 0], [1, 0]])
    assert answered(payoffs, (1,), worst=False) is None
    assert deepest(payoffs, (1,))[0] == pytest.approx(-1.0)


def test_the_widest_margin_is_where_the_follower_cares_most():
    payoffs = checked_payoffs([[0, 1], [1, 0]], [[1, 0], [0, 1]])
    margin, x = deepest(payoffs, (0,))
    assert margin == pytest.approx(1.0)
    np.testing.assert_allclose(x, [1.0, 0.0], atol=1e-9)


def test_actions_that_pay_the_same_everywhere_are_found():
    assert equivalent(np.array([[1.0, 1.0, 0.0], [2.0, 2.0, 2.0]]), 0).tolist() == [True, True, False]


@pytest.mark.parametrize("seed", range(4))
def test_the_mixed_integer_program_chooses_the_best_of_all_profiles(seed):
    rng = np.random.default_rng(seed)
    payoffs = checked_payoffs(rng.normal(size=(3, 3, 3)), rng.normal(size=(3, 3, 3)), [0.2, 0.3, 0.5])
    profile, bound = best_profile(payoffs)
    found = [answered(payoffs, each, worst=False) for each in all_profiles(payoffs)]
    best = max(each.value for each in found if each is not None)
    assert answered(payoffs, profile, worst=False).value == pytest.approx(best, abs=1e-9)
    assert best <= bound + 1e-7
