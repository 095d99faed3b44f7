"""Starts: populations keep distinct ends, crossing them leads higher, and no neighbour of an end leads away."""

import numpy as np

import stackelberg_envs as se
from stackelberg_envs.solvers.searching.ascent import climb
from stackelberg_envs.solvers.searching.objective import Objective
from stackelberg_envs.solvers.searching.starts import MEMBERS, SAME, Population, look_around, start


def patchwork():
    """Return the objective of a game with many local optima."""
    return Objective(se.random_tabular(S=30, A=2, commitment="policy", seed=1007))


def test_a_population_keeps_the_best_distinct_ends():
    objective = patchwork()
    rng = np.random.default_rng(0)
    objective(objective.points.inside(rng))
    objective(objective.points.inside(rng))
    population, point = Population(objective, 2), np.zeros(1)
    assert population.add((1.0, point))
    assert not population.add((1.0 + 0.5 * SAME * objective.range, point))
    assert not population.add((-np.inf, point))
    assert population.add((3.0, point))
    assert population.add((2.0, point))
    assert not population.add((0.5, point))
    assert [value for value, _ in population.ends] == [3.0, 2.0]


def test_crossing_leads_higher_than_the_ascents_that_are_crossed():
    objective, rng = patchwork(), np.random.default_rng(3)
    population = Population(objective, MEMBERS)
    for _ in range(3):
        population.add(climb(objective, objective.points.vertex(rng), iterations=200, gain=1e-6))
    before = population.ends[0][0]
    population.breed(rng)
    assert population.ends[0][0] > before + 1e-4 * objective.range


def test_looking_around_leaves_an_end_that_a_neighbour_is_better_than():
    objective = patchwork()
    rng = np.random.default_rng(1)
    ends = [climb(objective, objective.points.vertex(rng), iterations=200, gain=1e-6) for _ in range(6)]
    looked = [look_around(objective, end)[0] for end in ends]
    assert all(better >= end[0] - SAME * objective.range for better, end in zip(looked, ends, strict=True))
    assert max(better - end[0] for better, end in zip(looked, ends, strict=True)) > 1e-3 * objective.range


def test_equal_generators_make_equal_starts():
    ends = [start(patchwork(), np.random.default_rng(3)) for _ in range(2)]
    assert ends[0][0] == ends[1][0]
    np.testing.assert_array_equal(ends[0][1], ends[1][1])
