"""Successive halving: it finds the higher of two hills, and does not care about units."""

import numpy as np
import pytest

from agents.learning.halving import Arm, HalvingSearch, Phases
from agents.learning.parametrisations import PARAMETRISATIONS, make_parametrisation
from stackelberg_envs.errors import OutputError
from stackelberg_envs.games.commitments.incentives import StateIncentive
from stackelberg_envs.games.commitments.policy_table import PolicyTable


def box(size=3, low=-2.0, high=6.0):
    return make_parametrisation(StateIncentive(low, high, where=np.ones(size)), "sigmoid")


def two_hills(x):
    """Return a value with a low hill near the middle of the box and a high, narrow one at a vertex, and its slope."""
    low, high = np.full(len(x), 2.5), np.full(len(x), 7.0)
    parts = [(1.0, low, 3.0), (2.0, high, 2.0)]
    value, slope = 0.0, np.zeros(len(x))
    for height, centre, width in parts:
        bump = height * np.exp(-((x - centre) ** 2).sum() / (2 * width**2))
        value, slope = value + bump, slope - bump * (x - centre) / width**2
    return value, slope


def searched(parametrisation, objective, updates, seed=0, unit=1.0, noise=0.0):
    rng = np.random.default_rng(seed)
    search = HalvingSearch(parametrisation, np.zeros(parametrisation.size), np.random.default_rng(seed), updates)
    for _ in range(updates):
        x = parametrisation(search.theta)
        value, slope = objective(x)
        value += noise * rng.standard_normal()
        search.learn(search.theta, unit * value, 0.0, parametrisation.uphill(search.theta, unit * slope))
    return parametrisation(search.best), search


@pytest.mark.parametrize("updates", [40, 100, 500])
def test_it_ends_on_the_higher_hill_at_the_edge_of_the_box(updates):
    for seed in range(5):
        x, _ = searched(box(), two_hills, updates, seed)
        np.testing.assert_allclose(x, 6.0, atol=1e-3)


def test_units_of_reward_change_nothing():
    ends = [searched(box(), two_hills, 60, unit=2.0**power)[0] for power in (-600, 0, 600)]
    np.testing.assert_array_equal(ends[0], ends[1])
    np.testing.assert_array_equal(ends[2], ends[1])


def test_a_flat_place_is_left():
    def cliff(x):
        inside = (np.abs(x - 4.0) < 1.0).all()
        return (1.0, 4.0 - x) if inside else (0.0, np.zeros(len(x)))

    found = [cliff(searched(box(2), cliff, 200, seed)[0])[0] for seed in range(5)]
    assert found == [1.0] * 5


def test_the_parts_take_all_updates_and_no_more():
    for updates in (1, 2, 3, 7, 20, 100, 333):
        phases = Phases.of(updates)
        _, search = searched(box(), two_hills, updates)
        spent = phases.pool + phases.first * phases.first_updates + phases.second * phases.second_updates
        assert spent <= max(updates, 3)
        assert phases.first <= phases.pool
        assert search.phase >= (4 if updates >= 20 else 0)


def test_beyond_its_updates_it_stays_at_the_best():
    x, search = searched(box(), two_hills, 40)
    for _ in range(5):
        theta = search.theta
        search.learn(theta, two_hills(box()(theta))[0], 0.0, np.ones(3))
    np.testing.assert_allclose(box()(search.theta), x)


def test_a_judgement_with_a_large_error_counts_less():
    search = HalvingSearch(box(), np.zeros(3), np.random.default_rng(0), 4)
    first = search.theta
    search.learn(first, 1.0, 0.1, np.zeros(3))
    search.learn(search.theta, 1.2, 1.0, np.zeros(3))
    np.testing.assert_array_equal(search.best, first)


def test_of_certain_values_the_last_counts_and_of_others_the_mean():
    for certain, score in ((True, 3.0), (False, 2.0)):
        arm = Arm(np.zeros(3))
        for value in (1.0, 3.0):
            arm.note(value, moving=False, certain=certain)
        assert arm.score == score


