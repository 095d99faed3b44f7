import math

import numpy as np
import pytest

from stackelberg_envs.solvers.equilibrium import uniqueness
from stackelberg_envs.solvers.equilibrium.linearisation import Linearisation
from stackelberg_envs.solvers.equilibrium.logit import logit_equilibrium
from stackelberg_envs.solvers.equilibrium.uniqueness import contraction_bound, distance_bound
from tests.stackelberg_envs.solvers.equilibrium.markov_arrays import matrix_game, random_arrays


@pytest.mark.parametrize("arguments", [{"temperature": 3.0}, {"sizes": (2, 2, 2), "temperature": 1.0}])
def test_no_derivative_exceeds_the_contraction_bound(arguments):
    game = random_arrays(follower_discount=0.3, **arguments)
    bound = contraction_bound(game)
    rng = np.random.default_rng(0)
    for _ in range(20):
        q = rng.normal(size=(4, sum(game.sizes)))
        slope = np.abs(Linearisation(game, q, game.temperature).dense()).sum(axis=1).max()
        assert slope <= bound


def test_the_bound_of_a_matrix_game_is_the_known_one():
    """With payoffs of 0 and 1 and two players, half of the inverse temperature."""
    assert contraction_bound(matrix_game(np.eye(2), np.eye(2), temperature=2.0)) == pytest.approx(0.25)
    assert contraction_bound(matrix_game(np.ones((2, 2)), np.eye(2).T * 0.0, temperature=0.01)) == 0.0


def test_one_follower_is_unique_at_every_temperature():
    assert contraction_bound(random_arrays(sizes=(3,), temperature=1e-3)) == pytest.approx(0.9)


def test_the_exact_point_lies_within_the_distance():
    game = random_arrays()
    found = logit_equilibrium(game)
    off = found.q + 1e-8 * np.random.default_rng(1).uniform(-1.0, 1.0, size=found.q.shape)
    bound = distance_bound(Linearisation(game, off, game.temperature))
    assert np.abs(off - found.q).max() <= bound < 1e-6
    assert distance_bound(found.at) < 1e-13


def test_far_away_and_in_large_games_nothing_is_proved(monkeypatch):
    game = random_arrays()
    assert distance_bound(Linearisation(game, np.full((4, 5), 9.0), 0.01)) == math.inf
    monkeypatch.setattr(uniqueness, "MOST_UNKNOWNS", 3)
    assert distance_bound(logit_equilibrium(game).at) == math.inf


@pytest.mark.parametrize("sizes", [(2, 2), (2, 3, 2)])
def test_the_derivative_turns_no_faster_than_its_bound(sizes):
    """With one state that ends play, and with several that go on."""
    ends = matrix_game(*np.random.default_rng(0).uniform(-1.0, 1.0, size=(len(sizes), *sizes)), temperature=0.2)
    for game in (ends, random_arrays(sizes=sizes, temperature=0.2)):
        found = logit_equilibrium(game).at
        rng, step, turned = np.random.default_rng(1), 1e-4, []
        for change in step * rng.choice([-1.0, 1.0], size=(10, *found.q.shape)):
            after = Linearisation(game, found.q + change, found.temperature)
            turned.append(np.abs(after.dense() - found.dense()).sum(axis=1).max())
        assert 0.0 < max(turned) <= uniqueness._turning(found, step) * step
