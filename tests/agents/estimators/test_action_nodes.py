"""Nodes of quadrature, and the behaviour of followers fitted to play."""

from __future__ import annotations

import numpy as np
import pytest

import stackelberg_envs as se
from agents.estimators.action_nodes import GaussianBehaviour, encode, even_nodes, gaussian_nodes
from agents.estimators.regression import quadratic_features
from agents.runs.collection import collect
from stackelberg_envs.games.samples import ActionSpec

MIDDLE = np.full(8, 0.5)


@pytest.mark.parametrize(("size", "squares"), [(1, False), (2, False), (2, True), (4, True)])
def test_nodes_have_the_moments_of_the_normal_distribution(size: int, squares: bool) -> None:
    nodes, shares = gaussian_nodes(size, squares)
    np.testing.assert_allclose(shares @ quadratic_features(nodes)[:, : 1 + size], [1.0] + [0.0] * size, atol=1e-12)
    np.testing.assert_allclose((nodes * shares[:, None]).T @ nodes, np.eye(size), atol=1e-12)


def test_behaviour_of_boxes_is_the_followers() -> None:
    game = se.make_game("stackelberg/BuildingThermal-v1")
    solution = game.solve(MIDDLE)
    seen = collect(game, MIDDLE, solution, steps=10_000, rng=0)
    behaviour = GaussianBehaviour(seen.samples, linear=True)
    np.testing.assert_allclose(behaviour.covariance, solution.policy.covariance, rtol=0.1, atol=0.002)
    given, _ = behaviour.means(seen.follower_action, behaviour.action_nodes, [])
    mean = solution.policy.mean(seen.state, seen.leader_action)
    assert np.abs(given - mean).mean() < 0.01


def test_discrete_actions_are_encoded_without_a_reference_column() -> None:
    coded = encode(np.array([[0, 2], [1, 0]]), ActionSpec(counts=(2, 3)))
    np.testing.assert_array_equal(coded, [[0, 0, 1], [1, 0, 0]])


def test_even_nodes_have_variance_one_and_see_a_narrow_bump() -> None:
    nodes, shares = even_nodes(1)
    assert shares @ nodes[:, 0] == pytest.approx(0.0, abs=1e-12)
    assert shares @ nodes[:, 0] ** 2 == pytest.approx(1.0)
    # E exp(-(z - c)^2 / (2 w^2)) for z ~ N(0, 1).
    for centre in (0.0, 0.4, 1.0):
        mean = shares @ np.exp(-0.5 * ((nodes[:, 0] - centre) / 0.45) ** 2)
        exact = 0.45 / np.sqrt(1.0 + 0.45**2) * np.exp(-0.5 * centre**2 / (1.0 + 0.45**2))
        assert mean == pytest.approx(exact, rel=0.1)