def test_one_estimate_far_off_does_not_make_the_following_steps_short():
    arm, other, space, rng = Arm(np.zeros(3)), Arm(np.zeros(3)), box(), np.random.default_rng(0)
    for t in range(12):
        for each, slope in ((arm, np.ones(3) * (1e6 if t == 3 else 1.0)), (other, np.ones(3))):
            each.note(1.0, moving=True)
            each.climb(slope, space, rng, usual=0.0)
    np.testing.assert_allclose(space(arm.theta), space(other.theta), rtol=0.05)


def test_a_leap_over_a_ridge_is_taken_back():
    def ridge(x):
        """Return a value of 1 on a ridge a hundredth of the box wide, which a slope leads to, and nothing beyond it."""
        at = (x[0] + 2.0) / 8.0
        if at > 0.62:
            return 0.0, np.zeros(len(x))
        return at + np.exp(-(((at - 0.6) / 0.01) ** 2)), np.array([1.0 / 8.0, 0.0, 0.0])

    found = [ridge(searched(box(), ridge, 300, seed)[0])[0] for seed in range(5)]
    assert min(found) > 1.2

    arm, space = Arm(np.zeros(3)), box()
    for value in (1.0, 0.1):
        arm.note(value, moving=True)
        arm.climb(np.ones(3), space, np.random.default_rng(0), usual=0.0)
    leap = 0.2 * 8.0
    np.testing.assert_allclose(space(arm.theta), 2.0 + leap / 3.0)


def test_a_search_goes_on_with_the_same_bits():
    whole, _ = searched(box(), two_hills, 60)
    half = HalvingSearch(box(), np.zeros(3), np.random.default_rng(0), 60)
    for stop in range(60):
        if stop in (5, 31, 40, 50, 58):
            again = HalvingSearch(box(), np.zeros(3), np.random.default_rng(9), 60)
            again.load_state_dict(half.state_dict())
            half = again
        value, slope = two_hills(box()(half.theta))
        half.learn(half.theta, value, 0.0, box().uphill(half.theta, slope))
    np.testing.assert_array_equal(box()(half.best), whole)


def test_a_queue_of_arms_that_are_not_there_is_refused():
    search = HalvingSearch(box(), np.zeros(3), np.random.default_rng(0), 20)
    tree = search.state_dict()
    with pytest.raises(OutputError, match="expected a queue of numbers below 10"):
        search.load_state_dict({**tree, "_queue": [10]})


@pytest.mark.parametrize("name", PARAMETRISATIONS)
def test_steps_lead_uphill_and_reach_the_edge(name):
    commitments = {"softmax_table": PolicyTable(4, 3), "softmax_budget": StateIncentive(-3.0, 0.0, where=np.ones(5))}
    commitment = commitments.get(name, StateIncentive(-1.0, 2.0, where=np.ones(5)))
    space, rng = make_parametrisation(commitment, name), np.random.default_rng(1)
    weights = rng.standard_normal(commitment.shape)
    theta = rng.standard_normal(space.size)
    value = (weights * space(theta)).sum()
    for _ in range(200):
        theta = space.moved(theta, 0.5 * space.stride * np.sign(space.uphill(theta, weights)))
        assert commitment.check(space(theta)) is not None
    best = {
        "softmax_table": weights.max(axis=-1).sum(),
        "softmax_budget": -3.0 * weights.min(initial=0.0),
    }.get(name, np.where(weights > 0, 2.0 * weights, -weights).sum())
    assert (weights * space(theta)).sum() > value
    assert (weights * space(theta)).sum() == pytest.approx(best, abs=0.01 * np.abs(weights).sum())


@pytest.mark.parametrize("name", PARAMETRISATIONS)
def test_candidates_lie_in_the_set_and_apart(name):
    commitments = {"softmax_table": PolicyTable(4, 3), "softmax_budget": StateIncentive(-3.0, 0.0, where=np.ones(5))}
    commitment = commitments.get(name, StateIncentive(-1.0, 2.0, where=np.ones(5)))
    space = make_parametrisation(commitment, name)
    drawn = space.candidates(np.random.default_rng(0))
    points = np.array([commitment.check(space(next(drawn))).ravel() for _ in range(40)])
    assert len(np.unique(points.round(6), axis=0)) == 40
    assert np.ptp(points, axis=0).min() > 0.9 * (commitment.high - commitment.low).min()
