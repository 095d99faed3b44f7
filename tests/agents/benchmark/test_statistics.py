"""Statistics of scores: each number beside a second way to get it, and tests that keep their level.

Chances of a false alarm are those of the tests' own bounds: seeds are fixed, so that they fail always or never.
"""

import importlib.util
import itertools
import math
import sys
import types

import numpy as np
import pytest
from scipy import stats

from agents.benchmark.statistics import (
    AVERAGES,
    Estimate,
    Reach,
    aggregates,
    area_on_log_axis,
    band,
    difference,
    first_reaching,
    holm,
    improvement,
    interquartile_mean,
    paired_p_value,
    profile,
    reach,
    values_at,
)

RNG = np.random.default_rng(1)
#: Scores of three tasks, seven seeds each.
TASKS = [RNG.normal(mean, 0.2, 7) for mean in (0.3, 0.8, 1.0)]
OTHER = [RNG.normal(mean, 0.2, 6) for mean in (0.3, 0.6, 0.7)]


def matrix(tasks):
    """(runs, tasks), as the library of comparison wants it."""
    return np.array(tasks).T


@pytest.fixture
def rliable_library(monkeypatch):
    """Import rliable.library without the front of arch, which does not import beside the newest pandas."""
    pytest.importorskip("rliable")
    found = importlib.util.find_spec("arch")
    if found is None:
        pytest.skip("arch is not installed")
    front = types.ModuleType("arch")
    front.__path__ = list(found.submodule_search_locations)
    for name in [name for name in sys.modules if name.split(".")[0] in ("arch", "rliable")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "arch", front)
    return pytest.importorskip("rliable.library", exc_type=ImportError)


# --- averages --------------------------------------------------------------------------------------------


def test_averages_of_a_hand_computed_case():
    tasks = [np.array([0.0, 1.0, 2.0, 3.0]), np.array([4.0, 5.0, 6.0, 100.0])]
    assert interquartile_mean(tasks) == (2 + 3 + 4 + 5) / 4
    assert AVERAGES["median"](tasks) == (1.5 + 28.75) / 2
    assert AVERAGES["mean"](tasks) == (1.5 + 28.75) / 2
    # Of the scores only 0 falls short of 1: by 1, in one of four seeds of one of two tasks.
    assert AVERAGES["optimality_gap"](tasks) == 1 / 8


def test_averages_are_those_of_rliable():
    metrics = pytest.importorskip("rliable.metrics")
    theirs = {
        "interquartile_mean": metrics.aggregate_iqm,
        "median": metrics.aggregate_median,
        "mean": metrics.aggregate_mean,
        "optimality_gap": metrics.aggregate_optimality_gap,
    }
    assert set(theirs) == set(AVERAGES)
    for name, estimate in aggregates(TASKS).items():
        assert estimate.value == pytest.approx(theirs[name](matrix(TASKS)), abs=1e-12), name


def test_the_chance_of_improvement_is_that_of_rliable_with_ties_and_other_numbers_of_seeds():
    metrics = pytest.importorskip("rliable.metrics")
    rounded, other = [[np.round(task, 1) for task in tasks] for tasks in (TASKS, OTHER)]
    assert any(set(x) & set(y) for x, y in zip(rounded, other, strict=True))
    expected = metrics.probability_of_improvement(matrix(rounded), matrix(other))
    assert improvement(rounded, other).value == pytest.approx(expected, abs=1e-12)
    assert improvement(other, rounded).value == pytest.approx(1 - expected, abs=1e-12)
    assert improvement([np.array([1.0])], [np.array([1.0])]).value == 0.5


def test_intervals_are_those_of_rliable(rliable_library):
    reps = 2_000
    names = list(AVERAGES)
    _, theirs = rliable_library.get_interval_estimates(
        {"x": matrix(TASKS)}, lambda x: np.array([AVERAGES[name](list(x.T)) for name in names]), reps=reps
    )
    found = aggregates(TASKS)
    for name, low, high in zip(names, *theirs["x"], strict=True):
        # The end of an interval from 2,000 resamples has a standard error of about 0.06 standard deviations of the
        # estimate, the fourth part of the interval's length: here five of them, for the difference of two.
        bound = 5 * math.sqrt(2) * 0.06 * (high - low) / 4
        assert found[name].low == pytest.approx(low, abs=bound), name
        assert found[name].high == pytest.approx(high, abs=bound), name


