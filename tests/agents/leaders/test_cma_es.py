import sys
from dataclasses import replace

import numpy as np
import pytest

import agents
from agents.leaders.cma_es import CmaEsConfig, TabularCmaEs, VectorCmaEs, VectorCmaEsConfig
from agents.observing.brief import Information
from agents.runs.briefing import make_brief
from stackelberg_envs.envs import building_thermal_v1, discrete_toy_v1
from stackelberg_envs.errors import ArgumentError, MissingExtraError
from stackelberg_envs.solvers.solving import solve
from tests.games import TOY_OPTIMUM

GAME = discrete_toy_v1.make_game()


def make(**options):
    brief = make_brief(GAME, Information.ACTIONS_ONLY)
    return TabularCmaEs(brief, CmaEsConfig(**options), np.random.default_rng(0))


def play(x):
    return agents.collect(GAME, x, solve(GAME, x).response, steps=150, rng=0)


@pytest.mark.parametrize("reward", [1.0, pytest.param(2.0, marks=pytest.mark.deep)])
def test_it_comes_near_the_optimum_of_the_toy(reward):
    game = discrete_toy_v1.make_game(reward=reward)
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


BUILDING = building_thermal_v1.make_game()


def on_vectors(updates, **options):
    brief = replace(make_brief(BUILDING, Information.ACTIONS_ONLY), updates=updates, steps_per_update=100)
    return VectorCmaEs(brief, VectorCmaEsConfig(**options), np.random.default_rng(0))


def played(leader):
    x = leader.announce()
    leader.observe(agents.collect(BUILDING, x, BUILDING.solve(x).policy, steps=200, rng=1))
    return x


def test_in_games_of_vectors_it_first_looks_all_over_the_box():
    leader = on_vectors(40, draws=0.25, finals=0.2, finalists=3)
    tried = np.array([played(leader) for _ in range(10)])
    assert not tried[0].any()
    assert tried[1:].min() < 0.1
    assert tried[1:].max() > 0.9
    best = leader.best_theta
    np.testing.assert_allclose(leader._search.mean, best)
    near = np.array([played(leader) for _ in range(22)])
    assert np.abs(near - best).mean() < 0.25  # draws from all over are at least .25 from a point, .40 from this one
    assert (near >= 0).all()


def test_the_last_updates_play_the_best_again_and_the_best_mean_is_recommended():
    leader = on_vectors(40, draws=0.25, finals=0.2, finalists=3)
    for _ in range(32):
        played(leader)
    again = [tuple(played(leader)) for _ in range(8)]
    assert len(set(again)) == 4
    assert all(again.count(each) == 2 for each in set(again))
    theta = max(leader._finalists, key=lambda pair: np.mean(pair[1]))[0]
    np.testing.assert_array_equal(leader.recommend().ravel(), leader.brief.parametrisation(theta))


def test_without_a_budget_it_searches_from_the_start():
    leader = on_vectors(None)
    assert leader.preferred_steps(leader.brief, leader.config) == 250
    first = played(leader)
    assert first.any()
    assert np.isfinite(played(leader)).all()


def test_a_stored_leader_goes_on_in_its_finals():
    one, other = (on_vectors(12, draws=0.25, finals=0.5, finalists=2) for _ in range(2))
    for _ in range(8):
        played(one)
    other.checked_state(one.state_dict(), "leader").apply()
    for _ in range(3):
        np.testing.assert_array_equal(played(one), played(other))
