import numpy as np
import pytest

from stackelberg_envs.solvers.certificates.programs import ONE, Program, combined


def test_expressions_are_added():
    assert combined((2.0, {0: 1.0, ONE: 3.0}), (-1.0, {0: 2.0, 1: 1.0}), (0.0, {7: 1.0})) == {0: 0.0, 1: -1.0, ONE: 6.0}


def test_a_knapsack_is_filled():
    program = Program()
    items = [program.variable(0, 1, integer=True) for _ in range(4)]
    program.at_most_zero((1.0, dict(zip(items, [5.0, 4.0, 3.0, 2.0], strict=True))), (-1.0, {ONE: 7.0}))
    upper, point = program.maximise(dict(zip(items, [6.0, 5.0, 4.0, 1.0], strict=True)) | {ONE: 10.0}, 0.0, 10.0)
    assert upper == pytest.approx(19.0)
    np.testing.assert_allclose(point, [0, 1, 1, 0], atol=1e-6)


def test_a_product_is_relaxed_around_the_truth():
    rng = np.random.default_rng(0)
    for _ in range(20):
        program = Program()
        low = rng.uniform(-1, 0.5, 3)
        x, y, z = (program.variable(a, a + w) for a, w in zip(low, rng.random(3), strict=True))
        other = {y: 2.0, z: -1.0, ONE: 0.3}
        least, most = program.range_of(other)
        made = program.product(x, other)
        for _ in range(30):
            point = rng.uniform(program.low[:3], program.high[:3])
            value = 2.0 * point[y] - point[z] + 0.3
            assert least <= value <= most
            full = np.append(point, point[x] * value)
            assert program.low[3] - 1e-12 <= full[3] <= program.high[3] + 1e-12
            for row, limit in program.rows:
                assert sum(c * full[v] for v, c in row.items()) <= limit + 1e-12
            np.testing.assert_allclose(program.violation(full), 0.0, atol=1e-12)
            assert program.violation(full + np.array([0, 0, 0, 0.5]))[x] == pytest.approx(0.5)
        # At the corners of the first factor nothing is lost.
        assert program.maximise(made, 0.0, 10.0).upper == pytest.approx(
            max(a * b for a in (program.low[x], program.high[x]) for b in (least, most))
        )


def test_a_program_without_points_says_so():
    program = Program()
    x = program.variable(0, 1)
    program.at_most_zero((1.0, {ONE: 2.0}), (-1.0, {x: 1.0}))
    assert program.maximise({x: 1.0}, 0.0, 10.0) == (-np.inf, None)