def test_an_interval_of_a_mean_is_nearly_the_normal_one():
    scores = [np.random.default_rng(2).normal(size=400)]
    mean = aggregates(scores)["mean"]
    width = 1.96 * scores[0].std() / 20
    assert (mean.low, mean.high) == pytest.approx((mean.value - width, mean.value + width), abs=0.15 * width)


def test_seeds_are_drawn_within_their_tasks():
    # Without strata the mean would depend on how often each task is drawn.
    far_apart = [np.full(5, 0.0), np.full(5, 100.0)]
    assert aggregates(far_apart)["mean"] == Estimate(50.0, 50.0, 50.0)


def test_intervals_are_the_same_each_time():
    assert aggregates(TASKS) == aggregates(TASKS)


def test_one_seed_has_no_interval():
    estimates = [*aggregates([TASKS[0], np.array([0.7])]).values(), improvement([TASKS[0]], [np.array([0.7])])]
    for estimate in estimates:
        assert math.isfinite(estimate.value)
        assert math.isnan(estimate.low)
        assert math.isnan(estimate.high)


def test_a_profile_is_the_share_of_runs_above_each_threshold_every_task_alike():
    tasks = [np.array([0.2, 0.6]), np.array([0.9, 1.1, 1.2])]
    shares, low, high = profile(tasks, np.array([0.0, 0.5, 1.0, 2.0]))
    assert shares == pytest.approx([1.0, 0.75, 1 / 3, 0.0])
    assert (low <= shares).all()
    assert (high >= shares).all()


def test_a_profile_is_that_of_rliable(rliable_library):
    thresholds = np.linspace(-0.2, 1.5, 30)
    expected = rliable_library.score_distributions(matrix(TASKS), thresholds)
    assert profile(TASKS, thresholds)[0] == pytest.approx(expected, abs=1e-12)


def test_the_band_of_curves_is_the_interquartile_mean_at_each_point():
    curves = np.random.default_rng(3).normal(size=(8, 5)) + np.arange(5)
    middle, low, high = band(curves)
    for point in range(5):
        expected = aggregates([curves[:, point]])["interquartile_mean"]
        assert (middle[point], low[point], high[point]) == pytest.approx(expected, abs=1e-12)


# --- anytime curves --------------------------------------------------------------------------------------

COSTS, SCORES = np.array([0.0, 10.0, 100.0, 1000.0]), np.array([0.0, 0.5, 0.4, 0.9])


def test_between_checkpoints_a_run_is_worth_what_it_was_at_the_last_one():
    found = values_at(COSTS, SCORES, np.array([-1.0, 0.0, 9.0, 10.0, 500.0, 1e6]))
    assert np.isnan(found[0])
    assert found[1:].tolist() == [0.0, 0.0, 0.5, 0.4, 0.9]


@pytest.mark.parametrize(("target", "cost"), [(-1.0, 0.0), (0.5, 10.0), (0.6, 1000.0), (0.95, math.inf)])
def test_a_target_is_reached_at_the_first_checkpoint_at_or_above_it(target, cost):
    assert first_reaching(COSTS, SCORES, target) == cost


def test_runs_that_never_reach_a_target_count():
    inf = math.inf
    spent = np.full(4, 100.0)
    assert reach(np.array([10.0, 20.0, inf, 30.0]), spent) == Reach(30.0, 160 / 3, 3, 4)
    assert reach(np.array([10.0, 20.0, 30.0]), spent[:3]) == Reach(20.0, 20.0, 3, 3)
    assert reach(np.array([10.0, inf, inf, inf]), spent) == Reach(inf, 310.0, 1, 4)
    assert reach(np.full(4, inf), spent) == Reach(inf, inf, 0, 4)


def test_the_area_on_the_log_axis_of_a_hand_computed_case():
    # A third of the way each: 0.5, 0.4, 0.9.
    assert area_on_log_axis(COSTS, SCORES, 10.0, 10_000.0) == pytest.approx(0.6)
    # From a cost before the first checkpoint on, the value at the start counts.
    assert area_on_log_axis(COSTS, SCORES, 1.0, 100.0) == pytest.approx(0.25)
    assert area_on_log_axis(COSTS, np.ones(4), 3.0, 777.0) == pytest.approx(1.0)
    for low, high in ((0.0, 10.0), (10.0, 10.0), (10.0, 5.0)):
        assert math.isnan(area_on_log_axis(COSTS, SCORES, low, high))
    assert math.isnan(area_on_log_axis(COSTS[1:], SCORES[1:], 1.0, 100.0))


