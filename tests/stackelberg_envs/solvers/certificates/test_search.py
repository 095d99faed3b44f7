import numpy as np
import pytest

from stackelberg_envs.solvers.certificates.bounds import known_at_first
from stackelberg_envs.solvers.certificates.search import good_enough, parts, search_branch, whole
from tests.stackelberg_envs.solvers.certificates.small_games import Box


def test_good_enough_is_a_share_of_the_size():
    assert good_enough(2.0, 0.1) == pytest.approx(2.2)
    assert good_enough(-2.0, 0.1) == pytest.approx(-1.8)


def test_parts_make_up_a_box():
    one, two = parts(np.zeros(2), np.ones(2), 1, 0.3, 3.0)
    np.testing.assert_array_equal([one.low, one.high], [[0, 0], [1, 0.3]])
    np.testing.assert_array_equal([two.low, two.high], [[0, 0.3], [1, 1]])
    assert one.upper == two.upper == 3.0


def test_what_a_budget_leaves_is_left_and_nothing_is_lost():
    box = Box("policy", 1.0, seed=0)
    known, branch = known_at_first(box.arrays), whole(box.D)
    found = search_branch(box.made, box.factors, known, branch, -np.inf, 1e-4, 9)
    assert found.boxes == 9
    assert found.left
    assert found.value == pytest.approx(box.solution(found.z).leader_value, rel=1e-3)
    upper = max(found.closed, found.value, *(branch.upper for branch in found.left))
    rng = np.random.default_rng(0)
    assert max(box.solution(rng.random(box.D)).leader_value for _ in range(50)) <= upper
    volume = sum(np.prod(branch.high - branch.low) for branch in found.left)
    assert 0 < volume <= 1.0
