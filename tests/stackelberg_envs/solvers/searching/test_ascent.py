"""One ascent ends where nothing near is better, at the edges of the set, too."""

import numpy as np
import pytest

import stackelberg_envs as se
from stackelberg_envs.solvers.searching.ascent import climb
from stackelberg_envs.solvers.searching.objective import Objective
from tests.games import one_state


def test_it_reaches_the_optimum_of_the_toy_to_all_digits():
    objective = Objective(se.make_game("stackelberg/DiscreteToy-v1"))
    u = np.full(objective.points.size, 0.1)
    u[1::2] = 0.9
    value, end = climb(objective, u, iterations=200, gain=1e-13)
    assert value == pytest.approx(objective.high, abs=1e-12)
    assert value == pytest.approx(objective(end)[0], abs=1e-9)
    assert value == pytest.approx(34.992641, abs=1e-6)


def test_it_reaches_a_vertex_of_a_table_exactly_and_stays_there():
    objective = Objective(one_state([[0.0, 0.0], [1.0, 1.0]]))
    value, end = climb(objective, np.array([0.8, 0.2]), iterations=50)
    np.testing.assert_array_equal(end, [0.0, 1.0])
    assert climb(objective, end, iterations=50)[0] == value


@pytest.mark.parametrize("kind", ["features", "policy"])
def test_at_its_end_no_direction_into_the_set_leads_up(kind):
    objective = Objective(se.random_tabular(S=12, A=3, commitment=kind, seed=1003))
    rng = np.random.default_rng(0)
    _, end = climb(objective, objective.points.inside(rng), iterations=500, gain=1e-14)
    slope = objective(end)[1]
    for _ in range(50):
        other = objective.points.vertex(rng)
        assert slope @ (other - end) <= 1e-5 * objective.range


def test_from_where_there_is_no_finite_value_it_does_not_move():
    objective = Objective(se.make_game("stackelberg/BilevelLqr-v1"))
    u = objective.points.point(np.array([[-12.0, -10.0]]))
    value, end = climb(objective, u, iterations=5)
    assert value == -np.inf
    np.testing.assert_array_equal(end, u)
