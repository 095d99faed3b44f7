import numpy as np
import pytest

from stackelberg_envs.solvers.certificates.bounds import box_bound, quadratic_maximum
from stackelberg_envs.solvers.certificates.quadratics import monomials
from tests.stackelberg_envs.solvers.certificates.small_games import NAMES, Box


@pytest.mark.parametrize("width", [1.0, 0.3, 0.1, 0.01, 0.001])
@pytest.mark.parametrize("name", NAMES)
def test_no_point_of_a_box_is_worth_more_than_its_bound(name, width):
    for seed in range(2):
        box = Box(name, width, seed)
        # Twice: the second time with what the first one found.
        known = box.known
        for _ in range(2):
            made = box_bound(box.arrays, box.factors, box.centre, box.radii, known, -np.inf)
            known = made.known
            for z, _ in box.points(5):
                assert box.solution(z).leader_value <= made.upper
            assert box.bent or made.value == pytest.approx(box.solution(box.centre).leader_value, rel=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_known_of_a_box_holds_on_its_parts(name):
    box = Box(name, 0.4, seed=9)
    made = box_bound(box.arrays, box.factors, box.centre, box.radii, box.known, -np.inf)
    for z, _ in box.points(6):
        solution = box.solution(z)
        assert (solution.leader.state_values <= made.known.leader_values + 1e-9).all()
        assert solution.leader_value <= made.upper
        part = box_bound(box.arrays, box.factors, z, np.full(box.D, 1e-4), made.known, -np.inf)
        assert solution.leader_value <= part.upper


def test_bounds_are_tight_to_second_order_at_least():
    # Where the optimum is inside a small box, little is lost.
    box = Box("features", 0.01, seed=1)
    made = box_bound(box.arrays, box.factors, box.centre, box.radii, box.known, -np.inf)
    best = max(box.solution(z).leader_value for z, _ in box.points(40))
    assert made.upper - best < 1e-3


def test_the_maximum_of_a_quadratic_function_is_not_missed():
    rng, factors = np.random.default_rng(0), monomials(3)
    for _ in range(50):
        terms = rng.standard_normal(10)
        t = rng.uniform(-1, 1, (200, 3))
        values = np.column_stack([np.ones(200), t, *(t[:, i] * t[:, j] for i, j in factors[:, 4:].T)]) @ terms
        assert values.max() <= quadratic_maximum(terms, factors)
    assert quadratic_maximum(np.array([1.0, 1.0, -1.0]), monomials(1)) == pytest.approx(1.25)
    assert quadratic_maximum(np.array([1.0, 1.0, -0.1]), monomials(1)) == pytest.approx(1.9)
