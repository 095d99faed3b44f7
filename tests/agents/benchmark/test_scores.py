"""Scores: 0 at the start, 1 at the best known value, above 1 what is better, and nothing where nothing is known."""

import math

import pytest

from agents.benchmark.scores import TaskScale, new_best, score, score_of, task_scales
from agents.benchmark.store import Sweep, TaskFacts
from tests.made_records import made_failure, made_job, made_record

TOY = TaskScale("toy", start=-2.0, best=6.0, is_relative=False)


def records(**changes):
    return [made_record(made_job(seed=seed), share=0.5 + 0.1 * seed, **changes) for seed in range(3)]


def sweep(**facts):
    return Sweep(name="s", tasks=[TaskFacts(name="DiscreteToy", **facts)], entrants=[], jobs=[])


@pytest.mark.parametrize(("value", "expected"), [(-2.0, 0.0), (6.0, 1.0), (2.0, 0.5), (-6.0, -0.5), (10.0, 1.5)])
def test_a_score_is_the_share_of_the_way_and_never_clipped(value, expected):
    assert score(value, TOY) == expected


def test_there_is_no_score_without_a_value_or_a_way():
    assert math.isnan(score(None, TOY))
    for start, best in ((None, 1.0), (0.0, None), (1.0, 1.0), (2.0, 1.0)):
        scale = TaskScale("toy", start, best, is_relative=False)
        assert not scale.is_usable
        assert math.isnan(score(0.5, scale))


def test_what_a_sweep_says_comes_before_what_records_say():
    found = records(neutral_value=1.0, start_value=2.0, best_known=9.0)
    assert task_scales(found)["DiscreteToy"] == ("DiscreteToy", 1.0, 9.0, False)
    assert task_scales(found, sweep(start=0.0))["DiscreteToy"] == ("DiscreteToy", 0.0, 9.0, False)
    assert task_scales(found, sweep(best_known=8.0))["DiscreteToy"] == ("DiscreteToy", 1.0, 8.0, False)


def test_the_start_is_the_median_of_the_neutral_values_else_of_the_first_ones():
    found = [made_record(made_job(seed=i), neutral_value=value) for i, value in enumerate((3.0, 1.0, 50.0, None))]
    assert task_scales(found)["DiscreteToy"].start == 3.0
    found = [made_record(made_job(seed=i), neutral_value=None, start_value=value) for i, value in enumerate((5.0, 7.0))]
    assert task_scales(found)["DiscreteToy"].start == 6.0


def test_the_best_known_value_is_the_largest_else_the_best_of_the_comparison_and_that_is_said():
    found = [made_record(made_job(seed=i), best_known=value) for i, value in enumerate((30.0, None, 36.0))]
    assert task_scales(found)["DiscreteToy"].best == 36.0
    found = records(best_known=None)
    scale = task_scales(found)["DiscreteToy"]
    assert scale.is_relative
    assert scale.best == max(record.result.leader_value for record in found)
    assert max(score_of(record, {"DiscreteToy": scale}) for record in found) == 1.0
    assert not new_best(found, {"DiscreteToy": scale})


def test_what_did_not_finish_has_no_scale_and_no_score():
    failure = made_failure(made_job(task="FourRooms"))
    scales = task_scales([*records(), failure])
    assert set(scales) == {"DiscreteToy"}
    assert math.isnan(score_of(failure, scales))


def test_a_score_above_one_beyond_rounding_is_a_new_best_known_value_with_its_commitment():
    shares = {0: 1.00005, 1: 1.02, 2: 1.01, 3: 0.9}
    found = [made_record(made_job(seed=seed), share=share) for seed, share in shares.items()]
    scales = task_scales(found)
    best = new_best(found, scales)
    assert [(item.task, item.entrant, item.seed) for item in best] == [("DiscreteToy", "bchg", 1)]
    assert best[0].score == pytest.approx(1.02)
    assert best[0].value > best[0].best_known == 34.993
    assert best[0].commitment == found[1].result.commitment
    assert best[0].address == found[1].address
    assert best[0].is_exact
    assert not new_best([found[0], found[3]], scales)
