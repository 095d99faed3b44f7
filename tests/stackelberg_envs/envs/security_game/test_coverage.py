"""Schedules and the best coverage: linear programs in coverage, and in mixtures of schedules, agree."""

import numpy as np
import pytest

import stackelberg_envs as se
from stackelberg_envs.envs.security_game.coverage import best_coverage, payoffs, schedules


def test_schedules_are_all_ways_to_stand():
    covered = schedules(4, 2)
    assert covered.shape == (6, 4)
    assert (covered.sum(axis=1) == 2).all()
    assert len(np.unique(covered, axis=0)) == 6


def test_the_known_coverage():
    reward = np.array([4.0, 3.0, 2.0, 1.0])
    value, coverage = best_coverage(reward, -np.ones(4), -reward, 1)
    assert value == pytest.approx(-80 / 47, abs=1e-9)
    np.testing.assert_allclose(coverage, [23 / 47, 17 / 47, 7 / 47, 0], atol=1e-9)


@pytest.mark.parametrize(("targets", "guards"), [(3, 1), (4, 2), (5, 2), (5, 3)])
@pytest.mark.parametrize("seed", range(3))
def test_coverage_and_schedules_are_worth_the_same(targets, guards, seed):
    rng = np.random.default_rng(seed)
    reward, loss = rng.uniform(1, 5, targets), rng.uniform(1, 5, targets)
    value, coverage = best_coverage(reward, -np.ones(targets), -loss, guards)
    covered = schedules(targets, guards)
    found = se.stackelberg_strategies(
        payoffs(covered, -loss, np.zeros(targets)), payoffs(covered, reward, -np.ones(targets))
    )
    assert found.value == pytest.approx(value, abs=1e-7)
    assert (coverage <= 1 + 1e-9).all()
    assert coverage.sum() == pytest.approx(guards, abs=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_all_guards_stand_somewhere_even_where_they_do_harm(seed):
    rng = np.random.default_rng(seed)
    reward, penalty, loss = rng.uniform(-2, 2, 4), rng.uniform(-2, 2, 4), rng.uniform(-2, 2, 4)
    value, coverage = best_coverage(reward, penalty, -loss, 2)
    covered = schedules(4, 2)
    found = se.stackelberg_strategies(payoffs(covered, -loss, np.zeros(4)), payoffs(covered, reward, penalty))
    assert found.value == pytest.approx(value, abs=1e-7)
    assert coverage.sum() == pytest.approx(2, abs=1e-9)