def test_the_area_is_the_integral():
    costs, scores = np.concatenate([[0.0], np.geomspace(1.0, 1e4, 40)]), np.random.default_rng(4).normal(size=41)
    grid = np.geomspace(2.0, 5e3, 200_001)
    expected = values_at(costs, scores, np.sqrt(grid[1:] * grid[:-1])).mean()
    assert area_on_log_axis(costs, scores, 2.0, 5e3) == pytest.approx(expected, abs=1e-4)


# --- tests -----------------------------------------------------------------------------------------------


def test_the_paired_test_tries_all_signs():
    pairs = [np.array([0.2, 0.6]), np.array([0.5, -0.2, -0.4])]
    weights = np.array([1 / 2, 1 / 2, 1 / 3, 1 / 3, 1 / 3])
    observed = weights @ np.concatenate(pairs)
    sums = [weights * signs @ np.concatenate(pairs) for signs in itertools.product((1, -1), repeat=5)]
    assert paired_p_value(pairs) == np.mean([value >= observed - 1e-12 for value in sums])


@pytest.mark.parametrize("seeds", [5, 40])
def test_the_paired_test_is_that_of_scipy(seeds):
    pairs = np.random.default_rng(5).normal(0.2, 0.6, seeds)
    expected = stats.permutation_test(
        (pairs,),
        lambda x, axis: x.mean(axis=axis),
        permutation_type="samples",
        alternative="greater",
        n_resamples=20_000,
        random_state=np.random.default_rng(0),
    ).pvalue
    # Five seeds: exact. Forty: two draws, 9,999 and 20,000; five of the standard errors of their difference.
    bound = 1e-12 if seeds == 5 else 5 * math.sqrt(expected * (1 - expected) * (1 / 9_999 + 1 / 20_000))
    assert paired_p_value([pairs]) == pytest.approx(expected, abs=bound)


def test_the_least_p_value_of_the_paired_test_is_that_of_its_number_of_pairs():
    assert [paired_p_value([np.ones(n)]) for n in (1, 3, 10)] == [0.5, 0.125, 2.0**-10]
    assert paired_p_value([np.zeros(4)]) == 1.0
    assert paired_p_value([np.array([0.0, 0.0, 1.0])]) == 0.5
    assert paired_p_value([np.ones(50)]) == 1e-4


def null_p_values(count, seeds, rng):
    """P-values where nothing distinguishes two leaders; spread and tails differ from task to task."""
    draws = (rng.standard_normal, lambda size: rng.standard_t(2, size), lambda size: 10 * rng.standard_normal(size))
    for _ in range(count):
        yield paired_p_value([draw(seeds) - draw(seeds) for draw in draws])


def test_the_paired_test_keeps_its_level():
    # 12 pairs, all signs. 1,000 tests at 5 %: 50 alarms, standard deviation 6.9; outside 23..77 once in 10,000.
    found = np.array(list(null_p_values(1_000, 4, np.random.default_rng(6))))
    assert 23 <= (found <= 0.05).sum() <= 77


@pytest.mark.deep
def test_the_paired_test_keeps_its_level_where_signs_are_drawn():
    # 30 pairs. 5,000 tests at 5 %: 250 alarms, standard deviation 15.4; outside 190..310 once in 10,000.
    found = np.array(list(null_p_values(5_000, 10, np.random.default_rng(7))))
    assert 190 <= (found <= 0.05).sum() <= 310


def test_the_paired_test_sees_a_difference():
    rng = np.random.default_rng(8)
    pairs = [rng.normal(0.1, 0.1, 10) for _ in range(3)]
    assert paired_p_value(pairs) < 0.001
    assert paired_p_value([-task for task in pairs]) > 0.99
    found = difference(pairs)
    assert found.value == pytest.approx(np.mean(pairs))
    assert 0.0 < found.low < found.value < found.high


def test_holms_correction_of_a_hand_computed_case():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([0.02]) == [0.02]
    assert holm([]) == []


def test_holms_correction_is_that_of_statsmodels():
    multitest = pytest.importorskip("statsmodels.stats.multitest")
    p_values = np.random.default_rng(9).uniform(size=12) ** 3
    assert holm(p_values) == pytest.approx(multitest.multipletests(p_values, method="holm")[1], abs=1e-12)


def test_holms_correction_keeps_the_level_over_all_tests_together():
    # Five tests of nothing at once, 2,000 times at 5 %: 98 alarms, standard deviation 9.7; above 134 once in 10,000.
    rng = np.random.default_rng(10)
    alarms = sum(min(holm(list(rng.uniform(size=5)))) <= 0.05 for _ in range(2_000))
    assert 62 <= alarms <= 134
