"""Searches of a box."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from agents.planning.box import BoxObjective, BoxSearchConfig, box_search
from agents.planning.search import ascend
from stackelberg_envs.errors import InstabilityError


def hill(x: Any, scale: float) -> tuple[float, Any]:
    """A maximum in the corner (0, 1), nothing finite beyond 0.9 in the first entry."""
    if x[0] > 0.9:
        raise InstabilityError("unstable", 1.1)
    return float(-x[0] + x[1] - 0.1 * scale * (x**2).sum()), np.array([-1.0, 1.0]) - 0.2 * scale * x


def test_box_search_finds_a_corner_and_counts_what_was_unstable() -> None:
    objective = BoxObjective(hill, np.zeros(2), np.ones(2))
    found = box_search(2, BoxSearchConfig(), np.random.default_rng(0), [np.array([0.95, 0.5])]).run(objective)
    np.testing.assert_allclose(objective.commitment(found.point), [0.0, 1.0], atol=1e-6)
    assert objective.unstable > 0
    assert found.value == pytest.approx(0.9)


def test_a_box_search_in_parts_comes_to_the_same_end() -> None:
    objectives = [BoxObjective(hill, np.zeros(2), np.ones(2)) for _ in range(2)]
    parts, whole = (box_search(2, BoxSearchConfig(), np.random.default_rng(0), [np.full(2, 0.5)]) for _ in range(2))
    evaluations = []
    while not parts.done:
        before = objectives[0].evaluations
        found = parts.run(objectives[0], 5)
        evaluations.append(objectives[0].evaluations - before)
    assert len(evaluations) > 3
    # The first part looks at all draws, and one more evaluation is for the best end again; then comes the last search.
    assert max(evaluations[1:-1]) <= 6
    np.testing.assert_allclose(found.point, whole.run(objectives[1]).point, atol=1e-6)


def test_an_ascent_never_ends_worse_than_it_began() -> None:
    objective = BoxObjective(hill, np.zeros(2), np.ones(2))
    start = np.array([0.2, 0.2])
    assert ascend(objective, start, iterations=1).value >= objective(start)[0]
