import sys

import numpy as np
import pytest

import agents
from agents.leaders.cma_es import CmaEs, CmaEsConfig
from agents.observing.brief import Information
from agents.runs.briefing import make_brief
from stackelberg_envs.envs import discrete_toy_v0
from stackelberg_envs.errors import ArgumentError, MissingExtraError
from stackelberg_envs.solvers.solving import solve
from tests.games import TOY_OPTIMUM

GAME = discrete_toy_v0.make_game()


def make(**options):
    brief = make_brief(GAME, Information.ACTIONS_ONLY)
    return CmaEs(brief, CmaEsConfig(**options), np.random.default_rng(0))


def play(x):
    return agents.collect(GAME, x, solve(GAME, x).response, steps=150, rng=0)


@pytest.mark.parametrize("reward", [1.0, pytest.param(2.0, marks=pytest.mark.deep)])
def test_it_comes_near_the_optimum_of_the_toy(reward):
    game = discrete_toy_v0.make_game(reward=reward)
    records = [
        agents.run(game, leader="cma_es", updates=150, steps_per_update=1_500, seed=seed, evaluate_every=0)
        for seed in range(5)
    ]
    assert np.median([record.leader_value for record in records]) > 0.98 * TOY_OPTIMUM[reward]


def test_a_generation_is_told_when_it_is_complete():
    leader = make(population=5)
    generations = [leader.update(play(leader.commit()))["generation"] for _ in range(11)]
    assert generations == [0.0] * 4 + [1.0] * 5 + [2.0] * 2


def test_sigma_is_the_spread_of_the_first_candidates():
    near, far = (make(sigma=sigma).theta for sigma in (0.25, 1.0))
    assert np.abs(near).min() > 0
    np.testing.assert_allclose(far, 4 * near)


def test_where_it_has_converged_it_begins_again_around_the_best(monkeypatch):
    leader = make(population=4)
    monkeypatch.setattr(type(leader._search), "has_converged", lambda self: True)
    for _ in range(4):
        diagnostics = leader.update(play(leader.commit()))
    assert diagnostics["generation"] == 0.0
    np.testing.assert_allclose(leader._search._cma.mean, leader.best_theta)


def test_without_the_package_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "cmaes", None)
    with pytest.raises(MissingExtraError, match=r"^cma_es: .* `pip install cmaes` installs$"):
        make()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sigma": 0.0}, "sigma: expected a number greater than 0"),
        ({"population": 3}, "population: expected an integer of at least 4, got 3"),
        ({"start": [0.0]}, "start: expected 6 finite numbers, got an array of size 1"),
    ],
)
def test_bad_options_are_refused_by_name(options, message):
    with pytest.raises(ArgumentError, match=message):
        make(**options)
